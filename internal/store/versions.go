package store

import "context"

var versionsInUse = reads(`SELECT provider, schema FROM connection UNION SELECT provider, schema FROM signup
	ORDER BY provider, schema`)

// VersionsInUse lists which versions of which provider rows were written with,
// by slug, each once and in order.
func (s *Store) VersionsInUse(ctx context.Context) (map[string][]int, error) {
	type version struct {
		slug   string
		number int
	}
	all, err := list(ctx, s, versionsInUse, func(r row) (v version, err error) {
		err = r.Scan(&v.slug, &v.number)
		return v, err
	})
	used := map[string][]int{}
	for _, v := range all {
		used[v.slug] = append(used[v.slug], v.number)
	}
	return used, err
}
