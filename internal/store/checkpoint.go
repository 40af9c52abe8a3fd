package store

import (
	"context"
	"database/sql"
	"strconv"
	"time"
)

const (
	// checkpointEvery is how often the log is copied into the file while there
	// is something to copy.
	checkpointEvery = 200 * time.Millisecond
	// restartEvery is how often writers are made to wait for a log that grew
	// too long, and restartWait for how long at most, in milliseconds.
	restartEvery = 2 * time.Second
	restartWait  = 250
)

// sideConnection is for copying the log beside the writer. It gives up early:
// while it waits for readers, the writer waits for it.
var sideConnection = append([]pragma{{"busy_timeout", strconv.Itoa(restartWait), is(strconv.Itoa(restartWait))}},
	writingConnection.without("busy_timeout")...)

// chores copy the write-ahead log into the file beside the writer, so that the
// writer seldom has to, and keep the log from growing without end: a reader at
// every moment would keep it from ever starting over.
//
// After an erasure they cut the log. What was erased is overwritten in the file
// (secure_delete), but older frames of the log hold it until then. That has to
// wait for readers of an older state, so it is tried again until it succeeds.
func (e *sqlite) chores(ctx context.Context, s *Store) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	var (
		copied, wiped int64
		restarted     time.Time
	)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		commits, erased := s.commits.Load(), s.erased.Load()
		if commits == copied && erased == wiped || s.failure.Load() != nil {
			continue
		}
		copied = commits
		mode := "PASSIVE"
		if erased != wiped {
			mode = "TRUNCATE"
		}
		kept, length, err := checkpoint(ctx, e.side, mode)
		if mode == "TRUNCATE" && err == nil && !kept {
			wiped = erased
		}
		if err == nil && length > 2*logPages && time.Since(restarted) > restartEvery {
			restarted = time.Now()
			s.log.Warn("the write-ahead log is long: writers wait until it can start over", "pages", length)
			_, _, err = checkpoint(ctx, e.side, "RESTART")
		}
		if err != nil && e.trouble(err) == broken {
			s.fail(err)
		}
	}
}

// checkpoint copies the log into the file and returns whether it was kept from
// finishing by a reader or writer, and the log's length in pages. Being kept is
// not an error: the next one finishes.
func checkpoint(ctx context.Context, db *sql.DB, mode string) (kept bool, length int, err error) {
	var copied int
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&kept, &length, &copied)
	return kept, length, err
}
