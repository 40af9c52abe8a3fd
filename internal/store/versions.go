package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"mooring/internal/connection"
)

// Which versions of providers rows were written with is noted when one is
// written, since nobody wants to read all of them at each start.

// version is one version of a provider.
type version struct {
	slug   string
	number int
}

func (v version) compare(other version) int {
	return cmp.Or(strings.Compare(v.slug, other.slug), cmp.Compare(v.number, other.number))
}

var (
	versionsInUse = reads(`SELECT provider, schema FROM provider_version ORDER BY provider, schema`)

	// The index by world and provider is entered once for each pair of them.
	providersInUse = reads(`WITH RECURSIVE
		worlds (world) AS (
			SELECT min(world) FROM connection
			UNION ALL SELECT (SELECT min(world) FROM connection WHERE world > worlds.world) FROM worlds WHERE worlds.world IS NOT NULL),
		used (world, provider) AS (
			SELECT worlds.world, (SELECT min(provider) FROM connection WHERE world = worlds.world) FROM worlds WHERE worlds.world IS NOT NULL
			UNION ALL SELECT used.world,
				(SELECT min(provider) FROM connection WHERE world = used.world AND provider > used.provider)
			FROM used WHERE used.provider IS NOT NULL)
		SELECT DISTINCT provider FROM used WHERE provider IS NOT NULL`)

	// Another node may note it at the same time.
	versionNoted = batches(
		`INSERT INTO provider_version (provider, schema) VALUES ($1, $2)
		ON CONFLICT (provider, schema) DO UPDATE SET schema = excluded.schema`,
		`INSERT INTO provider_version (provider, schema) SELECT * FROM unnest($1::text[], $2::bigint[])
		ON CONFLICT (provider, schema) DO UPDATE SET schema = excluded.schema`)
)

// noted are the versions that the database is known to have noted. None of
// them is ever taken away.
type noted struct {
	sync.RWMutex
	all map[version]bool
}

func (n *noted) add(versions []version) {
	if len(versions) == 0 {
		return
	}
	n.Lock()
	defer n.Unlock()
	if n.all == nil {
		n.all = map[version]bool{}
	}
	for _, v := range versions {
		n.all[v] = true
	}
}

// lacks are those of some versions that are not known to be noted, each once
// and in order, so that two transactions note them in one order.
func (n *noted) lacks(some func(use func(version))) []version {
	var lacking []version
	n.RLock()
	some(func(v version) {
		if !n.all[v] {
			lacking = append(lacking, v)
		}
	})
	n.RUnlock()
	slices.SortFunc(lacking, version.compare)
	return slices.Compact(lacking)
}

// VersionsInUse lists which versions of which provider rows were written with,
// by slug, each once and in order. A provider that only a program wrote with
// that notes nothing is there without a version.
func (s *Store) VersionsInUse(ctx context.Context) (map[string][]int, error) {
	providers, err := list(ctx, s, providersInUse, func(r row) (slug string, err error) {
		err = r.Scan(&slug)
		return slug, err
	})
	if err != nil {
		return nil, err
	}
	all, err := list(ctx, s, versionsInUse, func(r row) (v version, err error) {
		err = r.Scan(&v.slug, &v.number)
		return v, err
	})
	s.noted.add(all)
	used := map[string][]int{}
	for _, slug := range providers {
		used[slug] = nil
	}
	for _, v := range all {
		used[v.slug] = append(used[v.slug], v.number)
	}
	return used, err
}

// noteVersions notes the versions of rows that a transaction writes. That the
// database has them is known once it is committed.
func (s *Store) noteVersions(ctx context.Context, t *tx, some func(use func(version))) error {
	t.noted = s.noted.lacks(some)
	rows := make([][]any, len(t.noted))
	for i, v := range t.noted {
		rows[i] = []any{v.slug, int64(v.number)}
	}
	return t.changeMany(ctx, versionNoted, rows)
}

// versionsOf hands on the versions of a connection and of some of its signups.
func versionsOf(c *connection.Connection, signups []connection.Signup, use func(version)) {
	use(version{c.Provider, c.Schema})
	for _, s := range signups {
		use(version{c.Provider, s.Schema})
	}
}

// versions are those of the rows that decisions touched, whoever wrote them
// first: a program that noted nothing may have.
func (g *ground) versions(use func(version)) {
	for _, l := range g.lines {
		if l.head != nil {
			versionsOf(l.head, l.signups, use)
		}
	}
}
