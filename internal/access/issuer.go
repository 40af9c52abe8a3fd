package access

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/store"
)

const (
	// listEvery is how often it is asked which accounts publish keys, unless the
	// epoch moves before, and listedAtOnce how many are read by one statement.
	listEvery    = 30 * time.Second
	listedAtOnce = 1000
	// fetchEvery is how old keys get before they are fetched again. After a
	// failure it is tried again after fetchAgain, then twice that and so on, up to
	// fetchSeldom.
	fetchEvery  = 5 * time.Minute
	fetchAgain  = time.Minute
	fetchSeldom = 20 * time.Minute
	// fetchTime is how long a fetch may take.
	fetchTime = 5 * time.Second
	// fetchesAtOnce bounds how many answers are waited for, of which so many are
	// fetched for one tenant, and from one host.
	fetchesAtOnce    = 16
	fetchesPerTenant = 2
	fetchesPerHost   = 2
	// keptFor is how long keys are good that can't be fetched any more.
	keptFor = 24 * time.Hour
)

// issuers keeps the public keys that accounts publish, for clients that prove
// themselves by an assertion. Keys are fetched because an account says where
// they are, and because time passes; never because of what a request says.
type issuers struct {
	fetch func(ctx context.Context, uri string) ([]byte, error)
	wake  chan struct{} // the list is to be read
	freed chan struct{} // a fetch is over

	mu    sync.RWMutex
	known map[account.ID]*issuer
	round round
}

// issuer is one place where a tenant's accounts publish keys, and what was last
// found there.
type issuer struct {
	account account.ID // one of those who name it
	tenant  account.ID
	uri     string
	host    string
	keys    auth.OutsideKeys

	good, due time.Duration // of the watch: when keys were last fetched, and are to be again
	failures  int           // since then
	busy      bool          // it is being fetched
}

func newIssuers(fetch func(ctx context.Context, uri string) ([]byte, error)) *issuers {
	return &issuers{
		fetch: fetch, wake: make(chan struct{}, 1), freed: make(chan struct{}, 1),
		known: map[account.ID]*issuer{}, round: newRound(),
	}
}

// stir has the list of issuers read soon.
func (i *issuers) stir() { signal(i.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// of is the keys that an account publishes at a place; none when they were not
// fetched from there.
func (i *issuers) of(id account.ID, uri string, now time.Duration) auth.OutsideKeys {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if found := i.known[id]; found != nil && found.uri == uri && now-found.good <= keptFor {
		return found.keys
	}
	return auth.OutsideKeys{}
}

// followIssuers keeps the keys of outside issuers fresh until ctx ends. The
// list is read and fetches are made apart from each other: what takes keys away
// never waits for somebody's slow answer.
func (a *Access) followIssuers(ctx context.Context) {
	if a.issuers.fetch == nil {
		return
	}
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() { a.fetchIssuers(ctx) })
	ticker := time.NewTicker(listEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := a.listIssuers(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("can't learn where accounts publish their keys", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-a.issuers.wake:
		case <-ticker.C:
		}
	}
}

// listIssuers reads who publishes keys, all of them.
func (a *Access) listIssuers(ctx context.Context) error {
	var sources []store.KeySource
	for after := account.ID(""); ; {
		page, err := a.store.KeySources(ctx, after, listedAtOnce)
		if err != nil {
			return fmt.Errorf("list the accounts that publish keys: %w", err)
		}
		for _, source := range page {
			if a.serves(source.Account) {
				sources = append(sources, source)
			}
		}
		if len(page) < listedAtOnce {
			break
		}
		after = page[len(page)-1].Account
	}
	a.issuers.take(sources)
	return nil
}

// take makes the list that of sources. Keys from elsewhere are good no more.
func (i *issuers) take(sources []store.KeySource) {
	i.mu.Lock()
	defer i.mu.Unlock()
	next := newRound()
	listed := make(map[account.ID]*issuer, len(sources))
	for _, source := range sources {
		listed[source.Account] = next.add(tenantOf(source), source, i.round)
	}
	next.follow(i.round)
	i.known, i.round = listed, next
	signal(i.freed)
}

// tenantOf is who answers for a source: of a merchant its partner.
func tenantOf(source store.KeySource) account.ID {
	if source.Owner == "" || source.Owner.IsPlatform() {
		return source.Account
	}
	return source.Owner
}

// fetchIssuers fetches what is due, and then what is due next.
func (a *Access) fetchIssuers(ctx context.Context) {
	var fetching sync.WaitGroup
	defer fetching.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		due, wait := a.issuers.next(a.watch.clock())
		if due != nil {
			fetching.Go(func() {
				a.fetchKeys(ctx, due)
				signal(a.issuers.freed)
			})
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-a.issuers.freed:
		case <-timer.C:
		}
	}
}

// next is what to fetch now; when there is nothing, for how long at most.
func (i *issuers) next(now time.Duration) (*issuer, time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if due := i.round.next(now); due != nil {
		return due, 0
	}
	return nil, i.round.quiet(now)
}

// fetchKeys fetches keys. When it fails the ones before stay.
func (a *Access) fetchKeys(ctx context.Context, from *issuer) {
	begun := a.watch.clock()
	limited, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	text, err := a.issuers.fetch(limited, from.uri)
	var keys auth.OutsideKeys
	if err == nil {
		keys, err = auth.ParseOutsideKeys(text)
	}
	a.issuers.mu.Lock()
	defer a.issuers.mu.Unlock()
	a.issuers.round.done(from)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		if from.failures == 0 {
			a.log.Warn("can't fetch the keys of an account", "account", from.account, "error", err)
		}
		from.due = a.watch.clock() + min(fetchAgain<<min(from.failures, 10), fetchSeldom)
		from.failures++
		return
	}
	if from.failures > 0 || from.good < 0 {
		a.log.Info("fetched the keys of an account", "account", from.account, "keys", keys.Len())
	}
	from.keys, from.good, from.failures, from.due = keys, begun, 0, a.watch.clock()+fetchEvery
}
