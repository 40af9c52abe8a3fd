package store

import (
	"context"
	"database/sql"

	"mooring/internal/connection"
	"mooring/internal/fault"
)

const signupColumns = `seq, id, signup_key, data, token, schema, created_at, created_by, callback_at, expires_at`

var (
	signupsAll = reads(`SELECT ` + signupColumns + ` FROM signup
		WHERE account = $1 AND provider = $2 ORDER BY seq`)

	signupByToken = reads(`SELECT c.account, c.provider, c.created_at, c.created_by, c.schema, c.status, c.configuration,
			c.metadata, c.updated_at, c.last_seq, c.last_event_at, c.occurred_at, c.last_signup, c.history,
			s.seq, s.id, s.signup_key, s.data, s.token, s.schema, s.created_at, s.created_by, s.callback_at, s.expires_at
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
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		`INSERT INTO signup (account, provider, `+signupColumns+`)
		SELECT account, provider, seq, id::uuid, signup_key, data, token, schema, created_at, created_by, callback_at, expires_at
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
			$9::bigint[], $10::text[], $11::bigint[], $12::bigint[])
			AS u (account, provider, seq, id, signup_key, data, token, schema, created_at, created_by, callback_at, expires_at)`)
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
	}
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
	created, callback, expires sql.NullInt64
}

func (t *signupTimes) into(s *connection.Signup) []any {
	return []any{
		&s.Seq, &s.ID, &s.Key, &s.Data, &s.Token, &s.Schema, &t.created, &s.CreatedBy, &t.callback, &t.expires,
	}
}

func (t *signupTimes) settle(s *connection.Signup) {
	s.CreatedAt, s.CallbackAt, s.ExpiresAt = instant(t.created), instant(t.callback), instant(t.expires)
}
