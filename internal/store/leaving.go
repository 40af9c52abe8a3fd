package store

import (
	"context"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/hook"
)

// Leaving is what the end of an account needs to know.
type Leaving struct {
	Retention time.Duration // how long what stands for an account is kept, unless its own class says otherwise
	NewID     func() string // of events
}

var (
	accountsRemain = writes(`SELECT id FROM account WHERE owner = $1 AND deleted_at IS NULL LIMIT 1`)

	accountDeleted = writes(`UPDATE account SET deleted_at = $2, deleted_by = $3, erase_at = $4 WHERE id = $1`)

	retentionOf = writes(`SELECT coalesce(retention_days, 0) FROM account WHERE id = $1`)

	// Sorted, as batches lock them.
	connectionsClosing = batches(
		`SELECT `+connectionColumns+` FROM connection WHERE account = $1 ORDER BY account, provider`,
		`SELECT `+connectionColumns+` FROM connection WHERE account = ANY ($1::text[]) ORDER BY account, provider FOR UPDATE`)

	// Calls that nobody judged before are not judged any more.
	callsClosed = writes(`UPDATE callback SET state = 'refused', judged_at = $2, code = $3 WHERE account = $1 AND state = 'received'`)

	// Whoever has claimed one finds that it is not his any more.
	tasksClosed = writes(`UPDATE task SET state = 'gave_up', lease = NULL, fence = fence + 1
		WHERE account = $1 AND state = 'due'`)
)

// DeleteAccount ends the deed's account: nobody finds it any more, its
// connections get an event and wait for nobody, what was still to be done for
// them is given up, and the day on which it is erased is set. It is Invalid
// when the account is the platform, or a partner that still owns accounts.
func (s *Store) DeleteAccount(ctx context.Context, d Deed, l Leaving, show func(Profiled) (Answer, error)) (Answer, error) {
	d.Closed = true // its own answer is given again under its key
	return s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		if acc.Deleted() {
			return Answer{}, fault.Missing()
		}
		if err := t.mayLeave(ctx, acc); err != nil {
			return Answer{}, err
		}
		now := s.now()
		acc.DeletedAt, acc.DeletedBy = acc.Now(now), d.Caller.Client
		act := connection.Act{At: acc.DeletedAt, By: acc.DeletedBy, NewID: l.NewID}
		if err := s.closeConnections(ctx, t, acc, act); err != nil {
			return Answer{}, err
		}
		if _, err := t.change(ctx, tasksClosed, string(acc.ID)); err != nil {
			return Answer{}, err
		}
		if _, err := t.change(ctx, callsClosed, string(acc.ID), micros(now), fault.CodeNotFound); err != nil {
			return Answer{}, err
		}
		keep, err := t.keeps(ctx, acc.ID, l.Retention)
		if err != nil {
			return Answer{}, err
		}
		if _, err := t.change(ctx, accountDeleted, string(acc.ID), micros(acc.DeletedAt), acc.DeletedBy, micros(now.Add(keep))); err != nil {
			return Answer{}, err
		}
		if err := t.dropLabels(ctx, acc.ID); err != nil {
			return Answer{}, err
		}
		if err := t.moveEpoch(ctx); err != nil {
			return Answer{}, err
		}
		if err := t.tellChanged(ctx, acc, now); err != nil {
			return Answer{}, err
		}
		return t.shown(ctx, acc, show)
	})
}

// mayLeave refuses to delete what others stand on. The account is locked, so
// that nobody makes or moves one into its hands meanwhile.
func (t *tx) mayLeave(ctx context.Context, acc account.Account) error {
	if acc.Kind == account.KindPlatform {
		return fault.New(fault.Invalid, fault.CodePlatformStays, "the platform can't be deleted")
	}
	remain, err := t.exists(ctx, accountsRemain, string(acc.ID))
	if err == nil && remain {
		err = fault.New(fault.Invalid, fault.CodeAccountsRemain, "the partner still owns accounts: delete them, or move them to another owner")
	}
	return err
}

// closeConnections adds to every connection of an account that the account was
// closed.
func (s *Store) closeConnections(ctx context.Context, t *tx, acc account.Account, act connection.Act) error {
	var moves, events [][]any
	var told []hook.Entry
	counts := tally{}
	if err := t.loadMany(ctx, connectionsClosing, [][]any{{string(acc.ID)}}, func(r row) error {
		c, err := scanConnection(r)
		if err != nil {
			return err
		}
		before := *c
		e := connection.Close(c, act)
		counts.move(ownerOf(acc), &before, c)
		moves, events = append(moves, moved(c)), append(events, eventValues(place{c.Account, c.Provider}, e))
		told = append(told, hook.OfEvent(hook.FeedOwner(acc), &before, c, e, s.now()))
		return nil
	}); err != nil {
		return err
	}
	if err := t.changeMany(ctx, connectionMoved, moves); err != nil {
		return err
	}
	if err := t.changeMany(ctx, eventAdded, events); err != nil {
		return err
	}
	if err := t.tell(ctx, told); err != nil {
		return err
	}
	return s.tally(ctx, t, counts)
}

// keeps is how long what stands for an account is kept: by its own class, or
// like all others.
func (t *tx) keeps(ctx context.Context, id account.ID, otherwise time.Duration) (time.Duration, error) {
	var days int64
	err := t.load(ctx, retentionOf, func(r row) error { return r.Scan(&days) }, string(id))
	return retention(days, otherwise), err
}

// retention is how long an account of a class of days is kept; one of no class
// as long as all others.
func retention(days int64, otherwise time.Duration) time.Duration {
	if days == 0 {
		return otherwise
	}
	return time.Duration(days) * 24 * time.Hour
}

// shown hands an account, with its profile, to whoever answers.
func (t *tx) shown(ctx context.Context, acc account.Account, show func(Profiled) (Answer, error)) (Answer, error) {
	profile, err := t.profileOf(ctx, acc.ID)
	if err != nil {
		return Answer{}, err
	}
	return t.show(ctx, account.Whole{Account: acc, Profile: profile}, show)
}
