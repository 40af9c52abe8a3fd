package provider_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/contract"
	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/wire"
	"mooring/providers"
)

// suite is what every provider has to pass: its file, and the contract that
// the files and the rest of the API make together.
type suite struct {
	catalogue *provider.Catalogue
	document  *gate.Document
}

func newSuite(t *testing.T) suite {
	t.Helper()
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		t.Fatal(err)
	}
	document, err := gate.Assemble(contract.FS, catalogue.Contract())
	if err != nil {
		t.Fatal(err)
	}
	return suite{catalogue, document}
}

func TestEveryProvider(t *testing.T) {
	s := newSuite(t)
	for _, p := range s.catalogue.All() {
		t.Run(p.Slug, func(t *testing.T) {
			t.Run("its operations are in the contract", func(t *testing.T) { s.operations(t, p) })
			t.Run("its examples hold at the gate", func(t *testing.T) { s.examples(t, p) })
			t.Run("its key tells signups apart", func(t *testing.T) { s.key(t, p) })
			t.Run("its answers are as the contract has them", func(t *testing.T) { s.answers(t, p) })
			t.Run("what it seals leaves answers as the contract has them", func(t *testing.T) { s.sealed(t, p) })
			t.Run("its callback makes a configuration", func(t *testing.T) { s.configured(t, p) })
			t.Run("its scenarios say what can be taken in", func(t *testing.T) { s.scenarios(t, p) })
			t.Run("what is sent again changes nothing", func(t *testing.T) { s.again(t, p) })
			t.Run("its names lead to it", func(t *testing.T) { s.names(t, p) })
		})
	}
}

func (s suite) operations(t *testing.T, p *provider.Provider) {
	functions := map[string]string{}
	for _, o := range s.document.Operations() {
		if o.Argument != p.Slug || o.RawBody || o.Extension {
			continue
		}
		functions[o.Method] = o.Function
		scope := map[bool]string{true: "read:accounts", false: "write:accounts"}[o.Method == "GET"]
		want := []gate.Requirement{{Scheme: "bearer", Scopes: []string{"admin:accounts"}}, {Scheme: "bearer", Scopes: []string{scope}}}
		if diff := cmp.Diff(want, o.Security); diff != "" {
			t.Errorf("%s: %s", o.ID, diff)
		}
		if hasBody := o.Body != nil; hasBody != (o.Function == signs(p) && p.Signup.Body) {
			t.Errorf("%s: has a body: %v", o.ID, hasBody)
		}
		for _, name := range []string{"Idempotency-Key", "Prefer"} {
			if has := hasParameter(o, "header", name); has == (o.Method == "GET") {
				t.Errorf("%s: takes %s: %v", o.ID, name, has)
			}
		}
		if has := hasParameter(o, "query", "sync"); has != (o.Method == "GET" && p.Sync) {
			t.Errorf("%s: takes sync: %v", o.ID, has)
		}
	}
	want := map[string]string{"POST": "connection.signup", "GET": "connection.read"}
	switch {
	case p.Signup.Whole:
		want = map[string]string{"PUT": signs(p), "GET": "connection.read"}
	case functions["PUT"] != "":
		want["PUT"] = "connection.restart"
	}
	if diff := cmp.Diff(want, functions); diff != "" {
		t.Error(diff)
	}
}

// signs is the function that takes a provider's signups.
func signs(p *provider.Provider) string {
	return map[bool]string{true: "connection.signup.whole", false: "connection.signup"}[p.Signup.Whole]
}

func hasParameter(o *gate.Operation, in, name string) bool {
	return slices.ContainsFunc(o.Parameters, func(p gate.Parameter) bool { return p.In == in && p.Name == name })
}

func (s suite) schema(t *testing.T, name string) *gate.Schema {
	t.Helper()
	schema, err := s.document.Schema("#/components/schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func (s suite) examples(t *testing.T, p *provider.Provider) {
	if !p.Signup.Body {
		if string(p.Example()) != `{}` {
			t.Errorf("an example without a body: %s", p.Example())
		}
		return
	}
	name, around, at := p.ContractPrefix()+"SignupRequest", `{"signup":%s}`, "#/signup"
	if p.Signup.Whole {
		name, around, at = p.ContractPrefix()+"Signup", `%s`, "#"
	}
	request := s.schema(t, name)
	for _, signup := range p.Valid() {
		body := plain(t, fmt.Appendf(nil, around, signup))
		if problems := request.Problems(body); len(problems) > 0 {
			t.Errorf("%s is refused: %+v", signup, problems)
		}
		if extra := request.Undeclared(body); len(extra) > 0 {
			t.Errorf("%s has undeclared members: %s", signup, extra)
		}
	}
	if diff := cmp.Diff(string(p.Valid()[0]), string(p.Example())); diff != "" {
		t.Error(diff)
	}
	refused := append(p.Invalid(), provider.Refused{Summary: "a list", Signup: []byte(`[]`)}, provider.Refused{Summary: "null", Signup: []byte(`null`)})
	for _, example := range refused {
		var places []string
		for _, problem := range request.Problems(plain(t, fmt.Appendf(nil, around, example.Signup))) {
			places = append(places, problem.Path)
		}
		if want := at + example.Wrong; !slices.Contains(places, want) && !slices.Contains(places, want+"/") {
			t.Errorf("%s: refused for %q, not for %s", example.Summary, places, example.Wrong)
		}
	}
	if problems := request.Problems(map[string]any{}); !p.Signup.Whole && (len(problems) != 1 || problems[0].Path != "#/signup") {
		t.Errorf("without a signup: %+v", problems)
	}
}

func (s suite) key(t *testing.T, p *provider.Provider) {
	if !p.Signup.Many {
		if key := p.SignupKey(p.Example()); key != "" {
			t.Errorf("the single model has the key %s", key)
		}
		return
	}
	known := map[string]string{p.SignupKey(p.Example()): "the example"}
	for _, name := range p.Signup.Key {
		signup := plain(t, p.Example()).(map[string]any)
		signup[name] = "Other"
		if same := known[p.SignupKey(provider.Spelt(signup))]; same != "" {
			t.Errorf("another %s has the key of %s", name, same)
		}
		other := p.SignupKey(provider.Spelt(signup))
		known[other] = "another " + name
		signup[name] = "oTHER"
		if same := p.SignupKey(provider.Spelt(signup)) == other; same != slices.Contains(p.Signup.UUIDs, name) {
			t.Errorf("%s in another case is the same: %v", name, same)
		}
		delete(signup, name)
		if p.SignupKey(provider.Spelt(signup)) == other {
			t.Errorf("no %s and another one have the same key", name)
		}
	}
	signup := plain(t, p.Example()).(map[string]any)
	signup["irrelevant"] = "x"
	if known[p.SignupKey(provider.Spelt(signup))] != "the example" {
		t.Error("a member outside the key matters")
	}
}

var at = time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC)

func act() connection.Act {
	n := 0
	text := func() string { n++; return fmt.Sprintf("id-%d", n) }
	return connection.Act{At: at, By: "client", NewID: text, NewToken: text}
}

var merchant = account.Account{ID: "T11223351", Company: account.Company{OrganizationNumber: "923456789"}}

// answers encodes connections as the API does, through every state that a file
// can bring about, and holds them against the published schema.
func (s suite) answers(t *testing.T, p *provider.Provider) {
	schema := s.schema(t, p.ContractPrefix()+"Connection")
	check := func(what string, value any) { fits(t, schema, what, value) }
	c, err := connection.Apply(nil, merchant, p, application(p), act())
	if err != nil {
		t.Fatal(err)
	}
	check("a first signup", plain(t, wire.Connection(c, p, "https://connections.example.com")))
	c.Signups[0].CallbackAt = at
	check("a signup that was called back", plain(t, wire.Connection(c, p, "https://connections.example.com")))
	if answer := p.Scenarios["happy"].Answer; answer != nil {
		if changed, err := connection.ApplyReport(c, p, *answer, act()); !changed || err != nil {
			t.Errorf("the simulator's report changed the connection: %v, %v", changed, err)
		}
		check("what the simulator says", plain(t, wire.Connection(c, p, "")))
	}
	for _, o := range s.document.Operations() {
		if o.Argument == p.Slug && !o.RawBody && !o.Extension {
			for name, value := range responseExamples(o) {
				check(o.ID+" example "+name, value)
			}
		}
	}
	for _, e := range c.Events {
		if p.Events[e.Name].Meaning["en"] == "" {
			t.Errorf("the event %s is not explained", e.Name)
		}
	}
}

func responseExamples(o *gate.Operation) map[string]any {
	all := map[string]any{}
	var value any = o.Raw
	for _, name := range []string{"responses", "200", "content", "application/json", "examples"} {
		value = value.(map[string]any)[name]
	}
	for name, one := range value.(map[string]any) {
		all[name] = one.(map[string]any)["value"]
	}
	return all
}

func (s suite) again(t *testing.T, p *provider.Provider) {
	first, err := connection.Apply(nil, merchant, p, application(p), act())
	if err != nil {
		t.Fatal(err)
	}
	before := first.LastSeq
	second, err := connection.Apply(first, merchant, p, application(p), act())
	if err != nil || second.LastSeq != before || len(second.Signups) != 1 {
		t.Errorf("%d signups and %d events, %v", len(second.Signups), second.LastSeq, err)
	}
	_, err = connection.Apply(nil, account.Account{ID: merchant.ID}, p, application(p), act())
	if refused := err != nil; refused != p.Signup.NeedsOrganization {
		t.Errorf("without an organization number: %v", err)
	}
}

func (s suite) names(t *testing.T, p *provider.Provider) {
	for _, name := range append([]string{p.Slug}, p.Aliases...) {
		if found, ok := s.catalogue.Resolve(name); !ok || found != p {
			t.Errorf("%s leads elsewhere", name)
		}
		if found, ok := s.catalogue.Get(name); ok != (name == p.Slug) || ok && found != p {
			t.Errorf("Get(%q) gives %v", name, found)
		}
	}
	if _, ok := s.catalogue.Resolve(strings.ToUpper(p.Slug)); ok {
		t.Error("the case of a name does not matter")
	}
}

// plain reads JSON as the gate does.
func plain(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

// application is the file's example as the API takes it in.
func application(p *provider.Provider) connection.Application {
	kept, _ := p.SplitSignup(p.Example())
	return connection.Application{ID: "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01", Key: p.SignupKey(p.Example()), Data: kept}
}
