package store

import (
	"context"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
)

var (
	clockLocked = writes(`UPDATE account SET clock_lease = $3, clock_fence = clock_fence + 1
		WHERE id = $1 AND (clock_lease IS NULL OR clock_lease <= $2)
		RETURNING ` + accountColumns + `, clock_fence`)

	clockMoved = writes(`UPDATE account SET ahead = CASE WHEN ahead < $3 THEN $3 ELSE ahead END, clock_lease = $4
		WHERE id = $1 AND clock_fence = $2`)

	// Letting go ends the fence too.
	clockUnlocked = writes(`UPDATE account SET clock_lease = NULL, clock_fence = clock_fence + 1
		WHERE id = $1 AND clock_fence = $2`)
)

// LockClock gives the clock of a test account to whoever calls until the lease
// ends: the account, a fencing number, and Conflict while another has it. A
// production account has no clock: it is Missing.
func (s *Store) LockClock(ctx context.Context, id account.ID, now time.Time, lease time.Duration) (account.Account, int64, error) {
	var (
		locked account.Account
		fence  int64
	)
	if id.World() != account.Test {
		return locked, 0, fault.Missing()
	}
	err := s.transact(ctx, func(ctx context.Context, t *tx) error {
		fence = 0
		if err := t.load(ctx, clockLocked, func(r row) (err error) {
			locked, err = scanAccount(r, &fence)
			return err
		}, string(id), micros(now), micros(now.Add(lease))); err != nil || fence > 0 {
			return err
		}
		if there, err := t.exists(ctx, accountTaken, string(id)); err != nil {
			return err
		} else if !there {
			return fault.Missing()
		}
		return conflicting("the account's clock is being moved")
	})
	if err != nil {
		return account.Account{}, 0, err
	}
	return locked, fence, nil
}

// MoveClock moves a locked clock ahead, and holds it until another time; it
// never goes back, and may stay. It is
// refused with Conflict when the fence is an old one. With the move go the
// records of it, and what is told of connections that stall by it.
func (s *Store) MoveClock(
	ctx context.Context, id account.ID, fence int64, ahead time.Duration, until time.Time, records ...AuditRecord,
) error {
	return s.holdClock(ctx, clockMoved, func(ctx context.Context, t *tx) error {
		var acc *account.Account
		if err := t.loadMany(ctx, accountsOfBatch, [][]any{{string(id)}}, intoAccount(&acc)); err != nil {
			return err
		}
		if err := t.tellStallsOf(ctx, *acc, s.now()); err != nil {
			return err
		}
		return t.audit(ctx, records...)
	}, string(id), fence, ahead.Microseconds(), micros(until))
}

// UnlockClock lets go of a locked clock. It is refused with Conflict when the
// fence is an old one.
func (s *Store) UnlockClock(ctx context.Context, id account.ID, fence int64) error {
	return s.holdClock(ctx, clockUnlocked, func(context.Context, *tx) error { return nil }, string(id), fence)
}

// holdClock runs a statement of whoever holds a clock, and then what goes with it.
func (s *Store) holdClock(ctx context.Context, st *statement, then func(context.Context, *tx) error, args ...any) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		held, err := t.change(ctx, st, args...)
		if err != nil {
			return err
		}
		if held == 0 {
			return conflicting("somebody else has the account's clock by now")
		}
		return then(ctx, t)
	})
}
