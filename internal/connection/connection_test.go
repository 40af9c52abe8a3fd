package connection_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/provider"
)

var (
	start    = time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC)
	merchant = account.Account{ID: "T11223351", Company: account.Company{OrganizationNumber: "923456789"}}
	many     = &provider.Provider{Slug: "cases", Title: "Cases", Schema: 3, Signup: provider.Signup{Many: true, Key: []string{"case_id", "store_id"}, UUIDs: []string{"case_id"}}}
	single   = &provider.Provider{Slug: "form", Title: "Form", Schema: 1, Signup: provider.Signup{NeedsOrganization: true}}
)

// desk hands out acts whose ids tell their order.
type desk struct {
	now  time.Time
	made int
}

func (d *desk) act() connection.Act {
	next := func(kind string) func() string {
		return func() string { d.made++; return fmt.Sprintf("%s-%d", kind, d.made) }
	}
	return connection.Act{At: d.now, By: "client", NewID: next("id"), NewToken: next("token")}
}

func (d *desk) later(by time.Duration) *desk {
	d.now = d.now.Add(by)
	return d
}

func apply(t *testing.T, c *connection.Connection, p *provider.Provider, data string, d *desk) *connection.Connection {
	t.Helper()
	c, err := connection.Apply(c, merchant, p, application(p, data), d.act())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func post(t *testing.T, c *connection.Connection, in connection.NewEvent, d *desk) connection.Event {
	t.Helper()
	e, err := connection.Append(c, many, in, d.act())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func codeOf(err error) string {
	f := new(fault.Fault)
	if !errors.As(err, &f) {
		return ""
	}
	return f.Code
}

func names(events []connection.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, fmt.Sprintf("%d %s %s", e.Seq, e.Name, e.Status))
	}
	return all
}

func TestAFirstSignupIsPendingAndRecordsOneEvent(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, many, `{"case_id":"a"}`, d)
	want := &connection.Connection{
		Account: "T11223351", Provider: "cases", Schema: 3, Status: connection.Pending,
		CreatedAt: start, CreatedBy: "client", UpdatedAt: start, LastSeq: 1, LastEventAt: start, LastSignup: 1, History: 30,
		Stand:  connection.Stand{Event: "signup_received", Since: start},
		Events: []connection.Event{{Seq: 1, ID: "id-1", Status: connection.Pending, Name: "signup_received", CreatedAt: start, CreatedBy: "client", Signup: 1}},
		Signups: []connection.Signup{{
			Seq: 1, ID: c.Signups[0].ID, Token: "token-2", Data: []byte(`{"case_id":"a"}`), Schema: 3,
			CreatedAt: start, CreatedBy: "client", ExpiresAt: start.Add(30 * 24 * time.Hour),
		}},
	}
	if diff := cmp.Diff(want, c, cmpopts.IgnoreFields(connection.Signup{}, "Key")); diff != "" {
		t.Error(diff)
	}
}

func TestASignupOfTheSameCaseAndStoreChangesNothing(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, many, `{"case_id":"a","store_id":"s"}`, d)
	before := *c
	c = apply(t, c, many, `{"case_id":"A","store_id":"s"}`, d.later(time.Hour))
	if diff := cmp.Diff(before, *c); diff != "" {
		t.Error(diff)
	}
	c = apply(t, c, many, `{"case_id":"a"}`, d)
	c = apply(t, c, many, `{"case_id":"a","store_id":"S"}`, d)
	if len(c.Signups) != 3 {
		t.Errorf("other stores made %d signups, want 3", len(c.Signups))
	}
}

func TestANewCaseStartsARefusedConnectionAgainAndLeavesAnEnabledOneEnabled(t *testing.T) {
	for before, after := range map[connection.Status]connection.Status{
		connection.Pending:  connection.Pending,
		connection.Failed:   connection.Pending,
		connection.Declined: connection.Pending,
		connection.Enabled:  connection.Enabled,
	} {
		t.Run(string(before), func(t *testing.T) {
			d := &desk{now: start}
			c := apply(t, nil, many, `{"case_id":"a"}`, d)
			post(t, c, connection.NewEvent{Status: before, Name: "moved"}, d)
			repeated := apply(t, c, many, `{"case_id":"a"}`, d)
			if repeated.Status != before || repeated.LastSeq != 2 {
				t.Errorf("repeating the case moved the status to %s", repeated.Status)
			}
			c = apply(t, c, many, `{"case_id":"b"}`, d)
			if c.Status != after || c.LastSeq != 3 || len(c.Signups) != 2 {
				t.Errorf("after another case: %s, %v", c.Status, names(c.Events))
			}
		})
	}
}

func TestASingleSignupIsReplacedByADifferentOneUnlessEnabled(t *testing.T) {
	for _, status := range connection.Statuses {
		t.Run(string(status), func(t *testing.T) {
			d := &desk{now: start}
			c := apply(t, nil, single, `{"n":1}`, d)
			post(t, c, connection.NewEvent{Status: status, Name: "moved"}, d)
			if c = apply(t, c, single, `{"n":1}`, d); c.LastSeq != 2 || c.Status != status {
				t.Fatalf("an equal signup changed the connection: %v", names(c.Events))
			}
			_, err := connection.Apply(c, merchant, single, application(single, `{"n":2}`), d.act())
			if status == connection.Enabled {
				if codeOf(err) != fault.CodeConnectionEnabled || len(c.Signups) != 1 {
					t.Errorf("a different signup of an enabled connection: %v, %d signups", err, len(c.Signups))
				}
				return
			}
			if err != nil || c.Status != connection.Pending || len(c.Signups) != 2 || string(c.Signups[1].Data) != `{"n":2}` {
				t.Errorf("got %v, %s, %d signups", err, c.Status, len(c.Signups))
			}
		})
	}
}

func TestARestartMakesANewLinkUnlessEnabled(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, single, `{"n":1}`, d)
	post(t, c, connection.NewEvent{Status: connection.Declined, Name: "declined"}, d)
	if err := connection.Restart(c, single, freshID(), "", d.later(time.Hour).act()); err != nil {
		t.Fatal(err)
	}
	old, renewed := c.Signups[0], c.Signups[1]
	if c.Status != connection.Pending || old.Token == renewed.Token || old.ID == renewed.ID ||
		string(renewed.Data) != `{"n":1}` || !renewed.ExpiresAt.Equal(d.now.Add(connection.SignupLife)) {
		t.Errorf("restarted to %s with %+v", c.Status, renewed)
	}
	post(t, c, connection.NewEvent{Status: connection.Enabled, Name: "enabled"}, d)
	if err := connection.Restart(c, single, freshID(), "", d.act()); codeOf(err) != fault.CodeConnectionEnabled {
		t.Errorf("restarting an enabled connection: %v", err)
	}
}

func TestASignupNeedsTheOrganizationNumberWhereTheProviderSaysSo(t *testing.T) {
	d := &desk{now: start}
	nameless := account.Account{ID: "T11223351"}
	if _, err := connection.Apply(nil, nameless, single, application(single, `{}`), d.act()); codeOf(err) != fault.CodeOrganization {
		t.Errorf("without organization number: %v", err)
	}
	if _, err := connection.Apply(nil, nameless, many, application(many, `{}`), d.act()); err != nil {
		t.Errorf("a provider that does not ask for it: %v", err)
	}
}

func TestAnEventMovesTheStatusUnlessItIsOlderThanTheNewestThatSaidWhenItOccurred(t *testing.T) {
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	type step struct {
		status connection.Status
		at     time.Time
		effect connection.Effect
		after  connection.Status
	}
	for name, steps := range map[string][]step{
		"without times the last event wins": {
			{connection.Enabled, time.Time{}, connection.Applied, connection.Enabled},
			{connection.Pending, time.Time{}, connection.Applied, connection.Pending},
		},
		"a late one is recorded only": {
			{connection.Enabled, hour(-1), connection.Applied, connection.Enabled},
			{connection.Pending, hour(-2), connection.Stale, connection.Enabled},
			{connection.Declined, hour(-1), connection.Applied, connection.Declined},
		},
		"a stale one does not move the mark": {
			{connection.Enabled, hour(-2), connection.Applied, connection.Enabled},
			{connection.Pending, hour(-3), connection.Stale, connection.Enabled},
			{connection.Failed, hour(-2), connection.Applied, connection.Failed},
		},
		"one without a time does not move the mark": {
			{connection.Enabled, hour(-2), connection.Applied, connection.Enabled},
			{connection.Failed, time.Time{}, connection.Applied, connection.Failed},
			{connection.Pending, hour(-3), connection.Stale, connection.Failed},
			{connection.Enabled, hour(-1), connection.Applied, connection.Enabled},
		},
		"the first time that is said counts from then on": {
			{connection.Enabled, hour(-1000), connection.Applied, connection.Enabled},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{now: start}
			c := apply(t, nil, many, `{"case_id":"a"}`, d)
			for i, s := range steps {
				e := post(t, c, connection.NewEvent{Status: s.status, Name: "e", OccurredAt: s.at}, d.later(time.Second))
				if got := connection.EffectOf(e); got != s.effect || c.Status != s.after {
					t.Errorf("step %d: %s and %s, want %s and %s", i, got, c.Status, s.effect, s.after)
				}
				if c.UpdatedAt != d.now {
					t.Errorf("step %d: updated_at stayed at %s", i, c.UpdatedAt)
				}
			}
		})
	}
}

func TestAnEventFromTheFarFutureIsRefused(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, many, `{"case_id":"a"}`, d)
	post(t, c, connection.NewEvent{Name: "e", Status: connection.Enabled, OccurredAt: start.Add(connection.MaxAhead)}, d)
	_, err := connection.Append(c, many, connection.NewEvent{Name: "e", Status: connection.Failed, OccurredAt: start.Add(connection.MaxAhead + 1)}, d.act())
	if codeOf(err) != fault.CodeInvalidParameter || c.LastSeq != 2 {
		t.Errorf("got %v with %d events", err, c.LastSeq)
	}
}

func TestCreatedAtNeverGoesBackwards(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, many, `{"case_id":"a"}`, d)
	e := post(t, c, connection.NewEvent{Name: "e", Status: connection.Enabled}, d.later(-time.Hour))
	if !e.CreatedAt.Equal(start) {
		t.Errorf("an event made while the clock was behind has created_at %s", e.CreatedAt)
	}
}

func TestAFullConnectionRefusesMore(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, many, `{"case_id":"a"}`, d)
	c.LastSeq = connection.MaxEvents - 1
	post(t, c, connection.NewEvent{Name: "e", Status: connection.Enabled}, d)
	if _, err := connection.Append(c, many, connection.NewEvent{Name: "e", Status: connection.Failed}, d.act()); codeOf(err) != fault.CodeLimitReached {
		t.Errorf("event %d: %v", connection.MaxEvents+1, err)
	}
	c.LastSeq, c.LastSignup = 1, connection.MaxSignups
	if _, err := connection.Apply(c, merchant, many, application(many, `{"case_id":"b"}`), d.act()); codeOf(err) != fault.CodeLimitReached {
		t.Errorf("signup %d: %v", connection.MaxSignups+1, err)
	}
	if c.LastSeq != 1 || c.Status != connection.Enabled {
		t.Error("a refused signup left a trace")
	}
}

func TestAConnectionDoesNotGrowBeyondWhatCanBeRead(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, many, `{"case_id":"a"}`, d)
	text := strings.Repeat("x", connection.MaxHistory/4)
	for range 3 {
		post(t, c, connection.NewEvent{Name: "e", Status: connection.Enabled, Metadata: []byte(text)}, d)
	}
	before := *c
	for what, err := range map[string]error{
		"event": func() error {
			_, err := connection.Append(c, many, connection.NewEvent{Name: "e", Description: &text}, d.act())
			return err
		}(),
		"signup": func() error {
			_, err := connection.Apply(c, merchant, many, application(many, `{"case_id":"`+text+`"}`), d.act())
			return err
		}(),
	} {
		if codeOf(err) != fault.CodeLimitReached {
			t.Errorf("one %s too many: %v", what, err)
		}
	}
	small := cmpopts.IgnoreFields(connection.Connection{}, "Events", "Signups") // the events are megabytes
	if diff := cmp.Diff(before, *c, small); diff != "" || len(c.Events) != 4 || len(c.Signups) != 1 {
		t.Errorf("%d events, %d signups: %s", len(c.Events), len(c.Signups), diff)
	}
	post(t, c, connection.NewEvent{Name: "e", Status: connection.Failed}, d)
}

func TestAReportRecordsOnlyWhatIsNew(t *testing.T) {
	d := &desk{now: start}
	c := apply(t, nil, many, `{"case_id":"a"}`, d)
	enabled := provider.Report{Status: "enabled", Event: "enrolled", Configuration: []byte(`{"status":"enabled"}`)}
	for _, step := range []struct {
		name    string
		report  provider.Report
		changed bool
		events  int64
	}{
		{"nothing new", provider.Report{Status: "pending", Event: "waiting"}, false, 1},
		{"a new status", enabled, true, 2},
		{"the same again", enabled, false, 2},
		{"another configuration", provider.Report{Status: "enabled", Event: "changed", Configuration: []byte(`{}`)}, true, 3},
	} {
		changed, err := connection.ApplyReport(c, many, step.report, d.act())
		if err != nil || changed != step.changed || c.LastSeq != step.events {
			t.Errorf("%s: changed %v, %d events, %v", step.name, changed, c.LastSeq, err)
		}
	}
	if c.Status != connection.Enabled || string(c.Configuration) != `{}` {
		t.Errorf("ended %s with %s", c.Status, c.Configuration)
	}
}

// application is a signup with everything in clear.
func application(p *provider.Provider, data string) connection.Application {
	return connection.Application{ID: freshID(), Key: p.SignupKey([]byte(data)), Data: []byte(data)}
}

var ids int

func freshID() string {
	ids++
	return fmt.Sprintf("00000000-0000-7000-8000-%012d", ids)
}
