package provider_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/gate"
	"mooring/internal/provider"
)

// callbacks are the documented ones, by operation.
var callbacks = map[string]string{
	"aid_account_settings_connections_vipps_callback_post":     "vipps/{callback_reference}",
	"aid_account_settings_connections_payex_callback_post":     "payex/{payment_product_type}/{callback_reference}",
	"aid_account_settings_connections_swish_callback_post":     "swish/{callback_reference}",
	"aid_account_settings_connections_collector_callback_post": "collector/{callback_reference}",
	"aid_account_settings_connections_bambora_callback_post":   "bambora/{callback_reference}",
	"aid_account_settings_connections_instabank_callback_post": "instabank/{callback_reference}",
}

func TestEveryDocumentedCallbackIsInTheContract(t *testing.T) {
	s, found := newSuite(t), 0
	for _, p := range s.catalogue.All() {
		if p.Callback == nil {
			continue
		}
		found++
		o, ok := s.document.Operation(p.Callback.Operation)
		if !ok {
			t.Errorf("%s: the callback is not in the contract", p.Slug)
			continue
		}
		if o.Method != "POST" || o.Function != "connection.callback" || o.Argument != p.Slug || !o.RawBody || o.MaxBody != 256<<10 || !o.Body.Required || o.Extension {
			t.Errorf("%s: the operation is %+v", p.Slug, o)
		}
		if o.Path != paths+callbacks[o.ID] || o.Evidence != "documented-2026" {
			t.Errorf("%s: %s is at %s, %s", p.Slug, o.ID, o.Path, o.Evidence)
		}
		narrow := "write:accounts:/management/settings/connections/" + p.Slug
		var want []gate.Requirement
		for _, scope := range p.CallbackScopes() {
			want = append(want, gate.Requirement{Scheme: "bearer", Scopes: []string{scope}})
		}
		want = append(want, gate.Requirement{Scheme: "callback", Scopes: []string{narrow}})
		if diff := cmp.Diff(want, o.Security); diff != "" || !slices.Contains(p.CallbackScopes(), narrow) {
			t.Errorf("%s: %v %s", p.Slug, p.CallbackScopes(), diff)
		}
	}
	if found < 4 {
		t.Errorf("only %d providers have a callback", found)
	}
}

func TestTheExamplesOfCallbacksHoldAtTheGate(t *testing.T) {
	s := newSuite(t)
	for _, p := range s.catalogue.All() {
		if p.Callback == nil {
			continue
		}
		reader, err := s.document.Reader(p.CallbackSchema())
		if err != nil {
			t.Fatal(err)
		}
		schema, err := s.document.Schema(p.CallbackSchema())
		if err != nil {
			t.Fatal(err)
		}
		for i, body := range p.ValidCallbacks() {
			if _, err := reader.Read(body, true); err != nil {
				t.Errorf("%s: valid example %d: %v", p.Slug, i, err)
			}
		}
		for _, example := range p.InvalidCallbacks() {
			var places []string
			for _, problem := range schema.Problems(plain(t, example.Signup)) {
				places = append(places, problem.Path)
			}
			if !slices.Contains(places, "#"+example.Wrong) {
				t.Errorf("%s, %s: refused for %q, not for %s", p.Slug, example.Summary, places, example.Wrong)
			}
		}
	}
}

// Every provider can be reported on, with a configuration where it has one.
func TestTheEventsCallbackTakesTheConfigurationOfEachProvider(t *testing.T) {
	s := newSuite(t)
	for _, p := range s.catalogue.All() {
		reader, err := s.document.Reader(p.EventSchema())
		if err != nil {
			t.Fatal(err)
		}
		for body, good := range map[string]bool{
			`{"status":"pending","event":"waiting","code":"under_review","provider_code":"X-1","external_id":"1","occurred_at":"2026-05-12T09:29:41Z","metadata":{"a":1},"description":""}`: true,
			`{"status":"pending"}`:                                false,
			`{"status":"open","event":"e"}`:                       false,
			`{"status":"enabled","event":"e"}`:                    true,
			`{"status":"enabled","event":"e","configuration":[]}`: len(configurationOf(t, s, p)) == 0,
		} {
			if _, err := reader.Read([]byte(body), false); (err == nil) != good {
				t.Errorf("%s: %s: %v", p.Slug, body, err)
			}
		}
		if answer := p.Scenarios["happy"].Answer; answer != nil && answer.Configuration != nil {
			body := `{"status":"enabled","event":"e","configuration":` + string(answer.Configuration) + `}`
			if _, err := reader.Read([]byte(body), true); err != nil {
				t.Errorf("%s: %s: %v", p.Slug, body, err)
			}
		}
	}
}

// configurationOf is how the contract describes what the events callback may
// say of the configuration; nil when it may say nothing.
func configurationOf(t *testing.T, s suite, p *provider.Provider) map[string]any {
	t.Helper()
	schemas := s.document.Raw()["components"].(map[string]any)["schemas"].(map[string]any)
	parts := schemas[p.ContractPrefix()+"CallbackEvent"].(map[string]any)["allOf"].([]any)
	if len(parts) == 1 {
		return nil
	}
	return parts[1].(map[string]any)["properties"].(map[string]any)["configuration"].(map[string]any)
}
