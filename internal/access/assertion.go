package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/store"
)

// The causes of a refused assertion, for the log; those of its text are auth's.
var errNoKeys = errors.New("no keys of the client's account are known")

// loginByAssertion finds the client behind an assertion that a key of its
// account has signed. A good one never waits for those who guess.
func (a *Access) loginByAssertion(ctx context.Context, ask Ask) (auth.Client, error) {
	now := a.now()
	client, err := a.client(ctx, auth.AssertionClient(ask.Assertion))
	if err != nil {
		return auth.Client{}, err
	}
	cause := a.proves(ctx, client, ask, now)
	if cause == nil {
		a.uses.saw(client, "", now)
		return client, nil
	}
	if f := fault.From(cause); f.Kind != fault.Unauthenticated {
		return auth.Client{}, cause
	}
	if err := a.logins.attempt(ask.Remote, client.ID, "").failed(now); err != nil {
		a.counts.throttled.Inc()
		return auth.Client{}, err
	}
	a.counts.refused.Inc()
	return auth.Client{}, cause
}

// proves is nil when an assertion is a good one of the client, which it then
// uses up.
func (a *Access) proves(ctx context.Context, client auth.Client, ask Ask, now time.Time) error {
	// What is said now counts, whatever was fetched before.
	uri, err := a.store.KeysAt(ctx, client.Account)
	if err != nil {
		return fmt.Errorf("look up where an account publishes its keys: %w", err)
	}
	keys := a.issuers.of(client.Account, uri, a.watch.clock())
	switch {
	case client.ID == "":
		return fault.Denied(errUnknownClient)
	case client.Disabled:
		return fault.Denied(errDisabled)
	case ask.Account != "" && ask.Account != client.Account:
		return fault.Denied(errOtherAccount)
	case keys.Len() == 0:
		return fault.Denied(errNoKeys)
	}
	assertion, err := a.keyring.Load().VerifyAssertion(ask.Assertion, keys, client.ID, now)
	if err != nil {
		return fault.Denied(err)
	}
	return a.store.SpendOnce(ctx, store.Spent{
		Account: client.Account, ID: tokenHash("assertion " + client.ID + " " + assertion.ID), ExpiresAt: assertion.ExpiresAt,
	})
}
