package gate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/fault"
	"mooring/internal/gate"
)

func TestEveryAnswerHasTheSameSafeHeaders(t *testing.T) {
	b := newBench(t)
	for _, a := range []ask{
		{method: "GET", path: "/healthz"},
		{method: "GET", path: "/nothing"},
		{method: "BREW", path: "/healthz"},
		{path: eventPath, body: "{"},
		{path: eventPath, token: "Bearer partner", body: "{"},
		{path: eventPath, token: "Bearer partner", body: goodEvent},
	} {
		got := b.do(a)
		want := map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*",
			"Content-Type": "application/json", "Content-Length": fmt.Sprint(len(got.body)),
		}
		for name, value := range want {
			if got.header.Get(name) != value {
				t.Errorf("%s %s: %s is %q", a.method, a.path, name, got.header.Get(name))
			}
		}
		if len(got.header.Get("X-Request-Id")) != 36 {
			t.Errorf("%s %s: request id %q", a.method, a.path, got.header.Get("X-Request-Id"))
		}
	}
}

func TestAReplyGoesOutAsItIs(t *testing.T) {
	b := newBench(t)
	b.does("health_get", func(_ context.Context, call *gate.Call) (gate.Reply, error) {
		call.SetHeader("Mooring-Sync", "failed")
		return gate.Reply{
			Status: 202, Type: "text/plain; charset=utf-8", Body: []byte("later"),
			Header: map[string]string{"Cache-Control": "max-age=60", "etag": `"1"`},
		}, nil
	})
	got := b.do(ask{method: "GET", path: "/healthz"})
	if diff := cmp.Diff(
		[]any{202, "later", "text/plain; charset=utf-8", "max-age=60", `"1"`, "failed"},
		[]any{got.status, got.body, got.header.Get("Content-Type"), got.header.Get("Cache-Control"), got.header.Get("Etag"), got.header.Get("Mooring-Sync")},
	); diff != "" {
		t.Fatal(diff)
	}
	head := b.do(ask{method: "HEAD", path: "/healthz"})
	if head.status != 202 || head.body != "" || head.header.Get("Content-Length") != "5" {
		t.Fatalf("HEAD: got %d %q %v", head.status, head.body, head.header)
	}
	b.does("start_delete", func(context.Context, *gate.Call) (gate.Reply, error) { return gate.Reply{Status: 204}, nil })
	got = b.do(ask{method: "DELETE", path: startPath, token: "Bearer merchant"})
	if got.status != 204 || got.header.Get("Content-Type") != "" {
		t.Fatalf("204: got %d %v", got.status, got.header)
	}
}

func TestHeadersSetBeforeAFaultStay(t *testing.T) {
	b := newBench(t)
	b.does("health_get", func(_ context.Context, call *gate.Call) (gate.Reply, error) {
		call.SetHeader("Mooring-Effect", "stale")
		return gate.Reply{}, fault.Missing()
	})
	if got := b.do(ask{method: "GET", path: "/healthz"}); got.status != 404 || got.header.Get("Mooring-Effect") != "stale" {
		t.Fatalf("got %d %v", got.status, got.header)
	}
}

func TestHandleDecodesAndEncodes(t *testing.T) {
	type in struct {
		Status string `json:"status"`
		Event  string `json:"event"`
	}
	type out struct {
		Got   string         `json:"got"`
		None  []string       `json:"none"`
		Order map[string]int `json:"order"`
	}
	b := newBench(t)
	b.does("event_post", gate.Handle(func(_ context.Context, _ *gate.Call, in in) (out, error) {
		return out{Got: in.Status + " " + in.Event, Order: map[string]int{"c": 3, "a": 1, "b": 2}}, nil
	}))
	b.does("start_post", gate.Handle(func(context.Context, *gate.Call, struct{}) (gate.Reply, error) {
		return gate.Reply{Status: 202, Body: []byte(`{}`)}, nil
	}))
	got := b.do(ask{path: eventPath, token: "Bearer partner", body: goodEvent})
	if got.body != `{"got":"pending signature_required","none":[],"order":{"a":1,"b":2,"c":3}}` {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if got := b.do(ask{path: startPath, token: "Bearer merchant", body: "{}"}); got.status != 202 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	b.does("case_post", gate.Handle(func(context.Context, *gate.Call, struct {
		Signup int `json:"signup"`
	},
	) (out, error) {
		return out{}, nil
	}))
	if got := b.do(ask{path: casePath, token: "Bearer merchant", body: goodCase}); got.status != 500 {
		t.Fatalf("a type that disagrees with its schema: got %d %s", got.status, got.body)
	}
}

// TestAnIntegerIsWrittenInDigits: to the contract 1.0 is an integer, and so is
// what no machine counts with.
func TestAnIntegerIsWrittenInDigits(t *testing.T) {
	b := newBench(t)
	b.does("case_post", gate.Handle(func(context.Context, *gate.Call, struct {
		Signup struct {
			Lines []struct {
				Amount int `json:"amount"`
			} `json:"lines"`
		} `json:"signup"`
	},
	) (gate.Reply, error) {
		return gate.Reply{Body: []byte(`{}`)}, nil
	}))
	for amount, status := range map[string]int{"1": 200, "1.0": 400, "1e2": 400, "9223372036854775808": 400} {
		body := `{"signup":{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","lines":[{"amount":0},{"amount":` + amount + `}]}}`
		got := b.do(ask{path: casePath, token: "Bearer merchant", body: body})
		if got.status != status {
			t.Errorf("%s: got %d %s", amount, got.status, got.body)
		}
		if status == 400 {
			same(t, got.problems(t), []string{"#/signup/lines/1/amount INVALID_TYPE"})
		}
	}
}

func TestTheRequestIdIsEchoedWhenItIsHarmless(t *testing.T) {
	b := newBench(t)
	for id, echoed := range map[string]bool{
		"abc-1.2_3:4": true, strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false, "a b": false, "<script>": false, "é": false, `a"b`: false, "": false,
	} {
		got := b.do(ask{method: "GET", path: "/healthz", header: []string{"X-Request-Id: " + id}}).header.Get("X-Request-Id")
		if (got == id) != echoed || got == "" {
			t.Errorf("%q: got %q", id, got)
		}
	}
}

func TestIdempotencyKeysAreReadExactly(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]struct {
		lines []string
		want  string
		ok    bool
	}{
		"none":             {nil, "", true},
		"bare":             {[]string{"abc-1"}, "abc-1", true},
		"quoted":           {[]string{`"abc-1"`}, "abc-1", true},
		"escaped":          {[]string{`"a\"b\\c"`}, `a"b\c`, true},
		"255":              {[]string{strings.Repeat("k", 255)}, strings.Repeat("k", 255), true},
		"255, quoted":      {[]string{`"` + strings.Repeat("k", 255) + `"`}, strings.Repeat("k", 255), true},
		"256":              {[]string{strings.Repeat("k", 256)}, "", false},
		"empty":            {[]string{""}, "", false},
		"empty, quoted":    {[]string{`""`}, "", false},
		"half a quote":     {[]string{`"abc`}, "", false},
		"one quote":        {[]string{`"`}, "", false},
		"quote inside":     {[]string{`"a"b"`}, "", false},
		"open escape":      {[]string{`"a\"`}, "", false},
		"unknown escape":   {[]string{`"a\nb"`}, "", false},
		"parameters":       {[]string{`"a";b=c`}, "", false},
		"space":            {[]string{"a b"}, "", false},
		"space, quoted":    {[]string{`"a b"`}, "", false},
		"not ascii":        {[]string{"ключ"}, "", false},
		"twice":            {[]string{"a", "a"}, "", false},
		"quote at the end": {[]string{`a"`}, `a"`, true},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			for _, line := range c.lines {
				header = append(header, "Idempotency-Key: "+line)
			}
			got := b.do(ask{path: eventPath, token: "Bearer partner", body: goodEvent, header: header})
			if !c.ok {
				if got.status != 400 {
					t.Fatalf("got %d", got.status)
				}
				same(t, got.problems(t), []string{"#/Idempotency-Key INVALID_FORMAT"})
				return
			}
			if got.status != 200 || b.call().IdempotencyKey != c.want || (b.call().Fingerprint != nil) != (c.want != "") {
				t.Fatalf("got %d %s, key %q", got.status, got.body, b.call().IdempotencyKey)
			}
		})
	}
	if got := b.do(ask{path: casePath, token: "Bearer merchant", header: []string{"Idempotency-Key: a b"}}); got.status != 200 || b.call().IdempotencyKey != "" {
		t.Fatalf("an operation that takes none: got %d %q", got.status, b.call().IdempotencyKey)
	}
}

func TestAFingerprintIsOfTheMeaningOfARequest(t *testing.T) {
	b := newBench(t)
	of := func(a ask) string {
		t.Helper()
		a.header = append(a.header, "Idempotency-Key: k")
		a.token = "Bearer platform"
		if got := b.do(a); got.status != 200 {
			t.Fatalf("got %d %s", got.status, got.body)
		}
		return string(b.call().Fingerprint)
	}
	first := of(ask{path: eventPath, body: `{"status":"pending","event":"e","metadata":{"a":1,"b":[2]}}`})
	for name, a := range map[string]ask{
		"again":              {path: eventPath, body: `{"status":"pending","event":"e","metadata":{"a":1,"b":[2]}}`},
		"order and spacing":  {path: eventPath, body: `{ "metadata":{"b":[ 2 ],"a":1}, "event":"e" ,"status":"pending"}`},
		"escapes":            {path: eventPath, body: `{"status":"p\u0065nding","event":"\u0065","metadata":{"a":1,"b":[2]}}`},
		"ignored members":    {path: eventPath, body: `{"id":"x","y":1,"status":"pending","event":"e","metadata":{"a":1,"b":[2]}}`},
		"owner escaped":      {path: strings.Replace(eventPath, "T112/", "%54112/", 1), body: `{"status":"pending","event":"e","metadata":{"a":1,"b":[2]}}`},
		"owner spelled long": {path: strings.Replace(eventPath, "T112/", "T11200000/", 1), body: `{"status":"pending","event":"e","metadata":{"a":1,"b":[2]}}`},
	} {
		if of(a) != first {
			t.Errorf("%s: it differs", name)
		}
		if want := strings.Replace(eventPath, "T112/", "T11200000/", 1); b.call().Target != want {
			t.Errorf("%s: the target is %s", name, b.call().Target)
		}
	}
	for name, a := range map[string]ask{
		"another value":      {path: eventPath, body: `{"status":"pending","event":"e","metadata":{"a":2,"b":[2]}}`},
		"another type":       {path: eventPath, body: `{"status":"pending","event":"e","metadata":{"a":"1","b":[2]}}`},
		"another account":    {path: strings.Replace(eventPath, "T11223351", "T11223352", 1), body: `{"status":"pending","event":"e","metadata":{"a":1,"b":[2]}}`},
		"another connection": {path: strings.Replace(eventPath, "vipps", "payex", 1), body: `{"status":"pending","event":"e","metadata":{"a":1,"b":[2]}}`},
		"a query":            {path: eventPath + "?a=1", body: `{"status":"pending","event":"e","metadata":{"a":1,"b":[2]}}`},
	} {
		if of(a) == first {
			t.Errorf("%s: it is the same", name)
		}
	}
	precise := func(n string) string {
		return of(ask{path: eventPath, body: `{"status":"pending","event":"e","metadata":{"a":` + n + `}}`})
	}
	if precise("9007199254740992") == precise("9007199254740993") {
		t.Error("two whole numbers that a float cannot tell apart are the same")
	}
}

func TestOneLogLinePerRequestWithoutItsContent(t *testing.T) {
	b := newBench(t)
	b.do(ask{
		path: eventPath + "?q=query-secret", token: "Bearer partner", body: `{"status":"pending","event":"body-secret"}`,
		header: []string{"X-Request-Id: r-9", "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
	})
	b.do(ask{path: eventPath, token: "Bearer token-secret", body: goodEvent})
	b.do(ask{method: "GET", path: "/nothing/path-secret%0Alevel=ERROR"})
	log := b.log.String()
	for _, secret := range []string{"query-secret", "body-secret", "token-secret", "path-secret", "Bearer"} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if len(lines) != 3 {
		t.Fatalf("got %d lines: %s", len(lines), log)
	}
	var got []map[string]any
	for _, line := range lines {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"time", "duration_ms", "bytes"} {
			if record[name] == nil {
				t.Errorf("%s is missing in %s", name, line)
			}
			delete(record, name)
		}
		if record["request_id"] != "r-9" {
			delete(record, "request_id")
		}
		got = append(got, record)
	}
	template := "/v1/accounts/{oid}/management/accounts/{aid}/connections/{connection}/events"
	want := []map[string]any{
		{
			"level": "INFO", "msg": "request", "operation": "event_post", "method": "POST", "path": template, "status": 200.,
			"request_id": "r-9", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "account": "T11200000", "client": "c-partner",
		},
		{
			"level": "INFO", "msg": "request", "operation": "event_post", "method": "POST", "path": template, "status": 401.,
			"fault": "unauthenticated", "cause": "UNAUTHORIZED: no such token",
		},
		{
			"level": "INFO", "msg": "request", "operation": "unknown", "method": "GET", "path": "", "status": 404.,
			"fault": "NOT_FOUND", "cause": "unknown resource",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestLongCausesAreCutInTheLog(t *testing.T) {
	b := newBench(t)
	b.does("health_get", failing(fmt.Errorf("%s", strings.Repeat("x", 1<<20))))
	b.do(ask{method: "GET", path: "/healthz"})
	if n := len(b.log.String()); n > 2000 {
		t.Fatalf("the line has %d bytes", n)
	}
}

func TestRequestsAreCountedByOperationAndNothingElse(t *testing.T) {
	b := newBench(t)
	b.do(ask{path: eventPath, token: "Bearer partner", body: goodEvent})
	b.do(ask{path: eventPath, body: goodEvent})
	b.do(ask{method: "GET", path: "/nothing/T11223351"})
	text, _, err := b.metrics.Render()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`mooring_request_seconds_count{operation="event_post",status="200"} 1`,
		`mooring_request_seconds_count{operation="event_post",status="401"} 1`,
		`mooring_request_seconds_count{operation="unknown",status="404"} 1`,
	} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	if strings.Contains(string(text), "T112") {
		t.Error("an account is in the metrics")
	}
}

func TestAClientThatLeavesDoesNotBreakTheGate(t *testing.T) {
	b := newBench(t)
	b.does("health_get", func(context.Context, *gate.Call) (gate.Reply, error) { panic(http.ErrAbortHandler) })
	if resp, err := http.Get(b.url + "/healthz"); err == nil {
		resp.Body.Close()
		t.Fatalf("an aborted answer arrived: %d", resp.StatusCode)
	}
	b.does("health_get", nil)
	if got := b.do(ask{method: "GET", path: "/healthz"}); got.status != 200 {
		t.Fatalf("got %d", got.status)
	}
}
