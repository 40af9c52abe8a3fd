package store

import (
	"context"
	"database/sql"
	"time"
)

// checkpointEvery is how often the log is copied into the file while there is
// something to copy.
const checkpointEvery = 200 * time.Millisecond

// chores copy the write-ahead log into the file beside the writer, so that the
// writer seldom has to, and keep the log from growing without end: a reader at
// every moment would keep it from ever starting over.
func (e *sqlite) chores(ctx context.Context, s *Store) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	var copied int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if commits := s.commits.Load(); commits != copied && s.failure.Load() == nil {
			copied = commits
			e.bound(ctx, s)
		}
	}
}

// bound copies what can be copied without disturbing anybody; when the log
// grew too long all the same, it makes the writer wait until it can start over.
func (e *sqlite) bound(ctx context.Context, s *Store) {
	var pages int
	err := checkpoint(ctx, e.side, "PASSIVE", &pages)
	if err == nil && pages > 2*logPages {
		err = checkpoint(ctx, s.write.db, "RESTART", nil)
	}
	if err != nil && ctx.Err() == nil && e.trouble(err) == broken {
		s.fail(err)
	}
}

// checkpoint copies the log into the file; pages is set to the log's length.
// Being kept from finishing by a reader is not an error: the next one will.
func checkpoint(ctx context.Context, db *sql.DB, mode string, pages *int) error {
	var kept, length, copied int
	if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&kept, &length, &copied); err != nil {
		return err
	}
	if pages != nil {
		*pages = length
	}
	return nil
}
