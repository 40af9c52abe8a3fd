package dispatch

import (
	"testing"
	"time"

	"mooring/internal/store"
)

func TestOneThatIsBehindIsNotMovedAheadByARequest(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		sub := w.subscribe(partnerID, "receiver")
		w.settle()
		r.set(func() { r.up = false })
		want := w.happen(30, 1, 1)
		w.pass(5 * time.Hour)
		end, err := w.store.FeedEnd(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.recover(sub, store.Recovery{All: true, After: end})
		w.settle()
		r.set(func() { r.up = true })
		w.pass(20 * time.Minute)
		checkTold(t, want, r.got())
	})
}
