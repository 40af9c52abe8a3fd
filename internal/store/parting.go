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
	p, err := t.profileOf(ctx, acc.ID)
	if err != nil || p[account.MemberKeys] == nil {
		return left, err
	}
	left.KeysAt = p.Text(account.MemberKeys, "uri")
	delete(p, account.MemberKeys)
	acc.Owner = to
	return left, t.saveProfile(ctx, acc, p)
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
