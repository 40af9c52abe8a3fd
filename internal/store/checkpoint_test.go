package store

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The log is copied beside the writer while the store runs, and is empty after
// it is closed.
func TestTheLogIsCopiedIntoTheFile(t *testing.T) {
	cfg := newSQLite(t)
	s := inhabit(t, openStore(t, cfg))
	mustChange(t, s, signing(merchant))
	side := s.engine.(*sqlite).side
	deadline := time.Now().Add(10 * time.Second)
	for {
		var kept, length, copied int
		if err := side.QueryRow("PRAGMA wal_checkpoint(NOOP)").Scan(&kept, &length, &copied); err != nil {
			t.Fatal(err)
		}
		if length > 0 && length == copied {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after ten seconds %d of %d pages were copied", copied, length)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(cfg.DataDir, "mooring.db-wal")); err == nil && info.Size() > 0 {
		t.Errorf("%d bytes of log were left behind", info.Size())
	}
}

// A reader that stays keeps the log from starting over; a restart gives up on
// it soon, so that writers go on, and succeeds when it has left.
func TestALongLogStartsOverWhenItsReadersLeave(t *testing.T) {
	s := signed(t, newSQLite)
	ctx := context.Background()
	side := s.engine.(*sqlite).side
	reader, err := s.begin(ctx, s.read, s.engine.snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.exists(ctx, epochPlain); err != nil {
		t.Fatal(err)
	}
	mustChange(t, s, posting(enabled("one")))
	length := func(mode string) int {
		t.Helper()
		_, pages, err := checkpoint(ctx, side, mode)
		if err != nil {
			t.Fatal(err)
		}
		return pages
	}
	before := length("RESTART")
	mustChange(t, s, posting(enabled("two")))
	if after := length("PASSIVE"); after <= before {
		t.Errorf("the log started over under a reader: %d pages after %d", after, before)
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	before = length("RESTART")
	mustChange(t, s, posting(enabled("three")))
	if after := length("PASSIVE"); after >= before {
		t.Errorf("the log did not start over: %d pages after %d", after, before)
	}
}
