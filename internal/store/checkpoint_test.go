package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
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
		log, err := checkpoint(t.Context(), side, "NOOP")
		if err != nil {
			t.Fatal(err)
		}
		if log.left() == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after ten seconds %d of %d pages were copied", log.copied, log.length)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(cfg.DataDir, "mooring.db-wal")); err == nil && info.Size() > 0 {
		t.Errorf("%d bytes of log were left behind", info.Size())
	}
}

// Writers that never rest do not keep a long log from starting over: the writer
// copies the last of it between two of them.
func TestALongLogStartsOverWhileWritersGoOn(t *testing.T) {
	s := signed(t, newSQLite)
	side := s.engine.(*sqlite).side
	must(t, s.transact(t.Context(), func(ctx context.Context, tx *tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE heavy AS SELECT zeroblob($1) AS of_zeros", longLog*4096)
		return err
	}))
	var over atomic.Bool
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for n := 0; !over.Load(); n++ {
				if _, err := s.Change(context.Background(), posting(enabled(fmt.Sprint(w, n)))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for deadline := time.Now().Add(time.Minute); ; {
		log, err := checkpoint(t.Context(), side, "NOOP")
		if err != nil || time.Now().After(deadline) {
			t.Errorf("the log is %d pages long after a minute: %v", log.length, err)
			break
		}
		if log.length < longLog {
			break
		}
		mustChange(t, s, posting(enabled("one more")))
	}
	over.Store(true)
	writers.Wait()
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
		log, err := checkpoint(ctx, side, mode)
		if err != nil {
			t.Fatal(err)
		}
		return log.length
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
