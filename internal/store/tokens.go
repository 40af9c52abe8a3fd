package store

import (
	"context"
	"errors"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// Spent is a token that is not to be taken again before it ends.
type Spent struct {
	Account   account.ID // that the token is for
	ID        string     // what the token is known by: a hash of its id
	ExpiresAt time.Time
}

var (
	spentPlain = reads(`SELECT id FROM spent_token WHERE account = $1 AND id = $2`)

	// Of those who use up a token at the same moment, on whichever node, one
	// adds the row.
	spentAdded = writes(`INSERT INTO spent_token (account, id, expires_at) VALUES ($1, $2, $3) ON CONFLICT (account, id) DO NOTHING`)

	spentSwept = writes(`DELETE FROM spent_token WHERE (account, id) IN (
		SELECT account, id FROM spent_token WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`)

	errSpent = errors.New("the token was used before, or revoked")
)

// IsSpent says whether a token was used up or revoked.
func (s *Store) IsSpent(ctx context.Context, id account.ID, token string) (bool, error) {
	found := false
	err := s.lookup(ctx, spentPlain, func(row) error { found = true; return nil }, string(id), token)
	return found, err
}

// Spend uses up a token that is good once, as the deed of whom it lets in;
// Denied when it was used before.
func (s *Store) Spend(ctx context.Context, d Deed, token Spent) error {
	_, err := s.perform(ctx, d, func(ctx context.Context, t *tx, _ account.Account) (Answer, error) {
		return Answer{}, t.spend(ctx, token)
	})
	return err
}

// SpendOnce uses up what proved a client, before anybody acts; Denied when it
// was used before.
func (s *Store) SpendOnce(ctx context.Context, token Spent) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error { return t.spend(ctx, token) })
}

// Revoke ends a token before its time. It is no fault when it was ended before.
func (s *Store) Revoke(ctx context.Context, d Deed, token Spent) error {
	_, err := s.perform(ctx, d, func(ctx context.Context, t *tx, _ account.Account) (Answer, error) {
		if err := t.spend(ctx, token); err != nil && !errors.Is(err, errSpent) {
			return Answer{}, err
		}
		return Answer{}, t.moveEpoch(ctx)
	})
	return err
}

func (t *tx) spend(ctx context.Context, token Spent) error {
	added, err := t.change(ctx, spentAdded, string(token.Account), token.ID, micros(token.ExpiresAt))
	if err == nil && added == 0 {
		err = fault.Denied(errSpent)
	}
	return err
}

// SweepSpent deletes at most limit tokens that ended before a time, and returns
// how many it deleted. Fewer than limit means that no more are due.
func (s *Store) SweepSpent(ctx context.Context, before time.Time, limit int) (int, error) {
	var swept int64
	err := s.transact(ctx, func(ctx context.Context, t *tx) (err error) {
		swept, err = t.change(ctx, spentSwept, micros(before), limit)
		return err
	})
	return int(swept), err
}
