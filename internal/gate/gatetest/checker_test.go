package gatetest_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"mooring/internal/gate"
	"mooring/internal/gate/gatetest"
)

func TestAnswersThatTheContractDoesNotDeclareAreFound(t *testing.T) {
	doc, err := gate.Assemble(os.DirFS("../testdata/small"))
	if err != nil {
		t.Fatal(err)
	}
	published, err := gatetest.FromJSON(doc.JSON("https://pay.example"))
	if err != nil {
		t.Fatal(err)
	}
	const event = "/v1/accounts/T112/management/accounts/T11223351/connections/vipps/events"
	const refused = `{"error":{"message":"no","errors":[]}}`
	for name, c := range map[string]struct {
		method, target string
		status         int
		header         string // "Name: value", lines
		body           string
		want           string // part of the error; "" when nothing is wrong
	}{
		"right":                  {"POST", event, 200, "Mooring-Effect: applied", `{"id":"x","status":"pending","event":"e","metadata":{"any":1}}`, ""},
		"right, with a query":    {"POST", event + "?a=1", 200, "", `{"status":"pending","event":"e"}`, ""},
		"undeclared status":      {"POST", event, 201, "", `{}`, "does not declare this status"},
		"undeclared member":      {"POST", event, 200, "", `{"status":"pending","event":"e","x":1}`, "#/x is not declared"},
		"member in another case": {"POST", event, 200, "", `{"status":"pending","event":"e","Id":"x"}`, "#/Id is not declared"},
		"missing member":         {"POST", event, 200, "", `{"status":"pending"}`, "event is required"},
		"read-only, mistyped":    {"POST", event, 200, "", `{"id":5,"status":"pending","event":"e"}`, "id must be a string"},
		"not json":               {"POST", event, 200, "", `{`, "not JSON"},
		"two values":             {"POST", event, 200, "", refused + refused, "not JSON"},
		"another type":           {"POST", event, 200, "Content-Type: text/plain", `{}`, "Content-Type text/plain is not declared"},
		"undeclared header":      {"POST", event, 200, "Mooring-Sync: failed", `{"status":"pending","event":"e"}`, "header Mooring-Sync is not declared"},
		"undeclared value":       {"POST", event, 200, "Mooring-Effect: ignored", `{"status":"pending","event":"e"}`, "header Mooring-Effect"},
		"shared response":        {"POST", event, 400, "", refused, ""},
		"shared response, wrong": {"POST", event, 400, "", `{"error":{"message":"no","errors":[],"stack":"x"}}`, "#/error/stack is not declared"},
		"no body declared":       {"GET", "/healthz", 200, "", "x", "there is a body"},
		"head has no body":       {"HEAD", "/healthz", 200, "", "", ""},
		"unknown path":           {"GET", "/nothing", 404, "", refused, ""},
		"unknown path, ill told": {"GET", "/nothing", 404, "", `{}`, "error is required"},
		"unknown path, answered": {"GET", "/nothing", 200, "", `{}`, "no operation of the contract"},
		"unknown method":         {"PATCH", "/healthz", 405, "", refused, ""},
		"preflight":              {"OPTIONS", "/nothing", 204, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"Content-Type": {"application/json"}}
			if name, value, ok := strings.Cut(c.header, ": "); ok {
				header.Set(name, value)
			}
			for _, checker := range []*gatetest.Checker{gatetest.New(doc), published} {
				err := checker.Check(c.method, c.target, c.status, header, []byte(c.body))
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Fatalf("got %v, want %q", err, c.want)
				}
			}
		})
	}
	if got := published.Operation("HEAD", "/healthz"); got != "health_get" {
		t.Fatalf("got operation %q", got)
	}
}
