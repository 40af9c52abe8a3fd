package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"mooring/internal/auth"
)

// Use is that a client logged in; Secret is "" when it showed none.
type Use struct {
	Client auth.ClientKey
	Secret string
	At     time.Time
}

var (
	clientUsed = writes(`UPDATE client SET last_used_at = $3
		WHERE account = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3)`)

	secretUsed = writes(`UPDATE client_secret SET last_used_at = $4
		WHERE account = $1 AND client = $2 AND id = $3 AND (last_used_at IS NULL OR last_used_at < $4)`)
)

// usesOfTransaction is how many uses are written in one transaction, so that no
// other write waits long.
const usesOfTransaction = 100

// ClientsUsed writes down when clients logged in, unless a later time stands
// there. Nothing that anybody may do depends on it, so the epoch stays.
func (s *Store) ClientsUsed(ctx context.Context, uses []Use) error {
	// In one order everywhere, so that two nodes do not wait for each other.
	slices.SortFunc(uses, func(a, b Use) int {
		return strings.Compare(a.Client.ID+a.Secret, b.Client.ID+b.Secret)
	})
	for some := range slices.Chunk(uses, usesOfTransaction) {
		err := s.transact(ctx, func(ctx context.Context, t *tx) error {
			for _, use := range some {
				if err := t.used(ctx, use); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) used(ctx context.Context, use Use) error {
	if _, err := t.change(ctx, clientUsed, use.Client.Account, use.Client.ID, micros(use.At)); err != nil || use.Secret == "" {
		return err
	}
	_, err := t.change(ctx, secretUsed, use.Client.Account, use.Client.ID, use.Secret, micros(use.At))
	return err
}
