package dispatch

import (
	"errors"
	"testing"
	"time"

	"mooring/internal/outbound"
)

func asError(err error) (outbound.Kind, bool) {
	if e, ok := errors.AsType[*outbound.Error](err); ok {
		return e.Kind, true
	}
	return "", false
}

// ids are those of calls that were taken, in the order in which they came.
func ids(calls []call) []string {
	var all []string
	for _, c := range calls {
		if c.status < 300 {
			all = append(all, c.id)
		}
	}
	return all
}

// checkTold fails unless each event of each lane was told exactly once, in its
// order.
func checkTold(t testing.TB, want map[string][]string, calls []call) {
	t.Helper()
	lanes := map[string]string{}
	total := 0
	for lane, ids := range want {
		total += len(ids)
		for _, id := range ids {
			lanes[id] = lane
		}
	}
	seen := map[string]int{}
	for _, id := range ids(calls) {
		lane := lanes[id]
		i := seen[lane]
		if i >= len(want[lane]) || want[lane][i] != id {
			t.Fatalf("lane %s: message %d is not the one that is due", lane, i)
		}
		seen[lane]++
		total--
	}
	if total != 0 {
		t.Fatalf("%d events were not told", total)
	}
}

func TestWhatHappensIsToldOnceAndInOrder(t *testing.T) {
	inWorld(t, 5, func(w *world) {
		r := w.net.host("receiver")
		w.subscribe(partnerID, "receiver")
		w.settle()
		want := w.happen(40, 5, 3)
		w.settle()
		checkTold(t, want, r.got())
	})
}

func TestAReceiverThatWasDownGetsEverything(t *testing.T) {
	for _, down := range []time.Duration{time.Hour, 24 * time.Hour, 72 * time.Hour} {
		t.Run(down.String(), func(t *testing.T) {
			inWorld(t, 5, func(w *world) {
				r := w.net.host("receiver")
				w.subscribe(partnerID, "receiver")
				w.settle()
				r.set(func() { r.up = false })
				want := w.happen(40, 5, 2)
				w.pass(down)
				r.set(func() { r.up = true })
				w.pass(20 * time.Minute)
				checkTold(t, want, r.got())
			})
		})
	}
}
