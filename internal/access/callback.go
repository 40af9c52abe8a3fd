package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/secret"
	"mooring/internal/store"
)

var errOver = errors.New("issue a callback token: its time is over")

// CallbackToken is the key to speaking of one signup: it lets nobody in
// anywhere else. It is good until expires, a real time, and no longer than
// auth.MaxCallbackLife. Whether there is such a signup is for the caller to
// know; a token for one that is missing opens nothing.
func (a *Access) CallbackToken(ctx context.Context, id account.ID, provider, reference string, expires time.Time) (secret.Plain, error) {
	jti, err := uuid.NewV7()
	if err != nil {
		return secret.Plain{}, err
	}
	issued := a.now().UTC().Truncate(time.Second)
	if latest := issued.Add(auth.MaxCallbackLife); expires.After(latest) {
		expires = latest
	}
	expires = expires.UTC().Truncate(time.Second)
	if !expires.After(issued) {
		return secret.Plain{}, errOver
	}
	token, err := a.keyring.Load().SignCallback(ctx, auth.CallbackClaims{
		Account: id, Callback: auth.Callback{Provider: provider, Reference: reference}, ID: jti.String(),
		IssuedAt: issued, ExpiresAt: expires,
	})
	if err != nil {
		return secret.Plain{}, err
	}
	a.counts.callback.Inc()
	return secret.NewPlain(token), nil
}

// CallbackURL is where callbacks about a signup go that are no documented
// ones, without what follows it for each kind of call.
func (a *Access) CallbackURL(id account.ID, provider, reference string) string {
	return a.audiences.CallbackURL(id, auth.Callback{Provider: provider, Reference: reference})
}

// callbackCaller holds the claims of a callback token against the signup and
// the account as they are now.
func (a *Access) callbackCaller(ctx context.Context, claims auth.CallbackClaims) (auth.Caller, error) {
	if !a.serves(claims.Account) {
		return auth.Caller{}, fault.Denied(errNotServed)
	}
	c := claims.Callback
	there, err := a.store.SignupExists(ctx, store.Place{Account: claims.Account, Provider: c.Provider}, c.Reference)
	if err != nil {
		return auth.Caller{}, fmt.Errorf("look up a signup: %w", err)
	}
	if !there {
		return auth.Caller{}, fault.Denied(errNoSignup)
	}
	caller := auth.Caller{
		Account: claims.Account, Client: c.Reference, Scopes: auth.Scopes{auth.CallbackScope(c.Provider)}, Callback: &c,
		Token: tokenHash(claims.ID),
	}
	acc, err := a.store.Account(ctx, caller, claims.Account)
	if err != nil {
		return auth.Caller{}, deniedIfMissing(err, errNoAccount)
	}
	caller.Kind = acc.Kind
	return caller, nil
}
