package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// Inbox names the row of the callback inbox that a change judges.
type Inbox struct {
	ID     string // of the received call
	Signup string // id of the signup that it is about
	Digest []byte // keyed digest of operation and body
}

// Verdict is what became of a received call. It is written in the transaction
// of its effect.
type Verdict struct {
	State  string // VerdictApplied or VerdictRefused
	Effect string // connection.Effect of an applied one
	Event  int64  // number of the event that it recorded; 0 when none
	Code   string // fault code of a refused one
	Reason string // one sentence without any value of the call
}

// The states of a received call.
const (
	VerdictReceived = "received"
	VerdictApplied  = "applied"
	VerdictRefused  = "refused"
)

// Received is a call of the callback inbox.
type Received struct {
	Account    account.ID
	Provider   string
	ID         string // UUIDv7
	Signup     string // id of the signup that its reference names
	Operation  string // operationId of the path that it came in by
	By         string // client id, or the reference of a callback token
	Remote     string
	Header     []byte    // JSON object of the few headers that are kept; no credentials
	Key        string    // id of the data key of Body; "" once Body is gone
	Body       []byte    // sealed; nil once its 30 days are over, or its signup was erased
	Digest     []byte    // nil once its signup was erased
	ReceivedAt time.Time // real time
	JudgedAt   time.Time // zero while it is only received
	Attempts   int64     // how often it was judged
	Verdict    Verdict   // State is VerdictReceived until it is judged; one that was applied stays so
}

const (
	verdictColumns = `judged_at, attempts, state, effect, event, code, reason`
	callColumns    = `account, provider, id, signup, operation, sender, remote, header, data_key, body, digest,
	received_at, ` + verdictColumns
)

var (
	// Only a call about a signup that is there is kept.
	callReceived = writes(`INSERT INTO callback (` + callColumns + `)
		SELECT account, provider, $3, id, $5, $6, $7, $8, $9, $10, $11, $12, NULL, 0, 'received', '', 0, '', ''
		FROM signup WHERE account = $1 AND provider = $2 AND id = $4`)

	// A list of bodies would be large: it has the first byte of each, which says
	// that there is one.
	callsOfConnection = reads(`SELECT ` + strings.Replace(callColumns, "body", "substr(body, 1, 1)", 1) + ` FROM callback
		WHERE account = $1 AND provider = $2 AND id < $3 ORDER BY id DESC LIMIT $4`)

	callByID = reads(`SELECT ` + callColumns + ` FROM callback
		WHERE account = $1 AND provider = $2 AND id = $3`)

	// One whose body is gone can't be judged any more. It is asked for by its
	// length, so that SQLite goes by the few that were not judged and not by the
	// many that have a body.
	callsUnjudged = reads(`SELECT ` + callColumns + ` FROM callback
		WHERE state = 'received' AND received_at <= $1 AND length(body) > 0 ORDER BY received_at, account, id LIMIT $2`)

	bodiesSwept = writes(`UPDATE callback SET body = NULL, data_key = NULL
		WHERE (account, provider, id) IN (
			SELECT account, provider, id FROM callback
			WHERE body IS NOT NULL AND received_at <= $1 ORDER BY received_at LIMIT $2)`)

	callsErased = writes(`UPDATE callback SET body = NULL, data_key = NULL, digest = NULL, reason = ''
		WHERE account = $1 AND provider = $2 AND signup = $3`)

	signupErased = writes(`SELECT id FROM signup WHERE account = $1 AND provider = $2 AND id = $3 AND erased_at IS NOT NULL`)

	signupThere = reads(`SELECT id FROM signup WHERE account = $1 AND provider = $2 AND id = $3`)

	// The last column says whether a call with the same digest was applied to
	// the signup, this one or another.
	callsOfBatch = batches(
		`SELECT c.account, c.provider, c.id, c.signup, c.digest, c.judged_at, c.attempts, c.state, c.effect, c.event,
			c.code, c.reason, EXISTS (SELECT 1 FROM callback AS o WHERE o.account = c.account AND o.provider = c.provider
				AND o.signup = c.signup AND o.digest = c.digest AND o.state = 'applied')
		FROM callback AS c WHERE c.account = $1 AND c.provider = $2 AND c.id = $3`,
		`SELECT c.account, c.provider, c.id, c.signup, c.digest, c.judged_at, c.attempts, c.state, c.effect, c.event,
			c.code, c.reason, EXISTS (SELECT 1 FROM callback AS o WHERE o.account = c.account AND o.provider = c.provider
				AND o.signup = c.signup AND o.digest = c.digest AND o.state = 'applied')
		FROM callback AS c WHERE (c.account, c.provider, c.id) IN (
			SELECT u.account, u.provider, u.id::uuid FROM unnest($1::text[], $2::text[], $3::text[]) AS u (account, provider, id))`)

	callJudged = batches(
		`UPDATE callback SET judged_at = $4, attempts = $5, state = $6, effect = $7, event = $8, code = $9, reason = $10
		WHERE account = $1 AND provider = $2 AND id = $3`,
		`UPDATE callback AS c SET judged_at = u.judged_at, attempts = u.attempts, state = u.state, effect = u.effect,
			event = u.event, code = u.code, reason = u.reason
		FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[],
			$9::text[], $10::text[]) AS u (account, provider, id, `+verdictColumns+`)
		WHERE c.account = u.account AND c.provider = u.provider AND c.id = u.id::uuid`)

	// A callback token speaks of one signup, which must be there.
	referencesOfBatch = batches(
		`SELECT account, provider, id FROM signup WHERE account = $1 AND provider = $2 AND id = $3`,
		`SELECT account, provider, id FROM signup WHERE (account, provider, id) IN (
			SELECT u.account, u.provider, u.id::uuid FROM unnest($1::text[], $2::text[], $3::text[]) AS u (account, provider, id))`)
)

// Receive writes a call into the inbox and returns once it is on disk. It is
// Missing when there is no such signup. Nothing of its verdict is looked at. Of
// a call about a person who was erased the body is not kept.
func (s *Store) Receive(ctx context.Context, r Received) error {
	if !isID(r.ID) {
		return errNoUUID
	}
	if !isID(r.Signup) {
		return fault.Missing()
	}
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		r := r
		if erased, err := t.exists(ctx, signupErased, string(r.Account), r.Provider, r.Signup); err != nil {
			return err
		} else if erased {
			r.Key, r.Body = "", nil
		}
		kept, err := t.change(ctx, callReceived, string(r.Account), r.Provider, r.ID, r.Signup, r.Operation, r.By, r.Remote,
			string(r.Header), named(r.Key), nullable(r.Body), nullable(r.Digest), micros(r.ReceivedAt))
		if err == nil && kept == 0 {
			err = fault.Missing()
		}
		return err
	})
}

// Inbox lists the received calls of a connection that the caller covers or
// owns, newest first, beginning after the one with the id after; "" for the
// first ones. Of their bodies they have the first byte alone.
func (s *Store) Inbox(ctx context.Context, caller auth.Caller, at Place, after string, limit int) ([]Received, error) {
	if _, err := s.head(ctx, caller, at.Account, at.Provider); err != nil {
		return nil, err
	}
	if after == "" {
		after = lastID
	}
	if !isID(after) {
		return nil, nil
	}
	return list(ctx, s, callsOfConnection, scanReceived, string(at.Account), at.Provider, after, limit)
}

// ReceivedByID finds one received call; Missing when there is none.
func (s *Store) ReceivedByID(ctx context.Context, at Place, id string) (Received, error) {
	if !isID(id) {
		return Received{}, fault.Missing()
	}
	return one(ctx, s, callByID, scanReceived, string(at.Account), at.Provider, id)
}

// Unjudged lists calls that were received at or before a time and never judged,
// because the process ended between the two, oldest first.
func (s *Store) Unjudged(ctx context.Context, before time.Time, limit int) ([]Received, error) {
	return list(ctx, s, callsUnjudged, scanReceived, micros(before), limit)
}

// SweepInbox takes the bodies away that were received at or before a time, at
// most limit of them, and says how many.
func (s *Store) SweepInbox(ctx context.Context, before time.Time, limit int) (int, error) {
	var swept int64
	err := s.transact(ctx, func(ctx context.Context, t *tx) (err error) {
		swept, err = t.change(ctx, bodiesSwept, micros(before), limit)
		return err
	})
	return int(swept), err
}

// SignupExists says whether a reference names a signup of the connection.
func (s *Store) SignupExists(ctx context.Context, at Place, reference string) (bool, error) {
	if !isID(reference) {
		return false, nil
	}
	found, err := list(ctx, s, signupThere, func(r row) (id string, err error) {
		err = r.Scan(&id)
		return id, err
	}, string(at.Account), at.Provider, reference)
	return found != nil, err
}

func scanReceived(r row) (Received, error) {
	var (
		c                Received
		key              sql.NullString
		received, judged sql.NullInt64
	)
	err := r.Scan(&c.Account, &c.Provider, &c.ID, &c.Signup, &c.Operation, &c.By, &c.Remote, &c.Header, &key, &c.Body,
		&c.Digest, &received, &judged, &c.Attempts, &c.Verdict.State, &c.Verdict.Effect, &c.Verdict.Event,
		&c.Verdict.Code, &c.Verdict.Reason)
	c.Key, c.ReceivedAt, c.JudgedAt = key.String, instant(received), instant(judged)
	return c, err
}
