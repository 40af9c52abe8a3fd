package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

const scheme = "Bearer "

// The causes of a refused caller, for the log.
var (
	errNoHeader    = errors.New("no Authorization header")
	errManyHeaders = errors.New("more than one Authorization header")
	errScheme      = errors.New("the Authorization header is not Bearer, one space and a token")
	errNoClient    = errors.New("there is no such client")
	errDisabled    = errors.New("the client is disabled")
	errNoGrant     = errors.New("the client has no grant for this account")
	errNoAccount   = errors.New("an account of the token is gone, or not owned any more by whom it was")
	errMoved       = errors.New("the account was moved to another owner, if only for a while, since this was given out")
	errSpent       = errors.New("the token was used before, or revoked")
	errNoSignup    = errors.New("there is no such signup")
	errNotServed   = errors.New("this process does not serve the world of the signup")
)

// Verify tells who stands behind the values of a request's Authorization
// header. A refusal is always the same fault; its cause is for the log. The
// caller's scopes are shared between requests: read them only.
func (a *Access) Verify(ctx context.Context, authorization []string) (auth.Caller, error) {
	token, err := bearer(authorization)
	if err != nil {
		return auth.Caller{}, fault.Denied(err)
	}
	if a.watch.fresh() {
		if caller, ok := a.cache.get(token, a.now()); ok {
			return caller, nil
		}
	}
	return a.check(ctx, token)
}

// bearer takes the token out of the header (RFC 6750, section 2.1): the scheme
// in any case, one space, and nothing else that could be skipped.
func bearer(authorization []string) (string, error) {
	switch {
	case len(authorization) == 0:
		return "", errNoHeader
	case len(authorization) > 1:
		return "", errManyHeaders
	}
	header := authorization[0]
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", errScheme
	}
	return header[len(scheme):], nil
}

// check verifies a token in full and remembers it when it is good.
func (a *Access) check(ctx context.Context, token string) (auth.Caller, error) {
	a.counts.checked.Inc()
	age := a.cache.now()
	caller, expiresAt, err := a.holder(ctx, token)
	if err != nil {
		return auth.Caller{}, err
	}
	if caller.Exchange == nil { // which is used once
		a.cache.put(age, token, caller, expiresAt)
	}
	return caller, nil
}

// holder is who stands behind a token, of whichever kind it is, and until when.
func (a *Access) holder(ctx context.Context, token string) (caller auth.Caller, expiresAt time.Time, err error) {
	ring := a.keyring.Load()
	switch ring.Type(token) {
	case auth.CallbackToken:
		claims, err := ring.VerifyCallback(token, a.now())
		if err != nil {
			return auth.Caller{}, time.Time{}, fault.Denied(err)
		}
		caller, err = a.callbackCaller(ctx, claims)
		return caller, claims.ExpiresAt, err
	case auth.ExchangeToken:
		claims, err := ring.VerifyExchange(token, a.now())
		if err != nil {
			return auth.Caller{}, time.Time{}, fault.Denied(err)
		}
		caller, err = a.exchangeCaller(ctx, claims)
		return caller, claims.ExpiresAt, err
	default:
		claims, err := ring.Verify(token, a.now())
		if err != nil {
			return auth.Caller{}, time.Time{}, fault.Denied(err)
		}
		caller, err = a.caller(ctx, claims)
		return caller, claims.ExpiresAt, err
	}
}

// caller holds the claims against the client, grant and accounts as they are
// now.
func (a *Access) caller(ctx context.Context, claims auth.Claims) (auth.Caller, error) {
	through := claims.Account
	if claims.Actor != "" {
		through = claims.Actor
	}
	grant, home, acted, err := a.standing(ctx, claims.Client, through)
	if err != nil {
		return auth.Caller{}, err
	}
	caller := auth.Caller{
		Account: claims.Account, Kind: acted.Kind, Client: claims.Client, Scopes: claims.Scopes.And(grant.Scopes),
		Token: tokenHash(claims.ID), Actor: claims.Actor,
	}
	if claims.Actor != "" {
		if acted, err = a.owned(ctx, claims.Actor, claims.Account); err != nil {
			return auth.Caller{}, err
		}
		caller.Kind, caller.Scopes = acted.Kind, caller.Scopes.And(auth.Acting)
	}
	if home.ID != claims.Account {
		caller.Home, caller.IssuedAt = home.ID, claims.IssuedAt
	}
	if caller.Partner() != "" && claims.IssuedAt.Before(acted.OwnedSince) {
		return auth.Caller{}, fault.Denied(errMoved)
	}
	caller.Provider = caller.Scopes.Provider()
	return caller, a.unspent(ctx, claims.Account, caller.Token)
}

// standing is the grant of a client for an account, as both are now, with the
// client's own account and the one that the grant is for.
func (a *Access) standing(ctx context.Context, clientID string, audience account.ID) (grant auth.Grant, home, of account.Account, err error) {
	client, home, err := a.store.Client(ctx, clientID)
	if err != nil {
		return grant, home, of, deniedIfMissing(err, errNoClient)
	}
	grant, ok := client.GrantFor(audience)
	switch {
	case client.Disabled:
		return grant, home, of, fault.Denied(errDisabled)
	case home.Deleted():
		return grant, home, of, fault.Denied(errNoAccount)
	case !ok:
		return grant, home, of, fault.Denied(errNoGrant)
	case audience == home.ID:
		return grant, home, home, nil
	}
	of, err = a.reached(ctx, client, grant)
	return grant, home, of, err
}

// reached is the account that a client has a grant for, which is not its own:
// its account's own still, and without a break since the grant was made.
func (a *Access) reached(ctx context.Context, client auth.Client, grant auth.Grant) (account.Account, error) {
	found, err := a.owned(ctx, client.Account, grant.Audience)
	if err == nil && !client.Account.IsPlatform() && client.MadeAt(grant).Before(found.OwnedSince) {
		err = fault.Denied(errMoved)
	}
	return found, err
}

// owned is an account that an owner has at the moment; the platform has every
// account of its world.
func (a *Access) owned(ctx context.Context, owner, id account.ID) (account.Account, error) {
	found, err := a.store.Account(ctx, auth.Caller{Account: owner}, id)
	if err != nil {
		return account.Account{}, deniedIfMissing(err, errNoAccount)
	}
	return found, nil
}

// unspent refuses a token that was used up or revoked.
func (a *Access) unspent(ctx context.Context, id account.ID, token string) error {
	spent, err := a.store.IsSpent(ctx, id, token)
	switch {
	case err != nil:
		return fmt.Errorf("look up a spent token: %w", err)
	case spent:
		return fault.Denied(errSpent)
	}
	return nil
}

// tokenHash names a token without telling its id.
func tokenHash(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// deniedIfMissing turns a missing record into the one refusal, and leaves a
// failing database what it is.
func deniedIfMissing(err, cause error) error {
	if fault.From(err).Kind == fault.NotFound {
		return fault.Denied(cause)
	}
	return fmt.Errorf("look up a caller: %w", err)
}
