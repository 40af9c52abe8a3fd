package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"
)

// Nodes of a fleet are replaced one after the other, so for a while an older
// program works on a schema that a newer one made. Each migration says which is the
// oldest that can. An older one than that is refused at start, and one that runs
// already stops writing when it sees the schema change.

// beyondKnown are the newest schema, and how many of those that a program does
// not know it can't work on. One that says nothing is not for it.
var beyondKnown = reads(`SELECT coalesce(max(v.version_id), 0),
		coalesce(sum(CASE WHEN f.oldest <= $1 THEN 0 ELSE 1 END), 0)
	FROM goose_db_version AS v LEFT JOIN schema_floor AS f ON f.schema = v.version_id
	WHERE v.version_id > $1`)

// checkSchema refuses a schema that is too new for a program that knows
// schemas up to one.
func checkSchema(ctx context.Context, db *sql.DB, known int64, log *slog.Logger) error {
	var newest, unfit int64
	if err := db.QueryRowContext(ctx, beyondKnown.one, known).Scan(&newest, &unfit); err != nil {
		return fmt.Errorf("read how new the schema is: %w", err)
	}
	if unfit > 0 {
		return tooOld(newest, known)
	}
	if newest > known {
		log.Warn("a newer release of mooring changed the schema: this one works beside it, and should be replaced", "schema", newest, "known", known)
	}
	return nil
}

func tooOld(newest, known int64) error {
	return fmt.Errorf("the database has schema %d, on which a program that knows only %d can't work: run the newer release of mooring that wrote it", newest, known)
}

// schemaLook is how often a node looks whether the schema is too new for it.
const schemaLook = 5 * time.Second

// watchSchema looks until ctx ends.
func (s *Store) watchSchema(ctx context.Context) {
	tick := time.NewTicker(schemaLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.lookAtSchema(ctx)
		}
	}
}

// lookAtSchema stops the store when a newer release migrated the database to
// what this one would damage. A database that does not answer is not asked again
// before the next time: others notice that.
func (s *Store) lookAtSchema(ctx context.Context) {
	var newest, unfit int64
	err := s.lookup(ctx, beyondKnown, func(r row) error { return r.Scan(&newest, &unfit) }, s.known)
	if err != nil || unfit == 0 {
		return
	}
	cause := tooOld(newest, s.known)
	if s.failure.CompareAndSwap(nil, &failure{"a newer release serves this database now", cause}) {
		s.log.Error("the store stopped: a newer release migrated the database; replace this one", "cause", cause)
	}
}
