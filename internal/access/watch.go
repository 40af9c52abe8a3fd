package access

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	pollEvery   = time.Second
	pollTimeout = 3 * time.Second
	// staleAfter is how old the last good poll may be for the cache to be used.
	staleAfter = 5 * time.Second
)

// watch remembers the epoch and when it was last known to hold, on the
// monotonic clock: setting a node's clock does not lengthen what it trusts.
type watch struct {
	start time.Time
	epoch int64 // only Run and New touch it
	seen  atomic.Int64
}

func newWatch() *watch { return &watch{start: time.Now()} }

// clock is the time since the start.
func (w *watch) clock() time.Duration { return time.Since(w.start) }

// saw notes that the epoch was read by a poll that began at a time of clock.
func (w *watch) saw(epoch int64, begun time.Duration) {
	w.epoch = epoch
	w.seen.Store(int64(begun))
}

// fresh says whether the last good poll is young enough.
func (w *watch) fresh() bool {
	return w.clock()-time.Duration(w.seen.Load()) <= staleAfter
}

// Run asks for the epoch every second until ctx ends, and then returns nil.
// Beside that it keeps the keys of outside issuers fresh.
// When the epoch has moved, keys are read again and every remembered token is
// forgotten.
func (a *Access) Run(ctx context.Context) error {
	var following sync.WaitGroup
	defer following.Wait()
	following.Go(func() { a.followIssuers(ctx) })
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := a.poll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if (err != nil) != failing {
			failing = err != nil
			a.logPolls(err)
		}
	}
}

func (a *Access) logPolls(err error) {
	if err != nil {
		a.log.Warn("can't learn of changed clients and keys; every token is checked in full meanwhile", "error", err)
		return
	}
	a.log.Info("learns of changed clients and keys again")
}

func (a *Access) poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	begun := a.watch.clock()
	epoch, err := a.store.Epoch(ctx)
	if err != nil {
		return err
	}
	if epoch != a.watch.epoch {
		// Keys first: a token that a removed key has signed must not be
		// remembered after the clearing.
		if err := a.loadKeyring(ctx); err != nil {
			return err
		}
		a.cache.clear()
		a.issuers.stir()
	}
	a.watch.saw(epoch, begun)
	return nil
}
