package store

import (
	"context"

	"mooring/internal/account"
)

// KeySource is where an account publishes the public keys that its clients may
// prove themselves with.
type KeySource struct {
	Account account.ID
	URI     string
}

var keySources = reads(`SELECT p.account, p.profile FROM account_profile AS p JOIN account AS a ON a.id = p.account
	WHERE p.profile LIKE '%"jwks":{%' AND a.deleted_at IS NULL ORDER BY p.account LIMIT $1`)

// KeySources lists the accounts that publish keys, and where.
func (s *Store) KeySources(ctx context.Context, limit int) ([]KeySource, error) {
	all, err := list(ctx, s, keySources, scanKeySource, limit)
	found := all[:0]
	for _, source := range all {
		if source.URI != "" {
			found = append(found, source)
		}
	}
	return found, err
}

func scanKeySource(r row) (KeySource, error) {
	var (
		source KeySource
		text   []byte
	)
	if err := r.Scan(&source.Account, &text); err != nil {
		return source, err
	}
	profile, err := account.ParseProfile(text)
	if err == nil {
		source.URI = profile.Text(account.MemberKeys, "uri")
	}
	return source, err
}
