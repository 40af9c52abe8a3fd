package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"mooring/internal/account"
	"mooring/internal/hook"
)

// Standing is how a subscription stands: its progress, what holds up lanes of
// it, and how many deliveries wait in each of these.
type Standing struct {
	Progress Progress
	Failed   []Delivery
	Waiting  map[string]int64
}

const progressColumns = `position, ahead, rewind, failing_since, failures, probe_at, warned, succeeded_at`

var (
	progressOf = reads(`SELECT ` + progressColumns + ` FROM subscription_progress WHERE account = $1 AND subscription = $2`)

	deliveriesFailed = reads(`SELECT ` + deliveryColumns + ` FROM delivery
		WHERE account = $1 AND subscription = $2 AND state = 'failed' ORDER BY position`)

	deliveriesAgain = reads(`SELECT ` + deliveryColumns + ` FROM delivery
		WHERE account = $1 AND subscription = $2 AND state = 'again' ORDER BY due_at, position LIMIT $3`)

	lanesWaiting = reads(`SELECT lane, count(*) FROM delivery
		WHERE account = $1 AND subscription = $2 AND state = 'waiting' GROUP BY lane`)

	laneWaiting = reads(`SELECT ` + deliveryColumns + ` FROM delivery
		WHERE account = $1 AND subscription = $2 AND state = 'waiting' AND lane = $3 AND position > $4
		ORDER BY position LIMIT $5`)

	feedAfterOfAccount = reads(`SELECT ` + feedColumns + ` FROM feed WHERE account = $1 AND position > $2 ORDER BY position LIMIT $3`)

	feedAfterOfOwner = reads(`SELECT ` + feedColumns + ` FROM feed WHERE owner = $1 AND position > $2 ORDER BY position LIMIT $3`)

	entriesAt = define(reading,
		`SELECT `+feedColumns+` FROM feed WHERE position = $1`,
		`SELECT `+feedColumns+` FROM feed WHERE position = ANY ($1::bigint[])`)

	accountsNow = define(reading,
		`SELECT `+accountColumns+` FROM account WHERE id = $1`,
		`SELECT `+accountColumns+` FROM account WHERE id = ANY ($1::text[])`)

	subscriptionsWritten = reads(`SELECT account, id, touched_at FROM subscription WHERE touched_at >= $1`)

	subscriptionsAfter = reads(`SELECT account, id FROM subscription WHERE (account, id) > ($1, $2) ORDER BY account, id LIMIT $3`)

	attemptsSwept = writes(`DELETE FROM attempt WHERE account = $1 AND subscription = $2 AND id < $3`)

	deliveriesSwept = writes(`DELETE FROM delivery WHERE account = $1 AND subscription = $2 AND state = 'dead' AND due_at < $3`)
)

// Standing reads how a subscription stands; Missing when it never was there.
func (s *Store) Standing(ctx context.Context, id account.ID, subscription string) (standing Standing, err error) {
	err = s.snapshot(ctx, func(t *tx) error {
		standing = Standing{Progress: Progress{Account: id, Subscription: subscription}, Waiting: map[string]int64{}}
		if err := t.load(ctx, progressOf, standing.Progress.scan, string(id), subscription); err != nil {
			return err
		}
		if err := t.load(ctx, deliveriesFailed, func(r row) error {
			d, err := scanDelivery(r)
			standing.Failed = append(standing.Failed, d)
			return err
		}, string(id), subscription); err != nil {
			return err
		}
		return t.load(ctx, lanesWaiting, func(r row) error {
			var (
				lane string
				n    int64
			)
			err := r.Scan(&lane, &n)
			standing.Waiting[lane] = n
			return err
		}, string(id), subscription)
	})
	return standing, err
}

// DeliveriesAgain lists deliveries that were asked for again, those that are
// due first.
func (s *Store) DeliveriesAgain(ctx context.Context, id account.ID, subscription string, limit int) ([]Delivery, error) {
	return list(ctx, s, deliveriesAgain, scanDelivery, string(id), subscription, limit)
}

// DeliveriesWaiting lists the first deliveries that wait in a lane after a
// position, in order.
func (s *Store) DeliveriesWaiting(
	ctx context.Context, id account.ID, subscription, lane string, after int64, limit int,
) ([]Delivery, error) {
	return list(ctx, s, laneWaiting, scanDelivery, string(id), subscription, lane, after, limit)
}

// FeedAfter lists the first entries after a position that may concern who
// subscribed for an account.
func (s *Store) FeedAfter(ctx context.Context, id account.ID, kind account.Kind, after int64, limit int) ([]hook.Entry, error) {
	switch kind {
	case account.KindMerchant:
		return list(ctx, s, feedAfterOfAccount, scanEntry, string(id), after, limit)
	case account.KindPartner:
		return list(ctx, s, feedAfterOfOwner, scanEntry, string(id), after, limit)
	default:
		return s.FeedOfAll(ctx, after, limit)
	}
}

// EntriesAt are the entries at some positions, by them.
func (s *Store) EntriesAt(ctx context.Context, positions []int64) (map[int64]hook.Entry, error) {
	return ofKeys(ctx, s, entriesAt, positions, scanEntry, func(e hook.Entry) int64 { return e.Position })
}

// AccountsNow are some accounts as they are, by their ids; for the service
// itself, and also those that were deleted.
func (s *Store) AccountsNow(ctx context.Context, ids []account.ID) (map[account.ID]account.Account, error) {
	return ofKeys(ctx, s, accountsNow, ids, func(r row) (account.Account, error) { return scanAccount(r) },
		func(a account.Account) account.ID { return a.ID })
}

// ofKeys reads the rows of some keys at one moment, by their keys.
func ofKeys[K comparable, T any](
	ctx context.Context, s *Store, st *statement, wanted []K, scan func(row) (T, error), key func(T) K,
) (all map[K]T, err error) {
	rows := make([][]any, len(wanted))
	for i, k := range wanted {
		rows[i] = []any{k}
	}
	err = s.snapshot(ctx, func(t *tx) error {
		all = make(map[K]T, len(wanted))
		return t.loadMany(ctx, st, rows, func(r row) error {
			one, err := scan(r)
			all[key(one)] = one
			return err
		})
	})
	return all, err
}

// Written is a subscription that was written to, and when.
type Written struct {
	Account account.ID
	ID      string
	At      time.Time
}

// SubscriptionsWritten lists the subscriptions of all accounts that were
// written to at a time or after it.
func (s *Store) SubscriptionsWritten(ctx context.Context, since time.Time) ([]Written, error) {
	return list(ctx, s, subscriptionsWritten, func(r row) (w Written, err error) {
		var at sql.NullInt64
		err = r.Scan(&w.Account, &w.ID, &at)
		w.At = instant(at)
		return w, err
	}, micros(since))
}

// sweptAtOnce is of how many subscriptions old deliveries are removed in one
// transaction.
const sweptAtOnce = 64

// SweepDeliveries removes attempts and dead deliveries from before a time.
func (s *Store) SweepDeliveries(ctx context.Context, before time.Time) error {
	last := Written{ID: nilID}
	for ctx.Err() == nil {
		page, err := list(ctx, s, subscriptionsAfter, func(r row) (w Written, err error) {
			err = r.Scan(&w.Account, &w.ID)
			return w, err
		}, string(last.Account), last.ID, sweptAtOnce)
		if err != nil || len(page) == 0 {
			return err
		}
		err = s.transact(ctx, func(ctx context.Context, t *tx) error {
			for _, w := range page {
				if _, err := t.change(ctx, attemptsSwept, string(w.Account), w.ID, firstIDOf(before)); err != nil {
					return err
				}
				if _, err := t.change(ctx, deliveriesSwept, string(w.Account), w.ID, micros(before)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		last = page[len(page)-1]
	}
	return ctx.Err()
}

const nilID = "00000000-0000-0000-0000-000000000000"

// firstIDOf is below every UUIDv7 of a time, and above those of before.
func firstIDOf(at time.Time) string {
	ms := fmt.Sprintf("%012x", at.UnixMilli())
	return ms[:8] + "-" + ms[8:] + "-7000-8000-000000000000"
}

// scan reads a row of progressColumns, and more that stands behind them.
func (p *Progress) scan(r row) error { return p.scanWith(r) }

func (p *Progress) scanWith(r row, more ...any) error {
	var (
		ahead                     []byte
		rewind                    sql.NullInt64
		failing, probe, succeeded sql.NullInt64
	)
	columns := []any{&p.Position, &ahead, &rewind, &failing, &p.Failures, &probe, &p.Warned, &succeeded}
	if err := r.Scan(append(columns, more...)...); err != nil {
		return err
	}
	if rewind.Valid {
		p.Rewind = &rewind.Int64
	}
	p.FailingSince, p.ProbeAt, p.SucceededAt = instant(failing), instant(probe), instant(succeeded)
	return json.Unmarshal(ahead, &p.Ahead)
}

func scanDelivery(r row) (Delivery, error) {
	var (
		d                   Delivery
		first, due, created sql.NullInt64
	)
	err := r.Scan(&d.Account, &d.Subscription, &d.ID, &d.Position, &d.Entry, &d.Type, &d.Lane, &d.State, &d.Attempts, &first, &due,
		&d.LastError, &created)
	d.FirstAt, d.DueAt, d.CreatedAt = instant(first), instant(due), instant(created)
	return d, err
}
