package store

import (
	"context"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/hook"
)

// untold is where a due time stands of which it was not told that it passed, as
// the index of these has it.
const untold = `due_at IS NOT NULL AND (stalled_due IS NULL OR stalled_due <> due_at)`

const behindAhead = `SELECT c.account, c.provider FROM account AS a CROSS JOIN connection AS c
	WHERE a.ahead <> 0 AND c.account = a.id AND ` + untold + ` AND due_at < $1 + a.ahead LIMIT $2`

var (
	// An account's clock is never behind the real one: what is due by that is
	// due. Where rows are locked one by one, who comes second passes over what
	// another node has in hand, and finds it told.
	stalled = batches(
		`SELECT `+connectionColumns+` FROM connection WHERE `+untold+` AND due_at < $1 ORDER BY due_at LIMIT $2`,
		`SELECT `+connectionColumns+` FROM connection WHERE `+untold+` AND due_at < $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED`)

	// It begins at the accounts, of which few are ahead.
	stalledAhead = batches(
		`SELECT `+connectionColumns+` FROM connection WHERE (account, provider) IN (`+behindAhead+`)`,
		`SELECT `+connectionColumns+` FROM connection WHERE (account, provider) IN (`+behindAhead+`) AND `+untold+`
		FOR UPDATE SKIP LOCKED`)

	stalledOf = batches(
		`SELECT `+connectionColumns+` FROM connection WHERE account = $1 AND `+untold+` AND due_at < $2 ORDER BY provider`,
		`SELECT `+connectionColumns+` FROM connection WHERE account = $1 AND `+untold+` AND due_at < $2 ORDER BY provider FOR UPDATE`)

	stallNoted = batches(
		`UPDATE connection SET stalled_due = $3 WHERE account = $1 AND provider = $2`,
		`UPDATE connection AS c SET stalled_due = u.due FROM unnest($1::text[], $2::text[], $3::bigint[]) AS u (account, provider, due)
		WHERE c.account = u.account AND c.provider = u.provider`)
)

// TellStalls tells of at most limit connections that the time has passed for
// which they were to wait, each once for each due time, and returns how many it
// found. Fewer than limit, without an error, means that there are no more.
func (s *Store) TellStalls(ctx context.Context, now time.Time, limit int) (int, error) {
	found := 0
	err := s.transact(ctx, func(ctx context.Context, t *tx) error {
		var all []*connection.Connection
		for _, st := range []*statement{stalled, stalledAhead} {
			if len(all) == limit {
				break
			}
			var some []*connection.Connection
			if err := t.load(ctx, st, intoConnections(&some), micros(now), limit-len(all)); err != nil {
				return err
			}
			if err := t.tellStalls(ctx, some, now); err != nil {
				return err
			}
			all = append(all, some...)
		}
		found = len(all)
		return nil
	})
	return found, err
}

// tellStallsOf tells of an account what stalls by its own clock.
func (t *tx) tellStallsOf(ctx context.Context, acc account.Account, now time.Time) error {
	var all []*connection.Connection
	if err := t.load(ctx, stalledOf, intoConnections(&all), string(acc.ID), micros(acc.Now(now))); err != nil {
		return err
	}
	return t.tellStalls(ctx, all, now)
}

// tellStalls writes down that it is told of connections, which are locked.
func (t *tx) tellStalls(ctx context.Context, all []*connection.Connection, now time.Time) error {
	var ids keys
	for _, c := range all {
		ids.add(string(c.Account))
	}
	accounts := map[account.ID]account.Account{}
	if err := t.loadMany(ctx, accountsOfBatch, ids.sorted(), func(r row) error {
		a, err := scanAccount(r)
		accounts[a.ID] = a
		return err
	}); err != nil {
		return err
	}
	var entries []hook.Entry
	for _, c := range all {
		if acc := accounts[c.Account]; c.Stand.Counted() && !acc.Deleted() {
			entries = append(entries, hook.OfStall(newEntryID(), acc, c, now))
		}
	}
	if err := t.tell(ctx, entries); err != nil {
		return err
	}
	return t.changeMany(ctx, stallNoted, rowsOf(all, stallNote))
}

func stallNote(c *connection.Connection) []any {
	return []any{string(c.Account), c.Provider, micros(c.Stand.Due)}
}

func intoConnections(all *[]*connection.Connection) func(row) error {
	return func(r row) error {
		c, err := scanConnection(r)
		*all = append(*all, c)
		return err
	}
}
