package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"mooring/internal/account"
)

// AuditRecord is one line of what was done to whose data.
type AuditRecord struct {
	ID        string // UUIDv7
	Account   account.ID
	At        time.Time // real time
	AccountAt time.Time // in the account's own time
	By        string    // client id, or "operator" for a command on the machine
	Token     string    // hash of the token's id; "" when none
	Remote    string
	Action    string // such as "credentials.release"
	Target    string // such as "swish" or "swish/01990f29-..."
	Outcome   string // "done" or "refused"
	Reason    string
	Detail    []byte // JSON object without any secret; nil when none
}

const auditColumns = `account, id, at, account_at, author, token, remote, action, target, outcome, reason, detail`

var (
	auditAdded = batches(
		`INSERT INTO audit (`+auditColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		`INSERT INTO audit (`+auditColumns+`)
		SELECT account, id::uuid, at, account_at, author, token, remote, action, target, outcome, reason, detail
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
			$9::text[], $10::text[], $11::text[], $12::text[]) AS u (`+auditColumns+`)`)

	auditOfAccount = reads(`SELECT ` + auditColumns + ` FROM audit
		WHERE account = $1 AND id < $2 ORDER BY id DESC LIMIT $3`)
)

var errNoUUID = errors.New("an id must be a UUID in lower case")

// lastID is the highest id, after which a list that begins with the newest
// begins.
const lastID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

// Audit writes records that belong to no change of a connection.
func (s *Store) Audit(ctx context.Context, records ...AuditRecord) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error { return t.audit(ctx, records...) })
}

func (t *tx) audit(ctx context.Context, records ...AuditRecord) error {
	rows := make([][]any, len(records))
	for i, r := range records {
		if !isID(r.ID) {
			return errNoUUID
		}
		rows[i] = auditValues(r)
	}
	return t.changeMany(ctx, auditAdded, rows)
}

// AuditOf lists the audit records of an account, newest first, after an id; ""
// for the first ones.
func (s *Store) AuditOf(ctx context.Context, id account.ID, after string, limit int) ([]AuditRecord, error) {
	if after == "" {
		after = lastID
	}
	if !isID(after) {
		return nil, nil
	}
	return list(ctx, s, auditOfAccount, scanAudit, string(id), after, limit)
}

func auditValues(r AuditRecord) []any {
	return []any{
		string(r.Account), r.ID, micros(r.At), micros(r.AccountAt), r.By, r.Token, r.Remote, r.Action, r.Target,
		r.Outcome, r.Reason, document(r.Detail),
	}
}

func scanAudit(r row) (AuditRecord, error) {
	var (
		a         AuditRecord
		real, own sql.NullInt64
	)
	err := r.Scan(&a.Account, &a.ID, &real, &own, &a.By, &a.Token, &a.Remote, &a.Action, &a.Target,
		&a.Outcome, &a.Reason, &a.Detail)
	a.At, a.AccountAt = instant(real), instant(own)
	return a, err
}
