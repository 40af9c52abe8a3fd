package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/connection"
)

// The tally says how many connections stand how, for each owner and, under
// its letter, for each world. A write adds a row with the difference that it
// makes, in its own transaction, and never changes one: writes to one owner's
// connections do not wait for each other. What belongs together is added up
// when it is read, and folded into one row from time to time.

// group is one of the piles that connections are sorted into.
type group struct {
	owner                        string // an account, or the letter of a world
	provider, status, turn, code string
}

func (g group) compare(other group) int {
	return cmp.Or(strings.Compare(g.owner, other.owner), strings.Compare(g.provider, other.provider),
		strings.Compare(g.status, other.status), strings.Compare(g.turn, other.turn), strings.Compare(g.code, other.code))
}

func (g group) values() []any { return []any{g.owner, g.provider, g.status, g.turn, g.code} }

// tally is how much more connections stand in each group.
type tally map[group]int64

// move takes in that a connection of an owner, nil when there was none, stands
// elsewhere now.
func (t tally) move(owner account.ID, before, after *connection.Connection) {
	if before != nil && after != nil && before.Status == after.Status && before.Stand.Turn == after.Stand.Turn &&
		before.Stand.Code == after.Stand.Code && before.Stand.Counted() == after.Stand.Counted() {
		return
	}
	t.count(owner, before, -1)
	t.count(owner, after, 1)
}

func (t tally) count(owner account.ID, c *connection.Connection, n int64) {
	if c == nil || !c.Stand.Counted() {
		return
	}
	for _, in := range []string{string(owner), worldOf(c.Account)} {
		t[group{in, c.Provider, string(c.Status), c.Stand.Turn, c.Stand.Code}] += n
	}
}

// worldOf is the letter of an account's world.
func worldOf(id account.ID) string { return string(id[:1]) }

var (
	tallied = batches(
		`INSERT INTO tally (owner, provider, status, turn, code, id, n) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		`INSERT INTO tally (owner, provider, status, turn, code, id, n)
		SELECT owner, provider, status, turn, code, id::uuid, n
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
			AS u (owner, provider, status, turn, code, id, n)`)

	tallyTaken = writes(`DELETE FROM tally WHERE owner = $1 AND provider = $2 AND status = $3 AND turn = $4 AND code = $5
		RETURNING n`)

	tallyOf = reads(`SELECT provider, status, turn, code, sum(n) FROM tally WHERE owner = $1
		GROUP BY provider, status, turn, code ORDER BY provider, status, turn, code`)

	// Those that come to nothing are folded away, however short.
	tallyLong = reads(`SELECT owner, provider, status, turn, code, CASE sum(n) WHEN 0 THEN $1 + 1 ELSE count(*) END FROM tally
		GROUP BY owner, provider, status, turn, code HAVING count(*) > $1 OR sum(n) = 0`)
)

// tally writes what a transaction changes.
func (s *Store) tally(ctx context.Context, t *tx, all tally) error {
	var rows [][]any
	groups := make([]group, 0, len(all))
	for g, n := range all {
		if n != 0 {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups, group.compare)
	for _, g := range groups {
		rows = append(rows, append(g.values(), uuid.Must(uuid.NewV7()).String(), all[g]))
	}
	s.folding.note(groups)
	return t.changeMany(ctx, tallied, rows)
}

var (
	ownersKept = batches(
		`SELECT id, owner FROM account WHERE id = $1 AND deleted_at IS NULL`,
		`SELECT id, owner FROM account WHERE id = ANY ($1::text[]) AND deleted_at IS NULL ORDER BY id FOR KEY SHARE`)

	connectionsMovedTo = writes(`UPDATE connection SET owner = $2, assignee = '', snoozed_until = NULL WHERE account = $1`)

	standsOfAccount = writes(`SELECT provider, status, turn, code FROM connection
		WHERE account = $1 AND stands_at <> '' ORDER BY provider`)

	errMoved = errors.New("the account was moved or deleted meanwhile")
)

// keepOwners makes sure that the accounts of new connections stay whose they
// are until the batch is committed: who moves or deletes an account finds those
// that are there, and must not miss one that is on its way.
func (g *ground) keepOwners(ctx context.Context, t *tx) error {
	if !t.arrays {
		return nil // one transaction at a time
	}
	var ids keys
	for _, l := range g.changed() {
		if l.stored == nil && !g.accounts[l.account].Deleted() {
			ids.add(string(l.account))
		}
	}
	found := 0
	wanted := ids.sorted()
	err := t.loadMany(ctx, ownersKept, wanted, func(r row) error {
		var (
			id    account.ID
			owner sql.NullString
		)
		err := r.Scan(&id, &owner)
		if err == nil && g.accounts[id].Owner != account.ID(owner.String) {
			err = errMoved
		}
		found++
		return err
	})
	if err == nil && found < len(wanted) {
		err = errMoved
	}
	return err
}

// rehome moves the connections of an account from one owner's lists to
// another's, with what they count there. Who of the old owner's was at them, and
// until when, is forgotten. The account is locked.
func (s *Store) rehome(ctx context.Context, t *tx, id, from, to account.ID) error {
	if _, err := t.change(ctx, connectionsMovedTo, string(id), string(to)); err != nil {
		return err
	}
	moved := tally{}
	if err := t.load(ctx, standsOfAccount, func(r row) error {
		var g group
		err := r.Scan(&g.provider, &g.status, &g.turn, &g.code)
		g.owner = string(from)
		moved[g]--
		g.owner = string(to)
		moved[g]++
		return err
	}, string(id)); err != nil {
		return err
	}
	return s.tally(ctx, t, moved)
}

// folding knows which groups this process has added rows to, to fold them.
type folding struct {
	sync.Mutex
	rows map[group]int64
}

func (f *folding) note(groups []group) {
	f.Lock()
	defer f.Unlock()
	for _, g := range groups {
		f.rows[g]++
	}
}

// long takes out the groups that have got more than so many rows.
func (f *folding) long(rows int64) []group {
	f.Lock()
	defer f.Unlock()
	var all []group
	for g, n := range f.rows {
		if n > rows {
			all = append(all, g)
			delete(f.rows, g)
		}
	}
	slices.SortFunc(all, group.compare)
	return all
}

const (
	foldEvery = 2 * time.Second
	findEvery = time.Hour // to look for what other nodes left
	foldAbove = 8         // rows of one group that are left as they are
	foldStep  = 100       // groups folded in one transaction
)

// foldTallies folds what has grown long, until ctx ends.
func (s *Store) foldTallies(ctx context.Context) {
	s.lookForLong(ctx)
	every, again := time.NewTicker(foldEvery), time.NewTicker(findEvery)
	defer every.Stop()
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			s.lookForLong(ctx)
		case <-every.C:
		}
		if err := s.fold(ctx, s.folding.long(foldAbove)); err != nil && ctx.Err() == nil {
			s.log.Warn("could not fold counters", "cause", err)
		}
	}
}

func (s *Store) lookForLong(ctx context.Context) {
	if err := s.findLong(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("could not look for counters to fold", "cause", err)
	}
}

// findLong notes what others, or a process before this one, left long.
func (s *Store) findLong(ctx context.Context) error {
	return s.lookup(ctx, tallyLong, func(r row) error {
		var (
			g group
			n int64
		)
		if err := r.Scan(&g.owner, &g.provider, &g.status, &g.turn, &g.code, &n); err != nil {
			return err
		}
		s.folding.Lock()
		defer s.folding.Unlock()
		s.folding.rows[g] = max(n, s.folding.rows[g])
		return nil
	}, foldAbove)
}

// fold makes one row of each group's rows, or none when nothing is left. Two
// nodes may fold a group at once: each adds up what it took away.
func (s *Store) fold(ctx context.Context, groups []group) error {
	for some := range slices.Chunk(groups, foldStep) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.transact(ctx, func(ctx context.Context, t *tx) error {
			var rows [][]any
			for _, g := range some {
				var sum int64
				if err := t.load(ctx, tallyTaken, func(r row) error {
					var n int64
					err := r.Scan(&n)
					sum += n
					return err
				}, g.values()...); err != nil {
					return err
				}
				if sum != 0 {
					rows = append(rows, append(g.values(), uuid.Must(uuid.NewV7()).String(), sum))
				}
			}
			return t.changeMany(ctx, tallied, rows)
		}); err != nil {
			return err
		}
	}
	return nil
}
