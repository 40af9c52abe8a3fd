package product

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"mooring/test/drive"
)

// TestEveryProviderRefusesWhatIsWrong sends every signup and every callback of
// the files with one thing wrong at a time. Each is 400 and the answer names
// the place; of signups nothing is stored, and of callbacks about a signup
// that is there a row of the inbox, which says that it was refused.
func TestEveryProviderRefusesWhatIsWrong(t *testing.T) {
	s := dev(t, "--listen", "127.0.0.1:0")
	held := tokens(t, s)
	total := 0
	for _, d := range descriptions(t) {
		t.Run(d.Slug, func(t *testing.T) {
			b := &badInput{newLife(t, d, s, held), 0}
			b.signups(http.StatusNotFound)
			for _, body := range b.bodies() {
				b.call("merchant", b.method(), b.base(b.account), body, http.StatusOK)
			}
			b.signups(http.StatusOK)
			if d.Callback != nil {
				b.callbacks()
			}
			b.reports()
			total += b.sent
		})
	}
	t.Logf("%d wrong bodies", total)
}

// badInput sends what must be refused, and counts.
type badInput struct {
	*life
	sent int
}

// signups sends wrong signups; status is that of the connection's GET, which
// answers the same before and after.
func (b *badInput) signups(status int) {
	if b.request() == nil {
		return
	}
	before := b.call("merchant", http.MethodGet, b.base(b.account), nil, status)
	for _, e := range b.Examples.Valid {
		for _, m := range mutations(b.request(), e.Signup) {
			header := bearer(b.tokens["merchant"])
			if m.strict {
				header.Set("Prefer", "handling=strict")
			}
			b.refuse(m.what, b.place(m.place), b.method(), b.base(b.account), header, b.wrapped(m.value))
		}
	}
	for what, wrong := range brokenTexts(b.wrapped(b.Examples.Valid[0].Signup), 64<<10) {
		if what != "no object" || !b.whole() {
			b.send(what, b.method(), b.base(b.account), bearer(b.tokens["merchant"]), wrong.body, wrong.status)
		}
	}
	after := b.call("merchant", http.MethodGet, b.base(b.account), nil, status)
	if status == http.StatusOK {
		b.demand("the connection", string(before.Body), string(after.Body))
	}
}

// callbacks sends wrong callbacks about the newest signup.
func (b *badInput) callbacks() {
	before := b.read()
	var signup map[string]any
	if b.request() != nil {
		signup = b.Examples.Valid[0].Signup
	}
	c := b.completion(signup)
	header := bearer(c.token)
	kept := map[string]int{"refused": 0}
	for _, e := range b.Examples.Callback.Valid {
		for _, m := range mutations(b.Versions[fmt.Sprint(b.Schema)].Callback, e.Body) {
			if m.strict {
				continue // a provider can't ask for strictness
			}
			b.refuse(m.what, rooted(m.place), http.MethodPost, c.target, header, text(m.value))
			kept["refused"]++
		}
	}
	for _, e := range b.Examples.Callback.Invalid {
		b.refuse(e.Summary, rooted(e.Wrong), http.MethodPost, c.target, header, text(e.Body))
		kept["refused"]++
	}
	b.demand("the inbox", kept, b.inbox())
	for what, wrong := range brokenTexts(c.body, 256<<10) {
		b.send(what, http.MethodPost, c.target, header, wrong.body, wrong.status)
	}
	b.demand("the connection", before, b.read())
}

// reports sends wrong events about the newest signup, with a configuration
// where the provider has one.
func (b *badInput) reports() {
	before, kept := b.read(), b.inbox()
	var signup map[string]any
	if b.request() != nil {
		signup = b.Examples.Valid[0].Signup
	}
	c := b.completion(signup)
	target := "/v1/accounts/" + b.account + "/connections/" + b.Slug + "/signups/" + b.newest() + "/events"
	refuse := func(what, at string, body map[string]any) {
		b.refuse(what, rooted(at), http.MethodPost, target, bearer(c.token), text(body))
		kept["refused"]++
	}
	report := func(name string, value any) map[string]any {
		r := map[string]any{"status": "enabled", "event": "opened"}
		r[name] = value
		return r
	}
	refuse("no event", "/event", map[string]any{"status": "enabled"})
	for name, values := range map[string][]any{
		"status": {"on", nil}, "event": {"", strings.Repeat("x", 129), 7}, "description": {strings.Repeat("x", 1025)}, "metadata": {"text"},
		"code": {"because"}, "provider_code": {strings.Repeat("x", 129)}, "external_id": {"", 5}, "occurred_at": {"yesterday", "2999-01-01T00:00:00Z"},
	} {
		for _, value := range values {
			refuse(fmt.Sprintf("%s is %.20v", name, value), "/"+name, report(name, value))
		}
	}
	for _, m := range mutations(b.configuration(), any(c.configuration)) {
		if !m.strict && c.configuration != nil {
			refuse(m.what, "/configuration"+m.place, report("configuration", m.value))
		}
	}
	b.demand("the inbox", kept, b.inbox())
	b.demand("the connection", before, b.read())
}

// inbox counts the rows of the connection's inbox by what became of them.
func (b *badInput) inbox() map[string]int {
	b.t.Helper()
	found, last := map[string]int{}, ""
	for {
		target := b.operator("callbacks?limit=100" + last)
		page := decode[[]struct{ ID, State string }](b.t, b.call("platform", http.MethodGet, target, nil, http.StatusOK))
		for _, row := range page {
			found[row.State]++
			last = "&starting_after=" + row.ID
		}
		if len(page) == 0 {
			return found
		}
	}
}

func (b *badInput) refuse(what, at, method, target string, header http.Header, body []byte) {
	b.t.Helper()
	answer := b.send(what, method, target, header, body, http.StatusBadRequest)
	if answer.Status == http.StatusBadRequest && !problems(b.t, answer)[at] {
		b.t.Errorf("%s: %s is not named for %s: %s", what, at, body, answer.Body)
	}
}

func (b *badInput) send(what, method, target string, header http.Header, body []byte, status int) drive.Answer {
	b.t.Helper()
	b.sent++
	answer, err := b.client.Do(method, target, maps.Clone(header), body)
	if err != nil {
		b.t.Fatal(err)
	}
	if answer.Status != status {
		b.t.Errorf("%s at %s: %d, want %d: %.300s is answered with %s", what, target, answer.Status, status, body, answer.Body)
	}
	return answer
}

// TestHostileCertificatesAreTakenOrRefusedAtOnce: what a certificate says of
// itself is read for its end, and must not cost more than that.
func TestHostileCertificatesAreTakenOrRefusedAtOnce(t *testing.T) {
	s := dev(t, "--listen", "127.0.0.1:0")
	held := tokens(t, s)
	for _, d := range descriptions(t) {
		for _, certificate := range d.Certificates {
			for name, blob := range hostile(t, d.Examples.Callback.Valid[0].Body[certificate.Member].(string)) {
				t.Run(d.Slug+" "+name, func(t *testing.T) {
					l := newLife(t, d, s, held)
					signup := maps.Clone(d.Examples.Valid[0].Signup)
					signup["website"] = "https://shop.example/" + fmt.Sprint(len(name), name[:1])
					l.call("merchant", l.method(), l.base(l.account), l.wrapped(signup), http.StatusOK)
					c := l.completion(signup)
					body := maps.Clone(d.Examples.Callback.Valid[0].Body)
					body[certificate.Member] = blob
					start := time.Now()
					answer, err := l.client.Do(http.MethodPost, c.target, bearer(c.token), text(body))
					if err != nil || answer.Status != http.StatusOK && answer.Status != http.StatusBadRequest {
						t.Fatalf("%d %s, %v", answer.Status, answer.Body, err)
					}
					if took := time.Since(start); took > 5*time.Second {
						t.Errorf("took %s", took)
					}
				})
			}
		}
	}
}
