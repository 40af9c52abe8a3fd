package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"mooring/internal/fault"
)

// A read that ends badly leaves nothing behind: neither a panic, nor a request
// that ended, nor a store that is closed meanwhile.
func TestAReadThatEndsBadlyLeavesNothingBehind(t *testing.T) {
	s := signed(t, newSQLite)
	id := string(merchantID)
	panicking := func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic was swallowed")
			}
		}()
		_ = s.snapshot(context.Background(), func(tx *tx) error {
			return tx.load(context.Background(), accountsNow, func(row) error { panic("a bug") }, id)
		})
	}
	for range 2 * s.read.db.Stats().MaxOpenConnections {
		panicking()
	}
	ctx, cancel := context.WithCancel(context.Background())
	err := s.snapshot(ctx, func(tx *tx) error {
		cancel()
		return tx.load(ctx, accountsNow, func(row) error { return errors.New("a row was read") }, id)
	})
	wantKind(t, err, fault.Unavailable)

	// A log that could be cut was read by nobody any more.
	if err := s.snapshot(context.Background(), func(tx *tx) error {
		return tx.load(context.Background(), accountsNow, func(row) error { return s.read.db.Close() }, id)
	}); err != nil {
		t.Errorf("a read that was under way when the connections were closed: %v", err)
	}
	if log, err := checkpoint(context.Background(), s.write.db, "TRUNCATE"); err != nil || log != (wal{}) {
		t.Errorf("the log can't be cut after the last read: %+v, %v", log, err)
	}
}

// longSearch looks for its only row for years.
var longSearch = reads(`WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 1000000000000000)
	SELECT max(n) FROM counted`)

// Who asks for what is nowhere to be found, and goes away, keeps no connection
// busy.
func TestARequestThatEndsEndsItsSearch(t *testing.T) {
	s := signed(t, newSQLite)
	for range 2 * s.read.db.Stats().MaxOpenConnections {
		for _, search := range []func(context.Context) error{
			func(ctx context.Context) error {
				return s.lookup(ctx, longSearch, func(row) error { return errors.New("a row was found") })
			},
			func(ctx context.Context) error {
				return s.snapshot(ctx, func(tx *tx) error {
					return tx.load(ctx, longSearch, func(row) error { return errors.New("a row was found") })
				})
			},
		} {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			wantKind(t, search(ctx), fault.Unavailable)
			cancel()
		}
	}
	if _, err := s.VersionsInUse(context.Background()); err != nil {
		t.Errorf("the next read: %v", err)
	}
}
