package gate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/dlclark/regexp2/v2"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"mooring/internal/account"
	"mooring/internal/gate"
)

const base = `
openapi: 3.1.0
info: {title: t, version: "1"}
components:
  securitySchemes: {bearer: {type: http, scheme: bearer}, key: {type: apiKey, in: header, name: k}}
`

// operation is a contract file with one operation, complete but for what the
// lines say.
func operation(path, lines string) string {
	return "paths:\n  " + path + ":\n    post:\n      " + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n      ") + "\n"
}

func files(contents ...string) fstest.MapFS {
	fsys := fstest.MapFS{"base.yaml": {Data: []byte(base)}}
	for i, content := range contents {
		fsys[fmt.Sprintf("f%d.yaml", i+1)] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

func TestAContractThatIsNotWholeIsRefused(t *testing.T) {
	const whole = "operationId: x\nx-evidence: seed\nsecurity: []\nresponses: {}"
	for name, c := range map[string]struct {
		files []string
		more  []map[string]any
		want  []string // parts of the error; nil when accepted
	}{
		"whole":             {[]string{operation("/x", whole)}, nil, nil},
		"no operationId":    {[]string{operation("/x", "x-evidence: seed\nsecurity: []")}, nil, []string{"POST /x: operationId is missing"}},
		"no evidence":       {[]string{operation("/x", "operationId: x\nsecurity: []")}, nil, []string{"POST /x: x-evidence must be one of"}},
		"unknown evidence":  {[]string{operation("/x", "operationId: x\nx-evidence: rumour\nsecurity: []")}, nil, []string{"x-evidence must be one of"}},
		"no security":       {[]string{operation("/x", "operationId: x\nx-evidence: seed")}, nil, []string{"POST /x: security is missing"}},
		"null security":     {[]string{operation("/x", "operationId: x\nx-evidence: seed\nsecurity: null")}, nil, []string{"security is missing"}},
		"unknown scheme":    {[]string{operation("/x", "operationId: x\nx-evidence: seed\nsecurity: [{other: []}]")}, nil, []string{`"other" is not a security scheme`}},
		"unusable scheme":   {[]string{operation("/x", "operationId: x\nx-evidence: seed\nsecurity: [{key: []}]")}, nil, []string{`"key" is not a security scheme`}},
		"undeclared {aid}":  {[]string{operation("/a/{aid}", whole)}, nil, []string{"POST /a/{aid}: path parameter {aid} is not declared"}},
		"parameter nowhere": {[]string{operation("/x", whole+"\nparameters: [{in: path, name: aid, schema: {}}]")}, nil, []string{`"aid" does not stand in the path`}},
		"cookie":            {[]string{operation("/x", whole+"\nparameters: [{in: cookie, name: c, schema: {}}]")}, nil, []string{`in "cookie" is not supported`}},
		"no schema":         {[]string{operation("/x", whole+"\nparameters: [{in: query, name: q}]")}, nil, []string{`parameter "q": schema is missing`}},
		"unknown caller":    {[]string{operation("/x", whole+"\nx-mooring-callers: [ghost]")}, nil, []string{`"ghost" is no kind of account`}},
		"half raw":          {[]string{operation("/x", whole+"\nx-mooring-body: rare")}, nil, []string{"x-mooring-body can only be raw"}},
		"raw without body":  {[]string{operation("/x", whole+"\nx-mooring-body: raw")}, nil, []string{"x-mooring-body: raw needs a requestBody"}},
		"raw form":          {[]string{operation("/x", whole+"\nx-mooring-body: raw\nrequestBody: {content: {application/x-www-form-urlencoded: {schema: {}}}}")}, nil, []string{"x-mooring-body: raw needs a requestBody"}},
		"limit in words":    {[]string{operation("/x", whole+"\nx-mooring-max-body: much")}, nil, []string{"x-mooring-max-body must be a number"}},
		"xml body":          {[]string{operation("/x", whole+"\nrequestBody: {content: {application/xml: {schema: {}}}}")}, nil, []string{"application/xml is not a media type"}},
		"body without type": {[]string{operation("/x", whole+"\nrequestBody: {required: true}")}, nil, []string{"content is missing"}},
		"dead reference":    {[]string{operation("/x", whole+"\nparameters: [{$ref: '#/components/parameters/none'}]")}, nil, []string{"/x > post > parameters > 0", `$ref "#/components/parameters/none" leads nowhere`}},
		"outside reference": {[]string{operation("/x", whole+"\nrequestBody: {$ref: 'other.yaml#/x'}")}, nil, []string{"leads nowhere"}},
		"same id twice":     {[]string{operation("/x", whole), operation("/y", whole)}, nil, []string{"POST /y: operationId x belongs to POST /x already"}},
		"same path twice":   {[]string{operation("/x", whole), operation("/x", whole)}, nil, []string{"f2.yaml: paths//x/post is defined already in f1.yaml"}},
		"same schema twice": {[]string{"components: {schemas: {S: {}}}", "components: {schemas: {S: {}}}"}, nil, []string{"f2.yaml: components/schemas/S is defined already in f1.yaml"}},
		"contributed twice": {
			[]string{"components: {schemas: {S: {}}}"},
			[]map[string]any{{"components": map[string]any{"schemas": map[string]any{"S": map[string]any{}}}}},
			[]string{"contributed part 1: components/schemas/S is defined already in f1.yaml"},
		},
		"contributed nonsense": {nil, []map[string]any{{"x": make(chan int)}}, []string{"contributed part 1: x: a value of type chan int"}},
		"key twice":            {[]string{"paths: {}\npaths: {}"}, nil, []string{"f1.yaml: line 2", "paths"}},
		"not yaml":             {[]string{"a: b: c"}, nil, []string{"f1.yaml: "}},
		"a list":               {[]string{"- a"}, nil, []string{"f1.yaml: a contract file is a mapping"}},
		"a merge key":          {[]string{"a: &a {b: 1}\nc: {<<: *a}"}, nil, []string{"f1.yaml: line 2"}},
		"two RE2 forms":        {[]string{"components: {schemas: {A: {pattern: 'a(?=b)', x-mooring-pattern: ab}, B: {pattern: 'a(?=b)', x-mooring-pattern: abc}}}"}, nil, []string{"B: x-mooring-pattern differs"}},
		"everything at once":   {[]string{operation("/x", "operationId: x"), operation("/y", "security: []")}, nil, []string{"POST /x: x-evidence", "POST /x: security", "POST /y: operationId", "POST /y: x-evidence"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gate.Assemble(files(c.files...), c.more...)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			for _, part := range c.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Fatalf("got %v, want %q in it", err, part)
				}
			}
		})
	}
}

func TestNewRefusesWhatCannotBeExecuted(t *testing.T) {
	whole := func(id string) string { return "operationId: " + id + "\nx-evidence: seed\nsecurity: []" }
	for name, c := range map[string]struct {
		files     []string
		functions []string
		want      string
	}{
		"function missing":        {[]string{operation("/x", whole("x"))}, nil, `operation x: there is no function "x"`},
		"function unnamed":        {[]string{operation("/x", whole("x"))}, []string{"x", "y"}, `function "y": no operation names it`},
		"pattern beyond RE2":      {[]string{operation("/x", whole("x")+"\nparameters: [{in: query, name: q, schema: {pattern: 'a(?=b)'}}]")}, []string{"x"}, "operation x: parameter q"},
		"no key for fingerprints": {[]string{operation("/x", whole("x")+"\nparameters: [{in: header, name: idempotency-key, schema: {}}]")}, []string{"x"}, "operation x: takes an Idempotency-Key"},
		"raw with a key": {
			[]string{operation("/x", whole("x")+"\nx-mooring-body: raw\nrequestBody: {content: {application/json: {schema: {}}}}\nparameters: [{in: header, name: idempotency-key, schema: {}}]")},
			[]string{"x"},
			"operation x: x-mooring-body: raw and an Idempotency-Key",
		},
		"schema without sense": {
			[]string{operation("/x", whole("x")+"\nrequestBody: {content: {application/json: {schema: {type: 5}}}}")},
			[]string{"x"},
			"operation x: requestBody",
		},
		"competing paths": {
			[]string{
				operation("/a/{b}", whole("x")+"\nparameters: [{in: path, name: b, schema: {}}]"),
				operation("/a/{c}", whole("y")+"\nparameters: [{in: path, name: c, schema: {}}]"),
			},
			[]string{"x", "y"},
			"path /a/{c}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := gate.Assemble(files(c.files...))
			if err != nil {
				t.Fatal(err)
			}
			_, err = newGate(doc, c.functions...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func small(t testing.TB) *gate.Document {
	t.Helper()
	doc, err := gate.Assemble(os.DirFS("testdata/small"))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestOperationsSayWhatTheContractSays(t *testing.T) {
	op, ok := small(t).Operation("event_post")
	if !ok {
		t.Fatal("it is not there")
	}
	var names []string
	for _, p := range op.Parameters {
		names = append(names, p.In+" "+p.Name)
	}
	got := []any{op.Method, op.Function, op.Evidence, op.Security, op.Callers, op.MaxBody, names, op.Body.Required, op.Body.Types}
	want := []any{
		"POST", "event_post", "seed",
		[]gate.Requirement{{Scheme: "bearer", Scopes: []string{"admin:accounts"}}, {Scheme: "bearer", Scopes: []string{"write:accounts"}}},
		[]account.Kind{"partner", "platform"},
		int64(65536),
		[]string{"path oid", "path aid", "path connection", "header Idempotency-Key"},
		true,
		[]string{"application/json"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if op, _ := small(t).Operation("start_post"); op.Function != "shared" || op.Argument != "start" {
		t.Fatalf("got %q %q", op.Function, op.Argument)
	}
	if op, _ := small(t).Operation("health_get"); len(op.Security) != 0 || !op.Extension {
		t.Fatal("a public operation, marked as extension, is neither")
	}
}

func TestThePublishedDocumentIsTheOneThatIsExecuted(t *testing.T) {
	const url = "https://pay.example"
	published := small(t).JSON(url)
	for range 5 {
		if !bytes.Equal(published, small(t).JSON(url)) || !bytes.Equal(small(t).YAML(url), small(t).YAML(url)) {
			t.Fatal("two runs give different bytes")
		}
	}
	var fromJSON, fromYAML map[string]any
	if err := json.Unmarshal(published, &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(small(t).YAML(url), &fromYAML); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	var again map[string]any
	if err := json.Unmarshal(asJSON, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, again); diff != "" {
		t.Fatal("YAML and JSON differ: " + diff)
	}
	if diff := cmp.Diff([]any{map[string]any{"url": url}}, fromJSON["servers"]); diff != "" {
		t.Fatal(diff)
	}
	if !bytes.Contains(published, []byte(`"pattern": "^[PT]{1}(?=(?:.{3}|.{8})$)[0-9]*$"`)) {
		t.Fatal("the documented pattern is not published")
	}
	parsed, err := gate.Parse(published)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(parsed.JSON(url), published) {
		t.Fatal("a published document does not survive its own reader")
	}
}

func TestTimesAndStatusesOfTheContractStayText(t *testing.T) {
	doc, err := gate.Assemble(files("components: {examples: {e: {value: {at: 2023-11-07T05:31:56Z, n: 1.50, m: 0x10}}}, responses: {200: {description: d}}}"))
	if err != nil {
		t.Fatal(err)
	}
	published := string(doc.JSON("/"))
	for _, part := range []string{`"at": "2023-11-07T05:31:56Z"`, `"n": 1.5`, `"m": 16`, `"200": {`} {
		if !strings.Contains(published, part) {
			t.Errorf("%s is not in %s", part, published)
		}
	}
}

func TestAPatternIsSaidInWordsWhereTheDocumentHasThem(t *testing.T) {
	doc, err := gate.Assemble(files(`
x-mooring-says: {"^[A-Z]{3}$": three capital letters}
components: {schemas: {C: {type: object, properties: {a: {pattern: "^[A-Z]{3}$"}, b: {pattern: "^x$"}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := doc.Schema("#/components/schemas/C")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range schema.Problems(map[string]any{"a": "nok", "b": "y"}) {
		got = append(got, p.Code+" "+strings.Join(p.Params, "")+": "+p.Message)
	}
	slices.Sort(got)
	same(t, got, []string{"PATTERN ^[A-Z]{3}$: a must be three capital letters", "PATTERN ^x$: b must match the pattern ^x$"})
}

// The one documented pattern that RE2 cannot execute, and what is executed
// instead, must agree on every text, as an ECMAScript engine reads the
// documented one.
func TestTheOwnerPatternsAreEquivalent(t *testing.T) {
	schema := small(t).Resolve(map[string]any{"$ref": "#/components/parameters/oid"})["schema"].(map[string]any)
	documented := regexp2.MustCompile(schema["pattern"].(string), regexp2.ECMAScript)
	executed := regexp.MustCompile(schema["x-mooring-pattern"].(string))
	agree := func(t interface{ Fatalf(string, ...any) }, s string) {
		want, err := documented.MatchString(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if got := executed.MatchString(s); got != want {
			t.Fatalf("%q: documented %v, executed %v", s, want, got)
		}
	}
	for s, want := range map[string]bool{
		"T112": true, "P11200000": true, "T11": false, "T1120": false, "T1120000": false, "T112000000": false,
		"t112": false, "T112\n": false, "T11200000\n": false, "T112\r": false, "\nT112": false, "T１１２": false, "T١١٢": false,
		"T112\u2028": false, "T11a": false, "PT112": false, "": false, "T": false, " T112": false, "T112 ": false, "T112\x00": false,
	} {
		if got := executed.MatchString(s); got != want {
			t.Errorf("%q: got %v", s, got)
		}
		agree(t, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		agree(t, rapid.StringOfN(rapid.SampledFrom([]rune("PTp0129１\n\r\u2028 x")), 0, 11, -1).Draw(t, "id"))
	})
	rapid.Check(t, func(t *rapid.T) {
		agree(t, rapid.StringMatching(`[PT][0-9]{2,9}\n?`).Draw(t, "id"))
	})
}

func TestOneReadingServesAnyNumberOfDocuments(t *testing.T) {
	fragments, err := gate.Read(os.DirFS("testdata/small"))
	if err != nil {
		t.Fatal(err)
	}
	of := func(more ...map[string]any) map[string]any {
		doc, err := fragments.Assemble(more...)
		if err != nil {
			t.Fatal(err)
		}
		return doc.Raw()
	}
	before := of()
	of(map[string]any{
		"components": map[string]any{"schemas": map[string]any{"Other": map[string]any{"type": "string"}}},
		"tags":       []any{map[string]any{"name": "Other"}},
	})
	if diff := cmp.Diff(before, of()); diff != "" {
		t.Errorf("a document stays in what the next is made of:\n%s", diff)
	}
}

func TestWhatIsUnpackedIsWhatWasRead(t *testing.T) {
	read, err := gate.Read(os.DirFS("testdata/small"))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := read.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var documents [2]map[string]any
	for i, fragments := range []*gate.Fragments{read, gate.Unpack(string(packed))} {
		doc, err := fragments.Assemble()
		if err != nil {
			t.Fatal(err)
		}
		documents[i] = doc.Raw()
	}
	if diff := cmp.Diff(documents[0], documents[1]); diff != "" {
		t.Errorf("unpacked it differs:\n%s", diff)
	}
}

func TestWhatIsWrongWithAFileIsToldWhenItIsPacked(t *testing.T) {
	read, err := gate.Read(files("a: [", "b: {c: 1, c: 2}"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = read.Pack()
	for _, name := range []string{"f1.yaml", "f2.yaml"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not in: %v", name, err)
		}
	}
}
