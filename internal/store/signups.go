package store

import (
	"bytes"
	"context"
	"database/sql"

	"mooring/internal/connection"
	"mooring/internal/fault"
)

const signupColumns = `seq, id, signup_key, data, token, schema, created_at, created_by, callback_at, expires_at,
	digest, scenario, erased_at`

var (
	signupsAll = reads(`SELECT ` + signupColumns + ` FROM signup
		WHERE account = $1 AND provider = $2 ORDER BY seq`)

	signupByToken = reads(`SELECT c.account, c.provider, c.created_at, c.created_by, c.schema, c.status, c.configuration,
			c.metadata, c.updated_at, c.last_seq, c.last_event_at, c.occurred_at, c.last_signup, c.history,
			c.configured_seq, c.stands_at, c.since, c.turn, c.due_at, c.code, c.assignee, c.snoozed_until,
			s.seq, s.id, s.signup_key, s.data, s.token, s.schema, s.created_at, s.created_by, s.callback_at, s.expires_at,
			s.digest, s.scenario, s.erased_at
		FROM signup AS s JOIN connection AS c ON c.account = s.account AND c.provider = s.provider
		WHERE s.token = $1`)

	signupsOfBatch = batches(
		`SELECT account, provider, `+signupColumns+` FROM signup
		WHERE account = $1 AND provider = $2 ORDER BY seq`,
		`SELECT account, provider, `+signupColumns+` FROM signup
		WHERE (account, provider) IN (SELECT * FROM unnest($1::text[], $2::text[]))
		ORDER BY account, provider, seq`)

	signupAdded = batches(
		`INSERT INTO signup (account, provider, `+signupColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		`INSERT INTO signup (account, provider, `+signupColumns+`)
		SELECT account, provider, seq, id::uuid, signup_key, data, token, schema, created_at, created_by, callback_at, expires_at,
			digest, scenario, erased_at
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
			$9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::bytea[], $14::text[], $15::bigint[])
			AS u (account, provider, seq, id, signup_key, data, token, schema, created_at, created_by, callback_at, expires_at,
				digest, scenario, erased_at)`)

	// Only what a decision may change of a stored signup.
	signupMoved = batches(
		`UPDATE signup SET data = $4, callback_at = $5, digest = $6, scenario = $7, erased_at = $8
		WHERE account = $1 AND provider = $2 AND seq = $3`,
		`UPDATE signup AS s SET data = u.data, callback_at = u.callback_at, digest = u.digest, scenario = u.scenario,
			erased_at = u.erased_at
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bytea[], $7::text[], $8::bigint[])
			AS u (account, provider, seq, data, callback_at, digest, scenario, erased_at)
		WHERE s.account = u.account AND s.provider = u.provider AND s.seq = u.seq`)
)

// SignupByToken finds the signup whose link carries token, and its connection
// without signups and events; Missing when there is none. Whether the link
// still lives is for the caller to say: nothing here reads a clock.
func (s *Store) SignupByToken(ctx context.Context, token string) (*connection.Connection, connection.Signup, error) {
	var (
		head   *connection.Connection
		signup connection.Signup
	)
	if !isText(token) {
		return nil, signup, fault.Missing()
	}
	err := s.lookup(ctx, signupByToken, func(r row) (err error) {
		var times signupTimes
		head, err = scanConnection(r, times.into(&signup)...)
		times.settle(&signup)
		return err
	}, token)
	if err == nil && head == nil {
		err = fault.Missing()
	}
	return head, signup, err
}

func signupValues(p place, s connection.Signup) []any {
	return []any{
		string(p.account), p.provider, s.Seq, s.ID, s.Key, string(s.Data), s.Token, s.Schema,
		micros(s.CreatedAt), s.CreatedBy, micros(s.CallbackAt), micros(s.ExpiresAt),
		nullable(s.Digest), s.Scenario, micros(s.ErasedAt),
	}
}

// movedSignup is a stored signup that a decision changed: its identity, then
// what may change.
func movedSignup(p place, s connection.Signup) []any {
	return []any{
		string(p.account), p.provider, s.Seq, string(s.Data), micros(s.CallbackAt), nullable(s.Digest), s.Scenario,
		micros(s.ErasedAt),
	}
}

// sameRow says whether two states of a signup would be one row.
func sameRow(a, b connection.Signup) bool {
	return bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Digest, b.Digest) && (a.Digest == nil) == (b.Digest == nil) &&
		a.CallbackAt.Equal(b.CallbackAt) && a.ErasedAt.Equal(b.ErasedAt) && a.Scenario == b.Scenario
}

// sameSignup says whether nothing differs but what a decision may change.
func sameSignup(a, b connection.Signup) bool {
	return a.Seq == b.Seq && a.ID == b.ID && a.Key == b.Key && a.Token == b.Token && a.Schema == b.Schema &&
		a.CreatedAt.Equal(b.CreatedAt) && a.CreatedBy == b.CreatedBy && a.ExpiresAt.Equal(b.ExpiresAt)
}

// scanSignup reads one signup; before is what stands before its columns.
func scanSignup(r row, before ...any) (connection.Signup, error) {
	var (
		s     connection.Signup
		times signupTimes
	)
	err := r.Scan(append(before, times.into(&s)...)...)
	times.settle(&s)
	return s, err
}

// signupTimes holds the times of a signup between the row and the struct.
type signupTimes struct {
	created, callback, expires, erased sql.NullInt64
}

func (t *signupTimes) into(s *connection.Signup) []any {
	return []any{
		&s.Seq, &s.ID, &s.Key, &s.Data, &s.Token, &s.Schema, &t.created, &s.CreatedBy, &t.callback, &t.expires,
		&s.Digest, &s.Scenario, &t.erased,
	}
}

func (t *signupTimes) settle(s *connection.Signup) {
	s.CreatedAt, s.CallbackAt, s.ExpiresAt = instant(t.created), instant(t.callback), instant(t.expires)
	s.ErasedAt = instant(t.erased)
}
