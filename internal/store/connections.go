package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"strings"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

const (
	identityColumns = `account, provider`
	// historyColumns move with the history, the others stay as they were made.
	historyColumns = `schema, status, configuration, metadata, updated_at, last_seq, last_event_at, occurred_at, last_signup, history, configured_seq,
		stands_at, since, turn, due_at, code, assignee, snoozed_until`
	connectionColumns = identityColumns + `, created_at, created_by, ` + historyColumns
)

var (
	// The account in the inner query is the table; the caller sees the
	// connection when it covers the account ($3) or owns it ($4).
	// A deleted account's is seen only where the history is asked for ($5).
	connectionSeen = reads(`SELECT ` + connectionColumns + ` FROM connection
		WHERE account = $1 AND provider = $2
		AND EXISTS (SELECT 1 FROM account AS a WHERE a.id = $1 AND ($3 OR a.owner = $4) AND ($5 OR a.deleted_at IS NULL))`)

	// Sorted, so that two batches lock rows in one order and never wait in a circle.
	connectionsOfBatch = batches(
		`SELECT `+connectionColumns+` FROM connection WHERE account = $1 AND provider = $2`,
		`SELECT `+connectionColumns+` FROM connection
		WHERE (account, provider) IN (SELECT * FROM unnest($1::text[], $2::text[]))
		ORDER BY account, provider FOR UPDATE`).
		asked(2, `SELECT `+connectionColumns+` FROM connection WHERE (account, provider) IN (%s)`)

	connectionAdded = batches(
		`INSERT INTO connection (`+connectionColumns+`, owner, world)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
			$16, $17, $18, $19, $20, $21, $22, $23, $24)`,
		`INSERT INTO connection (`+connectionColumns+`, owner, world)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[],
			$8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
			$16::text[], $17::bigint[], $18::text[], $19::bigint[], $20::text[], $21::text[], $22::bigint[],
			$23::text[], $24::text[])`)

	connectionMoved = batches(
		`UPDATE connection SET schema = $3, status = $4, configuration = $5, metadata = $6, updated_at = $7,
			last_seq = $8, last_event_at = $9, occurred_at = $10, last_signup = $11, history = $12,
			configured_seq = $13, stands_at = $14, since = $15, turn = $16, due_at = $17, code = $18,
			assignee = $19, snoozed_until = $20
		WHERE account = $1 AND provider = $2`,
		`UPDATE connection AS c SET schema = u.schema, status = u.status, configuration = u.configuration,
			metadata = u.metadata, updated_at = u.updated_at, last_seq = u.last_seq, last_event_at = u.last_event_at,
			occurred_at = u.occurred_at, last_signup = u.last_signup, history = u.history,
			configured_seq = u.configured_seq, stands_at = u.stands_at, since = u.since, turn = u.turn,
			due_at = u.due_at, code = u.code, assignee = u.assignee, snoozed_until = u.snoozed_until
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
			$9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::bigint[],
			$16::text[], $17::bigint[], $18::text[], $19::text[], $20::bigint[])
			AS u (account, provider, schema, status, configuration, metadata, updated_at, last_seq, last_event_at,
				occurred_at, last_signup, history, configured_seq, stands_at, since, turn, due_at, code, assignee, snoozed_until)
		WHERE c.account = u.account AND c.provider = u.provider`)

	// What most events do: the status stays, and whoever is at it. An index is
	// written for each column that a statement names, whether it changes or not.
	connectionAdvanced = batches(
		`UPDATE connection SET schema = $3, configuration = $4, metadata = $5, updated_at = $6,
			last_seq = $7, last_event_at = $8, occurred_at = $9, last_signup = $10, history = $11,
			configured_seq = $12, stands_at = $13, since = $14, turn = $15, due_at = $16, code = $17
		WHERE account = $1 AND provider = $2`,
		`UPDATE connection AS c SET schema = u.schema, configuration = u.configuration,
			metadata = u.metadata, updated_at = u.updated_at, last_seq = u.last_seq, last_event_at = u.last_event_at,
			occurred_at = u.occurred_at, last_signup = u.last_signup, history = u.history,
			configured_seq = u.configured_seq, stands_at = u.stands_at, since = u.since, turn = u.turn,
			due_at = u.due_at, code = u.code
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
			$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::bigint[],
			$15::text[], $16::bigint[], $17::text[])
			AS u (account, provider, schema, configuration, metadata, updated_at, last_seq, last_event_at,
				occurred_at, last_signup, history, configured_seq, stands_at, since, turn, due_at, code)
		WHERE c.account = u.account AND c.provider = u.provider`)
)

// place is the identity of a connection.
type place struct {
	account  account.ID
	provider string
}

func (p place) compare(other place) int {
	return cmp.Or(strings.Compare(string(p.account), string(other.account)), strings.Compare(p.provider, other.provider))
}

// Connection reads a whole connection, its signups and events oldest first,
// all of one moment. It is Missing when there is none, or none that the caller
// covers or owns.
func (s *Store) Connection(ctx context.Context, caller auth.Caller, id account.ID, provider string) (*connection.Connection, error) {
	return s.wholeConnection(ctx, func(t *tx) (c *connection.Connection, err error) {
		err = t.load(ctx, connectionSeen, intoConnection(&c), id, provider, caller.Covers(id), caller.Account, false)
		return c, err
	})
}

// wholeConnection reads what belongs to a connection whose head is found; it is
// Missing when none is.
func (s *Store) wholeConnection(ctx context.Context, head func(*tx) (*connection.Connection, error)) (*connection.Connection, error) {
	var c *connection.Connection
	err := s.snapshot(ctx, func(t *tx) (err error) {
		if c, err = head(t); err != nil || c == nil {
			return err
		}
		return t.history(ctx, c)
	})
	if err == nil && c == nil {
		err = fault.Missing()
	}
	return c, err
}

// head reads a connection without its signups and events; the platform finds
// that of a deleted account, too.
func (s *Store) head(ctx context.Context, caller auth.Caller, id account.ID, provider string) (*connection.Connection, error) {
	var c *connection.Connection
	err := s.lookup(ctx, connectionSeen, intoConnection(&c), id, provider, caller.Covers(id), caller.Account, caller.Account.IsPlatform())
	if err == nil && c == nil {
		err = fault.Missing()
	}
	return c, err
}

// made is a whole new row of an account: connectionColumns, then its owner and
// its world.
func made(c *connection.Connection, acc account.Account) []any {
	values := append([]any{string(c.Account), c.Provider, micros(c.CreatedAt), c.CreatedBy}, history(c)...)
	return append(values, string(ownerOf(acc)), worldOf(c.Account))
}

// ownerOf is in whose lists the connections of an account are: the owner's, or
// those of the account itself when it has none.
func ownerOf(acc account.Account) account.ID { return cmp.Or(acc.Owner, acc.ID) }

// moved is a row that follows its history: its identity, then historyColumns.
func moved(c *connection.Connection) []any {
	return append([]any{string(c.Account), c.Provider}, history(c)...)
}

// advanced is a row that advances, as connectionAdvanced takes it.
func advanced(c *connection.Connection) []any {
	return []any{
		string(c.Account), c.Provider, c.Schema, document(c.Configuration), document(c.Metadata), micros(c.UpdatedAt),
		c.LastSeq, micros(c.LastEventAt), micros(c.OccurredAt), c.LastSignup, c.History, c.ConfiguredSeq,
		c.Stand.Event, micros(c.Stand.Since), c.Stand.Turn, micros(c.Stand.Due), c.Stand.Code,
	}
}

// advances says whether a connection keeps its place in the lists by status and
// by who is at it.
func advances(before, after *connection.Connection) bool {
	a, b := before.Stand, after.Stand
	return before.Status == after.Status && a.Assignee == b.Assignee && a.SnoozedUntil.Equal(b.SnoozedUntil)
}

func history(c *connection.Connection) []any {
	return []any{
		c.Schema, string(c.Status), document(c.Configuration), document(c.Metadata), micros(c.UpdatedAt),
		c.LastSeq, micros(c.LastEventAt), micros(c.OccurredAt), c.LastSignup, c.History,
		c.ConfiguredSeq, c.Stand.Event, micros(c.Stand.Since), c.Stand.Turn, micros(c.Stand.Due), c.Stand.Code,
		c.Stand.Assignee, micros(c.Stand.SnoozedUntil),
	}
}

func intoConnection(found **connection.Connection) func(row) error {
	return func(r row) error {
		c, err := scanConnection(r)
		*found = c
		return err
	}
}

// scanConnection reads the columns of connectionColumns; after is what stands
// behind them.
func scanConnection(r row, after ...any) (*connection.Connection, error) {
	var (
		c                                  connection.Connection
		created, updated, last, occurredAt sql.NullInt64
		since, due, snoozed                sql.NullInt64
	)
	err := r.Scan(append([]any{
		&c.Account, &c.Provider, &created, &c.CreatedBy, &c.Schema, &c.Status, &c.Configuration,
		&c.Metadata, &updated, &c.LastSeq, &last, &occurredAt, &c.LastSignup, &c.History,
		&c.ConfiguredSeq, &c.Stand.Event, &since, &c.Stand.Turn, &due, &c.Stand.Code, &c.Stand.Assignee, &snoozed,
	}, after...)...)
	c.CreatedAt, c.UpdatedAt = instant(created), instant(updated)
	c.LastEventAt, c.OccurredAt = instant(last), instant(occurredAt)
	c.Stand.Since, c.Stand.Due, c.Stand.SnoozedUntil = instant(since), instant(due), instant(snoozed)
	return &c, err
}

// sameHead says whether two states of a connection would be one row.
func sameHead(a, b *connection.Connection) bool {
	return a.Schema == b.Schema && a.Status == b.Status &&
		bytes.Equal(a.Configuration, b.Configuration) && (a.Configuration == nil) == (b.Configuration == nil) &&
		bytes.Equal(a.Metadata, b.Metadata) && (a.Metadata == nil) == (b.Metadata == nil) &&
		a.UpdatedAt.Equal(b.UpdatedAt) && a.LastSeq == b.LastSeq && a.LastEventAt.Equal(b.LastEventAt) &&
		a.OccurredAt.Equal(b.OccurredAt) && a.LastSignup == b.LastSignup && a.History == b.History &&
		a.ConfiguredSeq == b.ConfiguredSeq && sameStand(a.Stand, b.Stand)
}

func sameStand(a, b connection.Stand) bool {
	return a.Event == b.Event && a.Since.Equal(b.Since) && a.Turn == b.Turn && a.Due.Equal(b.Due) && a.Code == b.Code &&
		a.Assignee == b.Assignee && a.SnoozedUntil.Equal(b.SnoozedUntil)
}
