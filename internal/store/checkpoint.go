package store

import (
	"context"
	"database/sql"
	"strconv"
	"time"
)

const (
	// lookEvery is how often the log is looked at while there are commits.
	lookEvery = 100 * time.Millisecond
	// longLog is how many pages of the log are copied at once: one that was
	// written many times is copied once. copyWithin is when fewer are.
	longLog    = 10_000
	copyWithin = time.Second
	// fewPages are so few that the writer may copy them itself.
	fewPages = 256
	// restartAbove is from how many pages on writers are made to wait for the
	// log to start over, restartEvery how often, there and to cut it, and
	// restartWait for how long at most, in milliseconds.
	restartAbove = 2 * longLog
	restartEvery = 2 * time.Second
	restartWait  = 250
)

// sideConnection is for copying the log beside the writer. It gives up early:
// while it waits for readers, the writer waits for it.
var sideConnection = append([]pragma{{"busy_timeout", strconv.Itoa(restartWait), is(strconv.Itoa(restartWait))}},
	writingConnection.without("busy_timeout")...)

// chores copy the write-ahead log into the file beside the writer, and see that
// it starts over before the writer would have to copy a long one.
//
// After an erasure they cut the log, and at the start, since the process before
// may have been killed after one. What was erased is overwritten in the file
// (secure_delete), but older frames of the log hold it until then. That has to
// wait for readers of an older state, so it is tried again until it succeeds.
func (e *sqlite) chores(ctx context.Context, s *Store) {
	c := copier{store: s, side: e.side, wiped: -1}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.failure.Load() != nil {
			continue
		}
		if err := c.look(ctx); err != nil && e.trouble(err) == broken {
			s.fail(err)
		}
	}
}

// copier copies the log, and knows how far it is.
type copier struct {
	store         *Store
	side          *sql.DB
	copied, wiped int64 // commits and erasures of which everything is in the file
	at            time.Time
	held          time.Time // when writers were last made to wait
}

// look does what is worth doing now.
func (c *copier) look(ctx context.Context) error {
	commits, erased := c.store.commits.Load(), c.store.erased.Load()
	if erased != c.wiped && time.Since(c.held) > restartEvery {
		l, err := c.hold(ctx, "TRUNCATE")
		if err == nil && !l.kept {
			c.wiped, c.copied = erased, commits
		}
		return err
	}
	if commits == c.copied {
		return nil
	}
	l, err := checkpoint(ctx, c.side, "NOOP")
	if err != nil || l.length < longLog && time.Since(c.at) < copyWithin {
		return err
	}
	if l, err = c.copy(ctx); err != nil {
		return err
	}
	if c.at = time.Now(); l.left() == 0 {
		c.copied = commits
	}
	if l.length > restartAbove && time.Since(c.held) > restartEvery {
		return c.restart(ctx)
	}
	return nil
}

// copy copies what the log holds. The writer goes on meanwhile, so that each
// time less is left; of a long log it copies the last pages itself, between two
// transactions. Then it begins at the front again, if no reader needs what
// stands there.
func (c *copier) copy(ctx context.Context) (l wal, err error) {
	for range 3 {
		if l, err = checkpoint(ctx, c.side, "PASSIVE"); err != nil || l.left() < fewPages {
			break
		}
	}
	if err == nil && l.length >= longLog && l.left() < fewPages {
		l, err = checkpoint(ctx, c.store.write.db, "PASSIVE")
	}
	return l, err
}

// restart has writers wait until no reader is left at the front of the log, for
// a moment: readers at every moment would keep it from ever starting over.
func (c *copier) restart(ctx context.Context) error {
	l, err := c.hold(ctx, "RESTART")
	if err == nil && l.kept {
		c.store.log.Warn("the write-ahead log is long, and a reader that stays keeps it from starting over", "pages", l.length)
	}
	return err
}

// hold copies the log in a way for which writers wait as long as readers keep
// it from finishing. Whoever calls it leaves the writers time in between.
func (c *copier) hold(ctx context.Context, mode string) (wal, error) {
	l, err := checkpoint(ctx, c.side, mode)
	if l.kept {
		c.held = time.Now()
	}
	return l, err
}

// wal is how far a log is copied into its file, in pages.
type wal struct {
	kept           bool // a reader or writer kept the checkpoint from finishing
	length, copied int
}

func (l wal) left() int { return l.length - l.copied }

// checkpoint copies the log into the file, as far as the mode goes. Being kept
// is not an error: the next one finishes.
func checkpoint(ctx context.Context, db *sql.DB, mode string) (l wal, err error) {
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&l.kept, &l.length, &l.copied)
	return l, err
}
