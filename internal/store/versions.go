package store

import "context"

var versionsInUse = reads(`SELECT provider, schema FROM connection UNION SELECT provider, schema FROM signup
	ORDER BY provider, schema`)

// VersionsInUse lists which versions of which provider rows were written with,
// by slug, each once and in order.
func (s *Store) VersionsInUse(ctx context.Context) (map[string][]int, error) {
	used := map[string][]int{}
	err := s.lookup(ctx, versionsInUse, func(r row) error {
		var slug string
		var version int
		if err := r.Scan(&slug, &version); err != nil {
			return err
		}
		used[slug] = append(used[slug], version)
		return nil
	})
	return used, err
}
