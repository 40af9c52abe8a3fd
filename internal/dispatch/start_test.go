package dispatch

import (
	"context"
	"testing"
	"time"

	"mooring/internal/account"
)

// A message whose accounts are known goes while others are looked up; one about
// an account that there is none of does not go.
func TestWhatIsKnownWaitsForNoLookup(t *testing.T) {
	byHand(t, func(t *testing.T, w *world, ep *endpoint) {
		var cut context.CancelFunc
		w.sending, cut = context.WithCancel(t.Context())
		defer cut()
		r := w.net.host("receiver")
		epoch, err := w.store.RecentEpoch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		known, err := w.store.AccountsNow(t.Context(), []account.ID{partnerID, merchantID(0)})
		if err != nil {
			t.Fatal(err)
		}
		w.checked, w.looking = accounts{epoch: epoch, known: known}, true
		w.shards.until = now().Add(time.Hour)
		for i, about := range []account.ID{"P11299999", merchantID(0)} {
			e := entryAt(int64(i + 1))
			e.Account = about
			ep.take(e)
		}
		w.fill(now())
		w.launch()
		w.come()
		if n := len(r.got()); n != 1 || len(w.toStart) != 1 {
			t.Errorf("while one is looked up %d came, and %d wait", n, len(w.toStart))
		}
		w.looking = false
		w.launch()
		w.come()
		if n := len(r.got()); n != 1 || len(w.toStart) != 0 || ep.flying != 0 || len(ep.works) != 0 {
			t.Errorf("of an account that there is not, %d came, %d wait, %d are under way and %d in hand", n-1, len(w.toStart), ep.flying, len(ep.works))
		}
	})
}

// What is read ahead has its accounts looked up together, before it is picked.
func TestAccountsAreLookedUpAhead(t *testing.T) {
	byHand(t, func(t *testing.T, w *world, ep *endpoint) {
		ep.take(entryAt(1))
		w.launch()
		w.come()
		if _, ok := w.checked.known[merchantID(0)]; !ok || len(w.wanted) > 0 || w.looking {
			t.Errorf("known are %v, and %v are wanted", w.checked.known, w.wanted)
		}
	})
}
