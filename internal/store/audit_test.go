package store

import (
	"context"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

// auditSince are the merchant's records that are older than one.
func auditSince(s *Store, before string, limit int) ([]AuditRecord, error) {
	return s.AuditOf(context.Background(), merchant, merchantID, AuditQuery{Account: merchantID, Before: before, Limit: limit})
}

// recorded is a change with what is to be remembered of it.
func recorded(c Change) Change {
	c.Audit = &AuditRecord{
		ID: newID(), At: noon, By: partner.Client, Caller: partnerID, Token: "t", Remote: "192.0.2.1", Request: "r-1",
		Action: "connection.event", Reason: "why",
	}
	return c
}

func testChangeAudit(t *testing.T, d door) {
	s := signed(t, d)
	change := keyed(recorded(posting(enabled("done"))), "k-1", "same")
	mustChange(t, s, change)
	records, err := auditSince(s, "", 10)
	want := *change.Audit
	want.Account, want.AccountAt, want.Target, want.Outcome = merchantID, noon, vipps.Slug, AuditDone
	wantSame(t, "the audit", []AuditRecord{want}, records, err)

	again := keyed(recorded(posting(enabled("done"))), "k-1", "same")
	if answer := mustChange(t, s, again); !answer.Replayed {
		t.Fatal("the second answer is not that of the first")
	}
	nothing := recorded(posting(enabled("nothing")))
	nothing.Decide = func(Found) (Decision, error) { return Decision{}, nil }
	mustChange(t, s, nothing)
	refused := recorded(posting(enabled("refused")))
	refused.Decide = func(Found) (Decision, error) {
		return Decision{}, fault.New(fault.Invalid, "TEST", "no")
	}
	if _, err := s.Change(context.Background(), refused); err == nil {
		t.Fatal("the refusal was written")
	}
	records, err = auditSince(s, "", 10)
	wantSame(t, "the audit after a replay, nothing and a refusal", []AuditRecord{want}, records, err)
}

// A record that can't be written takes what it is of with it.
func testAuditOrNothing(t *testing.T, d door) {
	s := signed(t, d)
	first := recorded(posting(enabled("first")))
	mustChange(t, s, first)
	second := recorded(posting(enabled("second")))
	second.Audit.ID = first.Audit.ID // which the table takes once
	if _, err := s.Change(context.Background(), second); err == nil {
		t.Error("a change without its record was acknowledged")
	}
	if events := whole(t, s).Events; len(events) != 2 {
		t.Errorf("there are %d events, want the signup and the first", len(events))
	}
}

func testAuditVisibility(t *testing.T, d door) {
	s := signed(t, d)
	mustChange(t, s, recorded(posting(connection.NewEvent{Status: connection.Pending, Name: "step"})))
	for _, test := range []struct {
		name   string
		caller auth.Caller
		owner  account.ID
		of     account.ID
		want   bool
	}{
		{"the account itself", merchant, merchantID, merchantID, true},
		{"its owner", partner, partnerID, merchantID, true},
		{"the platform", platform, platformID, merchantID, true},
		{"the platform for the owner", platform, partnerID, merchantID, true},
		{"another partner in its own name", other, otherID, merchantID, false},
		{"another partner in the owner's name", other, partnerID, merchantID, false},
		{"another merchant", second, secondID, merchantID, false},
		{"a merchant in the name of its owner", merchant, partnerID, merchantID, false},
		{"the merchant of its owner", merchant, merchantID, partnerID, false},
		{"an account that is not there", partner, partnerID, "T11299999", false},
		{"an account of the other world", platform, platformID, "P11200001", false},
	} {
		records, err := s.AuditOf(context.Background(), test.caller, test.owner, AuditQuery{Account: test.of, Limit: 10})
		if test.want && (err != nil || len(records) != 1) {
			t.Errorf("%s sees %d records, %v", test.name, len(records), err)
		}
		if !test.want {
			wantMissing(t, test.name, err)
		}
	}
}

func testAuditFilters(t *testing.T, d door) {
	s := fresh(t, d)
	var all []AuditRecord
	for i, action := range []string{"a.b", "a.c", "a.b"} {
		r := auditOf(action)
		r.At = noon.Add(time.Duration(i) * time.Hour)
		r.ID = idAt(r.At)[:35] + "1"
		r.By, r.Outcome = []string{"x", "y", "y"}[i], []string{AuditDone, AuditDone, AuditRefused}[i]
		all = append([]AuditRecord{r}, all...)
	}
	if err := s.Audit(context.Background(), all...); err != nil {
		t.Fatal(err)
	}
	hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	for name, test := range map[string]struct {
		q    AuditQuery
		want []AuditRecord
	}{
		"all, newest first":                  {AuditQuery{}, all},
		"an action":                          {AuditQuery{Action: "a.b"}, []AuditRecord{all[0], all[2]}},
		"an action is not a prefix":          {AuditQuery{Action: "a."}, nil},
		"an outcome":                         {AuditQuery{Outcome: AuditRefused}, all[:1]},
		"a client":                           {AuditQuery{By: "y"}, all[:2]},
		"all filters at once":                {AuditQuery{By: "y", Action: "a.b", Outcome: AuditDone}, nil},
		"from a time on":                     {AuditQuery{Since: hour(1)}, all[:2]},
		"before a time":                      {AuditQuery{Until: hour(1)}, all[2:]},
		"from a time on and before another":  {AuditQuery{Since: hour(1), Until: hour(2)}, all[1:2]},
		"after a record":                     {AuditQuery{Before: all[0].ID}, all[1:]},
		"after a record, and before a time":  {AuditQuery{Before: all[0].ID, Until: hour(1)}, all[2:]},
		"a page of one":                      {AuditQuery{Limit: 1}, all[:1]},
		"after what is no id there are none": {AuditQuery{Before: "x' OR 1=1"}, nil},
	} {
		test.q.Account = merchantID
		if test.q.Limit == 0 {
			test.q.Limit = 10
		}
		got, err := s.AuditOf(context.Background(), platform, platformID, test.q)
		wantSame(t, name, test.want, got, err)
	}
}
