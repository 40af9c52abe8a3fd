package store

import (
	"context"
	"database/sql"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
)

// SealedField is one member of a document, sealed by a data key.
type SealedField struct {
	Account   account.ID
	Provider  string
	Holder    string // id of the signup that it is of; "" for the connection's configuration
	Pointer   string // JSON pointer of the member in its document
	Version   int64  // for a configuration the number of the event that brought it, else 0
	Class     string // provider.Class
	Shown     bool
	Key       string // id of the data key
	Sealed    []byte
	NotAfter  time.Time // when the certificate in it ends; zero when it is none
	CreatedAt time.Time
}

const fieldColumns = `account, provider, holder, version, pointer, class, shown, data_key, sealed, not_after, created_at`

var (
	fieldAdded = batches(
		`INSERT INTO sealed_field (`+fieldColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		`INSERT INTO sealed_field (`+fieldColumns+`)
		SELECT account, provider, holder, version, pointer, class, shown, data_key::uuid, sealed, not_after, created_at
		FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::boolean[], $8::text[],
			$9::bytea[], $10::bigint[], $11::bigint[]) AS u (`+fieldColumns+`)`)

	fieldsOfHolder = reads(`SELECT ` + fieldColumns + ` FROM sealed_field
		WHERE account = $1 AND provider = $2 AND holder = $3 ORDER BY version DESC, pointer`)

	// What was in force before $3 is not kept.
	configurationsTrimmed = writes(`DELETE FROM sealed_field
		WHERE account = $1 AND provider = $2 AND holder = '' AND version < $3`)

	fieldsErased = writes(`DELETE FROM sealed_field WHERE account = $1 AND provider = $2 AND holder = $3`)

	// A platform ($3) sees all accounts of its world, others their own and those
	// that they own.
	fieldsExpiring = reads(`SELECT f.account, f.provider, f.holder, f.version, f.pointer, f.class, f.shown, f.data_key,
			substr(f.sealed, 1, 0), f.not_after, f.created_at
		FROM sealed_field AS f
		JOIN connection AS c ON c.account = f.account AND c.provider = f.provider AND c.configured_seq = f.version
		JOIN account AS a ON a.id = f.account
		WHERE f.not_after IS NOT NULL AND f.not_after <= $1 AND f.holder = '' AND a.deleted_at IS NULL
			AND (a.id = $2 OR a.owner = $2 OR ($3 AND substr(a.id, 1, 1) = substr($2, 1, 1)))
		ORDER BY f.not_after, f.account, f.provider, f.pointer LIMIT $4`)

	// SQLite takes the tables of a cross join in the order of the text: so it looks
	// at the few connections first, not at all that is sealed of the account.
	fieldsEnding = reads(`SELECT f.account, f.provider, f.holder, f.version, f.pointer, f.class, f.shown, f.data_key,
			f.sealed, f.not_after, f.created_at
		FROM connection AS c CROSS JOIN sealed_field AS f
		WHERE c.account = $1 AND f.account = $1 AND f.provider = c.provider AND f.holder = '' AND f.version = c.configured_seq
			AND f.not_after IS NOT NULL
		ORDER BY f.not_after, f.provider, f.pointer`)
)

// SealedFields lists the sealed fields of one holder of a connection, newest
// version first, then by pointer.
func (s *Store) SealedFields(ctx context.Context, at Place, holder string) ([]SealedField, error) {
	return list(ctx, s, fieldsOfHolder, scanField, string(at.Account), at.Provider, holder)
}

// Expiring lists sealed fields in force whose certificate ends at or before a
// time, soonest first, without what is sealed: thousands of them may end soon.
func (s *Store) Expiring(ctx context.Context, caller auth.Caller, until time.Time, limit int) ([]SealedField, error) {
	return list(ctx, s, fieldsExpiring, scanField, micros(until), string(caller.Account), caller.Account.IsPlatform(), limit)
}

// Ending lists the sealed fields of one account that are in force and hold a
// certificate, soonest to end first.
func (s *Store) Ending(ctx context.Context, id account.ID) ([]SealedField, error) {
	return list(ctx, s, fieldsEnding, scanField, string(id))
}

func fieldValues(f SealedField) []any {
	return []any{
		string(f.Account), f.Provider, f.Holder, f.Version, f.Pointer, f.Class, f.Shown, f.Key, blob(f.Sealed),
		micros(f.NotAfter), micros(f.CreatedAt),
	}
}

func scanField(r row) (SealedField, error) {
	var (
		f             SealedField
		ends, created sql.NullInt64
	)
	err := r.Scan(&f.Account, &f.Provider, &f.Holder, &f.Version, &f.Pointer, &f.Class, &f.Shown, &f.Key, &f.Sealed,
		&ends, &created)
	f.NotAfter, f.CreatedAt = instant(ends), instant(created)
	return f, err
}
