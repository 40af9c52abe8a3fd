package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/hook"
)

// wholeColumns are an account, a, with its profile.
const wholeColumns = accountColumns + `, coalesce((SELECT p.profile FROM account_profile AS p WHERE p.account = a.id), '{}')`

var (
	// The path's owner ($2) is the account's, or a platform ($3) of its world; none
	// when the path names the account alone ($4).
	profileSeen = reads(`SELECT ` + wholeColumns + ` FROM account AS a WHERE a.id = $1 AND a.deleted_at IS NULL
			AND ($4 OR a.owner = $2 OR ($3 AND substr(a.id, 1, 1) = substr($2, 1, 1)))`)

	profileOfUpdate = writes(`SELECT profile FROM account_profile WHERE account = $1`)

	accountUpdated = writes(`UPDATE account SET company = $2, updated_at = $3 WHERE id = $1`)

	profileSaved = writes(`INSERT INTO account_profile (account, profile, keys_at) VALUES ($1, $2, $3)
		ON CONFLICT (account) DO UPDATE SET profile = excluded.profile, keys_at = excluded.keys_at`)

	scopesOfClients = writes(`SELECT scopes FROM client_grant WHERE account = $1`)
)

// MakeAccount makes an account that the deed's account owns: a merchant of a
// partner, under the next id of its ranges, or a partner of the platform, with
// the next range of its world. It is a Conflict with CodeRangeExhausted when
// there is no id left. The audit records of the deed become the new account's.
func (s *Store) MakeAccount(
	ctx context.Context, d Deed, p account.Profile, show func(Profiled) (Answer, error),
) (Answer, error) {
	return s.perform(ctx, d, func(ctx context.Context, t *tx, owner account.Account) (Answer, error) {
		w := account.Whole{
			Account: account.Account{Owner: owner.ID, CreatedAt: s.now(), CreatedBy: d.Caller.Client},
			Profile: p,
		}
		if err := t.place(ctx, owner, &w.Account); err != nil {
			return Answer{}, err
		}
		if p[account.MemberKeys] != nil {
			if err := t.mayPublishKeys(ctx, d.Caller, w.ID); err != nil {
				return Answer{}, err
			}
		}
		if err := t.addAccount(ctx, w); err != nil {
			return Answer{}, err
		}
		for i := range d.Audit {
			d.Audit[i].Account = w.ID
		}
		if err := t.moveEpoch(ctx); err != nil {
			return Answer{}, err
		}
		if err := t.tellAccount(ctx, hook.AccountAdd, w, w.CreatedAt); err != nil {
			return Answer{}, err
		}
		return show(Profiled{Whole: w})
	})
}

// place gives a new account its kind and its id, by who is to own it.
func (t *tx) place(ctx context.Context, owner account.Account, a *account.Account) (err error) {
	switch owner.Kind {
	case account.KindPlatform:
		block, err := t.freeBlock(ctx, owner.ID.World())
		a.Kind, a.ID = account.KindPartner, idIn(block, 0)
		return err
	case account.KindPartner:
		a.Kind = account.KindMerchant
		a.ID, err = t.allocate(ctx, owner.ID)
		return err
	default:
		return fault.Missing()
	}
}

// UpdateAccount changes the profile of the deed's account. change gets it as it
// is and returns it as it is to be; it may run again. Where both are the same
// nothing is written, and nothing remembered.
func (s *Store) UpdateAccount(
	ctx context.Context, d Deed, change func(account.Whole) (account.Profile, error), show func(Profiled) (Answer, error),
) (Answer, error) {
	d.idle = new(bool)
	return s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		before, err := t.profileOf(ctx, acc.ID)
		if err != nil {
			return Answer{}, err
		}
		w := account.Whole{Account: acc}
		if w.Profile, err = change(account.Whole{Account: acc, Profile: before}); err != nil {
			return Answer{}, err
		}
		if !reflect.DeepEqual(w.Profile[account.MemberKeys], before[account.MemberKeys]) {
			if err := t.mayPublishKeys(ctx, d.Caller, acc.ID); err != nil {
				return Answer{}, err
			}
		}
		same, err := sameProfile(w.Profile, before)
		if err != nil {
			return Answer{}, err
		}
		if *d.idle = same; same {
			return t.show(ctx, w, show)
		}
		now := s.now()
		w.Company, w.UpdatedAt = w.Profile.Company(), acc.Now(now)
		company, err := json.Marshal(w.Company)
		if err != nil {
			return Answer{}, fmt.Errorf("encode the company of an account: %w", err)
		}
		if _, err := t.change(ctx, accountUpdated, string(acc.ID), string(company), micros(w.UpdatedAt)); err != nil {
			return Answer{}, err
		}
		if err := t.saveProfile(ctx, w.Account, w.Profile); err != nil {
			return Answer{}, err
		}
		if w.Profile.Text(account.MemberKeys, "uri") != before.Text(account.MemberKeys, "uri") { // who signs in with its keys is known by them
			if err := t.moveEpoch(ctx); err != nil {
				return Answer{}, err
			}
		}
		if err := t.tellAccount(ctx, hook.AccountUpdate, w, now); err != nil {
			return Answer{}, err
		}
		return t.show(ctx, w, show)
	})
}

func sameProfile(a, b account.Profile) (bool, error) {
	one, err := a.Encode()
	if err != nil {
		return false, err
	}
	other, err := b.Encode()
	return bytes.Equal(one, other), err
}

// mayPublishKeys says whether a caller may decide where the keys of an account
// are: with a key of his own there he could log in as any of its clients, so he
// holds now whatever one of them is granted, as for a new secret.
func (t *tx) mayPublishKeys(ctx context.Context, caller auth.Caller, id account.ID) error {
	held, err := t.heldBy(ctx, caller)
	if err != nil {
		return err
	}
	needed := auth.Scopes{auth.ScopeAdminAccounts}
	if err := t.load(ctx, scopesOfClients, func(r row) error {
		var scopes string
		err := r.Scan(&scopes)
		needed = append(needed, auth.ParseScopes(scopes)...)
		return err
	}, id); err != nil {
		return err
	}
	if auth.MayHandOut(needed, caller.Kind, held) != nil {
		return fault.New(fault.Forbidden, fault.CodeForbidden,
			"whoever says where the keys of an account are could log in as its clients: "+
				"the token must have admin:accounts and every scope that a client of the account has")
	}
	return nil
}

// show hands an account with its connections to whoever answers.
func (t *tx) show(ctx context.Context, w account.Whole, show func(Profiled) (Answer, error)) (Answer, error) {
	all, err := t.connections(ctx, w.ID)
	if err != nil {
		return Answer{}, err
	}
	return show(Profiled{w, all})
}

// Shown reads an account with its profile and its connections, all of one
// moment, as the path names it: by its owner, or by itself alone when owner is
// zero. It is Missing when there is no such account, when it was deleted, and
// when it is not the caller's to see.
func (s *Store) Shown(ctx context.Context, caller auth.Caller, owner, id account.ID) (shown Profiled, err error) {
	if owner == "" && !caller.Covers(id) || owner != "" && !caller.Covers(owner) {
		return Profiled{}, fault.Missing()
	}
	err = s.snapshot(ctx, func(t *tx) error {
		var found *account.Whole
		if err := t.load(ctx, profileSeen, func(r row) error {
			w, err := scanWhole(r)
			found = &w
			return err
		}, string(id), string(owner), owner.IsPlatform(), owner == ""); err != nil {
			return err
		}
		if found == nil {
			return fault.Missing()
		}
		all, err := t.connections(ctx, id)
		shown = Profiled{*found, all}
		return err
	})
	return shown, err
}

func scanWhole(r row) (account.Whole, error) {
	w, _, err := scanWeighed(r)
	return w, err
}

// scanWeighed is scanWhole, and how long the profile is.
func scanWeighed(r row) (w account.Whole, size int, err error) {
	var text []byte
	if w.Account, err = scanAccount(r, &text); err != nil {
		return w, 0, err
	}
	w.Profile, err = account.ParseProfile(text)
	return w, len(text), err
}

// profileOf reads the profile of an account within a transaction.
func (t *tx) profileOf(ctx context.Context, id account.ID) (p account.Profile, err error) {
	var text []byte
	if err := t.load(ctx, profileOfUpdate, func(r row) error { return r.Scan(&text) }, string(id)); err != nil {
		return nil, err
	}
	return account.ParseProfile(text)
}

// saveProfile writes the profile of an account, what lists find it by, and where
// its keys are.
func (t *tx) saveProfile(ctx context.Context, a account.Account, p account.Profile) error {
	text, err := p.Encode()
	if err != nil {
		return err
	}
	if _, err := t.change(ctx, profileSaved, string(a.ID), string(text), p.Text(account.MemberKeys, "uri")); err != nil {
		return err
	}
	return t.label(ctx, a, p)
}
