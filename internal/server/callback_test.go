package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/auth"
	"mooring/internal/gate"
	"mooring/internal/seed"
	"mooring/internal/server"
	"mooring/internal/store"
	"mooring/internal/store/storetest"
)

// onBothEngines runs a test against a server on SQLite and one on PostgreSQL.
func onBothEngines(t *testing.T, test func(t *testing.T, d dev)) {
	t.Run("sqlite", func(t *testing.T) { test(t, startDev(t, auth.EdDSA)) })
	t.Run("postgres", func(t *testing.T) {
		database := storetest.Postgres(t)
		test(t, startDev(t, auth.EdDSA, func(c *server.Config) { c.Database, c.DataDir = database, "" }))
	})
}

// got is an answer.
type got struct {
	status int
	header http.Header
	body   string
}

func (g got) code() string {
	var refusal struct{ Error struct{ Code string } }
	_ = json.Unmarshal([]byte(g.body), &refusal)
	return refusal.Error.Code
}

func (d dev) do(t testing.TB, token, method, path, body string) got {
	t.Helper()
	answer, err := d.client.Do(d.request(t, token, method, path, body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got{answer.StatusCode, answer.Header, string(text)}
}

// must is do that demands a 200 and reads it.
func must[T any](t testing.TB, d dev, token, method, path, body string) T {
	t.Helper()
	answer := d.do(t, token, method, path, body)
	var v T
	if answer.status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, answer.status, answer.body)
	}
	if err := json.Unmarshal([]byte(answer.body), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// desk is a server with somebody of each kind, and a Vipps signup.
type desk struct {
	dev
	platform, partner, merchant string // tokens
}

func newDesk(t testing.TB, d dev) desk {
	return desk{d, d.token(t, d.world.Platform), d.token(t, d.world.Partner), d.token(t, d.world.Merchant)}
}

const (
	settings = "/v1/accounts/T11223351/management/settings/connections/"
	operator = "/v1/operator/accounts/T11223351/connections/"
)

// signUp makes a signup and gives its reference.
func (d desk) signUp(t testing.TB, provider, body string) string {
	t.Helper()
	must[any](t, d.dev, d.merchant, http.MethodPost, settings+provider, body)
	return d.newest(t, provider)
}

func (d desk) newest(t testing.TB, provider string) string {
	t.Helper()
	c, err := d.server.Store().Connection(t.Context(), auth.Caller{Account: seed.DevMerchant}, seed.DevMerchant, provider)
	if err != nil {
		t.Fatal(err)
	}
	return c.Signups[len(c.Signups)-1].ID
}

type madeToken struct {
	Token     string `json:"callback_token"`
	EventsURL string `json:"events_url"`
	URL       string `json:"callback_url"`
}

func (d desk) callbackToken(t testing.TB, provider, reference string) madeToken {
	t.Helper()
	return must[madeToken](t, d.dev, d.platform, http.MethodPost, operator+provider+"/signups/"+reference+"/callback-token", "")
}

type receivedCall struct {
	ID, State, Effect, Code, Reason, Operation string
	Event, Attempts                            int64
	Signup                                     string `json:"signup_id"`
	Kept                                       bool   `json:"body_kept"`
	Digest                                     string
}

func (d desk) inbox(t testing.TB, provider string) []receivedCall {
	t.Helper()
	return must[[]receivedCall](t, d.dev, d.platform, http.MethodGet, operator+provider+"/callbacks?limit=100", "")
}

type connectionView struct {
	Status        string
	Configuration map[string]any
	Events        []struct{ Event, Status, ID string }
}

func (d desk) connection(t testing.TB, provider string) connectionView {
	t.Helper()
	return must[connectionView](t, d.dev, d.merchant, http.MethodGet, settings+provider, "")
}

// vippsCallback is a body of the documented callback with a secret in it.
func vippsCallback(n int) string {
	return fmt.Sprintf(`{"signup-id":"x","merchantSerialNumber":"%d","client_Id":"fb492b5e-7907-4d83-bc20-c7fb60ca35de",`+
		`"client_Secret":"canary-%d","subscriptionKeys":[{"product":"ecom","ocp-apim-subscription-key":"canary-key-%d"}]}`, n, n, n)
}

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
		if records, err := d.server.Store().AuditOf(t.Context(), seed.DevMerchant, "", 10); err != nil || len(records) != 1 || records[0].Action != "callback_token.make" {
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

func TestWhoMayNotSpeakOfASignupLearnsNothing(t *testing.T) {
	onBothEngines(t, func(t *testing.T, dev dev) {
		d := newDesk(t, dev)
		reference := d.signUp(t, "vipps", "")
		swish := d.signUp(t, "swish", d.example(t, "swish"))
		token, swishToken := d.callbackToken(t, "vipps", reference).Token, d.callbackToken(t, "swish", swish).Token
		second := d.second(t, "vipps")
		events := func(account, provider, reference string) string {
			return "/v1/accounts/" + account + "/connections/" + provider + "/signups/" + reference + "/events"
		}
		const unknown = "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01"
		const event = `{"status":"enabled","event":"e"}`
		missing := map[string]got{}
		for name, c := range map[string]struct {
			token, path string
			status      int
		}{
			"unknown reference":                 {token, events("T11223351", "vipps", unknown), 404},
			"no UUID":                           {token, events("T11223351", "vipps", "x"), 404},
			"another spelling":                  {token, events("T11223351", "vipps", strings.ToUpper(reference)), 404},
			"another signup's":                  {token, events("T11223351", "swish", swish), 404},
			"another provider":                  {token, events("T11223351", "swish", reference), 404},
			"unknown provider":                  {token, events("T11223351", "nobody", reference), 404},
			"another provider's documented one": {token, settings + "swish/" + swish, 403},
			"documented, unknown":               {token, settings + "vipps/" + unknown, 404},
			"documented, no UUID":               {token, settings + "vipps/%00", 400},
			"documented, another's token":       {swishToken, settings + "vipps/" + reference, 403},
			"platform, unknown":                 {d.platform, events("T11223351", "vipps", unknown), 404},
			"platform, unknown account":         {d.platform, events("T99999999", "vipps", reference), 404},
			"platform, another account":         {d.platform, events("T11223352", "vipps", reference), 404},
			"platform, another provider":        {d.platform, events("T11223351", "swish", reference), 404},
			"merchant, by swish's scope":        {d.merchant, settings + "swish/" + unknown, 404},
			"merchant, swish, another signup":   {d.merchant, settings + "swish/" + reference, 404},
			"another account":                   {token, events("T11223352", "vipps", second), 403},
			"merchant, no scope of vipps":       {d.merchant, settings + "vipps/" + reference, 403},
			"merchant, events":                  {d.merchant, events("T11223351", "vipps", reference), 403},
			"partner, events":                   {d.partner, events("T11223351", "vipps", reference), 403},
		} {
			answer := d.do(t, c.token, http.MethodPost, c.path, event)
			if answer.status != c.status {
				t.Errorf("%s: %d %s", name, answer.status, answer.body)
			}
			if c.status == http.StatusNotFound {
				answer.header.Del("X-Request-Id")
				answer.header.Del("Date")
				missing[name] = answer
			}
		}
		for name, answer := range missing {
			if fmt.Sprint(answer) != fmt.Sprint(missing["unknown reference"]) {
				t.Errorf("%s: %v, unlike %v", name, answer, missing["unknown reference"])
			}
		}
		if rows := append(d.inbox(t, "vipps"), d.inbox(t, "swish")...); len(rows) != 0 {
			t.Errorf("the inbox has %+v", rows)
		}
		if counted := d.do(t, d.platform, http.MethodGet, "/metrics", "").body; !strings.Contains(counted, "mooring_unknown_callback_references_total 1") {
			t.Error("unknown references are not counted")
		}
	})
}

// second gives the reference of the second merchant's signup, which is there
// from the start.
func (d desk) second(t testing.TB, provider string) string {
	t.Helper()
	c, err := d.server.Store().Connection(t.Context(), auth.Caller{Account: seed.DevSecond}, seed.DevSecond, provider)
	if err != nil {
		t.Fatal(err)
	}
	return c.Signups[0].ID
}

// example is a signup that the provider would take, as a request.
func (d desk) example(t testing.TB, slug string) string {
	t.Helper()
	p, ok := d.server.Catalogue().Get(slug)
	if !ok {
		t.Fatalf("there is no provider %s", slug)
	}
	return `{"signup":` + string(p.Example()) + `}`
}

// A callback token gets into the callbacks of its own signup, and into no
// other operation of the contract.
func TestACallbackTokenOpensNothingElse(t *testing.T) {
	d := newDesk(t, startDev(t, auth.EdDSA))
	reference := d.signUp(t, "vipps", "")
	token := d.callbackToken(t, "vipps", reference).Token
	published := d.do(t, d.platform, http.MethodGet, "/openapi.json", "")
	doc, err := gate.Parse([]byte(published.body))
	if err != nil {
		t.Fatal(err)
	}
	in, tried := []string{}, 0
	for _, op := range doc.Operations() {
		public := len(op.Security) == 0 || slices.ContainsFunc(op.Security, func(r gate.Requirement) bool { return r.Scheme == "basic" || r.Scheme == "" })
		if public {
			continue
		}
		tried++
		path := op.Path
		for _, p := range op.Parameters {
			value := map[string]string{
				"aid": "T11223351", "oid": "T11223351", "connection": "vipps", "callback_reference": reference, "signup_id": reference,
			}[p.Name]
			if value == "" {
				value = fmt.Sprint(p.Raw["example"])
			}
			if p.In == "path" {
				path = strings.ReplaceAll(path, "{"+p.Name+"}", value)
			} else if p.In == "query" && p.Required {
				path += "?" + p.Name + "=" + fmt.Sprint(p.Raw["example"])
			}
		}
		body := ""
		if op.Body != nil {
			body = `{"status":"pending","event":"e"}`
		}
		answer := d.do(t, token, op.Method, path, body)
		switch {
		case answer.status == http.StatusOK:
			in = append(in, op.ID)
		case answer.status != http.StatusForbidden:
			t.Errorf("%s %s: %d %s", op.Method, path, answer.status, answer.body)
		}
	}
	slices.Sort(in)
	want := []string{"aid_account_settings_connections_vipps_callback_post", "callback_events_post"}
	if !slices.Equal(in, want) || tried < 30 {
		t.Errorf("of %d operations the token opens %v, want %v", tried, in, want)
	}
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
			if r.Key, r.Body, err = d.server.Vault().SealBody(t.Context(), at.Account, r.ID, []byte(body)); err != nil {
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
