package store

import (
	"context"
	"database/sql"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// Recipient is a public key that a platform registered to have credentials
// encrypted to.
type Recipient struct {
	Platform  account.ID
	Name      string
	PublicKey string // age recipient, "age1..."
	CreatedAt time.Time
	CreatedBy string
	EndedAt   time.Time // zero while it is good
}

const recipientColumns = `account, name, public_key, created_at, created_by, ended_at`

var (
	recipientAdded = writes(`INSERT INTO recipient (` + recipientColumns + `) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account, name) DO NOTHING`)

	recipientsOfPlatform = reads(`SELECT ` + recipientColumns + ` FROM recipient WHERE account = $1 ORDER BY name`)

	recipientEnded = writes(`UPDATE recipient SET ended_at = $3 WHERE account = $1 AND name = $2 AND ended_at IS NULL`)
)

// AddRecipient registers a recipient, with its audit record; Conflict when the
// name is taken, be it by one that has ended, and Missing when the platform is
// not there.
func (s *Store) AddRecipient(ctx context.Context, r Recipient, record AuditRecord) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		if there, err := t.exists(ctx, accountTaken, string(r.Platform)); err != nil {
			return err
		} else if !there {
			return fault.Missing()
		}
		added, err := t.change(ctx, recipientAdded, string(r.Platform), r.Name, r.PublicKey, micros(r.CreatedAt),
			r.CreatedBy, micros(r.EndedAt))
		if err != nil {
			return err
		}
		if added == 0 {
			return conflicting("a recipient of this name exists already; a name is never used twice")
		}
		return t.audit(ctx, record)
	})
}

// Recipients lists those of a platform, ended ones included, by name.
func (s *Store) Recipients(ctx context.Context, platform account.ID) ([]Recipient, error) {
	return list(ctx, s, recipientsOfPlatform, scanRecipient, string(platform))
}

// EndRecipient ends one, with its audit record; Missing when there is none that
// is still good.
func (s *Store) EndRecipient(ctx context.Context, platform account.ID, name string, at time.Time, record AuditRecord) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		ended, err := t.change(ctx, recipientEnded, string(platform), name, micros(at))
		if err != nil {
			return err
		}
		if ended == 0 {
			return fault.Missing()
		}
		return t.audit(ctx, record)
	})
}

func scanRecipient(r row) (Recipient, error) {
	var (
		p              Recipient
		created, ended sql.NullInt64
	)
	err := r.Scan(&p.Platform, &p.Name, &p.PublicKey, &created, &p.CreatedBy, &ended)
	p.CreatedAt, p.EndedAt = instant(created), instant(ended)
	return p, err
}
