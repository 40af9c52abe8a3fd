package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/telemetry"
)

// bench is a gate over the small contract, on a real server.
type bench struct {
	t       testing.TB
	url     string
	gate    *gate.Gate
	metrics *telemetry.Metrics
	log     *gate.SafeBuffer

	mu    sync.Mutex
	calls map[string]gate.Function // what an operation does instead of echoing its body
	last  *gate.Call
}

// The callers that the bench's tokens stand for.
var callers = map[string]auth.Caller{
	"Bearer partner":  {Account: "T11200000", Kind: account.KindPartner, Client: "c-partner", Scopes: auth.Scopes{"write:accounts"}},
	"Bearer merchant": {Account: "T11223351", Kind: account.KindMerchant, Client: "c-merchant", Scopes: auth.Scopes{"admin:accounts"}},
	"Bearer platform": {Account: "T00000000", Kind: account.KindPlatform, Client: "c-platform", Scopes: auth.Scopes{"admin:accounts"}},
	"Bearer callback": {
		Account: "T11223351", Kind: account.KindMerchant, Client: "reference", Scopes: auth.Scopes{"write:vipps"},
		Callback: &auth.Callback{Provider: "vipps", Reference: "reference"},
	},
	"Bearer mighty callback": { // no such token is ever made
		Account: "T00000000", Kind: account.KindPlatform, Client: "reference",
		Scopes:   auth.Scopes{"admin:accounts", "write:accounts", "read:accounts", "operator:connections", "write:vipps"},
		Callback: &auth.Callback{Provider: "vipps", Reference: "reference"},
	},
	"Bearer narrow":   {Account: "T00000000", Kind: account.KindPlatform, Client: "c-narrow", Scopes: auth.Scopes{"write:vipps"}},
	"Bearer writer":   {Account: "T11223351", Kind: account.KindMerchant, Client: "c-writer", Scopes: auth.Scopes{"write:accounts"}},
	"Bearer operator": {Account: "T00000000", Kind: account.KindPlatform, Client: "c-operator", Scopes: auth.Scopes{"write:accounts"}},
	"Bearer reader":   {Account: "T11223351", Kind: account.KindMerchant, Client: "c-reader", Scopes: auth.Scopes{"read:accounts"}},
}

func verify(_ context.Context, authorization []string) (auth.Caller, error) {
	if len(authorization) == 1 {
		if caller, ok := callers[authorization[0]]; ok {
			return caller, nil
		}
		if authorization[0] == "Bearer down" {
			return auth.Caller{}, fault.New(fault.Unavailable, fault.CodeUnavailable, "try again")
		}
	}
	return auth.Caller{}, fault.Denied(errors.New("no such token"))
}

func newBench(t testing.TB, change ...func(*gate.Config)) *bench {
	t.Helper()
	b := &bench{t: t, metrics: telemetry.NewMetrics(), log: &gate.SafeBuffer{}, calls: map[string]gate.Function{}}
	doc, err := gate.Assemble(os.DirFS("testdata/small"))
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]gate.Function{}
	for _, op := range doc.Operations() {
		functions[op.Function] = b.run
	}
	cfg := gate.Config{
		Document: doc, Functions: functions, Verify: verify,
		World:          func(id account.ID) bool { return id.World() == account.Test },
		Log:            telemetry.NewLogger(b.log, "json", slog.LevelInfo),
		Metrics:        b.metrics,
		FingerprintKey: []byte("a key for tests"),
	}
	for _, f := range change {
		f(&cfg)
	}
	b.gate, err = gate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(b.gate)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// does sets what an operation does; nil lets it echo its body again.
func (b *bench) does(operation string, run gate.Function) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[operation] = run
}

func (b *bench) run(ctx context.Context, call *gate.Call) (gate.Reply, error) {
	b.mu.Lock()
	b.last = call
	own := b.calls[call.Operation.ID]
	b.mu.Unlock()
	if own != nil {
		return own(ctx, call)
	}
	if call.Body == nil {
		return gate.Reply{Body: []byte(`{}`)}, nil
	}
	return gate.Reply{Body: call.Body}, nil
}

// ask is one request; "Name: value" lines make its header.
type ask struct {
	method, path, token, body string
	header                    []string
	chunked                   bool
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (b *bench) do(a ask) answer {
	b.t.Helper()
	b.mu.Lock()
	b.last = nil
	b.mu.Unlock()
	var body io.Reader
	if a.body != "" || a.chunked {
		body = strings.NewReader(a.body)
		if a.chunked {
			body = io.MultiReader(body)
		}
	}
	if a.method == "" {
		a.method = http.MethodPost
	}
	req, err := http.NewRequest(a.method, b.url+a.path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if a.token != "" {
		req.Header.Set("Authorization", a.token)
	}
	if a.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, line := range a.header {
		name, value, _ := strings.Cut(line, ": ")
		if value == "-" {
			req.Header.Del(name)
			continue
		}
		if name == "Content-Type" || name == "Authorization" {
			req.Header.Del(name)
		}
		req.Header.Add(name, value)
	}
	client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(got)}
}

// call is what the last request's function was given; nil when none ran.
func (b *bench) call() *gate.Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

const (
	eventPath = "/v1/accounts/T112/management/accounts/T11223351/connections/vipps/events"
	casePath  = "/v1/accounts/T11223351/case"
	startPath = "/v1/accounts/T11223351/start"
	tokenPath = "/v1/accounts/T11223351/auth/token"
	goodEvent = `{"status":"pending","event":"signature_required"}`
	goodCase  = `{"signup":{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}}`
)

// problems is the errors of an error body as "path CODE".
func (a answer) problems(t testing.TB) []string {
	t.Helper()
	var body struct {
		Error struct {
			Errors []struct {
				Code, Path, Message string
				Params              []string
			}
		}
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	var all []string
	for _, e := range body.Error.Errors {
		all = append(all, e.Path+" "+e.Code)
	}
	return all
}

func (a answer) code(t testing.TB) string {
	t.Helper()
	var body struct{ Error struct{ Code string } }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	return body.Error.Code
}

func TestAnEventGoesThrough(t *testing.T) {
	b := newBench(t)
	got := b.do(ask{path: eventPath, token: "Bearer partner", body: goodEvent})
	if got.status != 200 || got.body != goodEvent {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	call := b.call()
	if diff := cmp.Diff(
		[]any{account.ID("T11200000"), account.ID("T11223351"), "vipps", "T112", "application/json", callers["Bearer partner"]},
		[]any{call.Account("oid"), call.Account("aid"), call.Path("connection"), call.Path("oid"), call.MediaType, call.Caller},
	); diff != "" {
		t.Fatal(diff)
	}
}

func same(t testing.TB, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}
