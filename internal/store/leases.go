package store

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Lease is work that one node at a time does. Whoever writes what comes of it
// does so under the lease's fence: a node that was taken for dead, and is not,
// finds that its writes are refused.
type Lease struct {
	Name   string
	Holder string
	Fence  int64     // grows with each holder
	Until  time.Time // by the clock of its holder; who comes later may have it
}

const leaseColumns = `name, holder, fence, until`

var (
	// A lease that another has is left alone: fewer come back than were asked for.
	// Who has it, and did not hear that it got it, gets it with another fence.
	leasesTaken = batches(
		`INSERT INTO lease (`+leaseColumns+`) VALUES ($1, $2, 1, $4)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = lease.fence + 1, until = excluded.until
			WHERE lease.until <= $3 OR lease.holder = excluded.holder
		RETURNING `+leaseColumns,
		`INSERT INTO lease (`+leaseColumns+`)
		SELECT name, holder, 1, until FROM unnest($1::text[], $2::text[], $4::bigint[]) AS u (name, holder, until)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = lease.fence + 1, until = excluded.until
			WHERE lease.until <= ($3::bigint[])[1] OR lease.holder = excluded.holder
		RETURNING `+leaseColumns)

	leasesRenewed = batches(
		`UPDATE lease SET until = $3 WHERE name = $1 AND fence = $2 RETURNING `+leaseColumns,
		`WITH mine AS MATERIALIZED (
			SELECT l.name, u.until FROM lease AS l
			JOIN unnest($1::text[], $2::bigint[], $3::bigint[]) AS u (name, fence, until) ON l.name = u.name AND l.fence = u.fence
			ORDER BY l.name FOR UPDATE OF l)
		UPDATE lease AS l SET until = mine.until FROM mine WHERE l.name = mine.name
		RETURNING l.name, l.holder, l.fence, l.until`)

	// Locked, so that nobody takes it before what stands on it is committed.
	leasesHeld = batches(
		`SELECT `+leaseColumns+` FROM lease WHERE name = $1 AND fence = $2`,
		`SELECT l.name, l.holder, l.fence, l.until FROM lease AS l
		JOIN unnest($1::text[], $2::bigint[]) AS u (name, fence) ON l.name = u.name AND l.fence = u.fence
		ORDER BY l.name FOR UPDATE OF l`)

	leasesNamed = reads(`SELECT ` + leaseColumns + ` FROM lease WHERE substr(name, 1, length($1)) = $1 ORDER BY name`)

	leasesEnded = writes(`UPDATE lease SET until = 0`)
)

// TakeLeases gives its caller those of some leases that nobody else has at now,
// until another time. A lease that was let go is free at once.
func (s *Store) TakeLeases(ctx context.Context, holder string, now, until time.Time, names ...string) ([]Lease, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names))) // in one order everywhere
	var rows [][]any
	for _, name := range names {
		rows = append(rows, []any{name, holder, micros(now), micros(until)})
	}
	return s.changeLeases(ctx, leasesTaken, rows)
}

// RenewLeases holds leases until another time, and returns those that are
// still the caller's: one that nobody took is, even when its time is over.
func (s *Store) RenewLeases(ctx context.Context, until time.Time, held ...Lease) ([]Lease, error) {
	return s.changeLeases(ctx, leasesRenewed, fenced(held, until.UnixMicro()))
}

// LetGo ends leases before their time, so that another node need not wait for
// it. Those that another has by now stay as they are.
func (s *Store) LetGo(ctx context.Context, held ...Lease) error {
	_, err := s.changeLeases(ctx, leasesRenewed, fenced(held, 0))
	return err
}

// Leases lists who had what last, of all leases whose names begin alike. One
// whose time is over may be taken by anybody.
func (s *Store) Leases(ctx context.Context, prefix string) ([]Lease, error) {
	return list(ctx, s, leasesNamed, scanLease, prefix)
}

func (s *Store) changeLeases(ctx context.Context, st *statement, rows [][]any) (changed []Lease, err error) {
	err = s.transact(ctx, func(ctx context.Context, t *tx) error {
		changed = nil
		return t.loadMany(ctx, st, rows, func(r row) error {
			l, err := scanLease(r)
			changed = append(changed, l)
			return err
		})
	})
	slices.SortFunc(changed, func(a, b Lease) int { return strings.Compare(a.Name, b.Name) })
	return changed, err
}

// holds locks leases for the rest of the transaction, and refuses it with
// Conflict when one of them is another's by now.
func (t *tx) holds(ctx context.Context, leases ...Lease) error {
	held := 0
	if err := t.loadMany(ctx, leasesHeld, fenced(leases), func(row) error { held++; return nil }); err != nil {
		return err
	}
	if held != len(leases) {
		return conflicting("another node does this by now")
	}
	return nil
}

// fenced are the names and fences of leases, in the order in which they are
// locked, and what more a statement needs of each.
func fenced(leases []Lease, more ...any) [][]any {
	sorted := slices.SortedFunc(slices.Values(leases), func(a, b Lease) int { return strings.Compare(a.Name, b.Name) })
	rows := make([][]any, len(sorted))
	for i, l := range sorted {
		rows[i] = append([]any{l.Name, l.Fence}, more...)
	}
	return rows
}

// endLeases frees what a process before this one held, where no two can be.
func (s *Store) endLeases(ctx context.Context) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.change(ctx, leasesEnded)
		return err
	})
}

func scanLease(r row) (l Lease, err error) {
	var until int64
	err = r.Scan(&l.Name, &l.Holder, &l.Fence, &until)
	l.Until = time.UnixMicro(until).UTC()
	return l, err
}
