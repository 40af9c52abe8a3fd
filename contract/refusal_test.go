package contract_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/gate/gatetest"
	"mooring/internal/telemetry"
)

// The addresses that refusals are asked for.
const (
	eventPath = "/v1/accounts/T11200000/management/accounts/T11223351/connections/vipps/events"
	tokenPath = "/v1/accounts/T11200000/auth/token"
	formPath  = "/v1/oauth/token"
)

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

// refusal is a request that is refused, and the example of the contract that
// says with what.
type refusal struct {
	response, example string
	method, path      string
	mediaType, body   string
	stranger          bool  // another partner's token, or no Basic credentials
	fields            int   // additional header fields
	fails             error // what the operation's function returns
}

var refusals = []refusal{
	{response: "BadRequest", example: "body", path: eventPath, body: `{"status":"on"}`},
	{response: "BadRequest", example: "path", path: strings.Replace(eventPath, "T11223351", "t11223351", 1), body: `{}`},
	{
		response: "BadRequest", example: "limit", path: eventPath, body: `{"status":"pending","event":"x"}`,
		fails: fault.New(fault.Invalid, fault.CodeLimitReached, "a connection holds at most 10000 events"),
	},
	{response: "Unauthorized", example: "unauthorized", method: "GET", path: "/v1/accounts/T11200000/auth/keys", stranger: true},
	{response: "Forbidden", example: "forbidden", path: strings.Replace(eventPath, "T11200000", "T11300000", 1), body: `{}`},
	{response: "NotFound", example: "missing", path: eventPath, body: `{"status":"pending","event":"x"}`, fails: fault.Missing()},
	{response: "MethodNotAllowed", example: "method", method: "DELETE", path: eventPath},
	{response: "PayloadTooLarge", example: "large", path: eventPath, body: strings.Repeat(" ", 64<<10+1)},
	{response: "UnsupportedMediaType", example: "type", path: eventPath, mediaType: "text/plain", body: `{}`},
	{response: "ServerError", example: "internal", path: eventPath, body: `{"status":"pending","event":"x"}`, fails: errors.New("private")},

	{response: "TokenBadRequest", example: "json", path: tokenPath, body: `{"grant_type":"client_credentials"}`},
	{
		response: "TokenBadRequest", example: "form", path: tokenPath, mediaType: formType, body: "grant_type=password&audience=x",
		fails: fault.New(fault.Invalid, "UNSUPPORTED_GRANT_TYPE", "grant_type must be client_credentials"),
	},
	{
		response: "TokenBadRequest", example: "grant", path: formPath, mediaType: formType, body: "grant_type=client_credentials",
		fails: fault.New(fault.Forbidden, fault.CodeForbidden, "the client has no grant for this audience"),
	},
	{
		response: "TokenUnauthorized", example: "json", path: tokenPath, stranger: true, body: `{"grant_type":"client_credentials","audience":"x"}`,
		fails: fault.Denied(nil),
	},
	{
		response: "TokenUnauthorized", example: "form", path: formPath, mediaType: formType, stranger: true, body: "grant_type=x",
		fails: fault.Denied(nil),
	},
	{
		response: "TokenForbidden", example: "grant", path: tokenPath, body: `{"grant_type":"client_credentials","audience":"x"}`,
		fails: fault.New(fault.Forbidden, fault.CodeForbidden, "the client has no grant for this audience"),
	},
	{response: "TokenTooLarge", example: "json", path: tokenPath, body: strings.Repeat(" ", 64<<10+1)},
	{response: "TokenTooLarge", example: "form", path: formPath, mediaType: formType, body: strings.Repeat("x", 64<<10+1)},
	{response: "TokenMediaType", example: "type", path: tokenPath, mediaType: "text/plain", body: `{}`},
	{
		response: "TokenTooMany", example: "json", path: tokenPath, body: `{"grant_type":"client_credentials","audience":"x"}`,
		fails: fault.New(fault.TooMany, fault.CodeTooMany, "too many failed logins, try again later"),
	},
	{
		response: "TokenTooMany", example: "form", path: formPath, mediaType: formType, body: "grant_type=x",
		fails: fault.New(fault.TooMany, fault.CodeTooMany, "too many failed logins, try again later"),
	},
	{response: "TokenServerError", example: "form", path: formPath, mediaType: formType, body: "grant_type=x", fails: errors.New("private")},
	{
		response: "TokenUnavailable", example: "form", path: formPath, mediaType: formType, body: "grant_type=x",
		fails: fault.New(fault.Unavailable, fault.CodeUnavailable, "too many tokens are being signed, try again"),
	},
}

// TestExamplesOfRefusalsAreWhatTheGateSays sends each request through the gate
// and compares the answer with the example, word for word.
func TestExamplesOfRefusalsAreWhatTheGateSays(t *testing.T) {
	doc := assemble(t)
	checker := gatetest.New(doc)
	for _, r := range refusals {
		t.Run(r.response+" "+r.example, func(t *testing.T) {
			request := r.request()
			recorder := httptest.NewRecorder()
			newGate(t, doc, r.fails).ServeHTTP(recorder, request)
			answer := recorder.Body.Bytes()

			var got any
			if err := json.Unmarshal(answer, &got); err != nil {
				t.Fatal(err)
			}
			example := object(doc.Raw(), "components", "responses", r.response, "content", jsonType, "examples", r.example)["value"]
			if diff := cmp.Diff(example, got); diff != "" {
				t.Errorf("status %d (-example +answer):\n%s", recorder.Code, diff)
			}
			if err := checker.Check(request.Method, request.URL.Path, recorder.Code, recorder.Header(), answer); err != nil {
				t.Error(err)
			}
		})
	}
}

func (r refusal) request() *http.Request {
	method, mediaType := r.method, r.mediaType
	if method == "" {
		method = http.MethodPost
	}
	if mediaType == "" {
		mediaType = jsonType
	}
	request := httptest.NewRequest(method, r.path, strings.NewReader(r.body))
	if r.body != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	for i := range r.fields {
		request.Header.Set("X-Field-"+strconv.Itoa(i), "x")
	}
	switch {
	case r.stranger:
	case r.path == tokenPath || r.path == formPath:
		request.SetBasicAuth("client", "secret")
	default:
		request.Header.Set("Authorization", "Bearer partner")
	}
	return request
}

// newGate executes the contract for one partner, with functions that all fail
// alike.
func newGate(t *testing.T, doc *gate.Document, fails error) http.Handler {
	t.Helper()
	functions := map[string]gate.Function{}
	for _, op := range doc.Operations() {
		functions[op.Function] = func(context.Context, *gate.Call) (gate.Reply, error) { return gate.Reply{}, fails }
	}
	g, err := gate.New(gate.Config{
		Document: doc, Functions: functions, Metrics: telemetry.NewMetrics(), Log: slog.New(slog.DiscardHandler),
		FingerprintKey: []byte("a key of the test"),
		NewID:          func() string { return "01990f2a-6c1e-7a4b-9d3f-0b6a5c2e8d11" },
		Verify: func(_ context.Context, authorization []string) (auth.Caller, error) {
			if len(authorization) == 0 {
				return auth.Caller{}, fault.Denied(nil)
			}
			return auth.Caller{Account: "T11200000", Kind: account.KindPartner, Client: "c", Scopes: auth.Scopes{auth.ScopeAdminAccounts}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
