package store

import (
	"context"
	"slices"

	"mooring/internal/account"
	"mooring/internal/connection"
)

var (
	unlabelled = writes(`SELECT id FROM account WHERE unlabelled ORDER BY id LIMIT $1`)

	labelledNow = batches(
		`UPDATE account SET unlabelled = (1 = 0) WHERE id = $1`,
		`UPDATE account SET unlabelled = (1 = 0) WHERE id = ANY ($1::text[])`)
)

// Relabel makes at most limit accounts that were written before there were
// labels found by what they and their connections say, and returns how many.
// Fewer than limit means that no more are left. What is not done when the
// process ends is done by the next, and two at once do no harm.
func (s *Store) Relabel(ctx context.Context, limit int) (int, error) {
	done := 0
	err := s.transact(ctx, func(ctx context.Context, t *tx) error {
		var ids keys
		if err := t.load(ctx, unlabelled, func(r row) error {
			var id string
			err := r.Scan(&id)
			ids.add(id)
			return err
		}, limit); err != nil {
			return err
		}
		done = len(ids)
		accounts := map[account.ID]account.Account{}
		if err := t.loadMany(ctx, accountLocked, ids.sorted(), func(r row) error {
			a, err := scanAccount(r)
			accounts[a.ID] = a
			return err
		}); err != nil {
			return err
		}
		options, err := t.optionsOf(ctx, ids, accounts)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := t.relabel(ctx, accounts[account.ID(id[0])], options); err != nil {
				return err
			}
		}
		return t.changeMany(ctx, labelledNow, ids.sorted())
	})
	return done, err
}

// relabel gives one account all its labels, in the place of those that it has.
func (t *tx) relabel(ctx context.Context, acc account.Account, options map[account.ID][]string) error {
	if acc.Deleted() {
		return nil
	}
	profile, err := t.profileOf(ctx, acc.ID)
	if err != nil {
		return err
	}
	if err := t.dropLabels(ctx, acc.ID); err != nil {
		return err
	}
	if err := t.label(ctx, acc, profile); err != nil {
		return err
	}
	var rows [][]any
	for _, label := range options[acc.ID] {
		rows = append(rows, []any{string(acc.Owner), label, string(acc.ID)})
	}
	return t.changeMany(ctx, labelAdded, rows)
}

// optionsOf are the labels that accounts have for the payment options of their
// connections, which are locked, so that no batch labels them meanwhile.
func (t *tx) optionsOf(ctx context.Context, ids keys, accounts map[account.ID]account.Account) (map[account.ID][]string, error) {
	var (
		all    []*connection.Connection
		places keys
	)
	if err := t.loadMany(ctx, connectionsClosing, ids.sorted(), func(r row) error {
		c, err := scanConnection(r)
		if err == nil {
			all = append(all, c)
			places.add(string(c.Account), c.Provider)
		}
		return err
	}); err != nil {
		return nil, err
	}
	signups := map[place][]connection.Signup{}
	if err := t.loadMany(ctx, signupsOfBatch, places.sorted(), func(r row) error {
		var p place
		signup, err := scanSignup(r, &p.account, &p.provider)
		signups[p] = append(signups[p], signup)
		return err
	}); err != nil {
		return nil, err
	}
	options := map[account.ID][]string{}
	for _, c := range all {
		if c.Signups = signups[place{c.Account, c.Provider}]; len(c.Signups) > 0 {
			options[c.Account] = append(options[c.Account], optionLabels(accounts[c.Account], c)...)
		}
	}
	for id := range options {
		slices.Sort(options[id])
		options[id] = slices.Compact(options[id])
	}
	return options, nil
}
