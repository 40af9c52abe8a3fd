package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"mooring/internal/auth"
	"mooring/internal/gate"
	"mooring/internal/seed"
	"mooring/internal/server"
)

// harbour is a provider file of an operator. Its version 2 asks for another
// member than its version 1, and does not know the first one.
func harbour(slug string, versions ...int) string {
	request := map[int]string{
		1: "{type: object, required: [shop], properties: {shop: {type: string, maxLength: 20}}}",
		2: "{type: object, required: [berth], properties: {berth: {type: integer}}}",
	}
	example := map[int]string{1: "{shop: Quay}", 2: "{berth: 7}"}
	current := versions[len(versions)-1]
	var schemas strings.Builder
	for _, v := range versions {
		fmt.Fprintf(&schemas, "  %d:\n    request: %s\n", v, request[v])
	}
	return fmt.Sprintf(`slug: %s
title: Harbour
about: Lets shoppers pay at the quay.
prefix: %s
schema: %d
operations:
  post: {id: %[4]s_post, evidence: extension, summary: Apply for Harbour}
  get: {id: %[4]s_get, evidence: extension, summary: Read the Harbour connection, sync: extension}
signup:
  model: single
  view: {data: inline, members: [id, url]}
versions:
%[5]sevents:
  signup_received: {status: pending, turn: provider, meaning: {en: The application was received.}}
  approved: {status: enabled, meaning: {en: The merchant may take payments.}}
scenarios:
  happy: {summary: The merchant is taken on., answer: {status: enabled, event: approved}}
examples:
  valid:
    - {summary: A shop, signup: %[6]s}
  invalid:
    - {summary: Nothing, signup: {}, wrong: %[7]s}
    - {summary: A list, signup: {shop: [], berth: []}, wrong: %[7]s}
    - {summary: A flag, signup: {shop: true, berth: true}, wrong: %[7]s}
`, slug, strings.ToUpper(slug[:1])+slug[1:], current, slug, schemas.String(), example[current],
		map[int]string{1: "/shop", 2: "/berth"}[current])
}

// quay is a dev server with a directory of provider files.
type quay struct {
	dev
	dir    string
	reload chan os.Signal
	log    *logged
}

func startQuay(t *testing.T) quay {
	t.Helper()
	q := quay{dir: t.TempDir(), reload: make(chan os.Signal), log: &logged{}}
	q.dev = startDev(t, auth.EdDSA, func(cfg *server.Config) {
		cfg.Providers, cfg.Reload, cfg.Log = q.dir, q.reload, slog.New(slog.NewJSONHandler(q.log, nil))
	})
	return q
}

func (q quay) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(q.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (q quay) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(q.dir, name)); err != nil {
		t.Fatal(err)
	}
}

// refusedAt reloads and wants one line in the log that begins with a place in
// the directory.
func (q quay) refusedAt(t *testing.T, place, reason string) {
	t.Helper()
	q.log.forget()
	err := q.server.Reload(t.Context())
	if err == nil {
		t.Errorf("%s: was accepted", reason)
		return
	}
	lines := q.log.errors()
	if len(lines) != 1 {
		t.Fatalf("%v is logged in %d lines: %s", err, len(lines), lines)
	}
	var line struct{ Problem string }
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	if place != "" {
		place = filepath.Join(q.dir, place) + ": "
	}
	if !strings.HasPrefix(line.Problem, place) || !strings.Contains(line.Problem, reason) {
		t.Errorf("says %q, want %q at %q", line.Problem, reason, place)
	}
}

func (q quay) accepted(t *testing.T) {
	t.Helper()
	if err := q.server.Reload(t.Context()); err != nil {
		t.Error(err)
	}
}

// call answers the status and the body of a request by the first merchant.
func (q quay) call(t *testing.T, token, method, path, body string) (int, string) {
	t.Helper()
	answer, err := q.client.Do(q.request(t, token, method, path, body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func connectionOf(slug string) string {
	return "/v1/accounts/T11223351/management/settings/connections/" + slug
}

func TestAFileThatWasAddedIsServedAfterAReload(t *testing.T) {
	q := startQuay(t)
	token := q.token(t, q.world.Merchant)
	if status, _ := q.call(t, token, http.MethodGet, connectionOf("harbour"), ""); status != http.StatusNotFound {
		t.Fatalf("it is there before its file: %d", status)
	}
	q.write(t, "harbour.yaml", harbour("harbour", 1))
	q.accepted(t)
	keyed := func() string {
		r := q.request(t, token, http.MethodPost, connectionOf("harbour"), `{"signup":{"shop":"Quay"}}`)
		r.Header.Set("Idempotency-Key", "one")
		return string(q.send(t, r))
	}
	first := keyed()
	for path, has := range map[string]string{
		connectionOf("harbour"):        `"status":"pending"`,
		"/openapi.json":                connectionOf("harbour")[len("/v1/accounts/T11223351"):],
		"/llms.txt":                    "Apply for Harbour",
		"/reference/harbour_post.md":   "Apply for Harbour",
		connectionOf("mastercard-3ds"): "NOT FOUND",
	} {
		if _, body := q.call(t, token, http.MethodGet, path, ""); !strings.Contains(body, has) {
			t.Errorf("%s does not have %q", path, has)
		}
	}
	q.accepted(t)
	if again := keyed(); again != first {
		t.Errorf("the key gives another answer after a reload:\n%s\n%s", first, again)
	}
	_, metrics := q.call(t, token, http.MethodGet, "/metrics", "")
	if !strings.Contains(metrics, "mooring_provider_reloads_total 2") {
		t.Error("reloads are not counted")
	}
}

func TestAPartThatIsToldToReloadsByItself(t *testing.T) {
	q := startQuay(t)
	q.write(t, "harbour.yaml", harbour("harbour", 1))
	q.reload <- syscall.SIGHUP
	q.reload <- syscall.SIGHUP // taken when the first has taken effect
	if _, ok := q.server.Catalogue().Get("harbour"); !ok {
		t.Error("the file was not read")
	}
}

func TestWhatCannotBeTakenIsRefusedAndWhatWasThereStays(t *testing.T) {
	q := startQuay(t)
	q.write(t, "harbour.yaml", harbour("harbour", 1))
	q.accepted(t)
	token := q.token(t, q.world.Merchant)
	q.send(t, q.request(t, token, http.MethodPost, connectionOf("harbour"), `{"signup":{"shop":"Quay"}}`))

	good := harbour("harbour", 1)
	for name, test := range map[string]struct{ file, text, place, reason string }{
		"text that is no YAML":       {"harbour.yaml", "slug: [", "harbour.yaml:1:1", "not YAML"},
		"an empty file":              {"harbour.yaml", "", "harbour.yaml:1:1", "empty"},
		"half of a file":             {"harbour.yaml", good[:len(good)/2], "", "harbour.yaml:"},
		"a member that is not known": {"harbour.yaml", good + "speed: 12\n", "harbour.yaml:27:1", `"speed" does not belong here`},
		"a version that rows have":   {"harbour.yaml", harbour("harbour", 2), "harbour.yaml:12:1", "version 1 of harbour is missing"},
		"no file any more":           {"", "", "", `no file describes the provider "harbour" any more`},
		"a name of the program":      {"vipps.yaml", harbour("vipps", 1), "vipps.yaml:1:1", `the name "vipps" is taken by vipps.yaml`},
		"a name of another file":     {"jetty.yaml", "aliases: [harbour]\n" + harbour("jetty", 1), "jetty.yaml:1:11", `the name "harbour" is taken by`},
		"an operation of the API":    {"jetty.yaml", strings.ReplaceAll(harbour("jetty", 1), "jetty_get", "health_get"), "jetty.yaml:1:1", "does not fit into the API"},
	} {
		if test.file == "" {
			q.remove(t, "harbour.yaml")
		} else {
			q.write(t, test.file, test.text)
		}
		q.refusedAt(t, test.place, test.reason)
		for _, path := range []string{connectionOf("harbour"), "/readyz"} {
			if status, _ := q.call(t, token, http.MethodGet, path, ""); status != http.StatusOK {
				t.Errorf("%s: %s is answered with %d", name, path, status)
			}
		}
		if test.file != "" {
			q.remove(t, test.file)
		}
		q.write(t, "harbour.yaml", good)
	}
	q.accepted(t)
	q.write(t, "jetty.yaml", harbour("jetty", 1))
	q.accepted(t)
	q.remove(t, "jetty.yaml") // nobody signed up
	q.accepted(t)
	if status, _ := q.call(t, token, http.MethodGet, connectionOf("jetty"), ""); status != http.StatusNotFound {
		t.Errorf("what was removed is answered with %d", status)
	}
}

func TestRowsOfAnOldVersionStayValidBesideThoseOfANewOne(t *testing.T) {
	q := startQuay(t)
	q.write(t, "harbour.yaml", harbour("harbour", 1))
	q.accepted(t)
	old, fresh := q.world.Merchant, q.world.SecondMerchant
	oldToken, freshToken := q.token(t, old), q.token(t, fresh)
	path := func(c seed.Credentials) string {
		return "/v1/accounts/" + string(c.Account) + "/management/settings/connections/harbour"
	}
	q.send(t, q.request(t, oldToken, http.MethodPost, path(old), `{"signup":{"shop":"Quay"}}`))

	q.write(t, "harbour.yaml", harbour("harbour", 1, 2))
	q.accepted(t)
	if status, _ := q.call(t, freshToken, http.MethodPost, path(fresh), `{"signup":{"shop":"Quay"}}`); status != http.StatusBadRequest {
		t.Errorf("a signup of the old version is answered with %d", status)
	}
	q.send(t, q.request(t, freshToken, http.MethodPost, path(fresh), `{"signup":{"berth":7}}`))
	_, published := q.call(t, oldToken, http.MethodGet, "/openapi.json", "")
	document, err := gate.Parse([]byte(published))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := document.Schema("#/components/schemas/HarbourConnection")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		who   seed.Credentials
		token string
		has   []string
	}{
		{old, oldToken, []string{`"shop":"Quay"`, `"schema":1`}},
		{fresh, freshToken, []string{`"berth":7`, `"schema":2`}},
	} {
		body := q.send(t, q.request(t, test.token, http.MethodGet, path(test.who), ""))
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if problems, unknown := schema.Problems(value), schema.Undeclared(value); len(problems)+len(unknown) > 0 {
			t.Errorf("%s breaks the contract: %v %v", body, problems, unknown)
		}
		for _, part := range test.has {
			if !bytes.Contains(body, []byte(part)) {
				t.Errorf("%s does not have %s", body, part)
			}
		}
	}
	// The old signup may be replaced by one of the new version, and stays what it was.
	q.send(t, q.request(t, oldToken, http.MethodPost, path(old), `{"signup":{"berth":8}}`))
	q.write(t, "harbour.yaml", harbour("harbour", 2))
	q.refusedAt(t, "harbour.yaml:12:1", "version 1 of harbour is missing")
}

// logged keeps the errors of a log.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes.Contains(p, []byte(`"level":"ERROR"`)) {
		l.lines = append(l.lines, string(p))
	}
	return len(p), nil
}

func (l *logged) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = nil
}

func (l *logged) errors() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// underLoad keeps readers busy while do runs, and fails the test for any answer
// that is not 200.
func (q quay) underLoad(t *testing.T, do func()) (answered int64) {
	t.Helper()
	token := q.token(t, q.world.Merchant)
	q.send(t, q.request(t, token, http.MethodPost, connectionOf("vipps"), ""))
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var count atomic.Int64
	for range 2 {
		group.Go(func() {
			for ctx.Err() == nil {
				q.send(t, q.request(t, token, http.MethodGet, connectionOf("vipps"), ""))
				count.Add(1)
			}
		})
	}
	do()
	stop()
	group.Wait()
	return count.Load()
}

// held is what the process holds once what is garbage was collected.
func held() (memory uint64, goroutines int) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, runtime.NumGoroutine()
}

func TestReloadsUnderLoadCostNothingThatStays(t *testing.T) {
	q := startQuay(t)
	q.write(t, "harbour.yaml", harbour("harbour", 1))
	q.underLoad(t, func() { q.accepted(t); q.accepted(t) })
	memory, goroutines := held()
	answered := q.underLoad(t, func() {
		for i := range reloads {
			if i%2 == 0 {
				q.write(t, "jetty.yaml", harbour("jetty", 1))
			} else {
				q.remove(t, "jetty.yaml")
			}
			q.accepted(t)
		}
	})
	after, running := held()
	t.Logf("%d requests were answered; %d KiB before, %d KiB after", answered, memory>>10, after>>10)
	if answered == 0 {
		t.Error("nothing was answered")
	}
	if after > memory+8<<20 {
		t.Errorf("the heap grew from %d KiB to %d KiB", memory>>10, after>>10)
	}
	if running > goroutines+8 { // idle connections of the clients
		t.Errorf("%d goroutines became %d", goroutines, running)
	}
}
