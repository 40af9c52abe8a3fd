package simulator

import (
	"context"
	"errors"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/store"
)

// hold is a clock that nobody else moves.
type hold struct {
	driver  *Driver
	account account.Account
	fence   int64
}

// errHeld is the cause of a refusal because somebody else moves the clock.
var errHeld = errors.New("the clock is being moved")

// holding runs a function while nobody else moves the account's clock. It waits
// for whoever does, as long as wait. What follows from the move is seen to
// before the clock is let go.
func (d *Driver) holding(ctx context.Context, id account.ID, wait time.Duration, run func(*hold) (Move, error)) (Move, error) {
	if id.World() != account.Test {
		return Move{}, fault.Missing()
	}
	h, err := d.hold(ctx, id, wait)
	if err != nil {
		return Move{}, err
	}
	whole := context.WithoutCancel(ctx)
	defer func() {
		if err := d.Store.UnlockClock(whole, id, h.fence); err != nil {
			d.Log.Warn("letting go of a clock failed; it is free again when its lease ends", "account", id, "error", err)
		}
	}()
	move, err := run(h)
	move.Account = h.account
	if err != nil {
		return move, err
	}
	return move, d.Moved(whole, h.account)
}

// hold takes the clock.
func (d *Driver) hold(ctx context.Context, id account.ID, wait time.Duration) (*hold, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for giveUp := d.Now().Add(wait); ; {
		acc, fence, err := d.Store.LockClock(ctx, id, d.Now(), lease)
		switch {
		case err == nil:
			return &hold{d, acc, fence}, nil
		case fault.From(err).Kind != fault.Conflict:
			return nil, err
		case !d.Now().Before(giveUp):
			f := fault.New(fault.Unavailable, fault.CodeUnavailable, "the account's clock is being moved; try again").Because(errHeld)
			f.RetryAfter = time.Second
			return nil, f
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// moveTo plays every step that is due until a time of the account, in order,
// with the clock at each step's own time. Then it moves the clock ahead as far
// as it is told, unless it is there.
func (h *hold) moveTo(ctx context.Context, until time.Time, ahead time.Duration) (Move, error) {
	d, move := h.driver, Move{}
	begun := d.Now()
	for played := 0; ; played++ {
		task, ok, err := d.next(ctx, h.account.ID)
		if err != nil {
			return move, err
		}
		if !ok || task.DueAt.After(until) {
			break
		}
		if played == MaxSteps || d.Now().Sub(begun) >= moveTime {
			move.More, move.Left = true, max(0, ahead-h.account.Ahead)
			return move, nil
		}
		if err := h.ahead(ctx, task.DueAt.Sub(d.Now())); err != nil {
			return move, err
		}
		fired, err := h.play(context.WithoutCancel(ctx), task)
		move.Fired = append(move.Fired, fired...)
		if err != nil {
			d.Log.Warn("a step of a test account could not be played", "account", task.Account, "provider", task.Provider, "error", err)
			move.More, move.Left = true, max(0, ahead-h.account.Ahead)
			return move, nil
		}
	}
	return move, h.ahead(ctx, ahead)
}

// ahead moves the clock ahead of real time, and never back. Even one that
// stays is written: that is refused when somebody else has taken the clock.
func (h *hold) ahead(ctx context.Context, by time.Duration) error {
	by = max(by, h.account.Ahead)
	if err := h.driver.Store.MoveClock(ctx, h.account.ID, h.fence, by); err != nil {
		return err
	}
	h.account.Ahead = by
	return nil
}

// settle writes how playing a step went.
func (h *hold) settle(ctx context.Context, task store.Task, failed error) error {
	task.Attempts++
	task.State, task.LastError = "done", ""
	if failed != nil {
		task.State, task.LastError = "due", failed.Error()
		if task.Attempts >= tries {
			task.State = "gave_up"
		}
	}
	return errors.Join(failed, h.driver.Store.Settle(ctx, task))
}
