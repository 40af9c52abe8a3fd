package store

import (
	"context"
	"sync"
	"testing"
	"time"

	"mooring/internal/fault"
	"mooring/internal/hook"
)

// fed reads the feed of everybody until it has so many entries.
func fed(t *testing.T, s *Store, want int) []hook.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		moved := s.FeedMoved()
		got, err := s.FeedOfAll(ctx, 0, want+1)
		must(t, err)
		if len(got) >= want {
			return got
		}
		select {
		case <-moved:
		case <-ctx.Done():
			t.Fatalf("%d of %d entries got their positions", len(got), want)
		}
	}
}

// wantOrder checks that positions are dense, and that each connection's entries
// are in the order of its events, none missing and none twice.
func wantOrder(t *testing.T, entries []hook.Entry) {
	t.Helper()
	seqs := map[string]int64{}
	for i, e := range entries {
		if e.Position != int64(i)+1 {
			t.Fatalf("entry %d has the position %d", i+1, e.Position)
		}
		of := string(e.Account) + "/" + e.Provider
		if seqs[of]++; e.Seq != seqs[of] {
			t.Fatalf("event %d of %s is told where %d is due", e.Seq, of, seqs[of])
		}
	}
}

func testFeedOrder(t *testing.T, d door) {
	s := fresh(t, d)
	const many, each = 8, 12
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			mustChange(t, s, numbered(signing(merchant), i))
			for range each - 1 {
				mustChange(t, s, numbered(posting(enabled("step")), i))
			}
		})
	}
	wg.Wait()
	got := fed(t, s, many*each)
	if len(got) != many*each {
		t.Errorf("%d entries of %d events", len(got), many*each)
	}
	wantOrder(t, got)
}

// A transaction that began before others and is committed after them is told
// after them, and of nobody who read meanwhile is it hidden.
func TestASlowTransactionIsNeverJumpedOver(t *testing.T) {
	s := nodes(t, 1)[0]
	ctx := context.Background()
	begun, commit := make(chan struct{}), make(chan struct{})
	slow := hook.Entry{ID: newID(), Owner: partnerID, Account: merchantID, Type: hook.AccountUpdate, At: noon, ToldAt: noon}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.transact(ctx, func(ctx context.Context, tx *tx) error {
			if err := tx.tell(ctx, []hook.Entry{slow}); err != nil {
				return err
			}
			close(begun)
			<-commit
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-begun
	mustChange(t, s, signing(merchant))
	before := fed(t, s, 1)
	if len(before) != 1 || before[0].ID == slow.ID {
		t.Fatalf("before the slow one is committed: %+v", before)
	}
	moved := s.FeedMoved()
	close(commit)
	wg.Wait()
	<-moved
	after := fed(t, s, 2)
	if after[0].ID != before[0].ID || after[1].ID != slow.ID || after[1].Position != before[0].Position+1 {
		t.Errorf("after it is committed: %+v", after)
	}
}

// arrive puts entries where those without positions are.
func arrive(t *testing.T, s *Store, n int) (ids []string) {
	t.Helper()
	var entries []hook.Entry
	for range n {
		e := hook.Entry{ID: newID(), Owner: partnerID, Account: merchantID, Type: hook.AccountUpdate, At: noon, ToldAt: noon}
		entries, ids = append(entries, e), append(ids, e.ID)
	}
	must(t, s.transact(context.Background(), func(ctx context.Context, tx *tx) error { return tx.tell(ctx, entries) }))
	return ids
}

func idle(t *testing.T, cfg Config) *Store {
	tune := standard
	tune.idle = true
	return openTuned(t, cfg, tune)
}

// Of two nodes that both take themselves for the one that gives positions, only
// the one who took the lease last does.
func TestASequencerOfAnOldFenceIsRefused(t *testing.T) {
	cfg := newPostgres(t)
	a, b := idle(t, cfg), idle(t, cfg)
	inhabit(t, a)
	arrive(t, a, 3)
	old := take(t, a, "a", noon, sequencerLease)[0]
	moved, err := a.giveSequence(context.Background(), old, 2)
	if moved != 2 || err != nil {
		t.Fatalf("under its lease: %d, %v", moved, err)
	}
	newer := take(t, b, "b", noon.Add(term), sequencerLease)[0]
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if moved, err := a.giveSequence(context.Background(), old, 2); moved != 0 || fault.From(err).Kind != fault.Conflict {
				t.Errorf("under a lost lease: %d, %v", moved, err)
			}
		})
		wg.Go(func() {
			if _, err := b.giveSequence(context.Background(), newer, 2); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := fed(t, a, 3); len(got) != 3 || got[2].Position != 3 {
		t.Errorf("the feed is %+v", got)
	}
}

// A node that is killed amid giving positions leaves nothing half done: its
// transaction ends with it, and another goes on when its lease is over.
func TestAKilledSequencerIsTakenOver(t *testing.T) {
	cfg := newPostgres(t)
	dying := idle(t, cfg)
	inhabit(t, dying)
	ids := arrive(t, dying, 5)
	ctx := context.Background()
	now := time.Now()
	l, err := dying.TakeLeases(ctx, "dying", now, now.Add(sequencerTerm), sequencerLease)
	must(t, err)
	half, err := dying.begin(ctx, dying.write, nil)
	must(t, err)
	must(t, half.holds(ctx, l...))
	if came, err := half.arrivals(ctx, 3); err != nil || len(came) != 3 {
		t.Fatalf("%d, %v", len(came), err)
	}
	var pid int
	must(t, half.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid))
	next := openStore(t, cfg)
	_, err = next.write.db.ExecContext(ctx, "SELECT pg_terminate_backend($1)", pid)
	must(t, err)
	_ = half.Rollback()
	got := fed(t, next, len(ids))
	for i, e := range got {
		if e.ID != ids[i] || e.Position != int64(i)+1 {
			t.Errorf("entry %d is %s at %d, want %s", i, e.ID, e.Position, ids[i])
		}
	}
}
