package store

import (
	"context"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

// AccountFilter is what a list of accounts is narrowed to. All that is given
// must hold.
type AccountFilter struct {
	Search      string          // an account id or its beginning, an organisation number, or words of the business name
	Labels      [][]string      // of each, the account has at least one
	Connections []ConnectionsIn // for each, the account has at least one such connection
}

// ConnectionsIn are connections with one of some providers, in one of some
// statuses.
type ConnectionsIn struct {
	Providers []string
	Statuses  []connection.Status
}

// Profiled is an account with what it says of itself and how it is connected.
type Profiled struct {
	account.Whole
	Connections []*connection.Connection
}

var (
	ownedFrom = reads(`SELECT id FROM account
		WHERE owner = $1 AND deleted_at IS NULL AND id >= $2 ORDER BY id LIMIT $3`)

	ownedBetween = reads(`SELECT id FROM account
		WHERE owner = $1 AND deleted_at IS NULL AND id < $2 AND id >= $3 ORDER BY id LIMIT $4`)

	labelledFrom = reads(`SELECT account FROM account_label
		WHERE owner = $1 AND label = $2 AND account >= $3 ORDER BY account LIMIT $4`)

	standingFrom = reads(`SELECT account FROM connection
		WHERE owner = $1 AND provider = $2 AND status = $3 AND account >= $4 ORDER BY account LIMIT $5`)

	profilesOf = define(reading,
		`SELECT `+accountColumns+`, p.profile FROM account LEFT JOIN account_profile AS p ON p.account = id WHERE id = $1`,
		`SELECT `+accountColumns+`, p.profile FROM account LEFT JOIN account_profile AS p ON p.account = id
		WHERE id = ANY ($1::text[]) ORDER BY id`).
		asked(1, `SELECT `+accountColumns+`, p.profile FROM account LEFT JOIN account_profile AS p ON p.account = id
		WHERE id IN (%s) ORDER BY id`)
)

// Accounts lists at most limit accounts of an owner with ids above after, in
// the order of their ids, all of one moment; fewer when they are large, but none
// only at the end. It is Missing when the owner is not the caller's to speak for.
func (s *Store) Accounts(
	ctx context.Context, caller auth.Caller, owner account.ID, filter AccountFilter, after account.ID, limit int,
) (page []Profiled, err error) {
	if !caller.Covers(owner) {
		return nil, fault.Missing()
	}
	err = s.snapshot(ctx, func(t *tx) error {
		ids, err := t.page(ctx, filter.streams(t, owner), after, limit)
		if err == nil && t.arrays {
			ids, err = t.fitting(ctx, ids)
		}
		if err == nil {
			page, err = t.profiled(ctx, ids)
		}
		return err
	})
	return page, err
}

// page is what a stream has behind an id.
func (t *tx) page(ctx context.Context, from stream, after account.ID, limit int) ([]account.ID, error) {
	var ids []account.ID
	for len(ids) < limit {
		// No id lies between one and the same with a character more.
		id, err := from.seek(ctx, after+"!")
		if err != nil || id == "" {
			return ids, err
		}
		ids, after = append(ids, id), id
	}
	return ids, nil
}

// profiled loads accounts by their ids, which are sorted; fewer when they are
// large.
func (t *tx) profiled(ctx context.Context, ids []account.ID) ([]Profiled, error) {
	b, page := newBrief(ids), make([]Profiled, 0, len(ids))
	if err := b.read(ctx, func(ctx context.Context, keys [][]any, scan func(row) error) error {
		return t.loadMany(ctx, profilesOf, keys, scan)
	}, func(r row) error {
		w, size, err := scanWeighed(r)
		page = append(page, Profiled{Whole: w})
		if err == nil {
			b.weight[b.number[w.ID]] = size
		}
		return err
	}); err != nil {
		return nil, err
	}
	if err := b.load(ctx, t); err != nil {
		return nil, err
	}
	page = page[:len(b.fitting())]
	for i := range page {
		page[i].Connections = b.of[page[i].ID]
	}
	return page, nil
}

// streams are the accounts of an owner that pass the filter. The rarest should
// stand first; nobody knows which that is, but the owner's own accounts are
// the most frequent.
func (f AccountFilter) streams(t *tx, owner account.ID) stream {
	var all meet
	for _, in := range f.Connections {
		var some []stream
		for _, provider := range in.Providers {
			for _, status := range in.Statuses {
				some = append(some, &cursor{t: t, st: standingFrom, args: []any{owner, provider, string(status)}})
			}
		}
		all = append(all, unite(some))
	}
	for _, labels := range f.Labels {
		var some []stream
		for _, label := range labels {
			some = append(some, labelled(t, owner, label))
		}
		all = append(all, unite(some))
	}
	if f.Search != "" {
		all = append(all, searched(t, owner, account.SearchFor(f.Search, owner.World())))
	}
	return append(all, &cursor{t: t, st: ownedFrom, args: []any{owner}})
}

func labelled(t *tx, owner account.ID, label string) stream {
	return &cursor{t: t, st: labelledFrom, args: []any{owner, label}}
}

// searched are the accounts that a search text may mean.
func searched(t *tx, owner account.ID, s account.Search) stream {
	var some []stream
	if s.IDs != "" {
		first := &cursor{t: t, st: ownedBetween, args: []any{owner, s.IDs + ":"}} // the character after 9
		some = append(some, notBelow{first, account.ID(s.IDs)})
	}
	if len(s.Words) > 0 {
		var words meet
		for _, word := range s.Words {
			words = append(words, labelled(t, owner, word))
		}
		some = append(some, words)
	}
	if s.Whole != "" {
		some = append(some, labelled(t, owner, s.Whole))
	}
	return unite(some)
}

// notBelow is a stream that begins at an id.
type notBelow struct {
	stream
	least account.ID
}

func (n notBelow) seek(ctx context.Context, target account.ID) (account.ID, error) {
	return n.stream.seek(ctx, max(target, n.least))
}
