package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/hook"
)

// FeedQuery is which part of an account's feed to read. All filters that are
// given must hold; of each list one value must.
type FeedQuery struct {
	After int64 // a position
	Limit int

	Providers, Statuses, Types []string
	Accounts                   []account.ID
}

// FeedPage is some of a feed, in order. To read on, read after Next: the
// position up to which everything was looked at, which filters can bring far
// beyond the last entry, or where there is none.
type FeedPage struct {
	Entries []hook.Entry
	Next    int64
	More    bool // not all was looked at; there may be more
}

const (
	feedReach    = 5_000   // entries that are looked at for one page
	feedPageSize = 4 << 20 // bytes of bodies in a page, about; one entry more at most
)

// Feed reads some of an account's feed: for a merchant what is about it, for a
// partner what is about it and about the accounts that it owned when it
// happened, for a platform all of its world. An entry is there only when no
// other can come before it any more. The work of one call is bounded, whatever
// the filters. It is Missing when the account is not the caller's to speak for.
func (s *Store) Feed(ctx context.Context, caller auth.Caller, acc account.Account, q FeedQuery) (FeedPage, error) {
	if !caller.Covers(acc.ID) || q.Limit < 1 {
		return FeedPage{}, fault.Missing()
	}
	scope := feedScopeOf(acc, q)
	until, more, err := s.feedReach(ctx, scope, q)
	if err != nil {
		return FeedPage{}, err
	}
	if until <= q.After {
		return FeedPage{Next: q.After}, nil
	}
	page := FeedPage{Next: until, More: more}
	full := errors.New("the page is full")
	err = s.readAgain(ctx, func() error {
		page.Entries = nil
		size := 0
		return s.ask(ctx, scope.entries, func(r row) error {
			if size >= feedPageSize {
				return full
			}
			e, err := scanEntry(r)
			page.Entries = append(page.Entries, e)
			size += len(e.Body)
			return err
		}, scope.key, q.After, until, q.Limit,
			amongText(q.Providers), amongText(q.Statuses), amongText(q.Types), amongText(q.Accounts), scope.more)
	})
	if n := len(page.Entries); err == full || err == nil && n == q.Limit {
		err, page.Next, page.More = nil, page.Entries[n-1].Position, true
	}
	return page, err
}

// feedScope is how the entries of a feed are found.
type feedScope struct {
	entries   *statement
	reach     *statement // nil when all positions are looked at
	key, more string
}

func feedScopeOf(acc account.Account, q FeedQuery) feedScope {
	switch {
	case acc.Kind == account.KindMerchant:
		return feedScope{feedOfAccount, feedReachOfAccount, string(acc.ID), ""}
	case acc.Kind == account.KindPartner && len(q.Accounts) == 1:
		return feedScope{feedOfAccount, feedReachOfAccount, string(q.Accounts[0]), string(acc.ID)}
	case acc.Kind == account.KindPartner:
		return feedScope{feedOfOwner, feedReachOfOwner, string(acc.ID), ""}
	case len(q.Accounts) == 1 && q.Accounts[0].World() == acc.ID.World():
		return feedScope{feedOfAccount, feedReachOfAccount, string(q.Accounts[0]), ""}
	default:
		return feedScope{feedOfWorld, nil, firstOf(acc.ID.World()), lastOf(acc.ID.World())}
	}
}

// feedReach is up to which position a page looks, and whether the feed goes on
// behind it.
func (s *Store) feedReach(ctx context.Context, scope feedScope, q FeedQuery) (until int64, more bool, err error) {
	if scope.reach == nil {
		end, err := s.FeedEnd(ctx)
		until = min(end, q.After+feedReach)
		return until, until < end, err
	}
	var seen int64
	reach := int64(feedReach)
	err = s.lookup(ctx, scope.reach, func(r row) error { return r.Scan(&until, &seen) }, scope.key, q.After, reach)
	return until, seen == reach, err
}

// FeedAt is the position after which the entries are that were told at a time
// or later. Some that were told earlier may stand among them: times of
// different nodes differ, and a slow transaction is told late.
func (s *Store) FeedAt(ctx context.Context, at time.Time) (after int64, err error) {
	const apart = time.Minute // how far times along the feed may go back, and more
	end, err := s.FeedEnd(ctx)
	if err != nil {
		return 0, err
	}
	low, high := int64(0), end // told before low, and not before high+1
	for low < high {
		middle := low + (high-low)/2
		var toldAt sql.NullInt64
		if err := s.lookup(ctx, feedToldAt, func(r row) error { return r.Scan(&toldAt) }, middle+1); err != nil {
			return 0, err
		}
		if instant(toldAt).Before(at.Add(-apart)) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for after = low; after < end; {
		found := false
		if err := s.lookup(ctx, feedToldFrom, func(r row) error {
			found = true
			return r.Scan(&after)
		}, after+1, after+feedReach, micros(at)); err != nil {
			return 0, err
		}
		if found {
			return after - 1, nil
		}
		after = min(after+feedReach, end)
	}
	return after, nil
}

// FeedConcern says in whose feeds the entry at a position is.
type FeedConcern struct {
	Position       int64
	Owner, Account account.ID
}

// FeedConcerns lists whom at most limit entries after a position concern.
func (s *Store) FeedConcerns(ctx context.Context, after int64, limit int) ([]FeedConcern, error) {
	return list(ctx, s, feedConcerns, func(r row) (c FeedConcern, err error) {
		err = r.Scan(&c.Position, &c.Owner, &c.Account)
		return c, err
	}, after, limit)
}

// amongText is a filter as statements take it.
func amongText[T ~string](values []T) string {
	if len(values) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte(',')
	for _, v := range values {
		b.WriteString(string(v))
		b.WriteByte(',')
	}
	return b.String()
}
