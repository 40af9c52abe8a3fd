package simulator

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// The limits of one move of a clock. A move that reaches one says that there is
// more.
const (
	MaxAdvance = 366 * 24 * time.Hour
	MaxSteps   = 500
	MaxAhead   = 50 * 366 * 24 * time.Hour // of real time, in all moves
	moveTime   = 10 * time.Second          // after which no further step is begun

	stepTime = 4 * time.Second // for all calls of a step
	lease    = 5 * time.Second // of a clock, renewed before each step; longer than a step
	patience = 8 * time.Second // for a clock that somebody else moves
	tries    = 5               // of a step that the service can't take
)

// Config is what a driver works with. All fields are needed.
type Config struct {
	Store    *store.Store
	Vault    *vault.Vault // knows when certificates end
	Handler  http.Handler // what answers calls of providers
	Provider func(slug string) (*provider.Provider, bool)
	Token    func(ctx context.Context, id account.ID, provider, reference string, expires time.Time) (secret.Plain, error)
	Now      func() time.Time // real time, UTC, microseconds
	NewID    func() string
	Log      *slog.Logger
}

// Driver moves the clocks of test accounts, and plays what becomes due. It is
// safe for concurrent use, and so are the drivers of several nodes.
type Driver struct{ Config }

// NewDriver makes a driver.
func NewDriver(cfg Config) *Driver { return &Driver{cfg} }

// Fired is a call that a step made, or would have made, or the reminder of a
// certificate.
type Fired struct {
	At       time.Time // in the account's own time
	Provider string
	Signup   string // id; "" for a reminder
	Scenario string // likewise
	Event    string
	Outcome  string // "applied", "stale" or "duplicate", "refused", "lost" or "overtaken"
	Code     string // of a refusal
}

// Move is what moving a clock came to.
type Move struct {
	Account account.Account // with the clock as it is now
	Fired   []Fired
	Left    time.Duration // how far the clock still has to go, when a limit was reached before
	More    bool          // a limit was reached: what is due did not all happen yet
}

// Platform is in whose name the simulator reads: every test account is its to see.
var Platform = auth.Caller{Account: account.Platform(account.Test), Kind: account.KindPlatform}

// Clock finds a test account, and what happens next by its clock; nil when
// there is nothing. A production account has no clock of its own: Missing.
func (d *Driver) Clock(ctx context.Context, id account.ID) (account.Account, *Planned, error) {
	if id.World() != account.Test {
		return account.Account{}, nil, fault.Missing()
	}
	acc, err := d.Store.Account(ctx, Platform, id)
	if err != nil {
		return account.Account{}, nil, err
	}
	next, ok, err := d.next(ctx, acc)
	if err != nil || !ok {
		return acc, nil, err
	}
	planned, err := d.planned(ctx, next)
	return acc, planned, err
}

// happening is what is due at a time: a step, or a reminder.
type happening struct {
	at       time.Time // in the account's own time
	task     store.Task
	reminder *vault.Reminder // nil for a step
}

// next finds what is due first, and says whether there is anything. Of two at
// the same time the step goes first, as it may renew the certificate. What is
// further away than a clock goes at once does not count.
func (d *Driver) next(ctx context.Context, acc account.Account) (happening, bool, error) {
	task, err := d.Store.NextStep(ctx, acc.ID)
	found := err == nil
	if err != nil && fault.From(err).Kind != fault.NotFound {
		return happening{}, false, err
	}
	now := acc.Now(d.Now())
	reminders, err := d.Vault.Reminders(ctx, acc.ID, now)
	if err != nil || len(reminders) == 0 {
		return happening{at: task.DueAt, task: task}, found, err
	}
	first := reminders[0]
	if first.Due.After(now.Add(MaxAdvance)) || found && !first.Due.Before(task.DueAt) {
		return happening{at: task.DueAt, task: task}, found, nil
	}
	return happening{at: first.Due, reminder: &first}, true, nil
}

// pollEvery and pollBatch pace the search for steps that became due as real
// time passed.
const (
	pollEvery = time.Second
	pollBatch = 100
)

// Run plays steps as real time passes, until ctx ends.
func (d *Driver) Run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.catchUp(ctx); err != nil && ctx.Err() == nil {
				d.Log.Warn("playing the steps of test accounts failed", "error", err)
			}
		}
	}
}

// catchUp plays what is due now on every clock that nobody else moves.
func (d *Driver) catchUp(ctx context.Context) error {
	ids, err := d.Store.AccountsWithSteps(ctx, d.Now(), pollBatch)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		err := d.holding(ctx, id, 0, func(h *Hold) error {
			_, err := h.moveTo(ctx, h.account.Now(d.Now()), 0)
			return err
		})
		if err != nil && !errors.Is(err, errHeld) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
