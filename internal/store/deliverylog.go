package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/hook"
)

// AttemptQuery says which attempts of a subscription are asked for. What is
// zero asks for nothing.
type AttemptQuery struct {
	Before  string // id; attempts that are older than this one
	Since   time.Time
	Until   time.Time // attempts before it
	Event   string
	Success string // "true" or "false"
	Limit   int
}

var (
	attemptsOfSubscription = reads(`SELECT ` + attemptColumns + ` FROM attempt
		WHERE account = $1 AND subscription = $2 AND id < $3 AND id >= $4
			AND ($5 = '' OR type = $5) AND ($6 = '' OR ($6 = 'true') = (status BETWEEN 200 AND 299))
		ORDER BY id DESC LIMIT $7`)

	attemptOne = reads(`SELECT ` + attemptColumns + ` FROM attempt WHERE account = $1 AND subscription = $2 AND id = $3`)

	deliveryOne = reads(`SELECT ` + deliveryColumns + ` FROM delivery WHERE account = $1 AND subscription = $2 AND id = $3`)

	deliveriesInState = reads(`SELECT ` + deliveryColumns + ` FROM delivery
		WHERE account = $1 AND subscription = $2 AND state = $3 AND (position, id) > ($4, $5) ORDER BY position, id LIMIT $6`)

	attemptOwn = writes(`SELECT ` + attemptColumns + ` FROM attempt WHERE account = $1 AND subscription = $2 AND id = $3`)

	deliveryOwn = define(writing,
		`SELECT `+deliveryColumns+` FROM delivery WHERE account = $1 AND subscription = $2 AND id = $3`,
		`SELECT `+deliveryColumns+` FROM delivery WHERE account = $1 AND subscription = $2 AND id = $3 FOR UPDATE`)

	// What an attempt told of.
	entryTold = writes(`SELECT f.account, f.provider FROM attempt AS t JOIN feed AS f ON f.position = t.position
		WHERE t.account = $1 AND t.subscription = $2 AND t.id = $3`)

	// When a delivery is due says also that somebody asked for it since it was
	// read: it is never set to what it was.
	laneDue = writes(`UPDATE delivery SET due_at = CASE WHEN due_at = $4 THEN due_at + 1 ELSE $4 END
		WHERE account = $1 AND subscription = $2 AND lane = $3 AND state = 'failed'`)

	deadAgain = writes(`UPDATE delivery SET state = 'again', attempts = 0, due_at = CASE WHEN due_at = $4 THEN due_at + 1 ELSE $4 END
		WHERE account = $1 AND subscription = $2 AND state = 'dead' AND position > $3`)

	// A ping stands at no position: it asks whether anybody is there, and tells
	// nothing.
	failingDue = writes(`UPDATE delivery SET due_at = CASE WHEN due_at = $4 THEN due_at + 1 ELSE $4 END
		WHERE account = $1 AND subscription = $2 AND state IN ('failed', 'again') AND position > $3`)

	// What was given up after where it goes back to is told from the log.
	deadForgotten = writes(`DELETE FROM delivery WHERE account = $1 AND subscription = $2 AND state = 'dead'
		AND position > (SELECT rewind FROM subscription_progress WHERE account = $1 AND subscription = $2)`)

	// One that is behind stays where it is: it never goes ahead over what it was
	// not told.
	progressRewound = writes(`UPDATE subscription_progress SET rewind = CASE
			WHEN position <= $3 AND position <= coalesce(rewind, position) THEN position
			WHEN rewind < $3 THEN rewind
			ELSE $3 END
		WHERE account = $1 AND subscription = $2`)

	// Whoever asks finds only what was in its own feed.
	entryPosition = reads(`SELECT position FROM feed
		WHERE position > $1 AND position <= $2 AND id = $3 AND (account = $4 OR owner = $4 OR ($5 AND account BETWEEN $6 AND $7)) LIMIT 1`)
)

// Attempts lists attempts to tell a subscription, newest first.
func (s *Store) Attempts(ctx context.Context, sub hook.Subscription, q AttemptQuery) ([]Attempt, error) {
	before := lastID
	if !q.Until.IsZero() {
		before = idAt(q.Until)
	}
	if q.Before != "" {
		if !isID(q.Before) {
			return nil, nil
		}
		before = min(before, q.Before)
	}
	return list(ctx, s, attemptsOfSubscription, scanAttempt, string(sub.Account), sub.ID, before, idAt(q.Since), q.Event, q.Success, q.Limit)
}

// AttemptOf is one of them, with what it told of, and with what became of the
// delivery: zero when that is told. Missing when there was none.
func (s *Store) AttemptOf(ctx context.Context, sub hook.Subscription, id string) (a Attempt, e hook.Entry, d Delivery, err error) {
	if !isID(id) {
		return a, e, d, fault.Missing()
	}
	if a, err = one(ctx, s, attemptOne, scanAttempt, string(sub.Account), sub.ID, id); err != nil {
		return a, e, d, err
	}
	left, err := list(ctx, s, deliveryOne, scanDelivery, string(sub.Account), sub.ID, a.Delivery)
	if err != nil {
		return a, e, d, err
	}
	if len(left) > 0 {
		d = left[0]
	}
	if a.Type == hook.Ping {
		e, err = hook.PingEntry(sub, a.Entry, a.At)
		return a, e, d, err
	}
	entries, err := s.EntriesAt(ctx, []int64{a.Position})
	return a, entries[a.Position], d, err
}

// DeliveriesIn lists the deliveries of a subscription that are in a state, in
// the order of what happened, after one of a position and an id.
func (s *Store) DeliveriesIn(
	ctx context.Context, sub hook.Subscription, state string, after int64, afterID string, limit int,
) ([]Delivery, error) {
	if afterID == "" {
		afterID = nilID
	}
	if !isID(afterID) {
		return nil, nil
	}
	return list(ctx, s, deliveriesInState, scanDelivery, string(sub.Account), sub.ID, state, after, afterID, limit)
}

// Resend makes a delivery due now, whatever became of it. id is that of an
// attempt, or of the delivery while it is not told. Missing when there is none.
func (s *Store) Resend(
	ctx context.Context, d Deed, subscription string, kinds []hook.Kind, id string, at time.Time, show func(Delivery) (Answer, error),
) (Answer, error) {
	return s.onSubscription(ctx, d, subscription, kinds, func(ctx context.Context, t *tx, sub *Subscription, by string) (Answer, error) {
		row, err := t.deliveryToResend(ctx, sub.Subscription, id, at)
		if err != nil {
			return Answer{}, err
		}
		switch row.State {
		case DeliveryWaiting: // the first of its lane is tried, and it follows
			_, err = t.change(ctx, laneDue, string(sub.Account), sub.ID, row.Lane, micros(at))
		case DeliveryDead:
			row.State, row.Attempts = DeliveryAgain, 0
			fallthrough
		default:
			if row.DueAt.Equal(at) {
				at = at.Add(time.Microsecond)
			}
			row.DueAt = at
			err = t.changeAny(ctx, deliveryKept, [][]any{deliveryValues(&row)})
		}
		if err == nil {
			err = t.saveSubscription(ctx, sub.Subscription, by, at)
		}
		if err != nil {
			return Answer{}, err
		}
		return show(row)
	})
}

// deliveryToResend finds a delivery, or makes one of an attempt that told it.
func (t *tx) deliveryToResend(ctx context.Context, sub hook.Subscription, id string, at time.Time) (Delivery, error) {
	if !isID(id) {
		return Delivery{}, fault.Missing()
	}
	var attempt *Attempt
	if err := t.load(ctx, attemptOwn, func(r row) error {
		a, err := scanAttempt(r)
		attempt = &a
		return err
	}, string(sub.Account), sub.ID, id); err != nil {
		return Delivery{}, err
	}
	wanted := id
	if attempt != nil {
		wanted = attempt.Delivery
	}
	var found []Delivery
	if err := t.load(ctx, deliveryOwn, func(r row) error {
		d, err := scanDelivery(r)
		found = append(found, d)
		return err
	}, string(sub.Account), sub.ID, wanted); err != nil {
		return Delivery{}, err
	}
	switch {
	case len(found) > 0:
		return found[0], nil
	case attempt == nil:
		return Delivery{}, fault.Missing()
	}
	var told hook.Entry
	err := t.load(ctx, entryTold, func(r row) error { return r.Scan(&told.Account, &told.Provider) }, string(sub.Account), sub.ID, id)
	return Delivery{
		Account: sub.Account, Subscription: sub.ID, ID: attempt.Delivery, Position: attempt.Position, Entry: attempt.Entry,
		Type: attempt.Type, Lane: hook.Lane(told), State: DeliveryAgain, CreatedAt: at,
	}, err
}

// Recovery is what is to be told again: from after a position on, everything or
// what was not told.
type Recovery struct {
	After int64
	All   bool
}

// Recover has a subscription told again, and counts the deliveries that are due
// now for it; everything is told by going back, and not counted.
func (s *Store) Recover(
	ctx context.Context, d Deed, subscription string, kinds []hook.Kind, what Recovery, at time.Time, show func(due int64) (Answer, error),
) (Answer, error) {
	return s.onSubscription(ctx, d, subscription, kinds, func(ctx context.Context, t *tx, sub *Subscription, by string) (Answer, error) {
		if err := t.saveSubscription(ctx, sub.Subscription, by, at); err != nil {
			return Answer{}, err
		}
		due := int64(0)
		if what.All {
			if _, err := t.change(ctx, progressRewound, string(sub.Account), sub.ID, what.After); err != nil {
				return Answer{}, err
			}
			if _, err := t.change(ctx, deadForgotten, string(sub.Account), sub.ID); err != nil {
				return Answer{}, err
			}
			return show(0)
		}
		for _, st := range []*statement{failingDue, deadAgain} { // in this order: what was dead is not counted twice
			n, err := t.change(ctx, st, string(sub.Account), sub.ID, what.After, micros(at))
			if err != nil {
				return Answer{}, err
			}
			due += n
		}
		return show(due)
	})
}

// An entry is looked for among those that were told about when its id was made.
const (
	entrySlack = time.Minute
	entryReach = 100_000 // positions
)

// PositionOf finds the position of an entry that an account may be told of;
// Missing when there is none of this id.
func (s *Store) PositionOf(ctx context.Context, of account.ID, entry string) (int64, error) {
	if !isID(entry) {
		return 0, fault.Missing()
	}
	from, err := s.FeedAt(ctx, idTime(entry).Add(-entrySlack))
	if err != nil {
		return 0, err
	}
	return one(ctx, s, entryPosition, func(r row) (at int64, err error) {
		err = r.Scan(&at)
		return at, err
	}, from, from+entryReach, entry, string(of), of.IsPlatform(), firstOf(of.World()), lastOf(of.World()))
}

// idTime is when a UUIDv7 was made.
func idTime(id string) time.Time {
	ms := int64(0)
	for _, c := range slices.Concat([]byte(id[:8]), []byte(id[9:13])) {
		digit := int64(c - '0')
		if c >= 'a' {
			digit = int64(c-'a') + 10
		}
		ms = ms<<4 | digit
	}
	return time.UnixMilli(ms)
}

func scanAttempt(r row) (Attempt, error) {
	var (
		a    Attempt
		at   sql.NullInt64
		took int64
	)
	err := r.Scan(&a.Account, &a.Subscription, &a.ID, &a.Delivery, &a.Position, &a.Entry, &a.Type, &a.Target, &a.Number, &at, &took,
		&a.Status, &a.Error, &a.Answer)
	a.At, a.Took = instant(at), time.Duration(took)*time.Microsecond
	return a, err
}
