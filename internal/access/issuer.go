package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/store"
)

const (
	// listEvery is how often it is asked which accounts publish keys, unless the
	// epoch moves before.
	listEvery = 30 * time.Second
	// fetchEvery is how old keys get before they are fetched again, and
	// fetchAgain how long to wait after a failure.
	fetchEvery = 5 * time.Minute
	fetchAgain = time.Minute
	// fetchesAtOnce bounds how many answers are waited for.
	fetchesAtOnce = 4
	// keptFor is how long keys are good that can't be fetched any more.
	keptFor = 24 * time.Hour
	// maxIssuers bounds how many accounts' keys are kept.
	maxIssuers = 10_000
)

// issuers keeps the public keys that accounts publish, for clients that prove
// themselves by an assertion. Keys are fetched because an account says where
// they are, and because time passes; never because of what a request says.
type issuers struct {
	fetch func(ctx context.Context, uri string) ([]byte, error)
	wake  chan struct{}

	mu    sync.RWMutex
	known map[account.ID]*issuer
}

// issuer is where an account's keys are, and what was last found there.
type issuer struct {
	uri         string
	keys        auth.OutsideKeys
	good, tried time.Duration // of the watch; good is when keys were last fetched
	failing     bool
}

func newIssuers(fetch func(ctx context.Context, uri string) ([]byte, error)) *issuers {
	return &issuers{fetch: fetch, wake: make(chan struct{}, 1), known: map[account.ID]*issuer{}}
}

// stir has the list of issuers read soon.
func (i *issuers) stir() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// of is the keys of an account; none when it publishes none.
func (i *issuers) of(id account.ID, now time.Duration) auth.OutsideKeys {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if found := i.known[id]; found != nil && now-found.good <= keptFor {
		return found.keys
	}
	return auth.OutsideKeys{}
}

// followIssuers keeps the keys of outside issuers fresh until ctx ends.
func (a *Access) followIssuers(ctx context.Context) {
	if a.issuers.fetch == nil {
		return
	}
	ticker := time.NewTicker(listEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := a.refreshIssuers(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("can't learn where accounts publish their keys", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-a.issuers.wake:
		case <-ticker.C:
		}
	}
}

// refreshIssuers reads who publishes keys, and fetches those that are due.
func (a *Access) refreshIssuers(ctx context.Context) error {
	sources, err := a.store.KeySources(ctx, maxIssuers)
	if err != nil {
		return fmt.Errorf("list the accounts that publish keys: %w", err)
	}
	var fetching sync.WaitGroup
	free := make(chan struct{}, fetchesAtOnce)
	for _, due := range a.issuers.take(sources, a.watch.clock(), a.serves) {
		free <- struct{}{}
		fetching.Go(func() {
			defer func() { <-free }()
			a.fetchKeys(ctx, due)
		})
	}
	fetching.Wait()
	return nil
}

// take makes the list that of sources, and says whose keys are due.
func (i *issuers) take(sources []store.KeySource, now time.Duration, serves func(account.ID) bool) (due []store.KeySource) {
	i.mu.Lock()
	defer i.mu.Unlock()
	listed := make(map[account.ID]*issuer, len(sources))
	for _, source := range sources {
		if !serves(source.Account) {
			continue
		}
		found := i.known[source.Account]
		if found == nil || found.uri != source.URI { // keys from elsewhere are good no more
			found = &issuer{uri: source.URI, good: -keptFor - 1, tried: -fetchEvery}
		}
		listed[source.Account] = found
		wait := fetchEvery
		if found.failing {
			wait = fetchAgain
		}
		if now-found.tried >= wait {
			found.tried = now
			due = append(due, source)
		}
	}
	i.known = listed
	return due
}

// fetchKeys fetches the keys of an account. When it fails the ones before stay.
func (a *Access) fetchKeys(ctx context.Context, source store.KeySource) {
	begun := a.watch.clock()
	text, err := a.issuers.fetch(ctx, source.URI)
	var keys auth.OutsideKeys
	if err == nil {
		keys, err = auth.ParseOutsideKeys(text)
	}
	a.issuers.mu.Lock()
	defer a.issuers.mu.Unlock()
	found := a.issuers.known[source.Account]
	if found == nil || found.uri != source.URI || ctx.Err() != nil {
		return
	}
	if err != nil {
		if !found.failing {
			a.log.Warn("can't fetch the keys of an account", "account", source.Account, "error", err)
		}
		found.failing = true
		return
	}
	if found.failing || found.good < 0 {
		a.log.Info("fetched the keys of an account", "account", source.Account, "keys", keys.Len())
	}
	found.keys, found.good, found.failing = keys, begun, false
}

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
	keys := a.issuers.of(client.Account, a.watch.clock())
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
