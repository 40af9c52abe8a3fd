package store

import (
	"context"
	"slices"
	"time"

	"mooring/internal/account"
)

// Parted is what of an account ended because its owner before could get in
// with it.
type Parted struct {
	Clients []string // that were disabled, sorted
	KeysAt  string   // where its keys were; "" when it published none
}

var (
	// Who made each client of an account, deleted or not, and each secret, and
	// whether he is a client of the other account.
	madeIn = writes(`SELECT m.client, m.made_by, EXISTS (
			SELECT 1 FROM client AS o WHERE o.account = $2 AND CAST(o.id AS text) = m.made_by)
		FROM (SELECT id AS client, created_by AS made_by FROM client WHERE account = $1
			UNION SELECT client, created_by FROM client_secret WHERE account = $1) AS m`)

	// Who named where each subscription goes, and whether he is a client of the
	// other account.
	targetsNamed = writes(`SELECT s.id, s.target_by, EXISTS (
			SELECT 1 FROM client AS o WHERE o.account = $2 AND CAST(o.id AS text) = s.target_by)
		FROM subscription AS s WHERE s.account = $1 AND s.deleted_at IS NULL AND s.disabled_at IS NULL`)

	clientShut = writes(`UPDATE client SET disabled = $3, updated_at = $4
		WHERE account = $1 AND id = $2 AND NOT disabled AND deleted_at IS NULL`)
)

// part ends what the owner of an account before a move may have kept for
// himself: keys that are published where he said, and clients of which he knows
// a secret, or who made them does.
func (t *tx) part(ctx context.Context, acc account.Account, to account.ID, now time.Time) (Parted, error) {
	var left Parted
	known, err := t.knownTo(ctx, acc.ID, acc.Owner)
	if err != nil {
		return Parted{}, err
	}
	for _, id := range known {
		n, err := t.change(ctx, clientShut, acc.ID, id, true, micros(now))
		if err != nil {
			return Parted{}, err
		}
		if n > 0 {
			left.Clients = append(left.Clients, id)
		}
	}
	if err := t.partSubscriptions(ctx, acc, known, now); err != nil {
		return Parted{}, err
	}
	p, err := t.profileOf(ctx, acc.ID)
	if err != nil || p[account.MemberKeys] == nil {
		return left, err
	}
	left.KeysAt = p.Text(account.MemberKeys, "uri")
	delete(p, account.MemberKeys)
	acc.Owner = to
	return left, t.saveProfile(ctx, acc, p)
}

// byOwnerBefore is why a subscription is switched off whose endpoint may be that
// of somebody who has nothing to do with the account any more.
const byOwnerBefore = "named by the owner before"

// partSubscriptions switches off what the owner of an account before a move, or
// a client that he can get in with, has told him of it.
func (t *tx) partSubscriptions(ctx context.Context, acc account.Account, known []string, now time.Time) error {
	var theirs []string
	if err := t.load(ctx, targetsNamed, func(r row) error {
		var (
			id, by string
			his    bool
		)
		err := r.Scan(&id, &by, &his)
		if his || slices.Contains(known, by) {
			theirs = append(theirs, id)
		}
		return err
	}, acc.ID, acc.Owner); err != nil {
		return err
	}
	for _, id := range theirs {
		t.touched = true
		if _, err := t.change(ctx, subscriptionDisabled, string(acc.ID), id, micros(now), byOwnerBefore); err != nil {
			return err
		}
	}
	return nil
}

// knownTo is the clients of an account whose secrets a client of another one
// has seen, or a client of the account that is among them.
func (t *tx) knownTo(ctx context.Context, id, other account.ID) (known []string, err error) {
	made := map[string][]string{} // by who made them
	if err := t.load(ctx, madeIn, func(r row) error {
		var (
			client, by string
			theirs     bool
		)
		err := r.Scan(&client, &by, &theirs)
		if theirs {
			known = append(known, client)
		} else {
			made[by] = append(made[by], client)
		}
		return err
	}, id, other); err != nil {
		return nil, err
	}
	for i := 0; i < len(known); i++ {
		by := known[i]
		known = append(known, made[by]...)
		delete(made, by)
	}
	slices.Sort(known)
	return slices.Compact(known), nil
}
