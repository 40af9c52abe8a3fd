package gate_test

import (
	"net/http"
	"strings"
	"testing"

	"mooring/internal/fault"
)

const callbackPath = "/v1/accounts/T11223351/vipps/reference"

func TestACallbackTokenGetsInWhereTheContractSaysSoAndNowhereElse(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]struct {
		ask
		status int
	}{
		"callback token":                    {ask{path: callbackPath, token: "Bearer callback", body: "{}"}, 200},
		"for another account":               {ask{path: "/v1/accounts/T11223352/vipps/reference", token: "Bearer callback", body: "{}"}, 403},
		"access token of the right scope":   {ask{path: callbackPath, token: "Bearer operator", body: "{}"}, 200},
		"access token of the wrong kind":    {ask{path: callbackPath, token: "Bearer writer", body: "{}"}, 403},
		"access token, the callback's one":  {ask{path: callbackPath, token: "Bearer narrow", body: "{}"}, 403},
		"platform's callback on a merchant": {ask{path: callbackPath, token: "Bearer mighty callback", body: "{}"}, 403},
		"no token":                          {ask{path: callbackPath, body: "{}"}, 401},
		"public":                            {ask{method: "GET", path: "/healthz", token: "Bearer callback"}, 200},
	} {
		if got := b.do(c.ask); got.status != c.status || got.status != 200 && b.call() != nil {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
	}
	// A callback token is refused by every other operation, whatever scopes and
	// kind it might have.
	for _, op := range b.gate.Document.Operations() {
		if op.ID == "callback_post" || op.ID == "health_get" {
			continue
		}
		path := strings.NewReplacer("{oid}", "T00000000", "{aid}", "T00000000", "{connection}", "vipps").Replace(op.Path)
		for _, token := range []string{"Bearer callback", "Bearer mighty callback"} {
			got := b.do(ask{method: op.Method, path: path, token: token, body: "{}"})
			if want := map[bool]int{true: 401, false: 403}[op.ID == "token_post"]; got.status != want || b.call() != nil {
				t.Errorf("%s with %s: got %d %s", op.ID, token, got.status, got.body)
			}
		}
	}
}

func TestARawBodyIsHandedOverAsItCameWithinItsLimits(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]struct {
		body   string
		status int
		header []string
	}{
		"no JSON at all":        {"{", 200, nil},
		"unknown members":       {`{"x":1, "x":2}`, 200, nil},
		"nothing that is asked": {`{}`, 200, nil},
		"too long":              {strings.Repeat(" ", 2049), 413, nil},
		"too deep":              {strings.Repeat("[", 17), 400, nil},
		"none":                  {"", 400, nil},
		"another type":          {`{}`, 415, []string{"Content-Type: text/plain"}},
		"compressed":            {`{}`, 415, []string{"Content-Encoding: gzip"}},
	} {
		got := b.do(ask{path: callbackPath, token: "Bearer callback", body: c.body, header: c.header})
		if got.status != c.status {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
		if call := b.call(); got.status == http.StatusOK && (string(call.Body) != c.body || call.Strict) {
			t.Errorf("%s: the function got %q, strict %v", name, call.Body, call.Strict)
		}
	}
	got := b.do(ask{path: callbackPath, token: "Bearer callback", body: `{}`, header: []string{"Prefer: handling=strict"}})
	if got.status != 200 || !b.call().Strict || got.header.Get("Preference-Applied") != "handling=strict" {
		t.Errorf("a strict client got %d %v", got.status, got.header)
	}
}

// A stored body is read by the same rules as one of a request: same answer to
// the byte, same trimming.
func TestAReaderReadsAsARequestIsRead(t *testing.T) {
	b := newBench(t)
	reader, err := small(t).Reader("#/components/schemas/Event")
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		goodEvent, `{"status":"pending","event":"e","colour":"red","id":"mine"}`, `{"status":"x","event":""}`, `{`, `[]`, `{} {}`,
		`{"status":"pending","Status":"enabled","event":"e"}`, `{"event":"e","event":"f","status":"pending"}`, "{\"event\":\"\xff\"}",
		`{"status":"pending","event":"e","metadata":{"a":"` + strings.Repeat("x", 8<<10) + `","b":"` + strings.Repeat("x", 8<<10) + `"}}`, `{"status":"pending","event":"` + "\\u0000" + `"}`,
	} {
		for _, strict := range []bool{false, true} {
			var header []string
			if strict {
				header = []string{"Prefer: handling=strict"}
			}
			got := b.do(ask{path: eventPath, token: "Bearer partner", body: body, header: header})
			read, err := reader.Read([]byte(body), strict)
			if (err == nil) != (got.status == 200) {
				t.Errorf("%.60s: the request got %d, the reader %v", body, got.status, err)
				continue
			}
			if err == nil && string(read) != got.body {
				t.Errorf("%.60s: the request left %s, the reader %s", body, got.body, read)
			}
			if err != nil {
				var found []string
				for _, p := range fault.From(err).Problems {
					found = append(found, p.Path+" "+p.Code)
				}
				same(t, found, got.problems(t))
			}
		}
	}
	for size, good := range map[int]bool{64 << 10: true, 64<<10 + 1: false} {
		body := `{"status":"pending","event":"e","unknown":"` + strings.Repeat("x", size) + `"}`
		if _, err := reader.Read([]byte(body), false); (err == nil) != good {
			t.Errorf("a string of %d bytes: %v", size, err)
		}
	}
	if _, err := small(t).Reader("#/components/schemas/None"); err == nil {
		t.Error("a reader of no schema")
	}
}
