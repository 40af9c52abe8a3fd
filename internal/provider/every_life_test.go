package provider_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	"mooring/internal/connection"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/wire"
	"mooring/providers"
)

// fits holds a value against a published schema.
func fits(t *testing.T, schema *gate.Schema, what string, value any) {
	t.Helper()
	if problems := schema.Problems(value); len(problems) > 0 {
		t.Errorf("%s: %+v", what, problems)
	}
	if extra := schema.Undeclared(value); len(extra) > 0 {
		t.Errorf("%s has undeclared members: %s", what, extra)
	}
}

// signed is a connection with one signup, as the API stores it.
func signed(t *testing.T, p *provider.Provider, data []byte) *connection.Connection {
	t.Helper()
	kept, _ := p.SplitSignup(data)
	c, err := connection.Apply(nil, merchant, p, connection.Application{
		ID: "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01", Key: p.SignupKey(data), Data: kept,
	}, act())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sealed takes each accepted signup in and erases it: what answers show fits
// the contract before and after, and the key can't be lost.
func (s suite) sealed(t *testing.T, p *provider.Provider) {
	schema := s.schema(t, p.ContractPrefix()+"Connection")
	for _, data := range p.Valid() {
		c := signed(t, p, data)
		fits(t, schema, "a signup", plain(t, wire.Connection(c, p, "https://connections.example.com")))
		kept, parts := p.SplitSignup(data)
		if p.SignupKey(kept) != p.SignupKey(data) {
			t.Errorf("%s lost its key", kept)
		}
		if again, _ := p.SplitSignup(kept); !bytes.Equal(again, kept) {
			t.Errorf("%s is split again to %s", kept, again)
		}
		for _, part := range parts {
			if value := part.Value.Reveal(); len(value) > 6 && bytes.Contains(kept, []byte(value)) {
				t.Errorf("%s is still there: %s", part.Pointer, kept)
			}
		}
		if _, err := connection.Erase(c, p, c.Signups[0].ID, act()); err != nil {
			t.Fatal(err)
		}
		fits(t, schema, "an erased signup", plain(t, wire.Connection(c, p, "https://connections.example.com")))
		if p.SignupKey(c.Signups[0].Data) != p.SignupKey(data) {
			t.Errorf("%s lost its key", c.Signups[0].Data)
		}
	}
}

// configured lets each accepted callback complete the file's example.
func (s suite) configured(t *testing.T, p *provider.Provider) {
	schema := s.schema(t, p.ContractPrefix()+"Connection")
	for _, body := range p.ValidCallbacks() {
		c := signed(t, p, p.Example())
		whole := p.Configure(provider.Fill(body, provider.Signed{ID: c.Signups[0].ID, Data: p.Example(), At: at}), c.Signups[0].Data)
		if whole == nil {
			t.Errorf("%s configures nothing", body)
			continue
		}
		kept, parts := p.SplitConfiguration(whole)
		for _, part := range parts {
			if value := part.Value.Reveal(); len(value) > 6 && bytes.Contains(kept, []byte(value)) {
				t.Errorf("%s is still there: %s", part.Pointer, kept)
			}
		}
		c.Configuration = kept
		fits(t, schema, "an answer that discloses nothing", plain(t, wire.Connection(c, p, "https://connections.example.com")))
		c.Configuration = p.Disclose(kept, parts)
		fits(t, schema, "an answer that discloses", plain(t, wire.Connection(c, p, "https://connections.example.com")))
	}
}

// scenarios holds what a simulated provider says against what is taken in.
func (s suite) scenarios(t *testing.T, p *provider.Provider) {
	for _, name := range slices.Sorted(maps.Keys(p.Scenarios)) {
		scenario, last := p.Scenarios[name], time.Duration(0)
		for i, step := range scenario.Steps {
			if step.After < last || step.Times < 1 || (step.Callback == nil) == (step.Report == nil) {
				t.Errorf("%s: step %d is %+v", name, i, step)
			}
			last = step.After
		}
	}
	for value, name := range p.Magic.Values {
		if _, ok := p.Scenarios[name]; !ok {
			t.Errorf("%s asks for %s, which there is not", value, name)
		}
	}
	if got := p.Play(p.Example()); got != provider.Happy {
		t.Errorf("the file's example plays %s", got)
	}
	if path := p.CallbackPath(merchant.ID, "x"); (path != "") != (p.Callback != nil) {
		t.Errorf("the callback goes to %q", path)
	}
}

// TestTheProgramsOwnProvidersPlayEveryScenario: an operator's file may do with
// the happy one, ours may not.
func TestTheProgramsOwnProvidersPlayEveryScenario(t *testing.T) {
	c, err := provider.Load(providers.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.All() {
		if len(p.Scenarios) != 7 {
			t.Errorf("%s plays only %v", p.Slug, slices.Sorted(maps.Keys(p.Scenarios)))
		}
	}
}
