package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"mooring/internal/fault"
	"mooring/internal/hook"
)

var hooks = []hook.Kind{hook.KindHook}

// deliveryOf is one of a subscription, at a position of its lane.
func deliveryOf(sub Subscription, position int64, lane, state string) Delivery {
	return Delivery{
		Account: sub.Account, Subscription: sub.ID, ID: newID(), Position: position, Entry: newID(), Type: hook.ConnectionUpdate,
		Lane: lane, State: state, Attempts: 2, FirstAt: noon, DueAt: noon.Add(time.Minute), LastError: "500", CreatedAt: noon,
	}
}

// attemptAt is one of a delivery, made at a time.
func attemptAt(d Delivery, at time.Time) Attempt {
	id := uuid.MustParse(firstIDOf(at))
	random := uuid.New()
	copy(id[8:], random[8:])
	return Attempt{
		Account: d.Account, Subscription: d.Subscription, ID: id.String(), Delivery: d.ID, Position: d.Position, Entry: d.Entry,
		Type: d.Type, Target: "https://example.com/hook", Number: 1, At: at, Took: time.Second, Status: 500, Answer: []byte(`{"body":"x"}`),
	}
}

func recordedAll(t *testing.T, s *Store, o Outcome) {
	t.Helper()
	o.At = noon
	must(t, s.Record(t.Context(), nil, []Outcome{o}))
}

func standing(t *testing.T, s *Store, sub Subscription) Standing {
	t.Helper()
	got, err := s.Standing(t.Context(), sub.Account, sub.ID)
	must(t, err)
	return got
}

// resent asks for a delivery again.
func resent(t *testing.T, s *Store, sub Subscription, id string, at time.Time) error {
	t.Helper()
	_, err := s.Resend(t.Context(), Deed{Caller: merchant, About: merchantID}, sub.ID, hooks, id, at,
		func(Delivery) (Answer, error) { return Answer{}, nil })
	return err
}

// again are the ids of what was asked for again, but for pings.
func again(t *testing.T, s *Store, sub Subscription) (ids []string) {
	t.Helper()
	all, err := s.DeliveriesAgain(t.Context(), sub.Account, sub.ID, 100)
	must(t, err)
	for _, d := range all {
		if d.Position != 0 {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

func testRecord(t *testing.T, d door) {
	s := signed(t, d)
	sub := subscribed(t, s, hook.KindHook)
	failed, waiting := deliveryOf(sub, 3, "a", DeliveryFailed), deliveryOf(sub, 5, "a", DeliveryWaiting)
	later, other := deliveryOf(sub, 6, "a", DeliveryWaiting), deliveryOf(sub, 4, "b", DeliveryWaiting)
	progress := Progress{
		Account: sub.Account, Subscription: sub.ID, Position: 7, Ahead: []int64{9, 11}, FailingSince: noon, Failures: 3,
		ProbeAt: noon.Add(time.Minute), Warned: 50, SucceededAt: noon.Add(-time.Hour),
	}
	recordedAll(t, s, Outcome{
		Account: sub.Account, Subscription: sub.ID, Progress: &progress, Put: []Delivery{failed, later, waiting, other},
		Attempts: []Attempt{attemptAt(failed, noon)},
	})
	want := Standing{Progress: progress, Failed: []Delivery{failed}, Waiting: map[string]int64{"a": 2, "b": 1}}
	if diff := cmp.Diff(want, standing(t, s, sub)); diff != "" {
		t.Error(diff)
	}
	got, err := s.DeliveriesWaiting(t.Context(), sub.Account, sub.ID, "a", 0, 10)
	if diff := cmp.Diff([]Delivery{waiting, later}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	got, err = s.DeliveriesWaiting(t.Context(), sub.Account, sub.ID, "a", 5, 10)
	if diff := cmp.Diff([]Delivery{later}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	recordedAll(t, s, Outcome{Account: sub.Account, Subscription: sub.ID, Gone: []string{failed.ID, waiting.ID}})
	if left := standing(t, s, sub); len(left.Failed) != 0 || left.Waiting["a"] != 1 {
		t.Errorf("after two were told: %+v", left)
	}
	if _, err := s.Standing(t.Context(), sub.Account, newID()); err != nil {
		t.Errorf("one that never was: %v", err)
	}

	take(t, s, "node", noon, "shard")
	lost := Lease{Name: "shard", Holder: "node", Fence: 7}
	err = s.Record(t.Context(), []Lease{lost}, []Outcome{{Account: sub.Account, Subscription: sub.ID, Gone: []string{later.ID}}})
	wantKind(t, err, fault.Conflict)
	if left := standing(t, s, sub); left.Waiting["a"] != 1 {
		t.Errorf("under a lost lease it was written: %+v", left)
	}
}

func testAskedWhileTold(t *testing.T, d door) {
	s := signed(t, d)
	sub := subscribed(t, s, hook.KindHook)
	told, failing, dying := deliveryOf(sub, 1, "a", DeliveryFailed), deliveryOf(sub, 2, "b", DeliveryFailed), deliveryOf(sub, 3, "c", DeliveryFailed)
	quiet := deliveryOf(sub, 4, "d", DeliveryFailed)
	all := []Delivery{told, failing, dying, quiet}
	recordedAll(t, s, Outcome{Account: sub.Account, Subscription: sub.ID, Put: all})
	read := map[string]time.Time{}
	for _, one := range all {
		read[one.ID] = one.DueAt
	}
	at := noon.Add(time.Second)
	for _, one := range all[:3] {
		must(t, resent(t, s, sub, one.ID, at))
	}
	touched := 0
	s.OnSubscriptionTouched(func() { touched++ })
	failing.DueAt, failing.Attempts = noon.Add(time.Hour), 3
	dying.State, dying.DueAt = DeliveryDead, noon
	outcome := Outcome{
		Account: sub.Account, Subscription: sub.ID, Gone: []string{told.ID, quiet.ID}, Put: []Delivery{failing, dying}, Read: read,
	}
	recordedAll(t, s, outcome)
	if got := again(t, s, sub); len(got) != 2 {
		t.Errorf("%v are sent again, want %s and %s", got, told.ID, dying.ID)
	}
	if got := standing(t, s, sub).Failed; len(got) != 1 || !got[0].DueAt.Equal(at) || got[0].Attempts != 3 {
		t.Errorf("what failed and was asked for: %+v", got)
	}
	if touched != 1 {
		t.Errorf("whoever tells it was told so %d times", touched)
	}
	outcome.Read, outcome.Put = map[string]time.Time{told.ID: at}, nil
	recordedAll(t, s, outcome)
	if got := again(t, s, sub); len(got) != 1 || got[0] != dying.ID {
		t.Errorf("%v are left, want %s", got, dying.ID)
	}
	must(t, resent(t, s, sub, dying.ID, at)) // in the moment in which it is due
	recordedAll(t, s, Outcome{Account: sub.Account, Subscription: sub.ID, Gone: []string{dying.ID}, Read: map[string]time.Time{dying.ID: at}})
	if got := again(t, s, sub); len(got) != 1 {
		t.Errorf("what was asked for twice in a moment is lost: %v", got)
	}
}

func testDeletedKeepsNothing(t *testing.T, d door) {
	s := signed(t, d)
	sub := subscribed(t, s, hook.KindHook)
	_, err := s.ChangeSubscription(t.Context(), Deed{Caller: merchant, About: merchantID}, sub.ID, hooks, noon, "",
		func(sub *Subscription) (Answer, error) {
			sub.DeletedAt, sub.DeletedBy = noon, merchant.Client
			return Answer{}, nil
		})
	must(t, err)
	failed := deliveryOf(sub, 1, "a", DeliveryFailed)
	recordedAll(t, s, Outcome{
		Account: sub.Account, Subscription: sub.ID, Put: []Delivery{failed}, Attempts: []Attempt{attemptAt(failed, noon)},
	})
	attempts, err := s.Attempts(t.Context(), sub.Subscription, AttemptQuery{Limit: 10})
	if left := standing(t, s, sub); err != nil || len(left.Failed) != 0 || len(attempts) != 0 {
		t.Errorf("of a deleted subscription are kept %+v and %+v, %v", left.Failed, attempts, err)
	}
}

func testSweepDeliveries(t *testing.T, d door) {
	s := signed(t, d)
	var subs []Subscription
	old, young := noon.Add(-31*24*time.Hour), noon.Add(-29*24*time.Hour)
	for range 3 {
		sub := subscribed(t, s, hook.KindHook)
		subs = append(subs, sub)
		o := Outcome{Account: sub.Account, Subscription: sub.ID}
		for i, state := range []string{DeliveryDead, DeliveryFailed, DeliveryWaiting, DeliveryAgain} {
			for j, at := range []time.Time{old, young} {
				one := deliveryOf(sub, int64(10*i+j+1), "a", state)
				one.DueAt = at
				o.Put, o.Attempts = append(o.Put, one), append(o.Attempts, attemptAt(one, at))
			}
		}
		recordedAll(t, s, o)
	}
	must(t, s.SweepDeliveries(t.Context(), noon.Add(-30*24*time.Hour)))
	for _, sub := range subs {
		attempts, err := s.Attempts(t.Context(), sub.Subscription, AttemptQuery{Limit: 100})
		must(t, err)
		dead, err := s.DeliveriesIn(t.Context(), sub.Subscription, DeliveryDead, 0, "", 100)
		must(t, err)
		left := standing(t, s, sub)
		if len(attempts) != 4 || len(dead) != 1 || !dead[0].DueAt.Equal(young) {
			t.Errorf("%d attempts and %+v are left, want 4 and the young one", len(attempts), dead)
		}
		if len(left.Failed) != 2 || left.Waiting["a"] != 2 || len(again(t, s, sub)) != 2 {
			t.Errorf("what is still to be told was swept: %+v", left)
		}
	}
}
