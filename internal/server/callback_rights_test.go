package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mooring/internal/auth"
	"mooring/internal/gate"
	"mooring/internal/seed"
)

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
