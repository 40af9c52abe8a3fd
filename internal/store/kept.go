package store

import (
	"context"
	"database/sql"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// Kept is an account as the platform looks after it, whether it was deleted or
// not.
type Kept struct {
	account.Account
	RetentionDays int64     // how long it is kept once it is deleted; 0 for as long as all others
	EraseAt       time.Time // real time; zero as long as it was not deleted
	ErasedAt      time.Time // real time; zero as long as it was not erased
	Hold          string    // why it must not be erased; "" when it may
	Blocks        []IDBlock
	Parted        Parted // what its last owner leaves behind, of a move alone
}

const keptColumns = accountColumns + `, retention_days, erase_at, erased_at, hold`

var (
	accountKept = readsAndBatches(`SELECT `+keptColumns+` FROM account WHERE id = $1`, `SELECT `+keptColumns+` FROM account WHERE id = ANY ($1::text[])`)

	blocksKept = readsAndBatches(
		`SELECT `+blockColumns+` FROM id_block WHERE owner = $1 ORDER BY created_at, block`,
		`SELECT `+blockColumns+` FROM id_block WHERE owner = ANY ($1::text[]) ORDER BY created_at, block`)

	holdSet = writes(`UPDATE account SET hold = $2 WHERE id = $1`)

	retentionSet = writes(`UPDATE account SET retention_days = $2, erase_at = $3 WHERE id = $1`)

	accountMoved = writes(`UPDATE account SET owner = $2, owned_since = $3 WHERE id = $1`)
)

// Kept reads an account as the platform looks after it; Missing when there
// never was one, or when it is not the caller's.
func (s *Store) Kept(ctx context.Context, caller auth.Caller, id account.ID) (kept Kept, err error) {
	if !caller.Covers(id) {
		return Kept{}, fault.Missing()
	}
	err = s.snapshot(ctx, func(t *tx) error {
		kept, err = t.kept(ctx, id)
		return err
	})
	return kept, err
}

func (t *tx) kept(ctx context.Context, id account.ID) (k Kept, err error) {
	found := false
	key := [][]any{{string(id)}}
	if err := t.loadEither(ctx, accountKept, key, func(r row) error {
		var days, erase, erased sql.NullInt64
		found = true
		k.Account, err = scanAccount(r, &days, &erase, &erased, &k.Hold)
		k.RetentionDays, k.EraseAt, k.ErasedAt = days.Int64, instant(erase), instant(erased)
		return err
	}); err != nil {
		return Kept{}, err
	}
	if !found {
		return Kept{}, fault.Missing()
	}
	return k, t.loadEither(ctx, blocksKept, key, func(r row) error {
		b, err := scanBlock(r)
		k.Blocks = append(k.Blocks, b)
		return err
	})
}

// keep does a deed about how an account is kept, deleted or not, and hands what
// it comes to to whoever answers.
func (s *Store) keep(
	ctx context.Context, d Deed, do func(ctx context.Context, t *tx, acc account.Account) error, show func(Kept) (Answer, error),
) (Answer, error) {
	return s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		if err := do(ctx, t, acc); err != nil {
			return Answer{}, err
		}
		k, err := t.kept(ctx, acc.ID)
		if err != nil {
			return Answer{}, err
		}
		return show(k)
	})
}

// Hold keeps the deed's account from being erased, for a reason; "" lets it go.
func (s *Store) Hold(ctx context.Context, d Deed, reason string, show func(Kept) (Answer, error)) (Answer, error) {
	d.Closed = true
	return s.keep(ctx, d, func(ctx context.Context, t *tx, acc account.Account) error {
		_, err := t.change(ctx, holdSet, string(acc.ID), reason)
		return err
	}, show)
}

// Retain says for how many days the deed's account is kept once it is deleted;
// 0 for as long as all others, which otherwise says. Of one that was deleted
// the day on which it is erased moves.
func (s *Store) Retain(ctx context.Context, d Deed, days int64, otherwise time.Duration, show func(Kept) (Answer, error)) (Answer, error) {
	d.Closed = true
	return s.keep(ctx, d, func(ctx context.Context, t *tx, acc account.Account) error {
		var eraseAt time.Time
		if acc.Deleted() {
			eraseAt = acc.DeletedAt.Add(-acc.Ahead).Add(retention(days, otherwise))
		}
		class := any(days)
		if days == 0 {
			class = nil
		}
		_, err := t.change(ctx, retentionSet, string(acc.ID), class, micros(eraseAt))
		return err
	}, show)
}

// AddBlock gives the deed's account, a partner, a range of ids: the one that is
// named, or the next that nobody has. It is a Conflict when somebody has it, or
// all are given.
func (s *Store) AddBlock(ctx context.Context, d Deed, block string, show func(Kept) (Answer, error)) (Answer, error) {
	return s.keep(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (err error) {
		if acc.Kind != account.KindPartner {
			return fault.Missing()
		}
		if block == "" {
			if block, err = t.freeBlock(ctx, acc.ID.World()); err != nil {
				return err
			}
		} else if taken, err := t.exists(ctx, accountTaken, string(idIn(block, 0))); err != nil {
			return err
		} else if taken {
			return conflicting("the range " + block + " is taken")
		}
		return t.addBlock(ctx, IDBlock{Owner: acc.ID, Block: block, Next: 1, CreatedAt: s.now(), CreatedBy: d.Caller.Client})
	}, show)
}

// MoveAccount gives the deed's account, a merchant, to another partner of its
// world, with its connections and what they count for, and ends what the partner
// before made to get in. It is Invalid when the account is no merchant or the
// new owner no partner.
func (s *Store) MoveAccount(ctx context.Context, d Deed, to account.ID, show func(Kept) (Answer, error)) (Answer, error) {
	d.With = []account.ID{to}
	var parted Parted
	return s.keep(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (err error) {
		parted = Parted{}
		if acc.Owner == to {
			return nil
		}
		var owner *account.Account
		if err := t.loadMany(ctx, accountLocked, [][]any{{string(to)}}, intoAccount(&owner)); err != nil {
			return err
		}
		switch {
		case acc.Kind != account.KindMerchant:
			return badOwner("is for merchants: the account is none")
		case owner == nil || owner.Deleted() || owner.Kind != account.KindPartner || to.World() != acc.ID.World():
			return badOwner("must be a partner of the account's world")
		}
		since := s.now().Truncate(time.Millisecond).Add(time.Millisecond) // as ids of what comes after can be told
		if _, err := t.change(ctx, accountMoved, string(acc.ID), string(to), micros(since)); err != nil {
			return err
		}
		if err := s.rehome(ctx, t, acc.ID, acc.Owner, to); err != nil {
			return err
		}
		if err := t.moveLabels(ctx, acc.ID, to); err != nil {
			return err
		}
		if parted, err = t.part(ctx, acc, to, s.now()); err != nil {
			return err
		}
		if err := t.moveEpoch(ctx); err != nil {
			return err
		}
		acc.Owner = to
		return t.tellChanged(ctx, acc, s.now())
	}, func(k Kept) (Answer, error) {
		k.Parted = parted
		return show(k)
	})
}

func badOwner(reason string) error {
	return fault.Refused(fault.Problem{
		In: "body", Name: "owner", Path: "#/owner", Code: "INVALID_OWNER", Message: "owner " + reason,
	})
}
