package store

import (
	"context"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// KeySource is where an account publishes the public keys that its clients may
// prove themselves with.
type KeySource struct {
	Account account.ID
	Owner   account.ID // zero of a platform
	URI     string
}

var (
	keySources = reads(`SELECT p.account, coalesce(a.owner, ''), p.keys_at FROM account_profile AS p JOIN account AS a ON a.id = p.account
		WHERE p.keys_at <> '' AND a.deleted_at IS NULL AND p.account > $1 ORDER BY p.account LIMIT $2`)

	keySourceOf = reads(`SELECT p.account, coalesce(a.owner, ''), p.keys_at FROM account_profile AS p JOIN account AS a ON a.id = p.account
		WHERE p.account = $1 AND p.keys_at <> '' AND a.deleted_at IS NULL`)
)

// KeySources lists the accounts that publish keys, and where: those whose ids
// come after one, in their order.
func (s *Store) KeySources(ctx context.Context, after account.ID, limit int) ([]KeySource, error) {
	return list(ctx, s, keySources, scanKeySource, string(after), limit)
}

// KeysAt is where an account publishes its keys now; "" when nowhere.
func (s *Store) KeysAt(ctx context.Context, id account.ID) (string, error) {
	source, err := one(ctx, s, keySourceOf, scanKeySource, string(id))
	if err != nil && fault.From(err).Kind == fault.NotFound {
		err = nil
	}
	return source.URI, err
}

func scanKeySource(r row) (source KeySource, err error) {
	err = r.Scan(&source.Account, &source.Owner, &source.URI)
	return source, err
}
