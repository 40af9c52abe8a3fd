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

	// What is there already is acknowledged like what was just written: the lock
	// makes the commit wait until a standby has it too.
	recipientLocked = batches(
		`SELECT name FROM recipient WHERE account = $1 AND name = $2`,
		`SELECT name FROM recipient WHERE (account, name) IN (SELECT * FROM unnest($1::text[], $2::text[])) FOR UPDATE`)
)

// AddRecipient registers a recipient, with its audit record; Conflict when the
// name is taken, be it by one that has ended, and Missing when the platform is
// not there. A Conflict is as durable as a success.
func (s *Store) AddRecipient(ctx context.Context, r Recipient, record AuditRecord) error {
	taken := false
	err := s.transact(ctx, func(ctx context.Context, t *tx) error {
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
		if taken = added == 0; taken {
			_, err := t.lockRecipient(ctx, r.Platform, r.Name)
			return err
		}
		return t.audit(ctx, record)
	})
	if err == nil && taken {
		err = conflicting("a recipient of this name exists already; a name is never used twice")
	}
	return err
}

// lockRecipient locks a recipient until the commit, and says whether it is there.
func (t *tx) lockRecipient(ctx context.Context, platform account.ID, name string) (there bool, err error) {
	err = t.loadMany(ctx, recipientLocked, [][]any{{string(platform), name}}, func(row) error { there = true; return nil })
	return there, err
}

// Recipients lists those of a platform, ended ones included, by name.
func (s *Store) Recipients(ctx context.Context, platform account.ID) ([]Recipient, error) {
	return list(ctx, s, recipientsOfPlatform, scanRecipient, string(platform))
}

// EndRecipient ends one, with its audit record; one that has ended stays as it
// is, and nothing is remembered of that. Missing when there is none.
func (s *Store) EndRecipient(ctx context.Context, platform account.ID, name string, at time.Time, record AuditRecord) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		ended, err := t.change(ctx, recipientEnded, string(platform), name, micros(at))
		if err != nil {
			return err
		}
		if ended > 0 {
			return t.audit(ctx, record)
		}
		there, err := t.lockRecipient(ctx, platform, name)
		if err == nil && !there {
			err = fault.Missing()
		}
		return err
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
