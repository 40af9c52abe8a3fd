package wire_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/wire"
)

var (
	at   = time.Date(2026, 5, 12, 9, 30, 1, 999_999_000, time.UTC)
	text = "Awaiting \"signature\" \u2028"
)

func event() connection.Event {
	return connection.Event{
		Seq: 7, ID: "0190", Status: connection.Pending, Name: "signature_required", CreatedAt: at, CreatedBy: "client",
		Description: &text, Metadata: []byte(`{"a":1}`),
	}
}

func TestAnEventHasTheDocumentedMembersInOrder(t *testing.T) {
	want := `{"status":"pending","event":"signature_required","id":"0190","created_at":"2026-05-12T09:30:01Z",` +
		`"created_by":"client","description":"Awaiting \"signature\" ` + "\u2028" + `","metadata":{"a":1}}`
	if diff := cmp.Diff(want, string(wire.Event(event()))); diff != "" {
		t.Error(diff)
	}
}

func TestAnEventWithoutOptionalMembersLeavesThemOut(t *testing.T) {
	e := event()
	e.Description, e.Metadata = nil, nil
	want := `{"status":"pending","event":"signature_required","id":"0190","created_at":"2026-05-12T09:30:01Z","created_by":"client"}`
	if diff := cmp.Diff(want, string(wire.Event(e))); diff != "" {
		t.Error(diff)
	}
}

func TestExtensionMembersAreForOperatorsOnly(t *testing.T) {
	e := event()
	e.Description, e.Metadata = nil, nil
	e.ExternalID, e.OccurredAt, e.Reason, e.Stale = "x-1", at, "phone call", true
	want := `{"status":"pending","event":"signature_required","id":"0190","created_at":"2026-05-12T09:30:01Z","created_by":"client",` +
		`"seq":7,"effect":"stale","external_id":"x-1","occurred_at":"2026-05-12T09:30:01Z","reason":"phone call"}`
	if diff := cmp.Diff(want, string(wire.OperatorEvent(e))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("["+want+","+want+"]", string(wire.OperatorEvents([]connection.Event{e, e}))); diff != "" {
		t.Error(diff)
	}
}

func TestASignupIsShownAsItsProviderSays(t *testing.T) {
	signup := connection.Signup{
		Seq: 1, ID: "s-1", Data: []byte(`{"name":"n"}`), Token: "tok", CreatedAt: at, ExpiresAt: at.Add(time.Hour),
	}
	rest := `,"events":[],"created_at":"2026-05-12T09:30:01Z","created_by":"client","updated_at":"2026-05-12T09:30:01Z","metadata":{},"status":"pending","schema":1}`
	for name, test := range map[string]struct {
		many bool
		view provider.View
		data string
		want string
	}{
		"inline members beside generated ones": {
			many: true, view: provider.View{Data: "inline", Members: []string{"created_at"}},
			want: `{"signups":[{"created_at":"2026-05-12T09:30:01Z","name":"n"}]`,
		},
		"inline without members": {
			view: provider.View{Data: "inline"}, data: `{}`,
			want: `{"signup":{}`,
		},
		"members in an object of their own, beside a constant": {
			many: true, view: provider.View{Data: "data", Members: []string{"callback_at"}, Constants: map[string]string{"type": "direct"}},
			want: `{"signups":[{"type":"direct","data":{"name":"n"}}]`,
		},
		"a link, and no members": {
			view: provider.View{Members: []string{"id", "url", "expires_at"}},
			want: `{"signup":{"id":"s-1","url":"https://m.example/s/tok","expires_at":"2026-05-12T10:30:01Z"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := signup
			if test.data != "" {
				s.Data = []byte(test.data)
			}
			c := &connection.Connection{
				Schema: 1, Status: connection.Pending, CreatedAt: at, UpdatedAt: at, CreatedBy: "client",
				Signups: []connection.Signup{s},
			}
			p := &provider.Provider{Signup: provider.Signup{Many: test.many, View: test.view}}
			if diff := cmp.Diff(test.want+rest, string(wire.Connection(c, p, "https://m.example"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConfigurationIsShownOnlyWhenThereIsOne(t *testing.T) {
	c := &connection.Connection{
		Schema: 1, Status: connection.Enabled, CreatedAt: at, UpdatedAt: at, CreatedBy: "client",
		Configuration: []byte(`{"status":"enabled"}`), Metadata: []byte(`{"k":"v"}`),
		Events: []connection.Event{event(), event()}, Signups: []connection.Signup{{Data: []byte(`{}`)}},
	}
	one := string(wire.Event(event()))
	want := `{"signup":{},"configuration":{"status":"enabled"},"events":[` + one + `,` + one + `],"created_at":"2026-05-12T09:30:01Z",` +
		`"created_by":"client","updated_at":"2026-05-12T09:30:01Z","metadata":{"k":"v"},"status":"enabled","schema":1}`
	if diff := cmp.Diff(want, string(wire.Connection(c, &provider.Provider{}, ""))); diff != "" {
		t.Error(diff)
	}
}
