package dispatch

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mooring/internal/hook"
	"mooring/internal/store"
)

// byHand runs a test in a bubble with an engine that does not run: the test is
// the loop. It has one endpoint in hand.
func byHand(t *testing.T, test func(t *testing.T, w *world, ep *endpoint)) {
	dir := filepath.Join(t.TempDir(), "data")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, store.Config{DataDir: dir}, 1)
		defer w.close()
		w.asking = t.Context()
		sub := w.subscribe(partnerID, "receiver")
		k := key{sub.Account, sub.ID}
		l, err := w.load(k)
		if err != nil {
			t.Fatal(err)
		}
		shard := store.ShardOf(sub.ID)
		w.shards.held[shard] = store.Lease{}
		w.add(k, shard, &l)
		w.come()
		test(t, w, w.endpoints[k])
	})
}

// come takes in what others left for the loop, until there is nothing more.
func (w *world) come() {
	for {
		synctest.Wait()
		if !w.inbox.waits() {
			return
		}
		w.inbox.drain(w.land)
	}
}

func (in *inbox) waits() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.calls)+len(in.landed) > 0
}

// aloneIn runs f in the loop of an engine that runs.
func (w *world) aloneIn(f func()) { w.hand(context.Background(), f) }

func entryAt(position int64) *hook.Entry {
	return &hook.Entry{
		ID: newID(), Position: position, Account: merchantID(0), Owner: partnerID, Type: hook.ConnectionUpdate, Provider: "provider-0",
		At: now(), ToldAt: now(),
	}
}

func TestWhatComesToTheDiskBehindAReadIsReadAgain(t *testing.T) {
	byHand(t, func(t *testing.T, w *world, ep *endpoint) {
		l := ep.lane(hook.Lane(*entryAt(1)))
		row := store.Delivery{
			Account: ep.account, Subscription: ep.id, ID: newID(), Position: 1, Entry: newID(), Type: hook.ConnectionUpdate,
			Lane: l.name, State: store.DeliveryWaiting, CreatedAt: now(),
		}
		l.stored, ep.writing = 1, true
		batch := written{ep: ep, outcome: ep.outcome(now()).outcome, done: true}
		batch.outcome.Put = []store.Delivery{row}
		w.feedLane(ep, l)
		synctest.Wait() // it has read, and the loop has not looked yet
		if err := w.store.Record(t.Context(), nil, []store.Outcome{batch.outcome}); err != nil {
			t.Fatal(err)
		}
		w.recorded(&batch)
		w.come()
		if l.stored != 1 || len(l.rows) != 1 || l.rows[0].row.ID != row.ID {
			t.Errorf("%d wait, %d of them in hand", l.stored, len(l.rows))
		}
	})
}

func TestALaneIsReadOnWhenThereWasNothingToWrite(t *testing.T) {
	byHand(t, func(t *testing.T, w *world, ep *endpoint) {
		l := ep.lane("lane")
		l.stored = 1
		w.recorder.note(ep)
		w.feedLane(ep, l)
		w.come()
		if len(ep.hungry) != 1 {
			t.Fatalf("%d lanes wait for what is to be written", len(ep.hungry))
		}
		w.record(now())
		w.come()
		if len(ep.hungry) != 0 || l.stored != 0 {
			t.Errorf("%d lanes wait, for %d", len(ep.hungry), l.stored)
		}
	})
}

func TestWhatQueuesBehindAFailedOneIsOnDiskAtOnce(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		r.answer = func(call) (int, http.Header) { return http.StatusBadRequest, nil }
		sub := w.subscribe(partnerID, "receiver")
		w.settle()
		w.happen(1, 1, 1)
		w.settle()
		w.happen(3, 1, 1)
		w.settle()
		if n, calls := w.kept(sub), len(r.got()); n != 4 || calls != 1 {
			t.Errorf("%d deliveries are kept after %d calls", n, calls)
		}
	})
}

func TestOutcomesOfAMomentShareATransaction(t *testing.T) {
	byHand(t, func(t *testing.T, w *world, ep *endpoint) {
		held, err := w.store.TakeLeases(t.Context(), newID(), now(), now().Add(time.Hour), leaseName(ep.shard))
		if err != nil || len(held) != 1 {
			t.Fatal(held, err)
		}
		w.shards.held[ep.shard] = held[0]
		record := func(when string, want int64) {
			t.Helper()
			ep.unsaved = true
			w.recorder.note(ep)
			w.record(now())
			if ep.batch != want {
				t.Errorf("%s there are %d transactions, not %d", when, ep.batch, want)
			}
			w.come()
		}
		record("at first", 1)
		record("right after one", 1)
		w.unwritten = enough
		record("of many", 2)
		w.unwritten = 0
		record("right after that", 2)
		<-time.After(recordRest)
		w.come()
		record("a moment later", 3)
		record("right after that one", 3)
		w.stopping = true
		record("at the end", 4)
	})
}

func TestOnlySoMuchWaitsToBeWritten(t *testing.T) {
	byHand(t, func(t *testing.T, w *world, ep *endpoint) {
		ep.lane(hook.Lane(*entryAt(1))).stored = 1
		taken := int64(0)
		for ep.take(entryAt(taken+1)) && taken < 10*window {
			taken++
		}
		if taken != window {
			t.Errorf("%d entries wait to be written", taken)
		}
	})
}

// spoil gives an endpoint something that can't be written.
func (w *world) spoil(ep *endpoint) {
	twice := store.Attempt{Account: ep.account, Subscription: ep.id, ID: newID(), Delivery: newID(), Entry: newID()}
	ep.out.attempts = []store.Attempt{twice, twice}
	ep.unwritten += 2
	w.unwritten += 2
	w.recorder.note(ep)
}

func TestWhatCantBeWrittenOfOneIsNotHeldAgainstOthers(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.net.host("receiver")
		var eps []*endpoint
		for range 3 {
			w.subscribe(partnerID, "receiver")
		}
		w.settle()
		w.aloneIn(func() {
			for _, ep := range w.endpoints {
				eps = append(eps, ep)
			}
			l := eps[0].lane("lane")
			l.stored, l.loading, eps[0].hungry = 1, true, []*lane{l}
			eps[0].unsaved = true
			w.recorder.note(eps[0])
			w.spoil(eps[1])
			eps[2].unsaved = true
			w.retire(eps[2])
		})
		synctest.Wait()
		w.aloneIn(func() {
			if len(eps[0].hungry) > 0 {
				t.Error("a lane waits for what is on disk")
			}
			if w.endpoints[eps[2].key] != nil {
				t.Error("an endpoint that is at rest is still there")
			}
			if w.endpoints[eps[1].key] != nil || w.unwritten != 0 {
				t.Errorf("what can't be written is tried again at once, or counted: %d", w.unwritten)
			}
		})
		w.pass(2 * restAfter)
		w.aloneIn(func() {
			if ep := w.endpoints[eps[1].key]; ep == nil || slices.Contains(eps, ep) {
				t.Error("the one that could not be written of was not read again")
			}
		})
	})
}
