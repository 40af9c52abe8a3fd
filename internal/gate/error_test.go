package gate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/telemetry"
)

func newGate(doc *gate.Document, functions ...string) (*gate.Gate, error) {
	m := map[string]gate.Function{}
	for _, name := range functions {
		m[name] = func(context.Context, *gate.Call) (gate.Reply, error) { return gate.Reply{}, nil }
	}
	return gate.New(gate.Config{
		Document: doc, Functions: m, Verify: verify,
		Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewMetrics(),
	})
}

func failing(err error) gate.Function {
	return func(context.Context, *gate.Call) (gate.Reply, error) { return gate.Reply{}, err }
}

func TestEachFaultHasItsStatusAndBody(t *testing.T) {
	b := newBench(t)
	slow := fault.New(fault.TooMany, fault.CodeTooMany, "slow down")
	slow.RetryAfter = 1500 * time.Millisecond
	secret := errors.New("password hunter2 at db.internal")
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
		retry  string
	}{
		"invalid":          {fault.New(fault.Invalid, fault.CodeConnectionEnabled, "it is enabled"), 400, `{"error":{"code":"CONNECTION_ENABLED","message":"it is enabled","errors":[]}}`, ""},
		"invalid, no code": {fault.New(fault.Invalid, "", "no"), 400, `{"error":{"code":"INVALID_REQUEST_PARAMETER","message":"no","errors":[]}}`, ""},
		"problems": {
			fault.Refused(fault.Problem{In: "body", Name: "a", Path: "#/a", Code: "C", Message: "m"}), 400,
			`{"error":{"code":"INVALID_REQUEST_PARAMETER","in":"body","name":"a","path":"#/a","message":"m","errors":[{"code":"C","params":[],"message":"m","path":"#/a"}]}}`, "",
		},
		"unauthenticated": {fault.Denied(secret), 401, `{"error":{"errors":[],"message":"UNAUTHORIZED"}}`, ""},
		"forbidden":       {fault.New(fault.Forbidden, fault.CodeForbidden, "no"), 403, `{"error":{"code":"FORBIDDEN","message":"no","errors":[]}}`, ""},
		"missing":         {fault.Missing(), 404, `{"error":{"code":"NOT FOUND","message":"not found","errors":[]}}`, ""},
		"wrapped":         {fmt.Errorf("read: %w", fault.Missing().Because(secret)), 404, `{"error":{"code":"NOT FOUND","message":"not found","errors":[]}}`, ""},
		"conflict":        {fault.New(fault.Conflict, fault.CodeConflict, "taken"), 409, `{"error":{"code":"CONFLICT","message":"taken","errors":[]}}`, ""},
		"precondition":    {fault.New(fault.Conflict, fault.CodePrecondition, "stale"), 412, `{"error":{"code":"PRECONDITION_FAILED","message":"stale","errors":[]}}`, ""},
		"key reused":      {fault.New(fault.Invalid, fault.CodeKeyReused, "reused"), 422, `{"error":{"code":"IDEMPOTENCY_KEY_REUSED","message":"reused","errors":[]}}`, ""},
		"too many":        {slow, 429, `{"error":{"code":"TOO_MANY_REQUESTS","message":"slow down","errors":[]}}`, "2"},
		"unavailable":     {fault.New(fault.Unavailable, fault.CodeUnavailable, "later"), 503, `{"error":{"code":"UNAVAILABLE","message":"later","errors":[]}}`, "1"},
		"oauth name":      {fault.New(fault.Invalid, "INVALID_SCOPE", "no scope"), 400, `{"error":{"code":"INVALID_REQUEST_PARAMETER","message":"no scope","errors":[]}}`, ""},
		"any other error": {secret, 500, `{"error":{"code":"INTERNAL_ERROR","message":"unexpected error; the request id is r-1","errors":[]}}`, ""},
		"internal fault":  {fault.New(fault.Internal, "X", "hunter2"), 500, `{"error":{"code":"INTERNAL_ERROR","message":"unexpected error; the request id is r-1","errors":[]}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b.does("health_get", failing(c.err))
			got := b.do(ask{method: "GET", path: "/healthz", header: []string{"X-Request-Id: r-1"}})
			if got.status != c.status || got.body != c.body || got.header.Get("Retry-After") != c.retry {
				t.Fatalf("got %d, Retry-After %q: %s", got.status, got.header.Get("Retry-After"), got.body)
			}
		})
	}
}

func TestFormRequestsGetErrorsThatOAuthLibrariesRead(t *testing.T) {
	b := newBench(t)
	form := []string{"Content-Type: application/x-www-form-urlencoded; charset=utf-8"}
	for name, c := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"invalid":          {fault.New(fault.Invalid, fault.CodeInvalidParameter, "m"), 400, "invalid_request"},
		"unauthenticated":  {fault.Denied(nil), 401, "invalid_client"},
		"forbidden":        {fault.New(fault.Forbidden, fault.CodeForbidden, "m"), 400, "unauthorized_client"},
		"not found":        {fault.Missing(), 400, "invalid_request"},
		"too many":         {fault.New(fault.TooMany, fault.CodeTooMany, "m"), 429, "temporarily_unavailable"},
		"unavailable":      {fault.New(fault.Unavailable, fault.CodeUnavailable, "m"), 503, "temporarily_unavailable"},
		"internal":         {errors.New("x"), 500, "server_error"},
		"invalid scope":    {fault.New(fault.Invalid, "INVALID_SCOPE", "m"), 400, "invalid_scope"},
		"invalid target":   {fault.New(fault.Invalid, "INVALID_TARGET", "m"), 400, "invalid_target"},
		"grant type":       {fault.New(fault.Invalid, "UNSUPPORTED_GRANT_TYPE", "m"), 400, "unsupported_grant_type"},
		"invalid grant":    {fault.New(fault.Invalid, "INVALID_GRANT", "m"), 400, "invalid_grant"},
		"code of our own":  {fault.New(fault.Invalid, "SOMETHING", "m"), 400, "invalid_request"},
		"client, by name":  {fault.New(fault.Unauthenticated, "INVALID_CLIENT", "m"), 401, "invalid_client"},
		"client, refused":  {fault.New(fault.Forbidden, "UNAUTHORIZED_CLIENT", "m"), 400, "unauthorized_client"},
		"request, by name": {fault.New(fault.Invalid, "INVALID_REQUEST", "m"), 400, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			b.does("token_post", failing(c.err))
			got := b.do(ask{path: tokenPath, token: "Basic YTpi", header: form, body: "grant_type=client_credentials"})
			if got.status != c.status || !strings.HasPrefix(got.body, `{"error":"`+c.want+`","error_description":"`) {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			if (c.status == 401) != strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ") {
				t.Fatalf("got challenge %q", got.header.Get("WWW-Authenticate"))
			}
			asJSON := b.do(ask{path: tokenPath, token: "Basic YTpi", body: `{"grant_type":"client_credentials"}`})
			if !strings.HasPrefix(asJSON.body, `{"error":{`) {
				t.Fatalf("a JSON request got %s", asJSON.body)
			}
		})
	}
	got := b.do(ask{path: tokenPath, header: form, body: "grant_type=client_credentials"})
	if got.status != 401 || !strings.HasPrefix(got.body, `{"error":"invalid_client"`) {
		t.Fatalf("without credentials: got %d %s", got.status, got.body)
	}
}

func TestAPanicIsA500AndTheProcessLives(t *testing.T) {
	b := newBench(t)
	b.does("health_get", func(context.Context, *gate.Call) (gate.Reply, error) { panic("boom in the engine") })
	got := b.do(ask{method: "GET", path: "/healthz", header: []string{"X-Request-Id: r-7"}})
	if got.status != 500 || got.body != `{"error":{"code":"INTERNAL_ERROR","message":"unexpected error; the request id is r-7","errors":[]}}` {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	log := b.log.String()
	if !strings.Contains(log, "boom in the engine") || !strings.Contains(log, "error_test.go") || !strings.Contains(log, `"level":"ERROR"`) {
		t.Fatalf("the log has no cause and stack: %s", log)
	}
	b.does("health_get", nil)
	if got := b.do(ask{method: "GET", path: "/healthz"}); got.status != 200 {
		t.Fatalf("afterwards: got %d", got.status)
	}
}

// Of a document that is not known to compile, the gate finds out before it
// serves; of one that was packed whole, the operation itself, and it alone.
func TestASchemaThatDoesNotCompileKeepsAGateFromServing(t *testing.T) {
	const operation = "{operationId: %s, x-evidence: seed, security: [], responses: {}, parameters: [{in: query, name: q, schema: {%s}}]}"
	fragments, err := gate.Read(files("paths: {/bad: {get: " + fmt.Sprintf(operation, "bad", `pattern: "(?="`) + "}, /good: {get: " + fmt.Sprintf(operation, "good", "type: string") + "}}"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := fragments.Assemble()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newGate(doc, "bad", "good"); err == nil || !strings.Contains(err.Error(), "operation bad: parameter q") {
		t.Errorf("got %v", err)
	}
	packed, err := fragments.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if doc, err = gate.Unpack(string(packed)).Whole(); err != nil {
		t.Fatal(err)
	}
	fine := func(context.Context, *gate.Call) (gate.Reply, error) {
		return gate.Reply{Status: http.StatusNoContent}, nil
	}
	g, err := gate.New(gate.Config{
		Document: doc, Functions: map[string]gate.Function{"bad": fine, "good": fine}, Verify: verify,
		Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewMetrics(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/bad": http.StatusInternalServerError, "/good": http.StatusNoContent} {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
