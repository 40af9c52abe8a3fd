package cdd

import (
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
)

var noon = time.Date(2026, 5, 12, 12, 0, 0, 0, time.UTC)

func TestACaseWaitsForAPersonUnlessATestAccountAsksForAnOutcome(t *testing.T) {
	for _, c := range []struct {
		account     account.ID
		description string
		want        Status
		events      int
	}{
		{"T11223351", "", UnderManualReview, 1},
		{"T11223351", "AUTO_APPROVE", Active, 2},
		{"T11223351", "AUTO_DECLINE", Declined, 2},
		{"T11223351", "AUTO_WAITING_FOR_SIGNATURE", WaitingForSignature, 2},
		{"T11223351", "auto_approve", UnderManualReview, 1},
		{"T11223351", "please AUTO_APPROVE", UnderManualReview, 1},
		{"P11223351", "AUTO_APPROVE", UnderManualReview, 1},
	} {
		made := Open(c.account, Request{ID: "a", RequestID: "r", Description: c.description}, noon, "client")
		if made.Status() != c.want || len(made.Events) != c.events {
			t.Errorf("%s %q: %s after %d events, want %s after %d", c.account, c.description, made.Status(), len(made.Events), c.want, c.events)
		}
		if made.Events[0].Name != Created || made.Events[0].RequestID != "r" || !made.UpdatedAt.Equal(noon) {
			t.Errorf("%s %q: begins with %+v, updated %s", c.account, c.description, made.Events[0], made.UpdatedAt)
		}
	}
}

func TestEventsAreNumberedAndNeverGoBackInTime(t *testing.T) {
	c := Open("P11223351", Request{ID: "a"}, noon, "client")
	for range MaxEvents - 1 {
		if err := c.Move(Event{Status: WaitingForDetails}, noon.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for i, e := range c.Events {
		if e.ID != i+1 || e.At.Before(noon) {
			t.Fatalf("event %d is %+v", i+1, e)
		}
	}
	if err := c.Move(Event{Status: Active}, noon); fault.From(err).Code != fault.CodeLimitReached {
		t.Errorf("a full case takes another event: %v", err)
	}
}

func TestTheRegistryAsksOfASignupWhatItsSettingSays(t *testing.T) {
	waits := Open("T11223351", Request{}, noon, "client")
	active := Open("T11223351", Request{Description: "AUTO_APPROVE"}, noon, "client")
	for _, c := range []struct {
		registry Registry
		found    *Case
		want     string
	}{
		{"", nil, ""},
		{Off, nil, ""},
		{Off, &waits, ""},
		{MustExist, nil, fault.CodeCaseUnknown},
		{MustExist, &waits, ""},
		{MustBeActive, nil, fault.CodeCaseUnknown},
		{MustBeActive, &waits, fault.CodeCaseNotActive},
		{MustBeActive, &active, ""},
	} {
		got := ""
		if err := c.registry.Admit(c.found); err != nil {
			got = fault.From(err).Code
		}
		if got != c.want {
			t.Errorf("%q and %v: %q, want %q", c.registry, c.found, got, c.want)
		}
	}
}
