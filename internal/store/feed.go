package store

import (
	"context"
	"database/sql"

	"mooring/internal/hook"
)

const (
	entryColumns = `id, owner, account, type, provider, status, at, told_at, seq, body`
	feedColumns  = `position, ` + entryColumns
)

var (
	// SQLite has one writer: the order in which rows are added is that in which
	// they are committed, and their row ids are their positions.
	told = batches(
		`INSERT INTO feed (`+entryColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		`INSERT INTO feed_arrival (`+entryColumns+`)
		SELECT id::uuid, owner, account, type, provider, status, at, told_at, seq, body
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
			$9::bigint[], $10::text[]) WITH ORDINALITY AS u (`+entryColumns+`, place) ORDER BY place`)

	feedOfOwner = feedWhere("owner = $1 AND $9 = ''")

	feedOfAccount = feedWhere("account = $1 AND ($9 = '' OR owner = $9)")

	feedOfWorld = feedWhere("account BETWEEN $1 AND $9")

	// How far so many entries of one owner, or about one account, reach.
	feedReachOfOwner = reads(`SELECT coalesce(max(position), 0), count(*) FROM
		(SELECT position FROM feed WHERE owner = $1 AND position > $2 ORDER BY position LIMIT $3) AS reach`)

	feedReachOfAccount = reads(`SELECT coalesce(max(position), 0), count(*) FROM
		(SELECT position FROM feed WHERE account = $1 AND position > $2 ORDER BY position LIMIT $3) AS reach`)

	feedOfAll = reads(`SELECT ` + feedColumns + ` FROM feed WHERE position > $1 ORDER BY position LIMIT $2`)

	feedEnd = reads(`SELECT coalesce(max(position), 0) FROM feed`)

	feedToldAt = reads(`SELECT told_at FROM feed WHERE position >= $1 ORDER BY position LIMIT 1`)

	feedToldFrom = reads(`SELECT position FROM feed
		WHERE position >= $1 AND position <= $2 AND told_at >= $3 ORDER BY position LIMIT 1`)

	feedConcerns = reads(`SELECT position, owner, account FROM feed WHERE position > $1 ORDER BY position LIMIT $2`)
)

// feedWhere reads entries of one scope after a position and up to another. A
// filter is a list of values between commas; an empty one keeps everything.
func feedWhere(scope string) *statement {
	among := func(list, column string) string {
		return ` AND (` + list + ` = '' OR replace(` + list + `, ',' || ` + column + ` || ',', '') <> ` + list + `)`
	}
	return reads(`SELECT ` + feedColumns + ` FROM feed WHERE ` + scope + ` AND position > $2 AND position <= $3` +
		among("$5", "provider") + among("$6", "status") + among("$7", "type") + among("$8", "account") +
		` ORDER BY position LIMIT $4`)
}

// tell writes what is to be told of a transaction, in the order of its events.
func (t *tx) tell(ctx context.Context, entries []hook.Entry) error {
	rows := make([][]any, len(entries))
	for i, e := range entries {
		if !isID(e.ID) {
			return errNoUUID
		}
		rows[i] = entryValues(e)
	}
	t.told = t.told || len(rows) > 0
	return t.changeMany(ctx, told, rows)
}

// FeedOfAll lists entries of all accounts of both worlds, likewise.
func (s *Store) FeedOfAll(ctx context.Context, after int64, limit int) ([]hook.Entry, error) {
	return list(ctx, s, feedOfAll, scanEntry, after, limit)
}

// FeedEnd is the position of the newest entry of all; 0 before the first.
func (s *Store) FeedEnd(ctx context.Context) (end int64, err error) {
	err = s.lookup(ctx, feedEnd, func(r row) error { return r.Scan(&end) })
	return end, err
}

func entryValues(e hook.Entry) []any {
	return []any{
		e.ID, string(e.Owner), string(e.Account), e.Type, e.Provider, e.Status, micros(e.At), micros(e.ToldAt), e.Seq,
		document(e.Body),
	}
}

func scanEntry(r row) (hook.Entry, error) {
	var (
		e        hook.Entry
		at, told sql.NullInt64
	)
	err := r.Scan(&e.Position, &e.ID, &e.Owner, &e.Account, &e.Type, &e.Provider, &e.Status, &at, &told, &e.Seq, &e.Body)
	e.At, e.ToldAt = instant(at), instant(told)
	return e, err
}
