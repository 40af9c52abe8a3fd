package store

import (
	"context"
	"database/sql"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
)

const eventColumns = `seq, id, status, name, description, metadata, created_at, created_by,
	external_id, occurred_at, stale, reason, signup, code, provider_code`

var (
	eventsAfter = reads(`SELECT ` + eventColumns + ` FROM event
		WHERE account = $1 AND provider = $2 AND seq > $3 ORDER BY seq LIMIT $4`)

	eventsAll = reads(`SELECT ` + eventColumns + ` FROM event
		WHERE account = $1 AND provider = $2 ORDER BY seq`)

	eventNamed = reads(`SELECT seq FROM event
		WHERE account = $1 AND provider = $2 AND external_id = $3 AND external_id IS NOT NULL`)

	eventsOfBatch = batches(
		`SELECT account, provider, `+eventColumns+` FROM event
		WHERE account = $1 AND provider = $2 ORDER BY seq`,
		`SELECT account, provider, `+eventColumns+` FROM event
		WHERE (account, provider) IN (SELECT * FROM unnest($1::text[], $2::text[]))
		ORDER BY account, provider, seq`)

	duplicatesOfBatch = batches(
		`SELECT account, provider, `+eventColumns+` FROM event
		WHERE account = $1 AND provider = $2 AND external_id = $3 AND external_id IS NOT NULL`,
		`SELECT account, provider, `+eventColumns+` FROM event
		WHERE (account, provider, external_id) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
		AND external_id IS NOT NULL`).
		asked(3, `SELECT account, provider, `+eventColumns+` FROM event
		WHERE (account, provider, external_id) IN (%s) AND external_id IS NOT NULL`)

	eventAdded = batches(
		`INSERT INTO event (account, provider, `+eventColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		`INSERT INTO event (account, provider, `+eventColumns+`)
		SELECT account, provider, seq, id::uuid, status, name, description, metadata, created_at, created_by,
			external_id, occurred_at, stale, reason, signup, code, provider_code
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
			$9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::boolean[], $14::text[],
			$15::bigint[], $16::text[], $17::text[])
			AS u (account, provider, seq, id, status, name, description, metadata, created_at, created_by,
				external_id, occurred_at, stale, reason, signup, code, provider_code)`)
)

// Events lists at most limit events of a connection with numbers above after,
// oldest first. It is Missing when there is no connection, or none that the
// caller covers or owns.
func (s *Store) Events(ctx context.Context, caller auth.Caller, id account.ID, provider string, after int64, limit int) ([]connection.Event, error) {
	if _, err := s.head(ctx, caller, id, provider); err != nil {
		return nil, err
	}
	return list(ctx, s, eventsAfter, func(r row) (connection.Event, error) { return scanEvent(r) }, id, provider, after, limit)
}

// Recorded says whether a connection has an event with an external id.
func (s *Store) Recorded(ctx context.Context, at Place, externalID string) (bool, error) {
	found, err := list(ctx, s, eventNamed, func(r row) (seq int64, err error) {
		err = r.Scan(&seq)
		return seq, err
	}, string(at.Account), at.Provider, externalID)
	return len(found) > 0, err
}

func eventValues(p place, e connection.Event) []any {
	return []any{
		string(p.account), p.provider, e.Seq, e.ID, string(e.Status), e.Name, optional(e.Description), document(e.Metadata),
		micros(e.CreatedAt), e.CreatedBy, named(e.ExternalID), micros(e.OccurredAt), e.Stale, named(e.Reason),
		e.Signup, named(e.Code), named(e.ProviderCode),
	}
}

// scanEvent reads one event; before is what stands before its columns.
func scanEvent(r row, before ...any) (connection.Event, error) {
	var (
		e                 connection.Event
		description       sql.NullString
		external, reason  sql.NullString
		code, passed      sql.NullString
		created, occurred sql.NullInt64
	)
	err := r.Scan(append(before, &e.Seq, &e.ID, &e.Status, &e.Name, &description, &e.Metadata, &created, &e.CreatedBy,
		&external, &occurred, &e.Stale, &reason, &e.Signup, &code, &passed)...)
	if description.Valid {
		e.Description = &description.String
	}
	e.CreatedAt, e.OccurredAt = instant(created), instant(occurred)
	e.ExternalID, e.Reason = external.String, reason.String
	e.Code, e.ProviderCode = code.String, passed.String
	return e, err
}
