package simulator

import (
	"context"
	"errors"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/store"
)

// Hold is a clock that nobody else moves.
type Hold struct {
	driver  *Driver
	account account.Account
	fence   int64
	records []store.AuditRecord // that go with the first move
}

// errHeld is the cause of a refusal because somebody else moves the clock.
var errHeld = errors.New("the clock is being moved")

// Hold runs a function while nobody else moves the clock of a test account, and
// waits a few seconds for whoever does.
func (d *Driver) Hold(ctx context.Context, id account.ID, run func(*Hold) error) error {
	return d.holding(ctx, id, patience, run)
}

func (d *Driver) holding(ctx context.Context, id account.ID, wait time.Duration, run func(*Hold) error) error {
	if id.World() != account.Test {
		return fault.Missing()
	}
	h, err := d.hold(ctx, id, wait)
	if err != nil {
		return err
	}
	defer func() {
		if err := d.Store.UnlockClock(context.WithoutCancel(ctx), id, h.fence); err != nil {
			d.Log.Warn("letting go of a clock failed; it is free again when its lease ends", "account", id, "error", err)
		}
	}()
	return run(h)
}

// hold takes the clock.
func (d *Driver) hold(ctx context.Context, id account.ID, wait time.Duration) (*Hold, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for giveUp := d.Now().Add(wait); ; {
		acc, fence, err := d.Store.LockClock(ctx, id, d.Now(), lease)
		switch {
		case err == nil:
			return &Hold{driver: d, account: acc, fence: fence}, nil
		case fault.From(err).Kind != fault.Conflict:
			return nil, err
		case !d.Now().Before(giveUp):
			return nil, busy()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// busy is the answer to whoever comes while somebody else moves the clock.
func busy() error {
	f := fault.New(fault.Unavailable, fault.CodeUnavailable, "the account's clock is being moved; try again").Because(errHeld)
	f.RetryAfter = time.Second
	return f
}

// Account is the account as it was when its clock was last moved.
func (h *Hold) Account() account.Account { return h.account }

// Remember keeps records that are written with the first move of the clock, so
// that none moves without them; never when it stays.
func (h *Hold) Remember(records ...store.AuditRecord) { h.records = records }

// Goal is where a move ends. Whoever moves to it again, because nobody knows how
// far the first move came, moves no further. It can be kept as JSON.
type Goal struct {
	Until time.Time // what is due by then happens, in the account's own time
	Ahead int64     // by how many microseconds the clock is ahead afterwards, at least
}

// By is the goal of a move by so much.
func (h *Hold) By(by time.Duration) (Goal, error) {
	if h.account.Ahead+by > MaxAhead {
		return Goal{}, fault.New(fault.Invalid, fault.CodeLimitReached, "a clock goes at most %d years ahead", MaxAhead/(366*24*time.Hour))
	}
	return Goal{h.account.Now(h.driver.Now()).Add(by), (h.account.Ahead + by).Microseconds()}, nil
}

// Next is the goal of a move to what is due next, which happens with all that
// is due at the same time. Without anything it is where the clock is.
func (h *Hold) Next(ctx context.Context) (Goal, error) {
	next, _, err := h.driver.next(ctx, h.account)
	return Goal{Until: next.at}, err
}

// Move moves the clock to a goal, and lets happen what becomes due on the way,
// each at its own time. It moves nothing for a goal that is where it is.
func (h *Hold) Move(ctx context.Context, to Goal) (Move, error) {
	if to.Until.IsZero() {
		return Move{Account: h.account}, nil
	}
	return h.moveTo(ctx, to.Until, time.Duration(to.Ahead)*time.Microsecond)
}

// moveTo lets everything happen that is due until a time of the account, in
// order, with the clock at the time of each. Then it moves the clock ahead as far
// as it is told, unless it is there.
func (h *Hold) moveTo(ctx context.Context, until time.Time, ahead time.Duration) (Move, error) {
	d, begun := h.driver, h.driver.Now()
	var fired []Fired
	stopped := func() (Move, error) {
		return Move{Account: h.account, Fired: fired, More: true, Left: max(0, ahead-h.account.Ahead)}, nil
	}
	for played := 0; ; played++ {
		next, ok, err := d.next(ctx, h.account)
		if err != nil {
			return Move{}, err
		}
		if !ok || next.at.After(until) {
			break
		}
		if played == MaxSteps || d.Now().Sub(begun) >= moveTime {
			return stopped()
		}
		if err := h.ahead(ctx, next.at.Sub(d.Now())); err != nil {
			return Move{}, err
		}
		some, err := h.happen(context.WithoutCancel(ctx), next)
		fired = append(fired, some...)
		if err != nil {
			d.Log.Warn("what is due for a test account could not happen", "account", h.account.ID, "error", err)
			return stopped()
		}
	}
	err := h.ahead(ctx, ahead)
	return Move{Account: h.account, Fired: fired}, err
}

// ahead moves the clock ahead of real time, and never back. Even one that
// stays is written: that is refused when somebody else has taken the clock.
func (h *Hold) ahead(ctx context.Context, by time.Duration) error {
	var records []store.AuditRecord
	if by > h.account.Ahead {
		records = h.records
	}
	by = max(by, h.account.Ahead)
	if err := h.driver.Store.MoveClock(ctx, h.account.ID, h.fence, by, h.driver.Now().Add(lease), records...); err != nil {
		if fault.From(err).Kind == fault.Conflict {
			return busy()
		}
		return err
	}
	if records != nil {
		h.records = nil
	}
	h.account.Ahead = by
	return nil
}

// settle writes how playing a step went.
func (h *Hold) settle(ctx context.Context, task store.Task, failed error) error {
	task.Attempts++
	task.State, task.LastError = store.TaskDone, ""
	if failed != nil {
		task.State, task.LastError = store.TaskDue, failed.Error()
		if task.Attempts >= tries {
			task.State = store.TaskGaveUp
		}
	}
	return errors.Join(failed, h.driver.Store.Settle(ctx, task))
}
