package store

import (
	"context"
	"strconv"
	"time"

	"mooring/internal/account"
	"mooring/internal/hook"
)

// Outcome is what came of some attempts of one subscription. A delivery is in
// it once: put or gone.
type Outcome struct {
	Account      account.ID
	Subscription string
	Progress     *Progress // as it is now, but for Rewind; nil leaves it
	Attempts     []Attempt
	Put          []Delivery           // as they are now, new or not
	Gone         []string             // ids of deliveries that were told
	Read         map[string]time.Time // when deliveries in it that were read or written before were due then, by id
	Rewound      *int64               // it went back to there, and what failed or waited after it is done anew
	Disabled     string               // why it is switched off; "" when it is not
	Told         []hook.Entry         // about the account; the store knows whose feed they are in
	At           time.Time            // when it is switched off
}

const (
	attemptColumns = `account, subscription, id, delivery, position, entry, type, target, number, at, took, status, error, answer`

	deliveryColumns = `account, subscription, id, position, entry, type, lane, state, attempts, first_at, due_at, last_error, created_at`

	deliveryPut = ` ON CONFLICT (account, subscription, id) DO UPDATE SET lane = excluded.lane, state = excluded.state,
			attempts = excluded.attempts, first_at = excluded.first_at, due_at = excluded.due_at, last_error = excluded.last_error`
)

var (
	progressMoved = batches(
		`UPDATE subscription_progress SET position = $3, ahead = $4, failing_since = $5, failures = $6, probe_at = $7, warned = $8,
			succeeded_at = $9
		WHERE account = $1 AND subscription = $2`,
		`UPDATE subscription_progress AS p SET position = u.position, ahead = u.ahead, failing_since = u.failing_since,
			failures = u.failures, probe_at = u.probe_at, warned = u.warned, succeeded_at = u.succeeded_at
		FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
			$9::bigint[]) AS u (account, subscription, position, ahead, failing_since, failures, probe_at, warned, succeeded_at)
		WHERE p.account = u.account AND p.subscription = u.subscription`)

	// One that is there was written by a commit whose outcome was not known.
	attemptAdded = batches(
		`INSERT INTO attempt (`+attemptColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT DO NOTHING`,
		`INSERT INTO attempt (`+attemptColumns+`)
		SELECT account, subscription, id, delivery, position, entry, type, target, number, at, took, status, error, answer
		FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::uuid[], $7::text[], $8::text[],
			$9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[]) AS u (`+attemptColumns+`)
		ON CONFLICT DO NOTHING`)

	deliveryKept = batches(
		`INSERT INTO delivery (`+deliveryColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`+deliveryPut,
		`INSERT INTO delivery (`+deliveryColumns+`)
		SELECT account, subscription, id, position, entry, type, lane, state, attempts, first_at, due_at, last_error, created_at
		FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::text[], $8::text[],
			$9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[]) AS u (`+deliveryColumns+`)`+deliveryPut)

	deliveryGone = batches(
		`DELETE FROM delivery WHERE account = $1 AND subscription = $2 AND id = $3`,
		`DELETE FROM delivery AS d USING unnest($1::text[], $2::uuid[], $3::uuid[]) AS u (account, subscription, id)
		WHERE d.account = u.account AND d.subscription = u.subscription AND d.id = u.id`)

	rewindDone = writes(`UPDATE subscription_progress SET rewind = NULL WHERE account = $1 AND subscription = $2 AND rewind = $3`)

	undoneAfter = writes(`DELETE FROM delivery
		WHERE account = $1 AND subscription = $2 AND state IN ('failed', 'waiting') AND position > $3`)

	subscriptionTouched = batches(
		`UPDATE subscription SET touched_at = CASE WHEN touched_at >= $3 THEN touched_at + 1 ELSE $3 END WHERE account = $1 AND id = $2`,
		`UPDATE subscription AS s SET touched_at = CASE WHEN s.touched_at >= u.at THEN s.touched_at + 1 ELSE u.at END
		FROM unnest($1::text[], $2::uuid[], $3::bigint[]) AS u (account, id, at) WHERE s.account = u.account AND s.id = u.id`)

	// Whoever writes to a subscription waits, and is waited for.
	subscriptionsThere = batches(
		`SELECT account, id FROM subscription WHERE account = $1 AND id = $2 AND deleted_at IS NULL`,
		`SELECT s.account, s.id FROM subscription AS s
		JOIN unnest($1::text[], $2::uuid[]) AS u (account, id) ON s.account = u.account AND s.id = u.id
		WHERE s.deleted_at IS NULL ORDER BY s.account, s.id FOR SHARE OF s`)

	deliveriesRead = batches(
		`SELECT `+deliveryColumns+` FROM delivery WHERE account = $1 AND subscription = $2 AND id = $3 AND due_at <> $4`,
		`SELECT d.account, d.subscription, d.id, d.position, d.entry, d.type, d.lane, d.state, d.attempts, d.first_at, d.due_at,
			d.last_error, d.created_at
		FROM delivery AS d JOIN unnest($1::text[], $2::uuid[], $3::uuid[], $4::bigint[]) AS u (account, subscription, id, due_at)
			ON d.account = u.account AND d.subscription = u.subscription AND d.id = u.id
		WHERE d.due_at <> u.due_at`)

	subscriptionDisabled = writes(`UPDATE subscription SET disabled_at = $3, disabled_why = $4,
			touched_at = CASE WHEN touched_at >= $3 THEN touched_at + 1 ELSE $3 END
		WHERE account = $1 AND id = $2 AND deleted_at IS NULL AND disabled_at IS NULL`)
)

// Record writes what came of attempts, in one transaction. It is refused with
// Conflict, whole, when one of the leases is another's by now: whoever that is
// makes the attempts again. A delivery that somebody asked for since it was
// read is sent again, whatever came of it; its subscription is touched then.
// Nothing is kept of subscriptions that were deleted meanwhile, nor of what
// receivers answered to what was erased since.
func (s *Store) Record(ctx context.Context, held []Lease, outcomes []Outcome) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		if err := t.holds(ctx, held...); err != nil {
			return err
		}
		there, err := t.subscribed(ctx, outcomes)
		if err != nil {
			return err
		}
		asked, err := t.askedSince(ctx, outcomes)
		if err != nil {
			return err
		}
		silent, err := t.silent(ctx, outcomes)
		if err != nil {
			return err
		}
		r := recording{there: there, asked: asked, silent: silent}
		for i := range outcomes {
			r.add(&outcomes[i])
		}
		return r.write(ctx, t, outcomes)
	})
}

// recording is the rows of some outcomes.
type recording struct {
	there map[subscriptionKey]bool
	asked map[string]Delivery
	// the positions of what was erased meanwhile: receivers may have said it again
	silent map[int64]bool

	progress, attempts, put, gone, touched [][]any
	told                                   []hook.Entry
}

func (r *recording) add(o *Outcome) {
	r.told = append(r.told, o.Told...)
	if !r.there[subscriptionKey{o.Account, o.Subscription}] {
		return
	}
	if o.Progress != nil {
		r.progress = append(r.progress, progressValues(o))
	}
	for _, a := range o.Attempts {
		if r.silent[a.Position] {
			a.Answer = nil
		}
		r.attempts = append(r.attempts, attemptValues(&a))
	}
	touched := false
	for _, d := range o.Put {
		if asked, ok := r.asked[d.ID]; ok && !asked.DueAt.Equal(d.DueAt.Truncate(time.Microsecond)) {
			d.DueAt, touched = asked.DueAt, true
			if d.State == DeliveryDead {
				d.State, d.Attempts = DeliveryAgain, 0
			}
		}
		r.put = append(r.put, deliveryValues(&d))
	}
	for _, id := range o.Gone {
		asked, ok := r.asked[id]
		if !ok {
			r.gone = append(r.gone, []any{string(o.Account), o.Subscription, id})
			continue
		}
		touched = true
		asked.State, asked.Attempts = DeliveryAgain, 0
		r.put = append(r.put, deliveryValues(&asked))
	}
	if touched {
		r.touched = append(r.touched, []any{string(o.Account), o.Subscription, micros(o.At)})
	}
}

func (r *recording) write(ctx context.Context, t *tx, outcomes []Outcome) error {
	for i := range outcomes {
		if err := t.rewound(ctx, &outcomes[i]); err != nil {
			return err
		}
	}
	t.touched = t.touched || len(r.touched) > 0
	// What was told meanwhile finds no row, and that is right.
	for _, part := range []struct {
		st   *statement
		rows [][]any
	}{{progressMoved, r.progress}, {attemptAdded, r.attempts}, {deliveryKept, r.put}, {deliveryGone, r.gone}, {subscriptionTouched, r.touched}} {
		if err := t.changeAny(ctx, part.st, part.rows); err != nil {
			return err
		}
	}
	for i := range outcomes {
		if o := &outcomes[i]; o.Disabled != "" {
			t.touched = true
			if _, err := t.change(ctx, subscriptionDisabled, string(o.Account), o.Subscription, micros(o.At), o.Disabled); err != nil {
				return err
			}
		}
	}
	return t.tellOwners(ctx, r.told)
}

// subscriptionKey names a subscription.
type subscriptionKey struct {
	account account.ID
	id      string
}

// subscribed locks the subscriptions of outcomes, and says which of them were
// not deleted.
func (t *tx) subscribed(ctx context.Context, outcomes []Outcome) (map[subscriptionKey]bool, error) {
	var wanted [][]any
	for i := range outcomes {
		if o := &outcomes[i]; o.Subscription != "" {
			wanted = append(wanted, []any{string(o.Account), o.Subscription})
		}
	}
	there := make(map[subscriptionKey]bool, len(wanted))
	err := t.loadMany(ctx, subscriptionsThere, wanted, func(r row) error {
		var k subscriptionKey
		err := r.Scan(&k.account, &k.id)
		there[k] = true
		return err
	})
	return there, err
}

// silent are the positions of what was erased, of those that a receiver said
// something to. Whoever erases waits for the subscriptions that are held here.
func (t *tx) silent(ctx context.Context, outcomes []Outcome) (map[int64]bool, error) {
	var answered [][]any
	for i := range outcomes {
		for _, a := range outcomes[i].Attempts {
			if a.Answer != nil && a.Position > 0 {
				answered = append(answered, []any{a.Position})
			}
		}
	}
	silent := map[int64]bool{}
	err := t.loadMany(ctx, positionsSilent, answered, func(r row) error {
		var position int64
		err := r.Scan(&position)
		silent[position] = true
		return err
	})
	return silent, err
}

// askedSince are the deliveries of outcomes that somebody asked for since they
// were read, as they are now: they are due at another time.
func (t *tx) askedSince(ctx context.Context, outcomes []Outcome) (map[string]Delivery, error) {
	var read [][]any
	for i := range outcomes {
		o := &outcomes[i]
		for id, due := range o.Read {
			read = append(read, []any{string(o.Account), o.Subscription, id, micros(due)})
		}
	}
	asked := map[string]Delivery{}
	err := t.loadMany(ctx, deliveriesRead, read, func(r row) error {
		d, err := scanDelivery(r)
		asked[d.ID] = d
		return err
	})
	return asked, err
}

// tellOwners writes entries into the feeds of those who own the accounts that
// they are about.
func (t *tx) tellOwners(ctx context.Context, told []hook.Entry) error {
	if len(told) == 0 {
		return nil
	}
	var ids keys
	for _, e := range told {
		ids.add(string(e.Account))
	}
	owners := map[account.ID]account.ID{}
	if err := t.loadMany(ctx, accountsOfBatch, ids.sorted(), func(r row) error {
		acc, err := scanAccount(r)
		owners[acc.ID] = hook.FeedOwner(acc)
		return err
	}); err != nil {
		return err
	}
	entries := make([]hook.Entry, len(told))
	for i, e := range told {
		entries[i] = e
		entries[i].Owner = owners[e.Account]
	}
	return t.tell(ctx, entries)
}

func (t *tx) rewound(ctx context.Context, o *Outcome) error {
	if o.Rewound == nil {
		return nil
	}
	for _, st := range []*statement{rewindDone, undoneAfter} {
		if _, err := t.change(ctx, st, string(o.Account), o.Subscription, *o.Rewound); err != nil {
			return err
		}
	}
	return nil
}

// changeAny writes rows, of which some may find no place.
func (t *tx) changeAny(ctx context.Context, st *statement, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if t.arrays {
		_, err := t.change(ctx, st, columns(rows)...)
		return err
	}
	for _, row := range rows {
		if _, err := t.change(ctx, st, row...); err != nil {
			return err
		}
	}
	return nil
}

func progressValues(o *Outcome) []any {
	p := o.Progress
	return []any{
		string(o.Account), o.Subscription, p.Position, positions(p.Ahead), micros(p.FailingSince), p.Failures,
		micros(p.ProbeAt), p.Warned, micros(p.SucceededAt),
	}
}

// positions is a list of them as it is stored.
func positions(list []int64) string {
	b := append(make([]byte, 0, 2+8*len(list)), '[')
	for i, p := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, p, 10)
	}
	return string(append(b, ']'))
}

func attemptValues(a *Attempt) []any {
	return []any{
		string(a.Account), a.Subscription, a.ID, a.Delivery, a.Position, a.Entry, a.Type, a.Target, a.Number, micros(a.At),
		a.Took.Microseconds(), a.Status, a.Error, document(a.Answer),
	}
}

func deliveryValues(d *Delivery) []any {
	return []any{
		string(d.Account), d.Subscription, d.ID, d.Position, d.Entry, d.Type, d.Lane, d.State, d.Attempts, micros(d.FirstAt),
		micros(d.DueAt), d.LastError, micros(d.CreatedAt),
	}
}
