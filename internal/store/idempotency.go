package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"mooring/internal/account"
)

// IdempotencyLife is how long an answer is kept for repetition.
const IdempotencyLife = 30 * 24 * time.Hour

const (
	scopeColumns  = `account, client, operation, path, key`
	answerColumns = `fingerprint, header, body`
)

var (
	// To give an answer again is to acknowledge it once more, so it is locked:
	// a transaction that only read would be committed without waiting for the
	// standby, which may not have the answer yet. Sorted as it is in connections.
	answersOfBatch = batches(
		`SELECT `+scopeColumns+`, `+answerColumns+` FROM idempotency
		WHERE account = $1 AND client = $2 AND operation = $3 AND path = $4 AND key = $5`,
		`SELECT `+scopeColumns+`, `+answerColumns+` FROM idempotency
		WHERE (`+scopeColumns+`) IN (
			SELECT u.account, u.client::uuid, u.operation, u.path, u.key
			FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
				AS u (account, client, operation, path, key))
		ORDER BY `+scopeColumns+` FOR UPDATE`)

	answerAdded = batches(
		`INSERT INTO idempotency (`+scopeColumns+`, `+answerColumns+`, created_at, about)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		`INSERT INTO idempotency (`+scopeColumns+`, `+answerColumns+`, created_at, about)
		SELECT account, client::uuid, operation, path, key, fingerprint, header, body, created_at, about
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::bytea[], $9::bigint[], $10::text[])
			AS u (account, client, operation, path, key, fingerprint, header, body, created_at, about)`)

	// What was said of an account ($1), to whomever: also to those who owned it
	// once. Answers of before say by their path alone whom they are about.
	answersErased = writes(`DELETE FROM idempotency WHERE about = $1 OR about = '' AND (path LIKE $2 OR path LIKE $3)`)

	answersSwept = writes(`DELETE FROM idempotency WHERE (` + scopeColumns + `) IN (
		SELECT ` + scopeColumns + ` FROM idempotency WHERE created_at <= $1 ORDER BY created_at LIMIT $2)`)
)

// scope is what an idempotency key is unique in: who uses it, and for what.
type scope struct {
	account, client, operation, path, key string
}

func (k scope) values() []any {
	return []any{k.account, k.client, k.operation, k.path, k.key}
}

// kept is an answer with the fingerprint of the request it answered.
type kept struct {
	fingerprint []byte
	answer      Answer
	about       account.ID // whom it tells of; not read back
}

func (k scope) with(a kept, now time.Time) ([]any, error) {
	header, err := json.Marshal(a.answer.Header)
	if err != nil {
		return nil, fmt.Errorf("encode the header of an answer: %w", err)
	}
	body := a.answer.Body
	if a.answer.Kept != nil {
		body = a.answer.Kept
	}
	return append(k.values(), blob(a.fingerprint), string(header), blob(body), micros(now), string(a.about)), nil
}

func scanAnswer(r row) (scope, kept, error) {
	var (
		k      scope
		a      kept
		header []byte
	)
	if err := r.Scan(&k.account, &k.client, &k.operation, &k.path, &k.key,
		&a.fingerprint, &header, &a.answer.Body); err != nil {
		return k, a, err
	}
	return k, a, json.Unmarshal(header, &a.answer.Header)
}

// forgetAnswers deletes every answer that tells of an account.
func (t *tx) forgetAnswers(ctx context.Context, about account.ID) error {
	_, err := t.change(ctx, answersErased, string(about), "%/"+string(about), "%/"+string(about)+"/%")
	return err
}

// SweepIdempotency deletes at most limit answers that are older than their
// life at now, oldest first, and returns how many it deleted. Fewer than limit
// means that no more are due.
func (s *Store) SweepIdempotency(ctx context.Context, now time.Time, limit int) (int, error) {
	var swept int64
	err := s.transact(ctx, func(ctx context.Context, t *tx) (err error) {
		swept, err = t.change(ctx, answersSwept, micros(now.Add(-IdempotencyLife)), limit)
		return err
	})
	return int(swept), err
}
