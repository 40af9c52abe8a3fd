package dispatch

import (
	"context"
	"testing"
	"time"

	"mooring/internal/hook"
	"mooring/internal/store"
)

func TestAChangeThatCameLateIsFoundAllTheSame(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		r := w.net.host("receiver")
		sub := w.subscribe(partnerID, "receiver")
		w.pass(30 * time.Minute)
		_, err := w.store.ChangeSubscription(context.Background(), w.deed(sub.Account), sub.ID, []hook.Kind{hook.KindHook},
			now().Add(-10*time.Minute), "", func(s *store.Subscription) (store.Answer, error) {
				s.Active = false
				return store.Answer{Body: []byte("{}")}, nil
			})
		if err != nil {
			t.Fatal(err)
		}
		w.pass(3 * time.Minute)
		w.happen(1, 1, 1)
		w.settle()
		if n := len(r.got()); n != 0 {
			t.Errorf("%d calls came to one that was switched off", n)
		}
	})
}

func TestTwoThatFailedInOneLaneAreBothTold(t *testing.T) {
	byHand(t, func(t *testing.T, w *world, ep *endpoint) {
		rows := []store.Delivery{{ID: newID(), Position: 1, Lane: "lane"}, {ID: newID(), Position: 2, Lane: "lane"}}
		l := loaded{sub: *ep.sub, standing: store.Standing{Failed: rows}}
		w.add(ep.key, ep.shard, &l)
		again := w.endpoints[ep.key]
		var got []string
		for work := again.choose(time.Time{}); work != nil; work = again.choose(time.Time{}) {
			got = append(got, work.row.ID)
		}
		w.come()
		if len(got) != 2 || got[0] == got[1] {
			t.Errorf("%v are sent of %v", got, rows)
		}
	})
}
