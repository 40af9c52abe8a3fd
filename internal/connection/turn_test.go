package connection_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/connection"
	"mooring/internal/provider"
)

func TestWhoseTurnItIsFollowsFromTheNewestAppliedEvent(t *testing.T) {
	p := *single
	p.Events = map[string]provider.Known{
		"signup_received": {
			Turn: "provider", Wait: 48 * time.Hour,
			Meaning: map[string]string{"en": "The application was received."}, Next: map[string]string{"en": "Wait."},
		},
		"enabled": {Meaning: map[string]string{"en": "Ready."}},
	}
	d := &desk{now: start}
	c := apply(t, nil, &p, `{"n":1}`, d)
	waiting := connection.Turn{
		Since: start, Event: "signup_received", Who: "provider", Due: start.Add(48 * time.Hour),
		Meaning: "The application was received.", Next: "Wait.",
	}
	if diff := cmp.Diff(waiting, connection.TurnOf(c, &p, d.now)); diff != "" {
		t.Error(diff)
	}
	post(t, c, connection.NewEvent{Status: connection.Pending, Name: "called", OccurredAt: start.Add(2 * time.Hour)}, d.later(time.Hour))
	unknown := connection.Turn{Since: d.now, Event: "called"}
	if diff := cmp.Diff(unknown, connection.TurnOf(c, &p, d.now)); diff != "" {
		t.Error(diff)
	}
	post(t, c, connection.NewEvent{Status: connection.Enabled, Name: "enabled", OccurredAt: start}, d.later(time.Hour))
	if diff := cmp.Diff(unknown, connection.TurnOf(c, &p, d.now)); diff != "" {
		t.Errorf("a stale event counts: %s", diff)
	}
	if _, err := connection.Erase(c, &p, c.Signups[0].ID, d.later(time.Hour).act()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(unknown, connection.TurnOf(c, &p, d.now)); diff != "" {
		t.Errorf("an erasure counts: %s", diff)
	}
}

func TestAReasonThatTheSenderNamesSaysWhoMustAct(t *testing.T) {
	var reason provider.Reason
	for _, r := range provider.Reasons() {
		if r.Turn == "merchant" {
			reason = r
		}
	}
	if reason.Code == "" {
		t.Fatal("no reason is the merchant's to mend")
	}
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	post(t, c, connection.NewEvent{Status: connection.Pending, Name: "called", Code: reason.Code, ProviderCode: "E-1"}, d)
	want := connection.Turn{
		Since: start, Event: "called", Who: "merchant", Code: reason.Code, ProviderCode: "E-1",
		Retryable: reason.Retryable, Meaning: reason.Meaning["en"], Next: reason.Next["en"],
	}
	if diff := cmp.Diff(want, connection.TurnOf(c, single, d.now)); diff != "" {
		t.Error(diff)
	}
}

func TestNobodyIsSentToALinkThatHasEnded(t *testing.T) {
	p := *single
	p.Events = map[string]provider.Known{
		"signup_received":    {Turn: "merchant", Wait: 48 * time.Hour, Reason: "signature_required", Next: map[string]string{"en": "Follow the link."}},
		"documents_required": {Turn: "merchant", Reason: "documents_required"},
	}
	d := &desk{now: start}
	c := apply(t, nil, &p, `{"n":1}`, d)
	if got := connection.TurnOf(c, &p, start.Add(connection.SignupLife-1)); got.Next != "Follow the link." || got.Code != "signature_required" {
		t.Errorf("while the link works: %+v", got)
	}
	expired, _ := provider.ReasonOf("link_expired")
	want := connection.Turn{
		Since: start, Event: "signup_received", Who: "merchant", Code: "link_expired", Retryable: true,
		Meaning: expired.Meaning["en"], Next: expired.Next["en"],
	}
	if diff := cmp.Diff(want, connection.TurnOf(c, &p, start.Add(connection.SignupLife))); diff != "" {
		t.Error(diff)
	}
	post(t, c, connection.NewEvent{Status: connection.Pending, Name: "documents_required"}, d.later(time.Hour))
	if got := connection.TurnOf(c, &p, start.Add(2*connection.SignupLife)); got.Code != "documents_required" {
		t.Errorf("documents need no link: %+v", got)
	}
	post(t, c, connection.NewEvent{Status: connection.Enabled, Name: "signup_received"}, d.later(time.Hour))
	if got := connection.TurnOf(c, &p, start.Add(2*connection.SignupLife)); got.Code != "signature_required" {
		t.Errorf("the link of a connection in use does not matter: %+v", got)
	}
}
