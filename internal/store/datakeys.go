package store

import (
	"context"
	"database/sql"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// DataKey is a key that seals fields, as it rests: wrapped by the key file. The
// key of an account seals what its providers gave back; each signup that holds
// something of a person has a key of its own, whose end erases the person.
type DataKey struct {
	Account   account.ID
	ID        string // UUIDv7
	Subject   string // id of the signup that it is for; "" for the account's own
	Wrapped   []byte
	CreatedAt time.Time
}

// Context is what the key is wrapped for: it opens nowhere else.
func (k DataKey) Context() string {
	return "data/" + string(k.Account) + "/" + k.Subject + "/" + k.ID
}

const dataKeyColumns = `account, id, subject, wrapped, created_at`

var (
	dataKeyAdded = batches(
		`INSERT INTO data_key (`+dataKeyColumns+`) VALUES ($1, $2, $3, $4, $5)`,
		`INSERT INTO data_key (`+dataKeyColumns+`)
		SELECT account, id::uuid, subject, wrapped, created_at
		FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[]) AS u (`+dataKeyColumns+`)`)

	// Two requests that meet an account without a key may both make one: the
	// first stays.
	ownKeyAdded = writes(`INSERT INTO data_key (` + dataKeyColumns + `) VALUES ($1, $2, '', $3, $4)
		ON CONFLICT (account, subject) DO NOTHING`)

	ownKey = reads(`SELECT ` + dataKeyColumns + ` FROM data_key WHERE account = $1 AND subject = ''`)

	dataKeyByID = reads(`SELECT ` + dataKeyColumns + ` FROM data_key WHERE account = $1 AND id = $2`)

	subjectKeyDeleted = writes(`DELETE FROM data_key WHERE account = $1 AND subject = $2`)
)

// AddDataKey keeps the own key of an account, unless it has one: the first
// stays, and is returned. It is Missing when the account is not there.
func (s *Store) AddDataKey(ctx context.Context, k DataKey) (DataKey, error) {
	if !isID(k.ID) {
		return DataKey{}, errNoUUID
	}
	err := s.transact(ctx, func(ctx context.Context, t *tx) error {
		if there, err := t.exists(ctx, accountTaken, k.Account); err != nil {
			return err
		} else if !there {
			return fault.Missing()
		}
		_, err := t.change(ctx, ownKeyAdded, k.Account, k.ID, blob(k.Wrapped), micros(k.CreatedAt))
		return err
	})
	if err != nil {
		return DataKey{}, err
	}
	return s.DataKey(ctx, k.Account)
}

// DataKey finds the own key of an account; Missing when it has none.
func (s *Store) DataKey(ctx context.Context, id account.ID) (DataKey, error) {
	return one(ctx, s, ownKey, scanDataKey, string(id))
}

// DataKeyByID finds a key; Missing when it was destroyed or never there.
func (s *Store) DataKeyByID(ctx context.Context, id account.ID, key string) (DataKey, error) {
	if !isID(key) {
		return DataKey{}, fault.Missing()
	}
	return one(ctx, s, dataKeyByID, scanDataKey, string(id), key)
}

func dataKeyValues(k DataKey) []any {
	return []any{string(k.Account), k.ID, k.Subject, blob(k.Wrapped), micros(k.CreatedAt)}
}

func scanDataKey(r row) (DataKey, error) {
	var (
		k       DataKey
		created sql.NullInt64
	)
	err := r.Scan(&k.Account, &k.ID, &k.Subject, &k.Wrapped, &created)
	k.CreatedAt = instant(created)
	return k, err
}
