package provider_test

import (
	"strings"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/provider"
)

func acmeProvider(t *testing.T) *provider.Provider {
	t.Helper()
	p, ok := acme(t).Get("acme")
	if !ok {
		t.Fatal("acme is not there")
	}
	return p
}

func TestACallbackBecomesAConfiguration(t *testing.T) {
	p := acmeProvider(t)
	const signup = `{"brand":"Kari Kaffe","case_id":"c"}`
	for name, test := range map[string]struct{ body, signup, want string }{
		"all that is named": {
			`{"mode":"on","apiSecret":"s","Keys":[{"label":"one","value":"k"},{"label":"two"}],"p12":"MIIB","pass":"w"}`, signup,
			`{"brand":"Kari Kaffe","cert":"MIIB","keys":[{"key":"k","name":"one"},{"name":"two"}],"pass":"w","secret":"s","status":"on"}`,
		},
		"nothing else": {
			`{"mode":"on","apiSecret":"s","other":1,"Keys":[{"label":"one","other":1,"name":"x"}],"status":"off"}`, signup,
			`{"brand":"Kari Kaffe","keys":[{"name":"one"}],"secret":"s","status":"on"}`,
		},
		"what the signup did not say": {`{"mode":"on","apiSecret":"s"}`, `{"case_id":"c"}`, `{"secret":"s","status":"on"}`},
		"numbers as they were":        {`{"mode":1.0,"apiSecret":12345678901234567890}`, `{}`, `{"secret":12345678901234567890,"status":1.0}`},
		"a list of something else":    {`{"mode":"on","Keys":["one",{"label":"two"}]}`, `{}`, `{"keys":[{"name":"two"}],"status":"on"}`},
		"nothing that is named":       {`{"other":1}`, `{}`, ""},
		"what is no object":           {`[]`, `[]`, ""},
	} {
		if got := string(p.Configure([]byte(test.body), []byte(test.signup))); got != test.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWhatTheCallbackSaysCountsMoreThanTheSignup(t *testing.T) {
	text := strings.NewReplacer("    p12: cert\n", "    p12: brand\n", "certificates:\n  - {member: cert, passphrase: pass}\n", "").Replace(acmeText(t))
	c, err := provider.Load(files("acme.yaml", text))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := c.Get("acme")
	if got := string(p.Configure([]byte(`{"p12":"said"}`), []byte(`{"brand":"kept"}`))); got != `{"brand":"said"}` {
		t.Error(got)
	}
}

func TestErasureKeepsBusinessData(t *testing.T) {
	p := acmeProvider(t)
	kept, _ := p.SplitSignup(p.Example())
	const want = `{"brand":"Kari Kaffe","case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","owners":[{"name":"Kari","share":60}]}`
	if got := string(p.Anonymous(kept)); got != want {
		t.Error(got)
	}
	for _, document := range []string{`{"other":"Kari","owners":{"name":"Kari"},"brand":["Kari"]}`, `{"owners":["Kari"]}`, `{}`} {
		if got := string(p.Anonymous([]byte(document))); strings.Contains(got, "Kari") {
			t.Errorf("%s leaves %s", document, got)
		}
	}
	free := provider.Ruled(map[string]any{"type": "object", "additionalProperties": true}, nil)
	if got := string(free.Anonymous([]byte(`{"name":"Kari"}`))); got != `{}` {
		t.Errorf("of what is not known stays %s", got)
	}
}

func TestAMagicValueChoosesTheScenario(t *testing.T) {
	p := acmeProvider(t)
	for data, want := range map[string]string{
		`{"brand":"AUTO_DECLINE"}`:   "declined",
		`{"brand":"AUTO_APPROVE"}`:   "happy",
		`{"brand":"auto_decline"}`:   "happy",
		`{"brand":""}`:               "happy",
		`{"brand":7}`:                "happy",
		`{"brand":["AUTO_DECLINE"]}`: "happy",
		`{"case_id":"AUTO_DECLINE"}`: "happy",
		`[]`:                         "happy",
		``:                           "happy",
	} {
		if got := p.Play([]byte(data)); got != want {
			t.Errorf("%s plays %s", data, got)
		}
	}
	list := strings.Replace(acmeText(t), "member: /brand", "member: /owners/0/name", 1)
	c, err := provider.Load(files("acme.yaml", strings.Replace(list, "AUTO_DECLINE: declined", "AUTO_NEVER_SIGNS: never_signs", 1)))
	if err != nil {
		t.Fatal(err)
	}
	p, _ = c.Get("acme")
	if got := p.Play([]byte(`{"owners":[{"name":"AUTO_NEVER_SIGNS"}]}`)); got != "never_signs" {
		t.Errorf("the first of a list plays %s", got)
	}
}

func TestACallbackGoesWhereTheContractHasIt(t *testing.T) {
	const want = "/v1/accounts/T11223351/management/settings/connections/acme/acme.card/01990f29"
	if got := acmeProvider(t).CallbackPath(account.ID("T11223351"), "01990f29"); got != want {
		t.Error(got)
	}
	if got := provider.Ruled(nil, nil).CallbackPath("T11223351", "x"); got != "" {
		t.Errorf("no callback goes to %s", got)
	}
}

func TestBlanksAreFilledIn(t *testing.T) {
	by := provider.Signed{
		ID: "01990f29", At: time.Date(2026, 5, 12, 9, 30, 0, 5000, time.FixedZone("", 7200)),
		Data: []byte(`{"case_id":"{signup.id}","number":12.50,"list":[{"a/b":"x"}],"quote":"\"<"}`),
	}
	for body, want := range map[string]string{
		`{"id":"{signup.id}"}`:                              `{"id":"01990f29"}`,
		`{"link":"https://x/{signup.id}/{signup.id}?"}`:     `{"link":"https://x/01990f29/01990f29?"}`,
		`{"at":["{signup+0m}","{signup+2h}"]}`:              `{"at":["2026-05-12T07:30:00Z","2026-05-12T09:30:00Z"]}`,
		`{"at":"{signup+30d}"}`:                             `{"at":"2026-06-11T07:30:00Z"}`,
		`{"n":"{signup:/number}","t":"n={signup:/number}"}`: `{"n":12.50,"t":"n=12.50"}`,
		`{"l":"{signup:/list/0/a~1b}"}`:                     `{"l":"x"}`,
		`{"q":"{signup:/quote}"}`:                           `{"q":"\"<"}`,
		`{"case":"{signup:/case_id}"}`:                      `{"case":"{signup.id}"}`,
		`{"none":"{signup:/other}"}`:                        `{"none":""}`,
		`{"{signup.id}":"{signup.token}"}`:                  `{"{signup.id}":"{signup.token}"}`,
		`{"b":1,"a":2}`:                                     `{"b":1,"a":2}`,
	} {
		if got := string(provider.Fill([]byte(body), by)); got != want {
			t.Errorf("%s becomes %s", body, got)
		}
	}
}
