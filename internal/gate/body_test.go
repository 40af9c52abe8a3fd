package gate_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBodiesAreJudgedByTheirHeadersFirst(t *testing.T) {
	b := newBench(t)
	long := `{"status":"pending","event":"e","metadata":{"a":"` + strings.Repeat("x", 8000) + `"}}`
	fill := func(n int) string { return goodEvent + strings.Repeat(" ", n-len(goodEvent)) }
	for name, c := range map[string]struct {
		ask
		status int
	}{
		"json":                              {ask{body: goodEvent}, 200},
		"json with charset":                 {ask{body: goodEvent, header: []string{"Content-Type: application/json; charset=UTF-8"}}, 200},
		"json in capitals":                  {ask{body: goodEvent, header: []string{"Content-Type: Application/JSON"}}, 200},
		"another charset":                   {ask{body: goodEvent, header: []string{"Content-Type: application/json; charset=latin1"}}, 415},
		"no content type":                   {ask{body: goodEvent, header: []string{"Content-Type: -"}}, 415},
		"two content types":                 {ask{body: goodEvent, header: []string{"Content-Type: application/json", "Content-type: text/plain"}}, 415},
		"text":                              {ask{body: goodEvent, header: []string{"Content-Type: text/plain"}}, 415},
		"a form where none is":              {ask{body: "a=b", header: []string{"Content-Type: application/x-www-form-urlencoded"}}, 415},
		"content type without sense":        {ask{body: goodEvent, header: []string{"Content-Type: ;;"}}, 415},
		"compressed":                        {ask{body: goodEvent, header: []string{"Content-Encoding: gzip"}}, 415},
		"identity":                          {ask{body: goodEvent, header: []string{"Content-Encoding: identity"}}, 200},
		"compressed twice":                  {ask{body: goodEvent, header: []string{"Content-Encoding: identity", "Content-Encoding: br"}}, 415},
		"chunked":                           {ask{body: goodEvent, chunked: true}, 200},
		"chunked without content type":      {ask{body: goodEvent, chunked: true, header: []string{"Content-Type: -"}}, 415},
		"long":                              {ask{body: long}, 200},
		"64 KiB":                            {ask{body: fill(65536)}, 200},
		"64 KiB and one":                    {ask{body: fill(65537)}, 413},
		"64 KiB, chunked":                   {ask{body: fill(65536), chunked: true}, 200},
		"64 KiB and one, chunked":           {ask{body: fill(65537), chunked: true}, 413},
		"no body":                           {ask{}, 400},
		"no body, chunked":                  {ask{chunked: true}, 400},
		"optional body left out":            {ask{path: casePath}, 200},
		"no body where none is":             {ask{path: startPath}, 200},
		"no body where none is, chunked":    {ask{path: startPath, chunked: true}, 200},
		"empty object where none is":        {ask{path: startPath, body: "{}"}, 200},
		"any object where none is":          {ask{path: startPath, body: `{"a":1}`}, 200},
		"an array where none is":            {ask{path: startPath, body: "[]"}, 400},
		"garbage where none is":             {ask{path: startPath, body: "{"}, 400},
		"untyped body where none is":        {ask{path: startPath, body: "{}", header: []string{"Content-Type: -"}}, 415},
		"untyped chunked where none is":     {ask{path: startPath, body: "{}", chunked: true, header: []string{"Content-Type: -"}}, 415},
		"delete without a body":             {ask{method: "DELETE", path: startPath}, 200},
		"get with a body":                   {ask{method: "GET", path: casePath, body: "{}"}, 200},
		"get with a content type only":      {ask{method: "GET", path: casePath, header: []string{"Content-Type: text/plain"}}, 200},
		"100 header fields and a few":       {ask{body: goodEvent, header: many(100)}, 431},
		"many header fields of one name":    {ask{body: goodEvent, header: repeated(100)}, 431},
		"header fields just below the line": {ask{body: goodEvent, header: many(94)}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			if c.path == "" {
				c.path = eventPath
			}
			c.token = "Bearer partner"
			if c.path != eventPath {
				c.token = "Bearer merchant"
			}
			got := b.do(c.ask)
			if got.status != c.status {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			if c.status == 200 {
				if c.path == startPath && b.call().Body != nil {
					t.Fatalf("a body came through: %s", b.call().Body)
				}
				return
			}
			// Size and headers are judged before the token.
			c.token = "Bearer nobody"
			stranger := b.do(c.ask).status
			judgedLater := c.status == 400 || c.chunked && c.status == 415
			if !judgedLater && stranger != c.status || judgedLater && stranger != 401 {
				t.Fatalf("a stranger got %d", stranger)
			}
		})
	}
}

func many(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("X-%d: v", i)
	}
	return lines
}

func repeated(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = "X-Same: v"
	}
	return lines
}

func TestABodyThatStopsHalfwayIsRefused(t *testing.T) {
	b := newBench(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer partner\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", eventPath)
	conn.(*net.TCPConn).CloseWrite()
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 400 ") || !strings.Contains(string(answer[:n]), "INCOMPLETE_BODY") {
		t.Fatalf("got %q, %v", answer[:n], err)
	}
}

func TestJSONIsReadStrictly(t *testing.T) {
	b := newBench(t)
	event := func(rest string) string { return `{"status":"pending","event":"e"` + rest + `}` }
	meta := func(value string) string { return event(`,"metadata":` + value) }
	members := func(n int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(`"m%d":0`, i)
		}
		return strings.Join(all, ",")
	}
	for name, c := range map[string]struct {
		body string
		want []string // of errors[]; nil when accepted
	}{
		"plain":                        {event(""), nil},
		"spaced":                       {" \t\r\n" + event("") + "\n", nil},
		"escapes":                      {meta(`{"a":"\u0041\n\ud83d\ude00é"}`), nil},
		"numbers":                      {meta(`{"a":[0,-0,1.5,1e10,1E-2,123456789012345678901234567890]}`), nil},
		"literals":                     {meta(`{"a":[null,true,false,{},[]]}`), nil},
		"strings of 8 KiB":             {meta(`{"a":"` + strings.Repeat("x", 8192) + `"}`), nil},
		"an empty name":                {meta(`{"":1}`), nil},
		"16 levels":                    {meta(`{"a":` + strings.Repeat("[", 14) + strings.Repeat("]", 14) + `}`), nil},
		"case variants in metadata":    {meta(`{"status":1,"Status":2,"STATUS":3}`), nil},
		"unknown members":              {event(`,"unknown":{"deep":[1]},"other":null`), nil},
		"nothing but space":            {"  ", []string{"#/ INVALID_JSON"}},
		"byte order mark":              {"\xef\xbb\xbf" + event(""), []string{"#/ INVALID_JSON"}},
		"array":                        {"[" + event("") + "]", []string{"#/ INVALID_TYPE"}},
		"string":                       {`"a"`, []string{"#/ INVALID_TYPE"}},
		"number":                       {`1`, []string{"#/ INVALID_TYPE"}},
		"null":                         {`null`, []string{"#/ INVALID_TYPE"}},
		"true":                         {`true`, []string{"#/ INVALID_TYPE"}},
		"cut off":                      {event("")[:20], []string{"#/ INVALID_JSON"}},
		"unclosed":                     {strings.TrimSuffix(event(""), "}"), []string{"#/ INVALID_JSON"}},
		"two values":                   {event("") + event(""), []string{"#/ INVALID_JSON"}},
		"a bracket after":              {event("") + "]", []string{"#/ INVALID_JSON"}},
		"a nul after":                  {event("") + "\x00", []string{"#/ INVALID_JSON"}},
		"trailing comma":               {event(","), []string{"#/ INVALID_JSON"}},
		"single quotes":                {`{'status':'pending'}`, []string{"#/ INVALID_JSON"}},
		"unquoted name":                {`{status:"pending"}`, []string{"#/ INVALID_JSON"}},
		"comment":                      {event("/**/"), []string{"#/ INVALID_JSON"}},
		"number as a name":             {`{1:2}`, []string{"#/ INVALID_JSON"}},
		"control character":            {meta("{\"a\":\"\x01\"}"), []string{"#/ INVALID_JSON"}},
		"raw newline in a string":      {meta("{\"a\":\"\n\"}"), []string{"#/ INVALID_JSON"}},
		"bad escape":                   {meta(`{"a":"\x41"}`), []string{"#/ INVALID_JSON"}},
		"half an escape":               {meta(`{"a":"\u00"}`), []string{"#/ INVALID_JSON"}},
		"lone high surrogate":          {meta(`{"a":"\ud800"}`), []string{"#/ INVALID_JSON"}},
		"lone low surrogate":           {meta(`{"a":"\udc00"}`), []string{"#/ INVALID_JSON"}},
		"surrogates the wrong way":     {meta(`{"a":"\udc00\ud800"}`), []string{"#/ INVALID_JSON"}},
		"lone surrogate in a name":     {meta(`{"\ud800":1}`), []string{"#/ INVALID_JSON"}},
		"invalid utf-8":                {meta("{\"a\":\"\xff\"}"), []string{"#/ INVALID_JSON"}},
		"overlong utf-8":               {meta("{\"a\":\"\xc0\xaf\"}"), []string{"#/ INVALID_JSON"}},
		"surrogate as utf-8":           {meta("{\"a\":\"\xed\xa0\x80\"}"), []string{"#/ INVALID_JSON"}},
		"invalid utf-8 in a name":      {meta("{\"\xff\":1}"), []string{"#/ INVALID_JSON"}},
		"leading zero":                 {meta(`{"a":01}`), []string{"#/ INVALID_JSON"}},
		"plus":                         {meta(`{"a":+1}`), []string{"#/ INVALID_JSON"}},
		"bare point":                   {meta(`{"a":1.}`), []string{"#/ INVALID_JSON"}},
		"hexadecimal":                  {meta(`{"a":0x10}`), []string{"#/ INVALID_JSON"}},
		"not a number":                 {meta(`{"a":NaN}`), []string{"#/ INVALID_JSON"}},
		"infinity":                     {meta(`{"a":-Infinity}`), []string{"#/ INVALID_JSON"}},
		"wide digit":                   {meta(`{"a":１}`), []string{"#/ INVALID_JSON"}},
		"literal in capitals":          {meta(`{"a":True}`), []string{"#/ INVALID_JSON"}},
		"number too large":             {meta(`{"a":1e309}`), []string{"#/metadata/a NUMBER_RANGE"}},
		"exponent that fills memory":   {meta(`{"a":1e999999}`), []string{"#/metadata/a NUMBER_RANGE"}},
		"exponent that fills it below": {meta(`{"a":1e-999999}`), []string{"#/metadata/a NUMBER_RANGE"}},
		"number too long":              {meta(`{"a":` + strings.Repeat("1", 65) + `}`), []string{"#/metadata/a NUMBER_RANGE"}},
		"nul in a string":              {meta(`{"a":"x\u0000"}`), []string{"#/metadata/a NUL_CHARACTER"}},
		"nul in a name":                {meta(`{"x\u0000":"a"}`), []string{"#/metadata/x%00 NUL_CHARACTER"}},
		"duplicate":                    {event(`,"status":"enabled"`), []string{"#/status DUPLICATE_MEMBER"}},
		"duplicate, escaped":           {event(`,"st\u0061tus":"enabled"`), []string{"#/status DUPLICATE_MEMBER"}},
		"duplicate in metadata":        {meta(`{"a":{"b":1,"b":1}}`), []string{"#/metadata/a/b DUPLICATE_MEMBER"}},
		"duplicate of unknown":         {event(`,"x":1,"x":2`), []string{"#/x DUPLICATE_MEMBER"}},
		"strings over 8 KiB":           {meta(`{"a":"` + strings.Repeat("x", 8193) + `"}`), []string{"#/metadata/a MAX_LENGTH"}},
		"17 levels":                    {meta(`{"a":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`), []string{"#/metadata/a" + strings.Repeat("/0", 14) + " DEPTH"}},
		"30,000 levels":                {strings.Repeat(`{"a":`, 5000) + strings.Repeat("[", 30000), []string{"#" + strings.Repeat("/a", 16) + " DEPTH"}},
		"50 members":                   {meta("{" + members(50) + "}"), nil},
		"51 members":                   {meta("{" + members(51) + "}"), []string{"#/metadata OBJECT_PROPERTIES_MAXIMUM"}},
		"256 members":                  {event("," + members(254)), nil},
		"257 members":                  {event("," + members(255)), []string{"#/ OBJECT_PROPERTIES_MAXIMUM"}},
		"metadata of exactly 16 KiB":   {meta(`{"a":"` + strings.Repeat("x", 8192) + `","b":"` + strings.Repeat("x", 8192-15) + `"}`), nil},
		"metadata of 16 KiB and one":   {meta(`{"a":"` + strings.Repeat("x", 8192) + `","b":"` + strings.Repeat("x", 8192-14) + `"}`), []string{"#/metadata MAX_BYTES"}},
		"another case":                 {event(`,"Status":"enabled"`), []string{"#/Status CASE_VARIANT"}},
		"long s":                       {event(`,"ſtatus":"enabled"`), []string{"#/%C5%BFtatus CASE_VARIANT"}},
		"case variant of read-only":    {event(`,"ID":"x"`), []string{"#/ID CASE_VARIANT"}},
		"only another case":            {`{"STATUS":"pending","event":"e"}`, []string{"#/STATUS CASE_VARIANT", "#/status OBJECT_MISSING_REQUIRED_PROPERTY"}},
		"all at once": {
			`{"Status":1,"event":"","description":5,"metadata":{"a":"\u0000","a":1}}`,
			[]string{
				"#/Status CASE_VARIANT", "#/description INVALID_TYPE", "#/event MIN_LENGTH", "#/metadata/a DUPLICATE_MEMBER",
				"#/metadata/a NUL_CHARACTER", "#/status OBJECT_MISSING_REQUIRED_PROPERTY",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.do(ask{path: eventPath, token: "Bearer partner", body: c.body})
			if c.want == nil {
				if got.status != 200 {
					t.Fatalf("got %d %s", got.status, got.body)
				}
				return
			}
			if got.status != 400 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			same(t, got.problems(t), c.want)
			if b.call() != nil {
				t.Fatal("the function ran")
			}
		})
	}
}

func TestAnAnswerListsAtMostAHundredProblems(t *testing.T) {
	b := newBench(t)
	body := `{"status":"pending","event":"e","metadata":{"a":[` + strings.Repeat(`"\u0000",`, 300) + `0]}}`
	got := b.do(ask{path: eventPath, token: "Bearer partner", body: body})
	if n := len(got.problems(t)); got.status != 400 || n != 100 {
		t.Fatalf("got %d with %d problems", got.status, n)
	}
	many := `{"signup":{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","lines":[` + strings.Repeat(`{"amount":""},`, 300) + `{}]}}`
	got = b.do(ask{path: casePath, token: "Bearer merchant", body: many})
	if n := len(got.problems(t)); got.status != 400 || n != 100 {
		t.Fatalf("got %d with %d problems", got.status, n)
	}
}

func TestALongNameIsCutInAnswers(t *testing.T) {
	got := newBench(t).do(ask{path: eventPath, token: "Bearer partner", body: `{"` + strings.Repeat("é", 4000) + `":"\u0000"}`})
	if got.status != 400 || len(got.body) > 4000 {
		t.Fatalf("got %d with %d bytes", got.status, len(got.body))
	}
}

func TestTheKelvinSignIsACaseVariantOfK(t *testing.T) {
	got := newBench(t).do(ask{path: casePath, token: "Bearer merchant", body: `{"signup":{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a","ſtore_id":"x","lines":[{"AMOUNT":1}]}}`})
	same(t, got.problems(t), []string{"#/signup/%C5%BFtore_id CASE_VARIANT", "#/signup/lines/0/AMOUNT CASE_VARIANT"})
}

func TestValidationSpeaksOurWords(t *testing.T) {
	b := newBench(t)
	for body, want := range map[string]string{
		`{}`:                               "signup is required",
		`{"signup":[]}`:                    "signup must be an object, not an array",
		`{"signup":{}}`:                    "signup/case_id is required",
		`{"signup":{"case_id":"hunter2"}}`: "signup/case_id must be a valid uuid",
		`{"signup":{"case_id":5}}`:         "signup/case_id must be a string, not a number",
		`{"signup":{"case_id":null}}`:      "signup/case_id must be a string, not null",
		signup(`"store_id":{}`):            "signup/store_id must be null or a string, not an object",
		signup(`"lines":[{"amount":-1}]`):  "signup/lines/0/amount must be at least 0",
		signup(`"lines":[{"amount":"7"}]`): "signup/lines/0/amount must be an integer, not a string",
		signup(`"lines":[{},{"amount":0},{"amount":1},{"amount":2}]`): "signup/lines must have at most 3 items",
		signup(`"lines":[{},{}]`):                                     "signup/lines must not contain equal items",
	} {
		t.Run(body, func(t *testing.T) {
			got := b.do(ask{path: casePath, token: "Bearer merchant", body: body})
			if got.status != 400 || !strings.Contains(got.body, `"message":"`+want+`"`) || strings.Contains(got.body, "hunter2") {
				t.Fatalf("got %d %s", got.status, got.body)
			}
		})
	}
}

func signup(rest string) string {
	return `{"signup":{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a",` + rest + `}}`
}

func TestABodyProblemHasTheWholeDocumentedShape(t *testing.T) {
	got := newBench(t).do(ask{path: eventPath, token: "Bearer partner", body: `{"status":"ENABLED"}`})
	want := `{"error":{"code":"INVALID_REQUEST_PARAMETER","in":"body","name":"event","path":"#/event","message":"event is required","errors":[` +
		`{"code":"OBJECT_MISSING_REQUIRED_PROPERTY","params":["event"],"message":"event is required","path":"#/event"},` +
		`{"code":"ENUM_MISMATCH","params":["pending","enabled","failed","declined"],"message":"status must be one of pending, enabled, failed, declined","path":"#/status"}]}}`
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Fatal(diff)
	}
}

func TestWhatIsNotDeclaredIsTakenOut(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]struct{ body, want string }{
		"untouched":            {` {"event" : "e", "status":"pending"}`, ` {"event" : "e", "status":"pending"}`},
		"unknown":              {`{"x":1,"status":"pending","event":"e"}`, `{"event":"e","status":"pending"}`},
		"read-only":            {`{"id":"mine","status":"pending","event":"e"}`, `{"event":"e","status":"pending"}`},
		"read-only, mistyped":  {`{"id":5,"created_at":[],"created_by":{"a":1},"status":"pending","event":"e"}`, `{"event":"e","status":"pending"}`},
		"metadata is data":     {`{"x":1,"status":"pending","event":"e","metadata":{"id":5,"x":[{"y":1.50}]}}`, `{"event":"e","metadata":{"id":5,"x":[{"y":1.50}]},"status":"pending"}`},
		"numbers stay exact":   {`{"x":1,"status":"pending","event":"e","metadata":{"n":123456789012345678901}}`, `{"event":"e","metadata":{"n":123456789012345678901},"status":"pending"}`},
		"text stays unchanged": {`{"x":1,"status":"pending","event":"e\u0301<é>"}`, "{\"event\":\"e\u0301<é>\",\"status\":\"pending\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.do(ask{path: eventPath, token: "Bearer partner", body: c.body})
			if got.status != 200 {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			if diff := cmp.Diff(c.want, string(b.call().Body)); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestStrictHandlingRefusesUnknownMembersByPath(t *testing.T) {
	b := newBench(t)
	strict := []string{"Prefer: return=minimal, handling=strict"}
	got := b.do(ask{path: eventPath, token: "Bearer partner", header: strict, body: `{"x":1,"id":"mine","status":"pending","event":"e","metadata":{"y":1}}`})
	if got.status != 400 || got.header.Get("Preference-Applied") != "handling=strict" {
		t.Fatalf("got %d %v", got.status, got.header)
	}
	same(t, got.problems(t), []string{"#/x UNKNOWN_MEMBER"})

	got = b.do(ask{path: casePath, token: "Bearer merchant", header: strict, body: signup(`"b/c":1,"lines":[{"amount":1,"vat":2}]`)})
	same(t, got.problems(t), []string{"#/signup/b~1c UNKNOWN_MEMBER", "#/signup/lines/0/vat UNKNOWN_MEMBER"})

	got = b.do(ask{path: startPath, token: "Bearer merchant", header: strict, body: `{"x":1}`})
	same(t, got.problems(t), []string{"#/x UNKNOWN_MEMBER"})

	got = b.do(ask{path: eventPath, token: "Bearer partner", header: strict, body: goodEvent})
	if got.status != 200 || got.header.Get("Preference-Applied") != "handling=strict" {
		t.Fatalf("got %d %v", got.status, got.header)
	}
	got = b.do(ask{path: eventPath, token: "Bearer partner", header: []string{"Prefer: handling=lenient"}, body: `{"x":1,"status":"pending","event":"e"}`})
	if got.status != 200 || got.header.Get("Preference-Applied") != "" {
		t.Fatalf("got %d %v", got.status, got.header)
	}
}

func TestFormsBecomeFlatObjects(t *testing.T) {
	b := newBench(t)
	form := []string{"Content-Type: application/x-www-form-urlencoded"}
	for name, c := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"plain":            {"grant_type=client_credentials", 200, `{"grant_type":"client_credentials"}`},
		"escaped":          {"grant_type=client_credentials&audience=a%2Fb+c%20d", 200, `{"audience":"a/b c d","grant_type":"client_credentials"}`},
		"unknown":          {"grant_type=client_credentials&scope=x", 200, `{"grant_type":"client_credentials"}`},
		"twice":            {"grant_type=client_credentials&grant_type=client_credentials", 400, "grant_type stands in the form more than once"},
		"missing":          {"audience=x", 400, "grant_type is required"},
		"other case":       {"Grant_Type=client_credentials", 400, "Grant_Type differs from the member"},
		"bad escape":       {"grant_type=%zz", 400, "the body is not a valid form"},
		"semicolon":        {"grant_type=a;b=c", 400, "the body is not a valid form"},
		"not utf-8":        {"grant_type=%FF", 400, "grant_type must be valid UTF-8"},
		"nul":              {"grant_type=client_credentials&audience=%00", 400, "audience must not contain the NUL character"},
		"over its limit":   {"grant_type=" + strings.Repeat("x", 1014), 413, "longer than 1024 bytes"},
		"json for a form":  {`{"grant_type":"client_credentials"}`, 400, "is required"},
		"nothing":          {"&", 400, "grant_type is required"},
		"name is not text": {"%FF=1&grant_type=client_credentials", 400, "must be valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.do(ask{path: tokenPath, token: "Basic YTpi", header: form, body: c.body})
			if got.status != c.status || !strings.Contains(got.body, c.want) {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			if c.status != 200 && !strings.HasPrefix(got.body, `{"error":"invalid_request","error_description":"`) {
				t.Fatalf("got %s", got.body)
			}
		})
	}
}

func TestNestingWithoutEndIsRefusedBeforeItIsKnownWhoAsks(t *testing.T) {
	b := newBench(t)
	nested := func(levels int) string {
		return `{"metadata":{"]{\\\"":` + strings.Repeat("[", levels-2) + strings.Repeat("]", levels-2) + "}}"
	}
	for levels, status := range map[int]int{16: 401, 17: 400, 20_000: 400} {
		got := b.do(ask{path: eventPath, token: "Bearer nobody", body: nested(levels)})
		if got.status != status {
			t.Errorf("%d levels: %d %s", levels, got.status, got.body)
		}
	}
}
