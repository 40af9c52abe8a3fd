package dispatch

import (
	"flag"
	"testing"
	"time"
)

// soak is how many deliveries TestManyDeliveriesWithAReceiverThatWasDown makes;
// `make soak-hooks` makes a million.
var soak = flag.Int("soak", 5_000, "deliveries of the soak test")

// TestManyDeliveriesWithAReceiverThatWasDown has things happen for a day while
// the receiver is away, and more when it is back: all are told, in order, each
// once.
func TestManyDeliveriesWithAReceiverThatWasDown(t *testing.T) {
	const merchants, providers = 50, 4
	inWorld(t, merchants, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		sub := w.subscribe(partnerID, "receiver")
		w.settle()
		r.set(func() { r.up = false })
		want := map[string][]string{}
		rounds := *soak / merchants / providers
		for i := range 25 {
			for lane, ids := range w.happen(rounds/25, merchants, providers) {
				want[lane] = append(want[lane], ids...)
			}
			if i < 24 {
				w.pass(time.Hour)
			}
			if n := w.kept(sub); n > 5 {
				t.Fatalf("%d deliveries are kept for one that is down", n)
			}
		}
		r.set(func() { r.up = true })
		w.pass(time.Hour)
		checkTold(t, want, r.got())
	})
}
