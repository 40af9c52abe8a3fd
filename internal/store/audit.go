package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// AuditRecord is one line of what was done to whose data.
type AuditRecord struct {
	ID        string // UUIDv7, made at the time of At
	Account   account.ID
	At        time.Time  // real time
	AccountAt time.Time  // in the account's own time
	By        string     // client id, or "operator" for a command on the machine
	Caller    account.ID // the account whose client that is; zero when nobody's is
	Token     string     // hash of the token's id; "" when none
	Remote    string
	Request   string // id of the request; "" when none
	Action    string // such as "credentials.release"
	Target    string // such as "swish" or "swish/01990f29-..."
	Outcome   string // AuditDone or AuditRefused
	Reason    string
	Detail    []byte // JSON object without any secret; nil when none
}

const auditColumns = `account, id, at, account_at, author, caller, token, remote, request, action, target, outcome, reason, detail`

var (
	auditAdded = batches(
		`INSERT INTO audit (`+auditColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		`INSERT INTO audit (`+auditColumns+`)
		SELECT account, id::uuid, at, account_at, author, caller, token, remote, request, action, target, outcome, reason, detail
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
			$9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[]) AS u (`+auditColumns+`)`)

	// What is written already is left as it is: who counts denials writes them
	// again when the outcome of a commit was not known.
	auditAddedOnce = batches(auditAdded.one+` ON CONFLICT DO NOTHING RETURNING id`, auditAdded.many+` ON CONFLICT DO NOTHING RETURNING id`)

	// Whose audit an owner may read: its own, that of what it owns, and for a
	// platform that of its world; also once the account was deleted.
	auditReadable = reads(`SELECT ` + accountColumns + ` FROM account WHERE id = $1 AND (id = $2 OR owner = $2 OR $3)`)

	auditOfAccount = reads(`SELECT ` + auditColumns + ` FROM audit
		WHERE account = $1 AND id < $2 AND id >= $3
			AND ($4 = '' OR action = $4) AND ($5 = '' OR outcome = $5) AND ($6 = '' OR author = $6)
		ORDER BY id DESC LIMIT $7`)
)

var errNoUUID = errors.New("an id must be a UUID in lower case")

// Audit writes records that belong to no change of a connection. It may be
// given the same again.
func (s *Store) Audit(ctx context.Context, records ...AuditRecord) error {
	rows, err := auditRows(records)
	if err != nil {
		return err
	}
	return s.transactSame(ctx, func(ctx context.Context, t *tx) error {
		return t.loadMany(ctx, auditAddedOnce, rows, func(row) error { return nil })
	})
}

func (t *tx) audit(ctx context.Context, records ...AuditRecord) error {
	rows, err := auditRows(records)
	if err != nil {
		return err
	}
	return t.changeMany(ctx, auditAdded, rows)
}

func auditRows(records []AuditRecord) ([][]any, error) {
	rows := make([][]any, len(records))
	for i, r := range records {
		if !isID(r.ID) {
			return nil, errNoUUID
		}
		rows[i] = auditValues(r)
	}
	return rows, nil
}

// Outcomes of what is audited.
const (
	AuditDone    = "done"
	AuditRefused = "refused"
)

// of is the record of something that was done to a connection.
func (r AuditRecord) of(acc account.Account, provider string) AuditRecord {
	r.Account, r.AccountAt, r.Target, r.Outcome = acc.ID, acc.Now(r.At), provider, AuditDone
	return r
}

// AuditQuery says which records of an account are asked for. What is zero asks
// for nothing.
type AuditQuery struct {
	Account account.ID
	Before  string // id; records that are older than this one
	Since   time.Time
	Until   time.Time // records before it
	Action  string
	Outcome string
	By      string
	Limit   int
}

// AuditOf lists the audit records of an account, newest first. The owner, which
// the caller must cover, must be the account itself or own it; else the account
// is Missing, whether it is there or not. A partner gets the records since it
// owns the account.
func (s *Store) AuditOf(ctx context.Context, caller auth.Caller, owner account.ID, q AuditQuery) ([]AuditRecord, error) {
	if !caller.Covers(owner) {
		return nil, fault.Missing()
	}
	world := owner.IsPlatform() && owner.World() == q.Account.World()
	var of *account.Account
	err := s.lookup(ctx, auditReadable, intoAccount(&of), string(q.Account), string(owner), world)
	if err != nil {
		return nil, err
	}
	if of == nil {
		return nil, fault.Missing()
	}
	if from := seenSince(caller, *of); q.Since.Before(from) {
		q.Since = from
	}
	before := lastID
	if !q.Until.IsZero() {
		before = idAt(q.Until)
	}
	if q.Before != "" {
		if !isID(q.Before) {
			return nil, nil
		}
		before = min(before, q.Before)
	}
	return list(ctx, s, auditOfAccount, scanAudit, string(q.Account), before, idAt(q.Since), q.Action, q.Outcome, q.By, q.Limit)
}

// seenSince is from when on a caller sees what was noted and done about an
// account: a partner since it owns it, so that it learns nothing of the partner
// before; zero for all others, who see everything.
func seenSince(caller auth.Caller, acc account.Account) time.Time {
	if caller.Account.IsPlatform() || caller.Account == acc.ID && caller.Partner() == "" {
		return time.Time{}
	}
	return acc.OwnedSince
}

// idAt is the lowest id that is made at a time, or after it; that of all for
// the zero time.
func idAt(at time.Time) string {
	var id uuid.UUID
	ms := max(at.UnixMilli(), 0)
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id.String()
}

func auditValues(r AuditRecord) []any {
	return []any{
		string(r.Account), r.ID, micros(r.At), micros(r.AccountAt), r.By, string(r.Caller), r.Token, r.Remote, r.Request,
		r.Action, r.Target, r.Outcome, r.Reason, document(r.Detail),
	}
}

func scanAudit(r row) (AuditRecord, error) {
	var (
		a         AuditRecord
		real, own sql.NullInt64
	)
	err := r.Scan(&a.Account, &a.ID, &real, &own, &a.By, &a.Caller, &a.Token, &a.Remote, &a.Request,
		&a.Action, &a.Target, &a.Outcome, &a.Reason, &a.Detail)
	a.At, a.AccountAt = instant(real), instant(own)
	return a, err
}
