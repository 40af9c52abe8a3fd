package hook_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/hook"
	"mooring/internal/hook/hooktest"
)

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func subscription() hook.Subscription { return hooktest.Subscription() }

func entry(kind, body string) hook.Entry { return hooktest.Entry(kind, body, noon) }

func TestABodyIsWhatEveryBodyHasAndWhatTheEntryBrings(t *testing.T) {
	body, err := hook.Message(subscription(), entry(hook.ConnectionUpdate, `{"connection":{"status":"enabled"},"connection_event":{"seq":2}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"account_id":"T11200001","event":"account_connection_update","event_delivery":"` +
		hook.DeliveryID(subscription().ID, "01990f29-0c11-7b3a-9d20-000000000007") +
		`","connection":{"status":"enabled"},"connection_event":{"seq":2}}`
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

func TestABodyOfAnEntryWithoutMembersIsStillAnObject(t *testing.T) {
	body, err := hook.Message(subscription(), entry(hook.AccountUpdate, `{}`))
	if err != nil || !json.Valid(body) {
		t.Errorf("%s, %v", body, err)
	}
}

func TestAPingIsTheSubscription(t *testing.T) {
	s := subscription()
	s.Settings.Fields = "account"
	ping := entry(hook.Ping, `{"id":"01990f29-0c11-7b3a-9d20-6f1f0f6f7b01"}`)
	if body, err := hook.Message(s, ping); err != nil || !bytes.Equal(body, ping.Body) {
		t.Errorf("%s, %v", body, err)
	}
}

func TestOfAnErasedAccountOnlyThatThereWasSomethingIsTold(t *testing.T) {
	e := entry(hook.AccountUpdate, "")
	e.Body = nil
	s := subscription()
	s.Settings.Fields = "account"
	body, err := hook.Message(s, e)
	want := `{"account_id":"T11200001","event":"account_update","event_delivery":"` + hook.DeliveryID(s.ID, e.ID) + `"}`
	if err != nil || string(body) != want {
		t.Errorf("%s, %v", body, err)
	}
}

func TestAMerchantIsNotToldWhatIsBetweenItsOwnerAndThePlatform(t *testing.T) {
	e := entry(hook.AccountUpdate, `{"account":{"account_id":"T11200001","reseller_id":"R-17","services":{"checkout":{}}}}`)
	s := subscription()
	s.Settings.Fields = "account(account_id,reseller_id,services)"
	owners, err := hook.Message(s, e)
	if err != nil || !strings.Contains(string(owners), "R-17") {
		t.Errorf("its owner is told %s, %v", owners, err)
	}
	s.Account = e.Account
	own, err := hook.Message(s, e)
	if err != nil || strings.Contains(string(own), "R-17") || strings.Contains(string(own), "services") {
		t.Errorf("it is told %s, %v", own, err)
	}
}

func TestADeliveryHasOneIDForEver(t *testing.T) {
	const subscription, entry = "01990f29-0c11-7b3a-9d20-6f1f0f6f7b01", "01990f29-0c11-7b3a-9d20-000000000007"
	id := hook.DeliveryID(subscription, entry)
	if want := "611ea289-de8d-815e-8462-1b943bd9f66e"; id != want {
		t.Errorf("%s: whoever sent it before sent %s", id, want)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("%s is no UUID", id)
	}
	if hook.DeliveryID(entry, subscription) == id || hook.DeliveryID(subscription, subscription) == id {
		t.Error("others have it too")
	}
}

func TestALaneIsAConnectionOrAnAccount(t *testing.T) {
	e := entry(hook.ConnectionUpdate, "{}")
	if hook.Lane(e) != "T11200001" {
		t.Error(hook.Lane(e))
	}
	e.Provider = "vipps"
	if hook.Lane(e) != "T11200001/vipps" {
		t.Error(hook.Lane(e))
	}
}

func TestWhoIsToldOfWhat(t *testing.T) {
	e := entry(hook.AccountUpdate, "{}")
	for _, c := range []struct {
		subscriber account.ID
		events     []string
		want       bool
	}{
		{"T11200001", []string{hook.AccountUpdate}, true},
		{"T11200001", []string{hook.ConnectionUpdate}, false},
		{"T11200001", nil, false},
		{"T11200002", []string{hook.AccountUpdate}, false},
		{"T11200000", []string{hook.AccountAdd, hook.AccountUpdate}, true},
		{"T11300000", []string{hook.AccountUpdate}, false},
		{"T00000000", []string{hook.AccountUpdate}, true},
		{"P00000000", []string{hook.AccountUpdate}, false},
		{"P11200000", []string{hook.AccountUpdate}, false},
	} {
		s := subscription()
		s.Account, s.Events = c.subscriber, c.events
		if s.Wants(e) != c.want {
			t.Errorf("%s %s: %v", c.subscriber, c.events, !c.want)
		}
	}
}

func TestAnAccountIsNotToldThatItWasMade(t *testing.T) {
	s := subscription()
	s.Account, s.Events = "T11200001", hook.Types
	if s.Wants(entry(hook.AccountAdd, "{}")) {
		t.Error("it is")
	}
	if s.Account = "T11200000"; !s.Wants(entry(hook.AccountAdd, "{}")) {
		t.Error("its partner is not")
	}
}

func TestWhoMayBeToldIsDecidedWhenItIsTold(t *testing.T) {
	const merchant, partner, other, platform = "T11200001", "T11200000", "T11300000", "T00000000"
	now := account.Account{ID: merchant, Kind: account.KindMerchant, Owner: partner}
	moved := now
	moved.Owner, moved.OwnedSince = other, noon.Add(time.Hour)
	back := now
	back.OwnedSince = noon.Add(2 * time.Hour)
	deleted := now
	deleted.DeletedAt = noon
	for name, c := range map[string]struct {
		subscriber account.ID
		acc        account.Account
		change     func(*hook.Subscription, *hook.Entry)
		want       bool
	}{
		"a merchant of itself":                      {subscriber: merchant, acc: now, want: true},
		"a merchant that moved":                     {subscriber: merchant, acc: moved, want: true},
		"a merchant that is deleted":                {subscriber: merchant, acc: deleted, want: false},
		"its partner":                               {subscriber: partner, acc: now, want: true},
		"its partner, that it was deleted":          {subscriber: partner, acc: deleted, want: true},
		"its platform":                              {subscriber: platform, acc: moved, want: true},
		"the platform of the other world":           {subscriber: "P00000000", acc: now, want: false},
		"the partner that lost it":                  {subscriber: partner, acc: moved, want: false},
		"the partner that got it, of what was":      {subscriber: other, acc: moved, want: false},
		"the partner that got it back, of the past": {subscriber: partner, acc: back, want: false},
		"the partner that got it, of what is": {
			subscriber: other, acc: moved, want: true,
			change: func(_ *hook.Subscription, e *hook.Entry) { e.Owner, e.ToldAt = other, noon.Add(time.Hour) },
		},
		"what its partner set up for it": {
			subscriber: merchant, acc: now, want: true,
			change: func(s *hook.Subscription, _ *hook.Entry) { s.Settings.Through = partner },
		},
		"what the partner that lost it set up for it": {
			subscriber: merchant, acc: moved, want: false,
			change: func(s *hook.Subscription, _ *hook.Entry) { s.Settings.Through = partner },
		},
		"who was switched off": {
			subscriber: merchant, acc: now, want: false,
			change: func(s *hook.Subscription, _ *hook.Entry) { s.DisabledAt = noon },
		},
		"who is not active": {
			subscriber: merchant, acc: now, want: false,
			change: func(s *hook.Subscription, _ *hook.Entry) { s.Active = false },
		},
		"who is deleted": {
			subscriber: merchant, acc: now, want: false,
			change: func(s *hook.Subscription, _ *hook.Entry) { s.DeletedAt = noon },
		},
		"of another account than was asked about": {
			subscriber: partner, acc: now, want: false,
			change: func(_ *hook.Subscription, e *hook.Entry) { e.Account = "T11200002" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, e := subscription(), entry(hook.AccountUpdate, "{}")
			s.Account = c.subscriber
			if c.change != nil {
				c.change(&s, &e)
			}
			if s.May(e, c.acc) != c.want {
				t.Errorf("%v", !c.want)
			}
		})
	}
}

func TestTheOwnerOfAnEndpointIsToldHowItDoes(t *testing.T) {
	h := hook.Health{Failures: 9, FailingSince: noon}
	for _, c := range []struct {
		change     hook.Change
		kind, body string
	}{
		{hook.Change{Warn: 70}, hook.EndpointFailing, `},"percent":70}`},
		{hook.Change{Disabled: hook.WhyGone}, hook.EndpointDisabled, `},"reason":"gone"}`},
	} {
		e := hook.OfEndpoint("T11200000", subscription(), h, c.change, "01990f29-0c11-7b3a-9d20-000000000008", noon)
		want := `{"subscription":{"id":"01990f29-0c11-7b3a-9d20-6f1f0f6f7b01","kind":"hook","failing_since":"2026-09-01T12:00:00Z"` + c.body
		if e.Type != c.kind || string(e.Body) != want || !e.At.Equal(noon) || e.Owner != "T11200000" || e.Account != "T11200000" {
			t.Errorf("%+v\n%s", e, e.Body)
		}
	}
}
