package store

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
)

// eventsTold asks for a text that says how many events there are.
func eventsTold(s *Store, caller auth.Caller, provider string, maker any, asked *atomic.Int64) (n int, err error) {
	text, err := s.ConnectionText(context.Background(), caller, merchantID, provider, maker,
		func(c *connection.Connection) ([]byte, bool, error) {
			asked.Add(1)
			return fmt.Append(nil, len(c.Events)), true, nil
		})
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(string(text), &n)
	return n, err
}

func testRecalled(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	var asked atomic.Int64
	tell := func(when string, caller auth.Caller, maker any, want int) {
		t.Helper()
		if n, err := eventsTold(s, caller, "vipps", maker, &asked); err != nil || n != want {
			t.Errorf("%s: %d events are told, %v; want %d", when, n, err, want)
		}
	}
	tell("at first", merchant, 1, 1)
	first := asked.Load()
	tell("again", merchant, 1, 1)
	if alone := s.engine.alone(); (asked.Load() == first) != alone {
		t.Errorf("the text was made %d times where one process has the database: %v", asked.Load(), alone)
	}
	before := asked.Load()
	tell("by another maker", merchant, 2, 1)
	if asked.Load() == before {
		t.Error("the text of another maker was given")
	}
	tell("to the owner", partner, 1, 1)
	for _, caller := range []auth.Caller{other, second, {}} {
		_, err := eventsTold(s, caller, "vipps", 1, &asked)
		wantMissing(t, "whom it does not concern", err)
	}
	_, err := eventsTold(s, merchant, "swish", 1, &asked)
	wantMissing(t, "another provider", err)

	mustChange(t, s, posting(enabled("agreed")))
	tell("after a write", merchant, 1, 2)
	tell("after a write, to the owner", partner, 1, 2)

	if _, err := s.MoveAccount(ctx, Deed{Caller: platform, About: merchantID}, otherID, keptBlocks); err != nil {
		t.Fatal(err)
	}
	_, err = eventsTold(s, partner, "vipps", 1, &asked)
	wantMissing(t, "the old owner", err)
	tell("to the new owner", other, 1, 2)
	if err := deleteAccount(s, other, otherID, merchantID); err != nil {
		t.Fatal(err)
	}
	_, err = eventsTold(s, merchant, "vipps", 1, &asked)
	wantMissing(t, "a deleted account", err)
}

// What was read or acknowledged is never read as it was before.
func testRecalledInOrder(t *testing.T, d door) {
	s := signed(t, d)
	const writes, readers = 30, 2
	var acknowledged, asked atomic.Int64
	acknowledged.Store(1)
	done := make(chan struct{})
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			last := 1
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
				}
				least := max(last, int(acknowledged.Load()))
				n, err := eventsTold(s, merchant, "vipps", 1, &asked)
				if err != nil || n < least {
					t.Errorf("%d events are told where %d were before, %v", n, least, err)
					return
				}
				c, err := s.Connection(context.Background(), merchant, merchantID, "vipps")
				if err != nil || len(c.Events) < n {
					t.Errorf("%d events are read where %d were told, %v", len(c.Events), n, err)
					return
				}
				last = len(c.Events)
			}
		})
	}
	for i := range writes {
		if i%10 == 9 { // may change any account
			if err := s.CreateAccount(context.Background(), account.Account{
				ID: account.ID(fmt.Sprintf("T112500%02d", i)), Kind: account.KindMerchant, Owner: partnerID, CreatedAt: noon, CreatedBy: "test",
			}); err != nil {
				t.Error(err)
			}
		}
		mustChange(t, s, posting(enabled("step")))
		acknowledged.Add(1)
	}
	close(done)
	all.Wait()
	if n, err := eventsTold(s, merchant, "vipps", 1, &asked); err != nil || n != writes+1 {
		t.Errorf("%d events are told at the end, %v", n, err)
	}
}

func TestWhatIsRememberedHasALimit(t *testing.T) {
	r := newRecall()
	long := make([]byte, recallLongest)
	v := view{provider: "vipps", covers: true}
	for i := range 4 * recallBytes / recallLongest {
		id := account.ID(fmt.Sprintf("T%08d", i))
		_, sp := r.find(id, v, nil)
		r.keep(id, sp, recalled{view: v, text: long})
		if i == 0 {
			if text, _ := r.find(id, v, nil); len(text) != len(long) {
				t.Fatal("what fits was not remembered")
			}
		}
	}
	_, sp := r.find("T1", v, nil)
	r.keep("T1", sp, recalled{view: v, text: make([]byte, recallLongest+1)})
	_, sp = r.find("T2", v, nil)
	r.keep("T2", sp, recalled{view: v})
	r.changing([]account.ID{"T3", "T4"})()
	bytes := 0
	for i := range r.shards {
		for id, sp := range r.shards[i].spots {
			if sp.bytes == 0 {
				t.Errorf("nothing is remembered of %s, but that", id)
			}
			bytes += sp.bytes
		}
	}
	if bytes == 0 || bytes > recallBytes {
		t.Errorf("%d bytes are remembered", bytes)
	}
	r.changing(nil)()
	for i := range r.shards {
		if sh := &r.shards[i]; len(sh.spots) > 0 || sh.bytes != 0 {
			t.Fatalf("%d accounts and %d bytes are left where any account may have changed", len(sh.spots), sh.bytes)
		}
	}
}

// What is counted is what the process really holds, however short the texts are.
func TestWhatIsRememberedTakesNoMoreThanIsCounted(t *testing.T) {
	for _, long := range []int{10, 300, 3000} {
		before := heapHeld()
		r := newRecall()
		for i := range 2 * recallBytes / (long + 100) {
			id, v := account.ID(fmt.Sprintf("T%08d", i)), view{provider: "vipps", covers: true}
			_, sp := r.find(id, v, nil)
			r.keep(id, sp, recalled{view: v, text: make([]byte, long, long+long/4)})
		}
		held := heapHeld() - before
		t.Logf("texts of %d bytes: %d bytes are held", long, held)
		if held > recallBytes*5/4 {
			t.Errorf("of texts of %d bytes %d bytes are held, of %d", long, held, recallBytes)
		}
		runtime.KeepAlive(r)
	}
}

func heapHeld() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Each statement that writes what connections are shown from is known as such.
func TestWhatChangesConnectionsIsKnown(t *testing.T) {
	for st, want := range map[*statement]bool{
		connectionAdded: true, connectionMoved: true, connectionAdvanced: true, signupAdded: true, signupMoved: true,
		eventAdded: true, accountAdded: true, accountUpdated: true, profileSaved: false, answerAdded: false, connectionSeen: false,
	} {
		if st.recalled() != want {
			t.Errorf("%s: %v", st.one, st.recalled())
		}
	}
}
