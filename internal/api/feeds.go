package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/store"
)

const (
	maxFeeds          = 1000 // streams and waits that one process holds open
	maxFeedsOfAccount = 50   // and of them for the callers of one account
	feedConcerns      = 1000 // entries that are looked at together, whom they concern
)

// Feeds are those who wait for feeds to go on: open streams and long polls. It
// reads once what is new, and wakes those whom it concerns.
type Feeds struct {
	store *store.Store
	gauge interface{ Set(float64) } // how many are open
	log   *slog.Logger

	opened   chan struct{} // holds one: somebody waits where nobody did
	stopping chan struct{} // closed when the server stops
	stop     sync.Once

	mu        sync.Mutex
	listeners map[account.ID]map[*listener]bool // by whose feed they wait for
	callers   map[account.ID]int
	open      int
}

// listener waits for one feed.
type listener struct {
	feeds    *Feeds
	of, by   account.ID
	woken    chan struct{} // holds one
	stopping <-chan struct{}
}

// NewFeeds holds nobody yet, and tells the gauge how many it holds. Nobody is
// woken unless Run runs.
func NewFeeds(s *store.Store, gauge interface{ Set(float64) }, log *slog.Logger) *Feeds {
	return &Feeds{
		store: s, gauge: gauge, log: log, opened: make(chan struct{}, 1), stopping: make(chan struct{}),
		listeners: map[account.ID]map[*listener]bool{}, callers: map[account.ID]int{},
	}
}

// Stop ends all streams and waits, and lets in no more.
func (f *Feeds) Stop() { f.stop.Do(func() { close(f.stopping) }) }

// listen takes a place for a caller who waits for a feed. It must be closed.
func (f *Feeds) listen(of, by account.ID) (*listener, error) {
	select {
	case <-f.stopping:
		return nil, later(fault.Unavailable, fault.CodeUnavailable, "this server is stopping; connect again")
	default:
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.callers[by] >= maxFeedsOfAccount {
		return nil, later(fault.TooMany, fault.CodeTooMany, "the account has %d streams and waits open, which is all it may", maxFeedsOfAccount)
	}
	if f.open >= maxFeeds {
		return nil, later(fault.Unavailable, fault.CodeUnavailable, "this server has %d streams and waits open, which is all it can", maxFeeds)
	}
	l := &listener{feeds: f, of: of, by: by, woken: make(chan struct{}, 1), stopping: f.stopping}
	if f.listeners[of] == nil {
		f.listeners[of] = map[*listener]bool{}
	}
	f.listeners[of][l] = true
	f.callers[by]++
	f.open++
	f.gauge.Set(float64(f.open))
	signal(f.opened)
	return l, nil
}

func later(kind fault.Kind, code, message string, args ...any) error {
	f := fault.New(kind, code, message, args...)
	f.RetryAfter = 5 * time.Second
	return f
}

func (l *listener) close() {
	f := l.feeds
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners[l.of], l)
	if len(f.listeners[l.of]) == 0 {
		delete(f.listeners, l.of)
	}
	if f.callers[l.by]--; f.callers[l.by] == 0 {
		delete(f.callers, l.by)
	}
	f.open--
	f.gauge.Set(float64(f.open))
}

// Run wakes those who wait, until ctx ends.
func (f *Feeds) Run(ctx context.Context) error {
	const unknown = -1
	seen := int64(unknown)
	for ctx.Err() == nil {
		if f.isIdle() { // the feed is nobody's concern here
			seen = unknown
			select {
			case <-ctx.Done():
			case <-f.opened:
			}
			continue
		}
		moved := f.store.FeedMoved()
		var err error
		if seen == unknown {
			seen, err = f.store.FeedEnd(ctx)
			f.wake(nil)
		} else {
			seen, err = f.tellNew(ctx, seen)
		}
		var again <-chan time.Time
		if err != nil && ctx.Err() == nil {
			f.log.Warn("could not look whom the newest entries of the feed concern; trying again", "cause", err)
			seen, again = unknown, time.After(time.Second)
		}
		select {
		case <-ctx.Done():
		case <-moved:
		case <-again:
		}
	}
	return nil
}

func (f *Feeds) isIdle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open == 0
}

// tellNew wakes those whom the entries after a position concern, and returns
// the position of the last.
func (f *Feeds) tellNew(ctx context.Context, seen int64) (int64, error) {
	for {
		concerns, err := f.store.FeedConcerns(ctx, seen, feedConcerns)
		if err != nil || len(concerns) == 0 {
			return seen, err
		}
		whom := map[account.ID]bool{}
		for _, c := range concerns {
			whom[c.Owner], whom[c.Account], whom[account.Platform(c.Account.World())] = true, true, true
		}
		f.wake(whom)
		if seen = concerns[len(concerns)-1].Position; len(concerns) < feedConcerns {
			return seen, nil
		}
	}
}

// wake wakes those who wait for the feeds of some accounts; nil is of all.
func (f *Feeds) wake(whom map[account.ID]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for of, listeners := range f.listeners {
		if whom != nil && !whom[of] {
			continue
		}
		for l := range listeners {
			signal(l.woken)
		}
	}
}

// signal fills a channel that holds one, unless it is full.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
