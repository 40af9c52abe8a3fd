package hook_test

import (
	"strings"
	"testing"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/hook"
)

// stood is the entry of an event after which a connection stands as it says.
func stood(before *connection.Connection, status connection.Status) hook.Entry {
	c := &connection.Connection{Account: "T11200001", Provider: "vipps", Status: status, UpdatedAt: noon}
	return hook.OfEvent("T11200000", before, c, connection.Event{ID: "01990f29-0c11-7b3a-9d20-000000000007", Seq: 2, Status: status, CreatedAt: noon}, noon)
}

func TestWhoKnowsTheDocumentedEventsAloneIsToldOfAStatusAsAnUpdate(t *testing.T) {
	s := subscription()
	s.Events = []string{hook.AccountUpdate}
	e := stood(&connection.Connection{Status: connection.Pending}, connection.Enabled)
	body, err := hook.Message(s, e)
	want := `{"account_id":"T11200001","event":"account_update","event_delivery":"` + hook.DeliveryID(s.ID, e.ID) +
		`","account":{"account_id":"T11200001","partner_id":"T112","connections":{"vipps":{"status":"enabled","updated_at":"2026-09-01T12:00:00Z"}}}}`
	if err != nil || string(body) != want || !s.Wants(e) {
		t.Errorf("got  %s, %v\nwant %s", body, err, want)
	}
	if got := hook.Headers(s, hook.Secrets{}, e, body, noon).Get("event"); got != hook.AccountUpdate {
		t.Errorf("the header says %q", got)
	}
	if e := stood(nil, connection.Pending); !s.Wants(e) {
		t.Error("of a new connection it is not told")
	}
	if e := stood(&connection.Connection{Status: connection.Enabled}, connection.Enabled); s.Wants(e) {
		t.Error("it is told of an event that leaves the status as it was")
	}
	s.Events = append(s.Events, hook.ConnectionUpdate)
	if body, err := hook.Message(s, e); err != nil || !strings.Contains(string(body), `"event":"account_connection_update"`) {
		t.Errorf("who knows ours is told %s, %v", body, err)
	}
	s.Events = []string{hook.AccountAdd}
	if s.Wants(e) {
		t.Error("who asked for neither is told")
	}
}

func TestAnAccountIsNotToldWhatIsBetweenItsOwnerAndThePlatform(t *testing.T) {
	w := account.Whole{
		Account: account.Account{ID: "T11200001", Kind: account.KindMerchant, Owner: "T11200000", CreatedAt: noon, CreatedBy: "c"},
		Profile: account.Profile{"progression": "secret stage", "services": map[string]any{}, "company": map[string]any{"business_name": "Havn & Søn"}},
	}
	e, err := hook.OfAccount("01990f29-0c11-7b3a-9d20-000000000007", hook.AccountUpdate, w, noon)
	if err != nil {
		t.Fatal(err)
	}
	s := subscription()
	for _, test := range []struct {
		who  account.ID
		sees bool
	}{{"T11200001", false}, {"T11200000", true}, {"T00000000", true}} {
		s.Account = test.who
		body, err := hook.Message(s, e)
		if err != nil || strings.Contains(string(body), "progression") != test.sees || !strings.Contains(string(body), "Havn & Søn") {
			t.Errorf("%s is told %s, %v", test.who, body, err)
		}
	}
	e.Type = hook.AccountAdd
	s.Events = []string{hook.AccountAdd}
	if s.Account = "T11200001"; s.Wants(e) {
		t.Error("an account is told that it was made")
	}
}
