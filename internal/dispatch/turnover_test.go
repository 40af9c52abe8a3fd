package dispatch

import (
	"testing"
	"time"

	"mooring/internal/hook"
	"mooring/internal/store"
	"mooring/internal/store/storetest"
)

func TestASubscriptionThatEndsOrChangesIsNoticedAtOnce(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		r, other := w.net.host("receiver"), w.net.host("other")
		sub := w.subscribe(partnerID, "receiver")
		w.settle()
		first := w.happen(2, 1, 1)
		w.settle()
		w.change(sub, func(s *hook.Subscription) { s.Target = "http://other/hook" })
		w.settle()
		second := w.happen(2, 1, 1)
		w.settle()
		w.change(sub, func(s *hook.Subscription) { s.Active = false })
		w.settle()
		third := w.happen(2, 1, 1)
		w.pass(time.Hour)
		checkTold(t, first, r.got())
		checkTold(t, second, other.got())
		w.change(sub, func(s *hook.Subscription) { s.Active = true })
		w.settle()
		lane := w.lanes(1, 1)[0]
		second[lane] = append(second[lane], third[lane]...)
		checkTold(t, second, other.got())
		w.change(sub, func(s *hook.Subscription) { s.DeletedAt = now() })
		w.settle()
		w.happen(2, 1, 1)
		w.pass(time.Hour)
		checkTold(t, second, other.got())
	})
}

func TestAStopFinishesWhatIsOnTheWireAndTheNextGoesOn(t *testing.T) {
	inWorld(t, 4, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		w.subscribe(partnerID, "receiver")
		w.settle()
		want := map[string][]string{}
		for range 20 {
			for lane, ids := range w.happen(5, 4, 3) {
				want[lane] = append(want[lane], ids...)
			}
			w.stop()
			w.Dispatcher = w.engine()
			w.run()
		}
		w.settle()
		checkTold(t, want, r.got())
	})
}

func TestEverythingIsToldAgainFromAPointOn(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		sub := w.subscribe(partnerID, "receiver")
		w.settle()
		want := w.happen(50, 2, 1)
		w.settle()
		first := r.got()
		w.recover(sub, store.Recovery{All: true})
		w.settle()
		again := r.got()[len(first):]
		checkTold(t, want, again)
		bodies := map[string]string{}
		for _, c := range first {
			bodies[c.id] = c.delivery + c.body
		}
		for _, c := range again {
			if bodies[c.id] != c.delivery+c.body {
				t.Errorf("%s was sent again as another message", c.id)
			}
		}
	})
}

// A lease that a node got without hearing of it is nobody else's, and is not
// waited for until it ends.
func TestANodeTakesTheLeasesThatItNeverHeardItGot(t *testing.T) {
	proxy := storetest.StrictBefore(t, storetest.Postgres(t), storetest.Faults{})
	w := newWorld(t, store.Config{Database: proxy.URL}, 0)
	defer w.close()
	w.rhythm = shared
	ctx := t.Context()
	for seed := range uint64(4) { // of some the leases are taken, of some not
		k := &keeper{d: w.Dispatcher, holder: newID()}
		unheard := func(do func() error) {
			t.Helper()
			proxy.Set(storetest.Faults{Seed: seed, Unknown: 1})
			err := do()
			proxy.Set(storetest.Faults{})
			if err == nil {
				t.Error("what nobody heard of was heard of")
			}
			if err := do(); err != nil {
				t.Error(err)
			}
		}
		unheard(func() error { return k.join(ctx, now()) })
		unheard(func() error { return k.take(ctx, now(), store.Shards) })
		if len(k.node) != 1 || len(k.shards) != store.Shards {
			t.Errorf("it is %d nodes and has %d of %d shards", len(k.node), len(k.shards), store.Shards)
		}
		if share, err := k.share(ctx, now()); err != nil || share != store.Shards {
			t.Errorf("its share is %d: %v", share, err)
		}
		if err := w.store.LetGo(ctx, append(k.node, k.shards...)...); err != nil {
			t.Error(err)
		}
	}
}

// TestTwoNodesShareTheWork tells a hundred subscriptions from two engines over
// one database, of which one ends in the middle.
func TestTwoNodesShareTheWork(t *testing.T) {
	w := newWorld(t, store.Config{Database: storetest.Postgres(t)}, 10)
	defer w.close()
	quick := rhythm{look: 50 * time.Millisecond, renew: 100 * time.Millisecond, lease: 2 * time.Second}
	w.rhythm = quick
	w.run()
	r := w.net.host("receiver")
	for i := range 20 {
		w.subscribe(merchantID(i%10), "receiver")
	}
	second := &world{t: t, store: w.store, net: w.net}
	second.Dispatcher = second.engine()
	second.rhythm = quick
	second.run()
	want := map[string][]string{}
	for i := range 6 {
		for lane, ids := range w.happen(5, 10, 1) {
			want[lane] = append(want[lane], ids...)
		}
		r.await(t, (i+1)*5*20)
		if i == 3 {
			second.stop()
		}
	}
	counts := map[string]int{}
	for _, c := range r.got() {
		counts[c.delivery]++
	}
	for id, n := range counts {
		if n != 1 {
			t.Errorf("delivery %s was made %d times", id, n)
		}
	}
	if len(counts) != 6*5*20 {
		t.Errorf("%d deliveries were made", len(counts))
	}
}
