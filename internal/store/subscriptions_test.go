package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/hook"
)

// subscribed makes a subscription of the merchant.
func subscribed(t *testing.T, s *Store, kind hook.Kind, secrets ...SubscriptionSecret) Subscription {
	t.Helper()
	sub := Subscription{
		Subscription: hook.Subscription{
			Account: merchantID, ID: newID(), Kind: kind, Target: "https://example.com/hook", Events: []string{hook.ConnectionUpdate},
			Active: true, Settings: hook.Settings{Fields: "account(account_id)", ExcludeFields: []string{"connection"}},
			CreatedAt: noon, CreatedBy: merchant.Client,
		},
		Secrets: secrets,
	}
	for i := range sub.Secrets {
		one := &sub.Secrets[i]
		one.Account, one.Subscription, one.CreatedAt, one.CreatedBy = sub.Account, sub.ID, noon, sub.CreatedBy
	}
	_, err := s.AddSubscription(t.Context(), Deed{Caller: merchant, About: merchantID}, sub, newID(), noAnswer)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// end is where the log ends, which is where a subscription begins.
func end(t *testing.T, s *Store) int64 {
	t.Helper()
	at, err := s.FeedEnd(t.Context())
	must(t, err)
	return at
}

func noAnswer(Subscription) (Answer, error) { return Answer{}, nil }

func aSecret(kind string) SubscriptionSecret {
	return SubscriptionSecret{ID: newID(), Kind: kind, Key: newID(), Sealed: []byte("sealed")}
}

func testSubscriptionRoundTrip(t *testing.T, d door) {
	s := signed(t, d)
	want := subscribed(t, s, hook.KindHook, aSecret(SecretStandard), aSecret(SecretSignature))
	subscribed(t, s, hook.KindSlack)
	got, err := s.Subscriptions(t.Context(), merchant, merchantID, []hook.Kind{hook.KindHook})
	if err != nil {
		t.Fatal(err)
	}
	// On PostgreSQL what happened before may get its position after it.
	began := got[0].Progress.Position
	if last := end(t, s); began > last || s.engine.alone() && began != last {
		t.Errorf("it begins at %d, and the log ends at %d", began, last)
	}
	want.Progress = Progress{Account: merchantID, Subscription: want.ID, Position: began, Ahead: []int64{}}
	if diff := cmp.Diff([]Subscription{want}, got); diff != "" {
		t.Error(diff)
	}
	one, err := s.SubscriptionOf(t.Context(), merchant, merchantID, want.ID, []hook.Kind{hook.KindHook})
	if err != nil || one.ID != want.ID {
		t.Errorf("%+v, %v", one, err)
	}
	if _, err := s.SubscriptionOf(t.Context(), merchant, merchantID, want.ID, []hook.Kind{hook.KindEmail, hook.KindSlack}); fault.From(err).Kind != fault.NotFound {
		t.Errorf("a hook is no notice: %v", err)
	}
	all, err := s.SubscriptionsOfShard(t.Context(), ShardOf(want.ID))
	if err != nil || len(all) == 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func testSubscriptionChanges(t *testing.T, d door) {
	s := signed(t, d)
	sub := subscribed(t, s, hook.KindHook, aSecret(SecretStandard))
	deed := Deed{Caller: merchant, About: merchantID}
	kinds := []hook.Kind{hook.KindHook}
	touched := 0
	s.OnSubscriptionTouched(func() { touched++ })
	second := aSecret(SecretStandard)
	second.CreatedAt = noon.Add(time.Second)
	for range 2 { // in the same moment
		if _, err := s.ChangeSubscription(t.Context(), deed, sub.ID, kinds, noon, newID(), func(sub *Subscription) (Answer, error) {
			sub.Target, sub.UpdatedAt = "https://example.com/other", noon
			sub.Secrets = append(sub.Secrets[:1], second)
			sub.Secrets[0].ExpiresAt = noon.Add(time.Hour)
			return Answer{}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if touched != 2 {
		t.Errorf("whoever waits was told %d times", touched)
	}
	got, err := s.SubscriptionOf(t.Context(), merchant, merchantID, sub.ID, []hook.Kind{hook.KindHook})
	if err != nil || got.Target != "https://example.com/other" || len(got.Secrets) != 2 || !got.Secrets[0].ExpiresAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v, %v", got, err)
	}
	changed, err := s.SubscriptionsWritten(t.Context(), noon.Add(2*time.Microsecond))
	if err != nil || len(changed) != 1 {
		t.Errorf("a change in the moment of another is not seen: %+v, %v", changed, err)
	}
	if _, err := s.ChangeSubscription(t.Context(), deed, sub.ID, kinds, noon, "", func(sub *Subscription) (Answer, error) {
		sub.DeletedAt, sub.DeletedBy, sub.Secrets = noon, merchant.Client, nil
		return Answer{}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeSubscription(t.Context(), deed, sub.ID, kinds, noon, "", func(*Subscription) (Answer, error) {
		return Answer{}, nil
	}); fault.From(err).Kind != fault.NotFound {
		t.Errorf("what was deleted is changed: %v", err)
	}
	left, err := s.SubscriptionSecrets(t.Context(), merchantID, sub.ID)
	if err != nil || len(left) != 0 {
		t.Errorf("%+v, %v", left, err)
	}
	gone, err := s.SubscriptionByID(t.Context(), merchantID, sub.ID)
	if err != nil || gone.DeletedBy != merchant.Client {
		t.Errorf("%+v, %v", gone, err)
	}
}

func testSubscriptionLimit(t *testing.T, d door) {
	s := signed(t, d)
	for range MaxSubscriptions {
		subscribed(t, s, hook.KindHook)
	}
	subscribed(t, s, hook.KindSlack) // notices are counted apart
	sub := Subscription{Subscription: hook.Subscription{ID: newID(), Kind: hook.KindHook, CreatedAt: noon}}
	_, err := s.AddSubscription(t.Context(), Deed{Caller: merchant, About: merchantID}, sub, "", noAnswer)
	if fault.From(err).Code != fault.CodeLimitReached {
		t.Error(err)
	}
	for _, by := range []auth.Caller{second, other} {
		_, err := s.AddSubscription(t.Context(), Deed{Caller: by, About: account.ID(merchantID)}, sub, "", noAnswer)
		if fault.From(err).Kind != fault.NotFound {
			t.Errorf("%s: %v", by.Account, err)
		}
	}
}
