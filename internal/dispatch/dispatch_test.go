package dispatch

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring/internal/hook"
	"mooring/internal/outbound"
	"mooring/internal/store"
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
	inWorld(t, 5, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		w.subscribe(partnerID, "receiver")
		w.settle()
		want := w.happen(40, 5, 3)
		w.settle()
		checkTold(t, want, r.got())
	})
}

func TestAReceiverThatWasDownGetsEverything(t *testing.T) {
	for _, down := range []time.Duration{time.Hour, 72 * time.Hour} {
		t.Run(down.String(), func(t *testing.T) {
			inWorld(t, 5, func(t *testing.T, w *world) {
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

func TestOneThatIsRefusedHoldsUpItsOwnLaneOnly(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		sub := w.subscribe(partnerID, "receiver")
		w.settle()
		var poison string
		r.set(func() {
			r.answer = func(c call) (int, http.Header) {
				if c.id == poison {
					return http.StatusInternalServerError, nil
				}
				return http.StatusOK, nil
			}
		})
		lanes := w.lanes(3, 2)
		poison = newID()
		want := w.happenWith(10, 3, 2, map[string]string{lanes[0] + "#3": poison})
		w.settle()
		for lane, ids := range w.happen(2, 3, 2) {
			want[lane] = append(want[lane], ids...)
		}
		w.settle()
		got := r.got()
		told := map[string]bool{}
		for _, id := range ids(got) {
			told[id] = true
		}
		for lane, ids := range want {
			for i, id := range ids {
				if held := lane == lanes[0] && i >= 3; told[id] == held {
					t.Errorf("lane %s, message %d: told %v", lane, i, told[id])
				}
			}
		}
		if n := w.kept(sub); n != 1+6+2 {
			t.Errorf("%d deliveries are kept", n)
		}
		r.set(func() { poison = "" })
		w.pass(6 * time.Minute)
		checkTold(t, want, r.got())
		if n := w.kept(sub); n != 0 {
			t.Errorf("%d deliveries are left", n)
		}
	})
}

func TestOneThatIsAlwaysRefusedDiesAndItsLaneGoesOn(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		sub := w.subscribe(partnerID, "receiver")
		w.settle()
		poison := newID()
		r.set(func() {
			r.answer = func(c call) (int, http.Header) {
				if c.id == poison {
					return http.StatusBadRequest, nil
				}
				return http.StatusOK, nil
			}
		})
		want := w.happenWith(5, 1, 2, map[string]string{w.lanes(1, 1)[0] + "#2": poison})
		for range 90 { // others are told all the time: the endpoint is well
			w.pass(time.Hour)
			for lane, ids := range w.happen(1, 1, 2) {
				want[lane] = append(want[lane], ids...)
			}
		}
		w.settle()
		want[w.lanes(1, 1)[0]] = slices.Delete(want[w.lanes(1, 1)[0]], 2, 3)
		checkTold(t, want, r.got())
		attempts, bodies := 0, map[string]bool{}
		for _, c := range r.got() {
			if c.id == poison {
				attempts++
				bodies[c.delivery+c.body] = true
			}
		}
		if attempts != hook.Attempts || len(bodies) != 1 {
			t.Errorf("%d attempts with %d contents", attempts, len(bodies))
		}
		if n := w.kept(sub); n != 0 {
			t.Errorf("%d deliveries wait", n)
		}
		r.set(func() { r.calls = nil })
		w.recover(sub, store.Recovery{}) // and is refused again
		w.pass(2 * time.Hour)
		if got := r.got(); len(got) < 2 {
			t.Errorf("what died is asked for again, and %d calls came", len(got))
		}
		r.set(func() { r.answer, r.calls = nil, nil })
		w.recover(sub, store.Recovery{})
		w.settle()
		if got := ids(r.got()); len(got) != 1 || got[0] != poison {
			t.Errorf("what fails after it was asked for is asked for at once, and %v came", got)
		}
	})
}

func TestAReceiverSaysHowLongToWait(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			inWorld(t, 3, func(t *testing.T, w *world) {
				r := w.net.host("receiver")
				w.subscribe(partnerID, "receiver")
				w.settle()
				busy := true
				r.set(func() {
					r.answer = func(call) (int, http.Header) {
						if busy {
							return status, http.Header{"Retry-After": {"600"}}
						}
						return http.StatusOK, nil
					}
				})
				began := time.Now()
				want := w.happen(5, 3, 1)
				w.settle()
				before := len(r.got())
				r.set(func() { busy = false })
				w.pass(9 * time.Minute)
				if n := len(r.got()); n != before || before > 3 {
					t.Errorf("%d calls came at once, and %d more before the time", before, n-before)
				}
				w.pass(time.Hour)
				checkTold(t, want, r.got())
				for _, c := range r.got()[before:] {
					if c.at.Sub(began) < 10*time.Minute {
						t.Errorf("a call came after %s", c.at.Sub(began))
					}
				}
			})
		})
	}
}

func TestAReceiverThatIsGoneIsSwitchedOffAndKeepsItsPlace(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		sub := w.subscribe(partnerID, "receiver")
		w.settle()
		r.set(func() { r.answer = func(call) (int, http.Header) { return http.StatusGone, nil } })
		want := w.happen(20, 2, 2)
		w.settle()
		calls := len(r.got())
		if calls > 4 {
			t.Errorf("%d calls came after the first that said so", calls)
		}
		w.pass(30 * time.Hour)
		if n := len(r.got()); n != calls {
			t.Errorf("%d more calls came", n-calls)
		}
		stored := w.read(sub)
		if stored.DisabledWhy != hook.WhyGone || stored.DisabledAt.IsZero() {
			t.Errorf("%+v", stored)
		}
		w.checkFeed(hook.EndpointDisabled, 1)
		r.set(func() { r.answer = nil })
		w.change(sub, func(s *hook.Subscription) { s.DisabledAt, s.DisabledWhy = time.Time{}, "" })
		w.pass(time.Minute)
		checkTold(t, want, r.got())
	})
}

func TestAReceiverIsSwitchedOffWhenNothingIsOnItsWayAndNobodyMeddled(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		sub := w.subscribe(partnerID, "receiver")
		w.settle()
		r.set(func() {
			r.answer = func(c call) (int, http.Header) {
				r.hang = strings.Contains(c.body, string(merchantID(0))) // and the other says that it is gone
				return http.StatusGone, nil
			}
		})
		want := w.happen(1, 2, 1)
		w.settle()
		if got := w.read(sub); len(r.got()) != 2 || got.DisabledWhy != "" {
			t.Errorf("after %d calls, of which one is on its way, it was switched off: %q", len(r.got()), got.DisabledWhy)
		}
		r.set(func() { r.answer, r.hang = nil, false })
		w.change(sub, func(*hook.Subscription) {})
		w.pass(time.Hour)
		checkTold(t, want, r.got())
		w.checkFeed(hook.EndpointDisabled, 0)
	})
}

func TestAReceiverThatStaysAwayIsWarnedOfAndSwitchedOff(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		sub := w.subscribe(partnerID, "receiver")
		w.settle()
		r.set(func() { r.up = false })
		want := w.happen(100, 1, 3)
		w.pass(80 * time.Hour)
		w.checkFeed(hook.EndpointFailing, 3)
		w.checkFeed(hook.EndpointDisabled, 1)
		if got := w.read(sub); got.DisabledWhy != hook.WhyFailing {
			t.Errorf("%+v", got)
		}
		if n := w.kept(sub); n > 3 {
			t.Errorf("%d deliveries are kept for one that is down: the log waits", n)
		}
		r.set(func() { r.up = true })
		w.change(sub, func(s *hook.Subscription) { s.DisabledAt, s.DisabledWhy = time.Time{}, "" })
		w.pass(time.Minute)
		checkTold(t, want, r.got())
	})
}

func TestAMovedMerchantsOldPartnerGetsNothingThatWaits(t *testing.T) {
	inWorld(t, 2, func(t *testing.T, w *world) {
		r, other := w.net.host("receiver"), w.net.host("other")
		w.subscribe(partnerID, "receiver")
		w.subscribe(otherID, "other")
		w.settle()
		r.set(func() { r.up = false })
		want := w.happen(100, 2, 1)
		w.settle()
		w.move(merchantID(0), otherID)
		w.settle()
		after := w.happen(3, 2, 1)
		r.set(func() { r.up = true })
		w.pass(time.Hour)
		kept := map[string][]string{}
		for _, lane := range []string{string(merchantID(1)) + "/provider-0"} {
			kept[lane] = append(want[lane], after[lane]...)
		}
		checkTold(t, kept, r.got())
		lane := string(merchantID(0)) + "/provider-0"
		checkTold(t, map[string][]string{lane: after[lane]}, other.got())
	})
}

func TestWhatWasErasedIsNotToldThoughItWasInHand(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		w.subscribe(partnerID, "receiver")
		w.settle()
		r.set(func() { r.up = false })
		w.happen(3, 1, 1)
		w.settle()
		w.erase(merchantID(0))
		r.set(func() { r.up = true })
		w.pass(time.Hour)
		told := 0
		for _, c := range r.got() {
			if c.status < 300 {
				told++
			}
			if c.status < 300 && strings.Contains(c.body, "connection_event") {
				t.Errorf("after the erasure it is told %s", c.body)
			}
		}
		if told < 3 {
			t.Errorf("%d messages came", told)
		}
	})
}

func TestBlackHolesDoNotHoldUpOthers(t *testing.T) {
	inWorld(t, 100, func(t *testing.T, w *world) {
		var healthy []*receiver
		for i := range 100 {
			host := fmt.Sprintf("receiver-%d", i)
			r := w.net.host(host)
			if i%10 == 0 {
				r.hang = true
			} else {
				healthy = append(healthy, r)
			}
			w.subscribe(merchantID(i), host)
		}
		w.settle()
		for range 6 {
			began := time.Now()
			w.happen(1, 100, 5)
			w.pass(time.Second)
			for _, r := range healthy {
				for _, c := range r.got() {
					if c.at.Sub(began) > 900*time.Millisecond {
						t.Fatalf("a healthy receiver was told after %s", c.at.Sub(began))
					}
				}
				if n := len(r.got()); n != 5 {
					t.Fatalf("a healthy receiver was told %d of 5", n)
				}
				r.set(func() { r.calls = nil })
			}
			w.pass(4 * time.Second)
		}
	})
}
