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
	errNoAccount   = errors.New("the account of the token is gone")
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
	a.cache.put(age, token, caller, expiresAt)
	return caller, nil
}

// holder is who stands behind a token, of whichever kind it is, and until when.
func (a *Access) holder(ctx context.Context, token string) (caller auth.Caller, expiresAt time.Time, err error) {
	ring := a.keyring.Load()
	if ring.IsCallback(token) {
		claims, err := ring.VerifyCallback(token, a.now())
		if err != nil {
			return auth.Caller{}, time.Time{}, fault.Denied(err)
		}
		caller, err = a.callbackCaller(ctx, claims)
		return caller, claims.ExpiresAt, err
	}
	claims, err := ring.Verify(token, a.now())
	if err != nil {
		return auth.Caller{}, time.Time{}, fault.Denied(err)
	}
	caller, err = a.caller(ctx, claims)
	return caller, claims.ExpiresAt, err
}

// caller holds the claims against the client, grant and account as they are
// now.
func (a *Access) caller(ctx context.Context, claims auth.Claims) (auth.Caller, error) {
	client, home, err := a.store.Client(ctx, claims.Client)
	if err != nil {
		return auth.Caller{}, deniedIfMissing(err, errNoClient)
	}
	if client.Disabled {
		return auth.Caller{}, fault.Denied(errDisabled)
	}
	grant, ok := client.GrantFor(claims.Account)
	if !ok {
		return auth.Caller{}, fault.Denied(errNoGrant)
	}
	caller := auth.Caller{Account: claims.Account, Client: client.ID, Scopes: claims.Scopes.And(grant.Scopes), Token: tokenHash(claims.ID)}
	caller.Kind, err = a.kind(ctx, caller, home)
	return caller, err
}

// tokenHash names a token without telling its id.
func tokenHash(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// kind is that of the caller's account, which is mostly its client's home.
func (a *Access) kind(ctx context.Context, caller auth.Caller, home account.Account) (account.Kind, error) {
	if caller.Account == home.ID {
		return home.Kind, nil
	}
	other, err := a.store.Account(ctx, caller, caller.Account)
	if err != nil {
		return "", deniedIfMissing(err, errNoAccount)
	}
	return other.Kind, nil
}

// deniedIfMissing turns a missing record into the one refusal, and leaves a
// failing database what it is.
func deniedIfMissing(err, cause error) error {
	if fault.From(err).Kind == fault.NotFound {
		return fault.Denied(cause)
	}
	return fmt.Errorf("look up a caller: %w", err)
}
