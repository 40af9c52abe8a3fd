package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/auth"
	"mooring/internal/seed"
	"mooring/internal/server"
	"mooring/internal/store"
)

func TestACallbackIsKeptSealedAndCompletesItsSignup(t *testing.T) {
	onBothEngines(t, func(t *testing.T, dev dev) {
		d := newDesk(t, dev)
		reference := d.signUp(t, "vipps", "")
		made := d.callbackToken(t, "vipps", reference)
		path := strings.TrimPrefix(made.URL, d.url)
		if path != settings+"vipps/"+reference {
			t.Errorf("the callback goes to %s", made.URL)
		}
		answer := d.do(t, made.Token, http.MethodPost, path, vippsCallback(1))
		if answer.status != http.StatusOK || answer.body != `{}` || answer.header.Get("Mooring-Effect") != "applied" {
			t.Fatalf("got %+v", answer)
		}
		c := d.connection(t, "vipps")
		if c.Status != "enabled" || c.Configuration["merchant_serial_number"] != "1" || len(c.Events) != 2 {
			t.Errorf("the connection is %+v", c)
		}
		if shown := fmt.Sprint(c.Configuration); strings.Contains(shown, "canary-1") || !strings.Contains(shown, "canary-key-1") {
			t.Errorf("the configuration shows %s", shown)
		}
		rows := d.inbox(t, "vipps")
		if len(rows) != 1 || rows[0].State != "applied" || rows[0].Event != 2 || rows[0].Signup != reference || rows[0].Attempts != 1 || !rows[0].Kept {
			t.Fatalf("the inbox has %+v", rows)
		}
		row, err := d.server.Store().ReceivedByID(t.Context(), store.Place{Account: seed.DevMerchant, Provider: "vipps"}, rows[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		body, err := d.server.Vault().OpenBody(t.Context(), row)
		if err != nil || string(body) != vippsCallback(1) {
			t.Errorf("kept was %s, %v", body, err)
		}
		if rest := fmt.Sprintf("%s %s", row.Body, row.Header); strings.Contains(rest, "canary") || strings.Contains(rest, made.Token) {
			t.Errorf("rests in clear: %s", rest)
		}
		own := store.AuditQuery{Account: seed.DevMerchant, Action: "callback_token.make", Limit: 10}
		if records, err := d.server.Store().AuditOf(t.Context(), auth.Caller{Account: seed.DevMerchant}, seed.DevMerchant, own); err != nil || len(records) != 1 || records[0].Action != "callback_token.make" || records[0].Token == "" {
			t.Errorf("the audit has %+v, %v", records, err)
		}
	})
}

func TestOfManyCallbacksAtOnceExactlyOneWins(t *testing.T) {
	onBothEngines(t, func(t *testing.T, dev dev) {
		d := newDesk(t, dev)
		const calls = 64
		for name, c := range map[string]struct {
			provider string
			body     func(int) string
			want     map[string]int
		}{
			"the same":  {"vipps", func(int) string { return vippsCallback(7) }, map[string]int{"200 applied": 1, "200 duplicate": calls - 1}},
			"different": {"vipps", vippsCallback, map[string]int{"200 applied": 1, "400 CONNECTION_ENABLED": calls - 1}},
		} {
			if d.known(t, c.provider) { // another signup for the next case
				must[any](t, d.dev, d.platform, http.MethodPost, operator+c.provider+"/events", `{"status":"failed","event":"ended","reason":"test"}`)
				must[any](t, d.dev, d.merchant, http.MethodPut, settings+c.provider, "")
			} else {
				d.signUp(t, c.provider, "")
			}
			reference := d.newest(t, c.provider)
			token := d.callbackToken(t, c.provider, reference).Token
			before := len(d.connection(t, c.provider).Events)
			outcomes := make([]string, calls)
			var started sync.WaitGroup
			for i := range calls {
				started.Go(func() {
					answer := d.do(t, token, http.MethodPost, settings+c.provider+"/"+reference, c.body(i))
					outcomes[i] = fmt.Sprint(answer.status, " ", answer.header.Get("Mooring-Effect"), answer.code())
				})
			}
			started.Wait()
			counted := map[string]int{}
			for _, o := range outcomes {
				counted[o]++
			}
			if !maps.Equal(counted, c.want) {
				t.Errorf("%s: %v, want %v", name, counted, c.want)
			}
			states := map[string]int{}
			for _, r := range d.inbox(t, c.provider) {
				if r.Signup == reference {
					states[r.State]++
				}
			}
			if applied := c.want["200 applied"] + c.want["200 duplicate"]; states["applied"] != applied || states["refused"] != calls-applied {
				t.Errorf("%s: the inbox has %v", name, states)
			}
			if v := d.connection(t, c.provider); len(v.Events) != before+1 || v.Status != "enabled" {
				t.Errorf("%s: %d events after %d, %s", name, len(v.Events), before, v.Status)
			}
		}
	})
}

func (d desk) known(t testing.TB, provider string) bool {
	t.Helper()
	return d.do(t, d.merchant, http.MethodGet, settings+provider, "").status == http.StatusOK
}

func TestAnEnabledConnectionIsNotPointedElsewhereWithoutANewSignup(t *testing.T) {
	onBothEngines(t, func(t *testing.T, dev dev) {
		d := newDesk(t, dev)
		first := d.signUp(t, "vipps", "")
		path := settings + "vipps/" + first
		token := d.callbackToken(t, "vipps", first).Token
		d.do(t, token, http.MethodPost, path, vippsCallback(1))
		before := d.do(t, d.merchant, http.MethodGet, settings+"vipps", "").body

		again := d.do(t, token, http.MethodPost, path, " "+strings.ReplaceAll(vippsCallback(1), ",", ",\n"))
		if again.status != 200 || again.header.Get("Mooring-Effect") != "duplicate" {
			t.Errorf("the same again: %+v", again)
		}
		other := d.do(t, token, http.MethodPost, path, vippsCallback(2))
		if other.status != 400 || other.code() != "CONNECTION_ENABLED" {
			t.Errorf("another one: %+v", other)
		}
		event := d.do(t, token, http.MethodPost, "/v1/accounts/T11223351/connections/vipps/signups/"+first+"/events", `{"status":"enabled","event":"moved","configuration":{"merchant_serial_number":"666"}}`)
		if event.status != 400 || event.code() != "CONNECTION_ENABLED" {
			t.Errorf("another one as an event: %+v", event)
		}
		if after := d.do(t, d.merchant, http.MethodGet, settings+"vipps", "").body; after != before {
			t.Errorf("the connection was %s, and is %s", before, after)
		}
		rows := d.inbox(t, "vipps")
		if len(rows) != 4 || rows[1].State != "refused" || rows[1].Code != "CONNECTION_ENABLED" || !rows[1].Kept || rows[1].Event != 0 {
			t.Errorf("the inbox has %+v", rows)
		}

		// After a new signup the old one can't be spoken of any more, and the
		// refused call about it stays refused.
		must[any](t, d.dev, d.platform, http.MethodPost, operator+"vipps/events", `{"status":"failed","event":"ended","reason":"test"}`)
		replayed := must[receivedCall](t, d.dev, d.platform, http.MethodPost, operator+"vipps/callbacks/"+rows[1].ID+"/replay", "")
		if replayed.State != "applied" || replayed.Attempts != 2 || replayed.Event != 4 || d.connection(t, "vipps").Configuration["merchant_serial_number"] != "2" {
			t.Errorf("after a refusal's cause is gone: %+v", replayed)
		}
		must[any](t, d.dev, d.platform, http.MethodPost, operator+"vipps/events", `{"status":"failed","event":"ended","reason":"test"}`)
		must[any](t, d.dev, d.merchant, http.MethodPut, settings+"vipps", "")
		late := d.do(t, token, http.MethodPost, path, vippsCallback(3))
		if late.status != 400 || late.code() != "SIGNUP_REPLACED" {
			t.Errorf("about the old signup: %+v", late)
		}
	})
}

func TestACallbackIsJudgedByTheRulesOfItsOperation(t *testing.T) {
	onBothEngines(t, func(t *testing.T, dev dev) {
		d := newDesk(t, dev)
		reference := d.signUp(t, "vipps", "")
		token := d.callbackToken(t, "vipps", reference).Token
		path := settings + "vipps/" + reference
		const canary = "canary-7d1f"
		for name, body := range map[string]string{
			"of another type":    `{"client_Secret":["` + canary + `"],"merchantSerialNumber":"` + canary + strings.Repeat("x", 99) + `"}`,
			"wrong format":       `{"client_Id":"` + canary + `"}`,
			"a case variant":     `{"Client_secret":"` + canary + `"}`,
			"twice":              `{"client_Secret":"` + canary + `","client_Secret":"x"}`,
			"no JSON":            `{"client_Secret":"` + canary,
			"a list":             `["` + canary + `"]`,
			"not UTF-8":          "{\"client_Secret\":\"" + canary + "\xff\"}",
			"a string too large": `{"client_Secret":"` + canary + strings.Repeat("x", 9<<10) + `"}`,
		} {
			before := len(d.inbox(t, "vipps"))
			answer := d.do(t, token, http.MethodPost, path, body)
			rows := d.inbox(t, "vipps")
			if answer.status != http.StatusBadRequest || answer.code() != "INVALID_REQUEST_PARAMETER" || strings.Contains(answer.body, canary) {
				t.Errorf("%s: %d %s", name, answer.status, answer.body)
			}
			if len(rows) != before+1 || rows[0].State != "refused" || rows[0].Code != "INVALID_REQUEST_PARAMETER" || rows[0].Reason == "" || strings.Contains(rows[0].Reason, canary) || !rows[0].Kept {
				t.Errorf("%s: the inbox has %+v", name, rows)
			}
		}
		kept := len(d.inbox(t, "vipps"))
		for name, c := range map[string]struct {
			body   string
			status int
		}{
			"too large": {`{"client_Secret":"` + strings.Repeat("x", 256<<10) + `"}`, 413},
			"too deep":  {strings.Repeat("[", 17), 400},
		} {
			if answer := d.do(t, token, http.MethodPost, path, c.body); answer.status != c.status {
				t.Errorf("%s: %d %s", name, answer.status, answer.body)
			}
		}
		if rows := d.inbox(t, "vipps"); len(rows) != kept {
			t.Errorf("what the gate refuses is kept: %+v", rows[0])
		}
		if v := d.connection(t, "vipps"); v.Status != "pending" || len(v.Events) != 1 {
			t.Errorf("a refused call left a trace: %+v", v)
		}
	})
}

func TestEventsOfTheProviderAreGuardedAndNamedByTheirSenders(t *testing.T) {
	onBothEngines(t, func(t *testing.T, dev dev) {
		d := newDesk(t, dev)
		reference := d.signUp(t, "vipps", "")
		made := d.callbackToken(t, "vipps", reference)
		path := strings.TrimPrefix(made.EventsURL, d.url)
		for i, step := range []struct {
			token, body    string
			effect, status string
			events         int
		}{
			{made.Token, `{"status":"pending","event":"signature_required","occurred_at":"2026-05-12T09:00:00Z"}`, "applied", "pending", 2},
			{made.Token, `{"status":"pending","event":"signature_required","occurred_at":"2026-05-12T09:00:00Z"}`, "duplicate", "pending", 2},
			{made.Token, `{"event":"signature_required","occurred_at":"2026-05-12T09:00:00Z","status":"pending"}`, "duplicate", "pending", 2},
			{made.Token, `{"status":"failed","event":"timed_out","occurred_at":"2026-05-12T08:00:00Z"}`, "stale", "pending", 3},
			{d.platform, `{"status":"declined","event":"refused","external_id":"e-1","provider_code":"R-7"}`, "applied", "declined", 4},
			{made.Token, `{"status":"enabled","event":"refused","external_id":"e-1"}`, "duplicate", "declined", 4},
			{made.Token, `{"status":"enabled","event":"enrolled","configuration":{"merchant_serial_number":"9","client_secret":"canary-event"}}`, "applied", "enabled", 5},
			{made.Token, `{"status":"failed","event":"closed"}`, "applied", "failed", 6},
		} {
			answer := d.do(t, step.token, http.MethodPost, path, step.body)
			v := d.connection(t, "vipps")
			if answer.status != 200 || answer.header.Get("Mooring-Effect") != step.effect || v.Status != step.status || len(v.Events) != step.events {
				t.Errorf("step %d: %d %s %s, then %s with %d events", i, answer.status, answer.header.Get("Mooring-Effect"), answer.body, v.Status, len(v.Events))
			}
		}
		if c := d.connection(t, "vipps"); c.Configuration["merchant_serial_number"] != "9" || strings.Contains(fmt.Sprint(c), "canary") {
			t.Errorf("the configuration is %v", c.Configuration)
		}
	})
}

func TestACallThatWasLeftIsJudgedLater(t *testing.T) {
	onBothEngines(t, func(t *testing.T, dev dev) {
		d := newDesk(t, dev)
		reference := d.signUp(t, "vipps", "")
		at := store.Place{Account: seed.DevMerchant, Provider: "vipps"}
		leave := func(age time.Duration, operation, body string) {
			t.Helper()
			r := store.Received{
				Account: at.Account, Provider: at.Provider, ID: newID(), Signup: reference, Operation: operation, By: reference,
				Header: []byte(`{"request_id":"x"}`), ReceivedAt: server.Now().Add(-age), Digest: []byte(body),
			}
			var err error
			if r.Key, r.Body, err = d.server.Vault().SealBody(t.Context(), r, []byte(body)); err != nil {
				t.Fatal(err)
			}
			if err := d.server.Store().Receive(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		const documented = "aid_account_settings_connections_vipps_callback_post"
		leave(time.Minute, documented, vippsCallback(1))
		leave(50*time.Second, documented, vippsCallback(1))
		leave(40*time.Second, documented, `{"client_Id":"no"}`)
		leave(35*time.Second, "operation_of_another_release", `{}`)
		leave(time.Second, documented, vippsCallback(2))
		if found, err := d.server.JudgeInbox(t.Context()); err != nil || found != 4 {
			t.Errorf("judged %d, %v", found, err)
		}
		var states []string
		for _, r := range d.inbox(t, "vipps") {
			states = append(states, fmt.Sprint(r.State, r.Effect, r.Code))
		}
		slices.Sort(states)
		want := []string{"appliedapplied", "appliedduplicate", "received", "refusedINVALID_REQUEST_PARAMETER", "refusedNOT FOUND"}
		if !slices.Equal(states, want) || d.connection(t, "vipps").Status != "enabled" {
			t.Errorf("the inbox has %v, want %v", states, want)
		}
	})
}

func TestWithoutItsBodyACallIsNotJudgedAgain(t *testing.T) {
	onBothEngines(t, func(t *testing.T, dev dev) {
		d := newDesk(t, dev)
		reference := d.signUp(t, "vipps", "")
		token := d.callbackToken(t, "vipps", reference).Token
		d.do(t, token, http.MethodPost, settings+"vipps/"+reference, `{"client_Id":"no"}`)
		if swept, err := d.server.Store().SweepInbox(t.Context(), server.Now(), 10); err != nil || swept != 1 {
			t.Fatalf("swept %d, %v", swept, err)
		}
		row := d.inbox(t, "vipps")[0]
		answer := d.do(t, d.platform, http.MethodPost, operator+"vipps/callbacks/"+row.ID+"/replay", "")
		if row.Kept || answer.status != http.StatusConflict {
			t.Errorf("kept %v; %d %s", row.Kept, answer.status, answer.body)
		}
	})
}
