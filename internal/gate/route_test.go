package gate_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mooring/internal/gate"
)

func TestRoutesAndTheirRefusals(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]struct {
		ask
		status int
		code   string
		allow  string
	}{
		"unknown path":                   {ask{method: "GET", path: "/nothing"}, 404, "NOT_FOUND", ""},
		"root":                           {ask{method: "GET", path: "/"}, 404, "NOT_FOUND", ""},
		"trailing slash":                 {ask{method: "GET", path: "/healthz/"}, 404, "NOT_FOUND", ""},
		"doubled slash":                  {ask{method: "GET", path: "//healthz"}, 404, "NOT_FOUND", ""},
		"dot segment":                    {ask{method: "GET", path: "/v1/../healthz"}, 404, "NOT_FOUND", ""},
		"single dot":                     {ask{method: "GET", path: "/./healthz"}, 404, "NOT_FOUND", ""},
		"escaped dot segments":           {ask{method: "GET", path: "/v1/%2e%2e/healthz"}, 404, "NOT_FOUND", ""},
		"escaped slash in a literal":     {ask{method: "GET", path: "/v1%2Faccounts/T11223351/case"}, 404, "NOT_FOUND", ""},
		"unknown path before a token":    {ask{path: "/v1/accounts/T11223351/other", body: "{}"}, 404, "NOT_FOUND", ""},
		"wrong method":                   {ask{method: "DELETE", path: casePath, token: "Bearer merchant"}, 405, "METHOD_NOT_ALLOWED", "GET, HEAD, POST, OPTIONS"},
		"wrong method before a token":    {ask{method: "PATCH", path: startPath}, 405, "METHOD_NOT_ALLOWED", "DELETE, POST, OPTIONS"},
		"trace":                          {ask{method: "TRACE", path: "/healthz"}, 405, "METHOD_NOT_ALLOWED", "GET, HEAD, OPTIONS"},
		"a method nobody knows":          {ask{method: "BREW", path: "/healthz"}, 405, "METHOD_NOT_ALLOWED", "GET, HEAD, OPTIONS"},
		"head where there is no get":     {ask{method: "HEAD", path: startPath}, 405, "", "DELETE, POST, OPTIONS"},
		"options of a path":              {ask{method: "OPTIONS", path: casePath}, 204, "", "GET, HEAD, POST, OPTIONS"},
		"options of an unknown path":     {ask{method: "OPTIONS", path: "/nothing"}, 404, "NOT_FOUND", ""},
		"head as get":                    {ask{method: "HEAD", path: "/healthz"}, 200, "", ""},
		"get":                            {ask{method: "GET", path: "/healthz"}, 200, "", ""},
		"a literal segment, escaped":     {ask{method: "GET", path: "/%68ealthz"}, 200, "", ""},
		"url of 8 KiB":                   {ask{method: "GET", path: "/healthz?" + strings.Repeat("a", 8192-9)}, 200, "", ""},
		"url of 8 KiB and one":           {ask{method: "GET", path: "/healthz?" + strings.Repeat("a", 8192-8)}, 414, "URI_TOO_LONG", ""},
		"a query that cannot be decoded": {ask{method: "GET", path: "/healthz?a=%zz"}, 400, "INVALID_REQUEST_PARAMETER", ""},
		"a query with a semicolon":       {ask{method: "GET", path: "/healthz?a=1;b=2"}, 400, "INVALID_REQUEST_PARAMETER", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.do(c.ask)
			if got.status != c.status || got.header.Get("Allow") != c.allow {
				t.Fatalf("got %d, Allow %q: %s", got.status, got.header.Get("Allow"), got.body)
			}
			if c.code != "" && got.code(t) != c.code {
				t.Fatalf("got code %q, want %q", got.code(t), c.code)
			}
			if got.status >= 400 && got.header.Get("Content-Type") != "application/json" {
				t.Fatalf("got an error as %q", got.header.Get("Content-Type"))
			}
		})
	}
}

func TestAnUnknownPathIsAnsweredAsSeenOnTheWire(t *testing.T) {
	got := newBench(t).do(ask{method: "GET", path: "/v1/nothing"})
	want := `{"error":{"code":"NOT_FOUND","message":"unknown resource","errors":[{"description":"there is no operation at this path; /llms.txt and /openapi.json list all of them"}]}}`
	if got.body != want {
		t.Fatalf("got %s", got.body)
	}
}

func TestIdsInPathsAreExactOrRefusedByName(t *testing.T) {
	b := newBench(t)
	event := func(oid, aid, connection string) string {
		return "/v1/accounts/" + oid + "/management/accounts/" + aid + "/connections/" + connection + "/events"
	}
	for name, c := range map[string]struct {
		path string
		want []string // of errors[]; nil when accepted
	}{
		"short owner":             {event("T112", "T11223351", "vipps"), nil},
		"long owner":              {event("T11200000", "T11223351", "vipps"), nil},
		"escaped letter":          {event("%54112", "T11223351", "vipps"), nil},
		"lower case owner":        {event("t112", "T11223351", "vipps"), []string{"#/oid PATTERN"}},
		"owner of four digits":    {event("T1120", "T11223351", "vipps"), []string{"#/oid PATTERN"}},
		"owner with a newline":    {event("T112%0A", "T11223351", "vipps"), []string{"#/oid PATTERN"}},
		"owner of wide digits":    {event("T１１２", "T11223351", "vipps"), []string{"#/oid PATTERN"}},
		"other letter":            {event("X112", "T11223351", "vipps"), []string{"#/oid PATTERN"}},
		"account of three digits": {event("T112", "T112", "vipps"), []string{"#/aid MIN_LENGTH", "#/aid PATTERN"}},
		"account of nine digits":  {event("T112", "T112233510", "vipps"), []string{"#/aid MAX_LENGTH", "#/aid PATTERN"}},
		"lower case account":      {event("T112", "t11223351", "vipps"), []string{"#/aid PATTERN"}},
		"encoded slash":           {event("T112", "T112%2F3351", "vipps"), []string{"#/aid PATTERN"}},
		"encoded newline":         {event("T112", "T11223351%0A", "vipps"), []string{"#/aid MAX_LENGTH", "#/aid PATTERN"}},
		"wide digits":             {event("T112", "T１１２２３３５１", "vipps"), []string{"#/aid PATTERN"}},
		"nul":                     {event("T112", "T1122335%00", "vipps"), []string{"#/aid NUL_CHARACTER"}},
		"not utf-8":               {event("T112", "T1122335%FF", "vipps"), []string{"#/aid INVALID_ENCODING"}},
		"dots, encoded":           {event("T112", "%2E%2E", "vipps"), []string{"#/aid MIN_LENGTH", "#/aid PATTERN"}},
		"unknown connection":      {event("T112", "T11223351", "klarna"), []string{"#/connection ENUM_MISMATCH"}},
		"connection in capitals":  {event("T112", "T11223351", "VIPPS"), []string{"#/connection ENUM_MISMATCH"}},
		"all wrong at once":       {event("t", "t", "t"), []string{"#/aid MIN_LENGTH", "#/aid PATTERN", "#/connection ENUM_MISMATCH", "#/oid PATTERN"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.do(ask{path: c.path, token: "Bearer partner", body: goodEvent})
			if c.want == nil {
				if got.status != 200 {
					t.Fatalf("got %d %s", got.status, got.body)
				}
				return
			}
			// Ids are judged before the token: a stranger gets the same answer.
			stranger := b.do(ask{path: c.path, body: goodEvent})
			if got.status != 400 || stranger.body != got.body {
				t.Fatalf("got %d %s, a stranger %s", got.status, got.body, stranger.body)
			}
			same(t, got.problems(t), c.want)
			if strings.Contains(got.body, "klarna") || strings.Contains(got.body, "VIPPS") {
				t.Fatalf("the value is quoted: %s", got.body)
			}
		})
	}
}

func TestAParameterProblemHasTheWholeDocumentedShape(t *testing.T) {
	got := newBench(t).do(ask{method: "GET", path: "/v1/accounts/x/case"})
	want := `{"error":{"code":"INVALID_REQUEST_PARAMETER","in":"path","name":"aid","path":"#/aid","message":"aid must have at least 9 characters","errors":[` +
		`{"code":"MIN_LENGTH","params":["9"],"message":"aid must have at least 9 characters","path":"#/aid"},` +
		`{"code":"PATTERN","params":["^[PT]{1}\\d{8}$"],"message":"aid must match the pattern ^[PT]{1}\\d{8}$","path":"#/aid"}]}}`
	if got.body != want {
		t.Fatalf("got  %s\nwant %s", got.body, want)
	}
}

func TestTheDocumentedPatternIsWhatClientsAreTold(t *testing.T) {
	got := newBench(t).do(ask{path: strings.Replace(eventPath, "T112/", "T11/", 1), body: goodEvent})
	if !strings.Contains(got.body, `"params":["^[PT]{1}(?=(?:.{3}|.{8})$)[0-9]*$"]`) {
		t.Fatal(got.body)
	}
}

func TestQueryParametersAreCheckedByTheirSchemas(t *testing.T) {
	b := newBench(t)
	for query, want := range map[string][]string{
		"":                       nil,
		"sync":                   nil,
		"sync=true&other=%FF":    nil, // undeclared ones are nobody's business
		"limit=100":              nil,
		"includes=a&includes=b":  nil,
		"sync=1&sync=2":          {"#/sync DUPLICATE_PARAMETER"},
		"sync=%FF":               {"#/sync INVALID_ENCODING"},
		"sync=%00":               {"#/sync NUL_CHARACTER"},
		"limit=0":                {"#/limit MINIMUM"},
		"limit=101":              {"#/limit MAXIMUM"},
		"limit=":                 {"#/limit INVALID_TYPE"},
		"limit=1e999999999":      {"#/limit INVALID_TYPE"},
		"limit=0x10":             {"#/limit INVALID_TYPE"},
		"limit=1.5":              {"#/limit INVALID_TYPE"},
		"includes=a&includes=c":  {"#/includes ENUM_MISMATCH"},
		"limit=x&includes=c":     {"#/includes ENUM_MISMATCH", "#/limit INVALID_TYPE"},
		"limit=1&limit=1&sync=2": {"#/limit DUPLICATE_PARAMETER"},
	} {
		t.Run(query, func(t *testing.T) {
			got := b.do(ask{method: "GET", path: casePath + "?" + query, token: "Bearer merchant"})
			if want == nil && got.status == 200 {
				return
			}
			if got.status != 400 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			same(t, got.problems(t), want)
		})
	}
	b.do(ask{method: "GET", path: casePath + "?sync=", token: "Bearer merchant"})
	if value, given := b.call().Query("sync"); value != "" || !given {
		t.Fatalf("a parameter without a value: got %q, %v", value, given)
	}
	if _, given := b.call().Query("limit"); given {
		t.Fatal("a parameter that was not sent is there")
	}
}

func TestWhoMayCallWhat(t *testing.T) {
	b := newBench(t)
	event := func(oid, aid string) ask {
		return ask{path: "/v1/accounts/" + oid + "/management/accounts/" + aid + "/connections/vipps/events", body: goodEvent}
	}
	own := ask{method: "GET", path: casePath}
	for name, c := range map[string]struct {
		ask
		token  string
		status int
		code   string
	}{
		"partner":                         {event("T112", "T11223351"), "Bearer partner", 200, ""},
		"platform for any partner":        {event("T113", "T11223351"), "Bearer platform", 200, ""},
		"no token":                        {event("T112", "T11223351"), "", 401, ""},
		"unknown token":                   {event("T112", "T11223351"), "Bearer nobody", 401, ""},
		"token behind Basic":              {event("T112", "T11223351"), "Basic YTpi", 401, ""},
		"verification is down":            {event("T112", "T11223351"), "Bearer down", 503, "UNAVAILABLE"},
		"scope is missing":                {own, "Bearer reader", 403, "FORBIDDEN"},
		"merchant where partners are":     {event("T11223351", "T11223351"), "Bearer merchant", 403, "FORBIDDEN"},
		"another partner":                 {event("T113", "T11223351"), "Bearer partner", 403, "FORBIDDEN"},
		"first account of another world":  {event("P112", "T11223351"), "Bearer partner", 403, "FORBIDDEN"},
		"platform of another world":       {event("P112", "P11223351"), "Bearer platform", 403, "FORBIDDEN"},
		"second account of another world": {event("T112", "P11223351"), "Bearer partner", 404, "NOT FOUND"},
		"merchant on its own":             {own, "Bearer merchant", 200, ""},
		"partner on a merchant's path":    {ask{method: "GET", path: "/v1/accounts/T11200000/case"}, "Bearer partner", 403, "FORBIDDEN"},
		"public":                          {ask{method: "GET", path: "/healthz"}, "", 200, ""},
		"public with any token":           {ask{method: "GET", path: "/healthz"}, "Bearer nobody", 200, ""},
		"basic without credentials":       {ask{path: tokenPath, body: `{}`}, "", 401, ""},
		"basic with a token":              {ask{path: tokenPath, body: `{}`}, "Bearer partner", 401, ""},
		"basic with garbage":              {ask{path: tokenPath, body: `{}`}, "Basic ???", 401, ""},
		"basic":                           {ask{path: tokenPath, body: `{"grant_type":"client_credentials"}`}, "basic YTpi", 200, ""},
		"basic twice":                     {ask{path: tokenPath, body: `{}`, header: []string{"authorization: Basic YTpi"}}, "Basic YTpi", 401, ""},
		"basic in another world":          {ask{path: "/v1/accounts/P11223351/auth/token", body: `{}`}, "Basic YTpi", 403, "FORBIDDEN"},
	} {
		t.Run(name, func(t *testing.T) {
			c.ask.token = c.token
			got := b.do(c.ask)
			if got.status != c.status || c.code != "" && got.code(t) != c.code {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			if got.status != 200 && b.call() != nil {
				t.Fatal("the function ran")
			}
			if challenge := got.header.Get("WWW-Authenticate"); strings.Contains(challenge, "insufficient_scope") && got.status != 403 || name == "scope is missing" && challenge == "" {
				t.Fatalf("the challenge is %q", challenge)
			}
			if got.status == http.StatusUnauthorized && got.body != `{"error":{"errors":[],"message":"UNAUTHORIZED"}}` {
				t.Fatalf("got %s", got.body)
			}
		})
	}
}

func TestAPathThatEndsInASlashIsOnlyItself(t *testing.T) {
	doc, err := gate.Assemble(files(operation("/x/", "operationId: x\nx-evidence: seed\nsecurity: []")))
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGate(doc, "x")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/x/": 200, "/x": 404, "/x/y": 404, "/x//": 404} {
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, httptest.NewRequest("POST", path, nil))
		if rec.Code != want {
			t.Errorf("%s: got %d", path, rec.Code)
		}
	}
}

func TestAProcessForBothWorldsKeepsThemApart(t *testing.T) {
	b := newBench(t, func(cfg *gate.Config) { cfg.World = nil })
	got := b.do(ask{path: strings.Replace(eventPath, "T11223351", "P11223351", 1), token: "Bearer partner", body: goodEvent})
	if got.status != 404 || got.code(t) != "NOT FOUND" || b.call() != nil {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	got = b.do(ask{path: strings.Replace(eventPath, "T112/", "P112/", 1), token: "Bearer platform", body: goodEvent})
	if got.status != 403 || b.call() != nil {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if got := b.do(ask{path: eventPath, token: "Bearer platform", body: goodEvent}); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
}

func TestAFailedTokenIsChallenged(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]struct {
		ask
		want string
	}{
		"none":  {ask{method: "GET", path: casePath}, `Bearer realm="mooring"`},
		"bad":   {ask{method: "GET", path: casePath, token: "Bearer x"}, `Bearer realm="mooring", error="invalid_token"`},
		"basic": {ask{path: tokenPath, body: "{}"}, `Basic realm="mooring", charset="UTF-8"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := b.do(c.ask).header.Get("WWW-Authenticate"); got != c.want {
				t.Fatalf("got %s", got)
			}
		})
	}
}

func TestBasicCredentialsAreHandedOverRaw(t *testing.T) {
	b := newBench(t)
	b.do(ask{path: tokenPath, token: "Basic YSUyMGI6Yzpk", body: `{"grant_type":"client_credentials"}`})
	id, secret, ok := b.call().Basic()
	if id != "a%20b" || secret != "c:d" || !ok {
		t.Fatalf("got %q %q %v", id, secret, ok)
	}
	if got := b.do(ask{path: tokenPath, header: []string{"Authorization: Basic YTpi"}, token: "Basic YTpi", body: `{}`}); got.status != 400 {
		t.Fatalf("one header: got %d", got.status)
	}
}

func TestPagesOfOtherOriginsMayCall(t *testing.T) {
	b := newBench(t)
	got := b.do(ask{method: "OPTIONS", path: tokenPath, header: []string{
		"Origin: https://shop.example", "Access-Control-Request-Method: POST",
		"Access-Control-Request-Headers: authorization,content-type,dintero-system-name,dintero-system-version",
	}})
	if got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != "*" ||
		got.header.Get("Access-Control-Allow-Methods") != "GET,HEAD,PUT,PATCH,POST,DELETE" {
		t.Fatalf("got %d %v", got.status, got.header)
	}
	allowed := strings.Split(got.header.Get("Access-Control-Allow-Headers"), ",")
	for _, name := range []string{
		"origin", "content-type", "accept", "authorization", "total-count", "page-count", "dintero-system-name",
		"dintero-system-version", "dintero-system-plugin-name", "dintero-system-plugin-version", "idempotency-key",
		"prefer", "x-request-id", "*",
	} {
		if !slices.Contains(allowed, name) {
			t.Errorf("%s may not be sent", name)
		}
	}
	for _, a := range []ask{{method: "GET", path: "/nothing"}, {method: "GET", path: "/healthz"}, {path: eventPath, body: "{"}} {
		got := b.do(a)
		if got.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "Mooring-Effect") {
			t.Errorf("%s: got %v", a.path, got.header)
		}
	}
}
