package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
)

var (
	keysAfter = reads(`SELECT purpose, id, sealed, created_at FROM sealed_key
		WHERE (purpose, id) > ($1, $2) ORDER BY purpose, id LIMIT $3`)

	dataKeysAfter = reads(`SELECT ` + dataKeyColumns + ` FROM data_key
		WHERE (account, id) > ($1, $2) ORDER BY account, id LIMIT $3`)

	// One that was changed or destroyed meanwhile is left alone.
	keyRewrapped = writes(`UPDATE sealed_key SET sealed = $4 WHERE purpose = $1 AND id = $2 AND sealed = $3`)

	dataKeyRewrapped = writes(`UPDATE data_key SET wrapped = $4 WHERE account = $1 AND id = $2 AND wrapped = $3`)
)

// The two kinds of wrapped key, as the position of Rewrap names them.
const (
	rewrapsKeys     = "key"
	rewrapsDataKeys = "data"
)

// wrappedKey is a key of either kind as a rotation sees it.
type wrappedKey struct {
	position string
	context  string
	wrapped  []byte
	changed  *statement
	name     []any // what changed finds it by
}

// Rewrap hands wrapped keys, data keys and sealed keys alike, to rewrap, which
// returns what is to be stored instead (SealedKey.Context and DataKey.Context
// name them); a row that was written meanwhile is left alone. after is where
// the last call ended, "" at first. It returns where it ended, and "" when all
// were seen. A key that is added meanwhile may be passed over: whoever adds it
// must wrap it with the new key by then.
func (s *Store) Rewrap(ctx context.Context, after string, limit int, rewrap func(context string, wrapped []byte) ([]byte, error)) (string, error) {
	found, err := s.wrappedAfter(ctx, after, limit)
	if err != nil {
		return "", err
	}
	fresh := make([][]byte, len(found))
	for i, k := range found {
		if fresh[i], err = rewrap(k.context, k.wrapped); err != nil {
			return "", fmt.Errorf("wrap %s again: %w", k.context, err)
		}
	}
	if err := s.transact(ctx, func(ctx context.Context, t *tx) error {
		for i, k := range found {
			if bytes.Equal(k.wrapped, fresh[i]) {
				continue
			}
			if _, err := t.change(ctx, k.changed, append(k.name, k.wrapped, fresh[i])...); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return "", err
	}
	switch {
	case len(found) == limit:
		return found[limit-1].position, nil
	case after == "" || strings.HasPrefix(after, rewrapsKeys+"/"):
		return strings.Join([]string{rewrapsDataKeys, "", firstID}, "/"), nil
	}
	return "", nil
}

func (s *Store) wrappedAfter(ctx context.Context, after string, limit int) ([]wrappedKey, error) {
	if after == "" {
		after = rewrapsKeys + "//"
	}
	parts := strings.SplitN(after, "/", 3)
	switch {
	case len(parts) != 3:
	case parts[0] == rewrapsKeys:
		return list(ctx, s, keysAfter, func(r row) (wrappedKey, error) {
			k, err := scanSealedKey(r)
			return wrappedKey{
				strings.Join([]string{rewrapsKeys, k.Purpose, k.ID}, "/"), k.Context(), k.Sealed, keyRewrapped, []any{k.Purpose, k.ID},
			}, err
		}, parts[1], parts[2], limit)
	case parts[0] == rewrapsDataKeys && isID(parts[2]):
		return list(ctx, s, dataKeysAfter, func(r row) (wrappedKey, error) {
			k, err := scanDataKey(r)
			return wrappedKey{
				strings.Join([]string{rewrapsDataKeys, string(k.Account), k.ID}, "/"), k.Context(), k.Wrapped, dataKeyRewrapped, []any{string(k.Account), k.ID},
			}, err
		}, parts[1], parts[2], limit)
	}
	return nil, errors.New("no position in the keys")
}
