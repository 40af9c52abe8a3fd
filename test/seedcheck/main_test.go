package main

import (
	"context"
	"testing"

	"mooring/test/drive"
)

func TestEveryDocumentedFactIsThere(t *testing.T) {
	server := start(t)
	for _, name := range pages {
		for _, r := range replayed(t, server, name, func(*page) {}) {
			if !r.ok {
				t.Errorf("%s: %s, %s: %s", name, r.what, r.documented, r.ours)
			}
		}
	}
}

// TestAFactThatIsNotThereIsNoticed adds to the pages what our server does not
// do, one fact at a time.
func TestAFactThatIsNotThereIsNoticed(t *testing.T) {
	server := start(t)
	for name, untrue := range map[string]struct {
		what string
		add  func(*page)
	}{
		"another name":             {"operation", func(p *page) { p.Page = "other" }},
		"another scope":            {"scopes", func(p *page) { p.Scopes = []string{"admin:accounts"} }},
		"another pattern":          {"path aid", func(p *page) { p.Parameters[0].fact.Pattern = "^[A-Z]$" }},
		"a wrong id that is right": {"path aid", func(p *page) { p.Parameters[0].fact.Wrong = []string{server.Account} }},
		"a member of the request":  {"request colour", func(p *page) { p.Request = append(p.Request, fact("colour", member{Type: "string"})) }},
		"a member of the answer":   {"answer colour", func(p *page) { p.Answer = append(p.Answer, fact("colour", member{Type: "string"})) }},
		"another type":             {"answer schema", func(p *page) { p.Answer = ordered[member]{fact("schema", member{Type: "string"})} }},
		"another format":           {"answer status", func(p *page) { p.Answer = ordered[member]{fact("status", member{Type: "string", Format: "uuid"})} }},
		"one more word": {"answer status", func(p *page) {
			p.Answer = ordered[member]{fact("status", member{Type: "string", Enum: []string{"pending", "lost"}})}
		}},
		"read-only, which is not so": {"answer status", func(p *page) { p.Answer = ordered[member]{fact("status", member{Type: "string", ReadOnly: true})} }},
		"unique, with two of them": {"answer events", func(p *page) {
			p.Answer = ordered[member]{fact("events", member{Type: "array", Unique: []string{"id"}})}
		}},
		"a body that is not accepted": {"the request as printed", func(p *page) { p.Body = `{"signup": {}}` }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range replayed(t, server, "mastercard-3ds.yaml", untrue.add) {
				if r.what == untrue.what && !r.ok {
					return
				}
			}
			t.Errorf("%q is said to be ok", untrue.what)
		})
	}
}

func fact(name string, m member) named[member] { return named[member]{name, m} }

func start(t *testing.T) *drive.Server {
	t.Helper()
	server, stop, err := fresh(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return server
}

// replayed reads a page, changes it, and replays it.
func replayed(t *testing.T, server *drive.Server, name string, change func(*page)) []row {
	t.Helper()
	p, err := readPage(name)
	if err != nil {
		t.Fatal(err)
	}
	change(&p)
	rows, err := check(p, server)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
