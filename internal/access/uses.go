package access

import (
	"context"
	"sync"
	"time"

	"mooring/internal/auth"
	"mooring/internal/store"
)

const (
	// flushEvery is how often it is written down who has logged in.
	flushEvery = 5 * time.Second
	// flushLimit is how long the last writing before a stop may take.
	flushLimit = 2 * time.Second
	// usesAtOnce bounds how many clients are remembered between two writings;
	// one more than that logs in all the same and is written down another time.
	usesAtOnce = 8192
)

// uses remembers when clients logged in, until it is written down. A request
// never waits for that.
type uses struct {
	mu      sync.Mutex
	pending map[useKey]time.Time
}

type useKey struct {
	client auth.ClientKey
	secret string
}

// saw notes that a client logged in; secret is "" when it proved itself
// otherwise.
func (u *uses) saw(client auth.Client, secret string, now time.Time) {
	key := useKey{auth.ClientKey{Account: client.Account, ID: client.ID}, secret}
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, there := u.pending[key]; !there && len(u.pending) >= usesAtOnce {
		return
	}
	if u.pending == nil {
		u.pending = map[useKey]time.Time{}
	}
	u.pending[key] = now
}

// take empties what is remembered.
func (u *uses) take() []store.Use {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := make([]store.Use, 0, len(u.pending))
	for key, at := range u.pending {
		taken = append(taken, store.Use{Client: key.client, Secret: key.secret, At: at})
	}
	u.pending = nil
	return taken
}

// RunUses writes down every few seconds who has logged in, until ctx ends, and
// once more then. What can't be written is lost: it is for people who tidy up.
func (a *Access) RunUses(ctx context.Context) error {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
			defer cancel()
			a.flush(last)
			return nil
		case <-ticker.C:
		}
		a.flush(ctx)
	}
}

func (a *Access) flush(ctx context.Context) {
	taken := a.uses.take()
	if len(taken) == 0 {
		return
	}
	if err := a.store.ClientsUsed(ctx, taken); err != nil {
		a.log.Warn("can't write down when clients logged in", "clients", len(taken), "error", err)
	}
}
