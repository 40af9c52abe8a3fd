// Package deliver is the loop that does what is due: it hands signups to the
// gateways of their providers, asks how connections stand that nobody asked
// about, and takes in what is said.
//
// A signup's submission is written in the transaction of the signup, so it is
// never lost. It is claimed under a lease, handed over, and settled. A process
// that dies in between leaves a lease that ends, and the submission is handed
// over again with the same id: the provider's side sees twice what it must do
// once. What the provider says at once goes the way of its callbacks, under an
// external id of its own, so that hearing it twice changes nothing. A signup
// that nobody took within GiveUpAfter becomes an event that asks the operator.
//
// It promises that a submission is settled only after its effect is on disk. It
// must never know a provider by name.
package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/gateway"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/telemetry"
	"mooring/internal/vault"
)

// How the loop goes about its work.
const (
	poll     = time.Second     // between two looks for work
	lease    = 2 * time.Minute // longer than an exchange and what follows it can take
	parallel = 16              // submissions under way in this process
)

// Deps is what the loop works with. All fields are needed.
type Deps struct {
	Store     *store.Store
	Vault     *vault.Vault
	Gateway   gateway.Gateway        // of production
	Takes     func(slug string) bool // whether it reaches a provider
	Desk      *gateway.Desk
	Catalogue func() *provider.Catalogue
	Serves    func(account.ID) bool

	// CallbackToken makes the key with which a provider may speak of a signup,
	// and CallbackURL is where, without what follows it for each kind of call.
	CallbackToken func(ctx context.Context, id account.ID, provider, reference string, expires time.Time) (secret.Plain, error)
	CallbackURL   func(id account.ID, provider, reference string) string
	PublicURL     string

	Now      func() time.Time
	NewID    func() string
	NewToken func() string
	Log      *slog.Logger
	Metrics  *telemetry.Metrics
}

// Deliverer does what is due.
type Deliverer struct {
	Deps
	free chan struct{} // one for each submission that may be under way
}

// New makes a deliverer.
func New(d Deps) *Deliverer { return &Deliverer{Deps: d, free: make(chan struct{}, parallel)} }

// platform is in whose name the loop reads what is of an account.
func platform(id account.ID) auth.Caller {
	return auth.Caller{Account: account.Platform(id.World()), Kind: account.KindPlatform}
}

// Run works until ctx ends, and returns when what was under way is settled: an
// exchange that is cut off is due again at once. Only production has work for
// it: a process that does not serve it leaves that to those that do.
func (d *Deliverer) Run(ctx context.Context) error {
	if !d.Serves(account.Platform(account.Production)) {
		<-ctx.Done()
		return nil
	}
	var underWay sync.WaitGroup
	defer underWay.Wait()
	underWay.Go(func() { d.keepAsking(ctx) })
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		d.claim(ctx, &underWay)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// claim starts what is due, as far as there is room for it.
func (d *Deliverer) claim(ctx context.Context, underWay *sync.WaitGroup) {
	for ctx.Err() == nil {
		room := parallel - len(d.free)
		if room == 0 {
			return
		}
		tasks, err := d.Store.Claim(ctx, d.Now(), lease, room)
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("looking for signups to hand over failed", "error", err)
		}
		for _, task := range tasks {
			d.free <- struct{}{}
			underWay.Go(func() {
				defer func() { <-d.free }()
				d.deliver(ctx, task)
			})
		}
		if len(tasks) < room {
			return
		}
	}
}

func (d *Deliverer) count(name, help string) { d.Metrics.Counter(name, help).Inc() }
