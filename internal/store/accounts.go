package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

const accountColumns = `id, kind, owner, company, created_at, created_by, ahead, updated_at, deleted_at, deleted_by, owned_since`

var (
	accountSeen = reads(`SELECT ` + accountColumns + ` FROM account
		WHERE id = $1 AND deleted_at IS NULL AND ($2 OR owner = $3)`)

	accountsOfBatch = batches(
		`SELECT `+accountColumns+` FROM account WHERE id = $1`,
		`SELECT `+accountColumns+` FROM account WHERE id IN (SELECT * FROM unnest($1::text[]))`).
		asked(1, `SELECT `+accountColumns+` FROM account WHERE id IN (%s)`)

	accountTaken = writes(`SELECT id FROM account WHERE id = $1`)

	ownerThere = writes(`SELECT id FROM account WHERE id = $1 AND deleted_at IS NULL`)

	accountAdded = writes(`INSERT INTO account (` + accountColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL)`)
)

// Account finds an account that the caller's covers or owns; Missing otherwise.
func (s *Store) Account(ctx context.Context, caller auth.Caller, id account.ID) (account.Account, error) {
	var found *account.Account
	err := s.lookup(ctx, accountSeen, intoAccount(&found), id, caller.Covers(id), caller.Account)
	if err != nil {
		return account.Account{}, err
	}
	if found == nil {
		return account.Account{}, fault.Missing()
	}
	return *found, nil
}

// CreateAccount adds an account under a given id, with a profile of nothing but
// its company. It is a Conflict when the id is taken, and Missing when its
// owner is.
func (s *Store) CreateAccount(ctx context.Context, a account.Account) error {
	return s.AddAccount(ctx, account.Whole{Account: a, Profile: account.ProfileOf(a.Company)})
}

// AddAccount adds an account under a given id. It is a Conflict when the id is
// taken, and Missing when its owner is.
func (s *Store) AddAccount(ctx context.Context, w account.Whole) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		if err := t.addAccount(ctx, w); err != nil {
			return err
		}
		return t.moveEpoch(ctx)
	})
}

// addAccount adds an account under its id: its row, its profile, and for a
// partner the block of ids that its own begins.
func (t *tx) addAccount(ctx context.Context, w account.Whole) error {
	a := w.Account
	if taken, err := t.exists(ctx, accountTaken, string(a.ID)); err != nil {
		return err
	} else if taken {
		return fault.New(fault.Conflict, fault.CodeConflict, "the account exists already")
	}
	if a.Owner != "" {
		if there, err := t.exists(ctx, ownerThere, string(a.Owner)); err != nil {
			return err
		} else if !there {
			return fault.Missing().Because(fmt.Errorf("there is no account %s to own %s", a.Owner, a.ID))
		}
	}
	a.Company = w.Profile.Company()
	company, err := json.Marshal(a.Company)
	if err != nil {
		return fmt.Errorf("encode the company of an account: %w", err)
	}
	if _, err := t.change(ctx, accountAdded, a.ID, a.Kind, named(string(a.Owner)), string(company),
		micros(a.CreatedAt), a.CreatedBy, a.Ahead.Microseconds(), micros(a.UpdatedAt), micros(a.DeletedAt), a.DeletedBy); err != nil {
		return err
	}
	if a.Kind == account.KindPartner {
		if err := t.addBlock(ctx, IDBlock{Owner: a.ID, Block: a.ID.PartnerID(), Next: 1, CreatedAt: a.CreatedAt, CreatedBy: a.CreatedBy}); err != nil {
			return err
		}
	}
	return t.saveProfile(ctx, a, w.Profile)
}

// exists says whether a query has a row.
func (t *tx) exists(ctx context.Context, st *statement, args ...any) (bool, error) {
	found := false
	err := t.load(ctx, st, func(row) error { found = true; return nil }, args...)
	return found, err
}

func intoAccount(found **account.Account) func(row) error {
	return func(r row) error {
		a, err := scanAccount(r)
		*found = &a
		return err
	}
}

// scanAccount reads the columns of accountColumns; after is what stands behind
// them.
func scanAccount(r row, after ...any) (account.Account, error) {
	var (
		ahead                     int64
		a                         account.Account
		owner                     sql.NullString
		company                   []byte
		created, updated, deleted sql.NullInt64
		since                     sql.NullInt64
	)
	if err := r.Scan(append([]any{
		&a.ID, &a.Kind, &owner, &company, &created, &a.CreatedBy, &ahead, &updated, &deleted, &a.DeletedBy, &since,
	}, after...)...); err != nil {
		return a, err
	}
	a.Owner, a.CreatedAt = account.ID(owner.String), instant(created)
	a.UpdatedAt, a.DeletedAt, a.OwnedSince = instant(updated), instant(deleted), instant(since)
	a.Ahead = time.Duration(ahead) * time.Microsecond
	if err := json.Unmarshal(company, &a.Company); err != nil {
		return a, fmt.Errorf("decode the company of account %s: %w", a.ID, err)
	}
	return a, nil
}
