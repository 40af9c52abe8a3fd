package reference_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"mooring/contract"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/reference"
	"mooring/providers"
)

const base = "http://127.0.0.1:8080"

func TestEveryOperationHasAPageThatTheIndexLinksTo(t *testing.T) {
	doc := whole(t)
	pages := reference.New(doc, base)
	for _, op := range doc.Operations() {
		page, ok := pages.Page(op.ID)
		if !ok {
			t.Errorf("%s has no page", op.ID)
			continue
		}
		if !strings.Contains(string(page), "`"+op.Method+" "+op.Path+"`") {
			t.Errorf("the page of %s does not say its method and path", op.ID)
		}
		if !strings.Contains(string(pages.Index()), "("+base+"/reference/"+op.ID+".md)") {
			t.Errorf("the index does not link to %s", op.ID)
		}
	}
	if _, ok := pages.Page("nothing"); ok {
		t.Error("there is a page of an operation that does not exist")
	}
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	doc := whole(t)
	pages := reference.New(doc, base)
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	check := func(where string, page []byte) int {
		prose := code.ReplaceAllString(string(page), "") // a pattern may look like a link, and is none
		links := regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(prose, -1)
		for _, link := range links {
			path, ok := strings.CutPrefix(link[1], base)
			if strings.HasPrefix(link[1], "https://") && !ok {
				continue // somebody else's page
			}
			if !ok || !answers(doc, pages, path) {
				t.Errorf("%s links to %s, which is nowhere", where, link[1])
			}
		}
		return len(links)
	}
	if n := check("the index", pages.Index()); n < len(doc.Operations()) {
		t.Errorf("only %d links were found in the index", n)
	}
	for _, op := range doc.Operations() {
		page, _ := pages.Page(op.ID)
		if check(op.ID, page) == 0 {
			t.Errorf("the page of %s leads nowhere", op.ID)
		}
	}
}

func answers(doc *gate.Document, pages *reference.Pages, path string) bool {
	if id, ok := strings.CutPrefix(path, "/reference/"); ok {
		_, exists := pages.Page(strings.TrimSuffix(id, ".md"))
		return exists && strings.HasSuffix(id, ".md")
	}
	for _, op := range doc.Operations() {
		if op.Method == "GET" && op.Path == path {
			return true
		}
	}
	return false
}

func TestEveryPageShowsItsEvidenceAndWhoMayCall(t *testing.T) {
	doc := whole(t)
	pages := reference.New(doc, base)
	for _, op := range doc.Operations() {
		page, _ := pages.Page(op.ID)
		if !regexp.MustCompile("\\*\\*Evidence:\\*\\* `" + op.Evidence + "`\\. This operation [^.]{20,}\\.").Match(page) {
			t.Errorf("the page of %s does not explain its evidence", op.ID)
		}
		for _, r := range op.Security {
			for _, scope := range r.Scopes {
				if !strings.Contains(string(page), "`"+scope+"`") {
					t.Errorf("the page of %s does not name the scope %s", op.ID, scope)
				}
			}
		}
	}
}

func TestEveryStatusIsOnThePage(t *testing.T) {
	doc := whole(t)
	pages := reference.New(doc, base)
	for _, op := range doc.Operations() {
		page, _ := pages.Page(op.ID)
		for status := range op.Raw["responses"].(map[string]any) {
			if !strings.Contains(string(page), "\n### "+status+" ") {
				t.Errorf("the page of %s says nothing of %s", op.ID, status)
			}
		}
	}
}

func TestExamplesAreValidJSONAndSpeakOfThisServer(t *testing.T) {
	doc := whole(t)
	pages := reference.New(doc, base)
	blocks := regexp.MustCompile("(?s)```json\n(.*?)\n```")
	data := regexp.MustCompile(`(?s)--data '(.*?)'\n`)
	for _, op := range doc.Operations() {
		page, _ := pages.Page(op.ID)
		found := append(blocks.FindAllSubmatch(page, -1), data.FindAllSubmatch(page, -1)...)
		if len(found) == 0 {
			t.Errorf("the page of %s has no example", op.ID)
		}
		for _, example := range found {
			if !json.Valid(example[1]) {
				t.Errorf("the page of %s has an example that is not JSON:\n%s", op.ID, example[1])
			}
		}
		if strings.Contains(string(page), "mooring.example.com") {
			t.Errorf("the page of %s shows another server", op.ID)
		}
	}
}

func TestEveryCurlCommandCanBePasted(t *testing.T) {
	doc := whole(t)
	pages := reference.New(doc, base)
	target := regexp.MustCompile(`--url '([^']*)'`)
	for _, op := range doc.Operations() {
		page, _ := pages.Page(op.ID)
		found := target.FindAllStringSubmatch(string(page), -1)
		if len(found) == 0 {
			t.Errorf("the page of %s has no command", op.ID)
		}
		for _, match := range found {
			if u, err := url.Parse(match[1]); err != nil || strings.ContainsAny(match[1], "{}") || u.Host == "" {
				t.Errorf("the page of %s calls %s", op.ID, match[1])
			}
		}
	}
}

func TestTablesKeepTheirShape(t *testing.T) {
	doc := whole(t)
	pages := reference.New(doc, base)
	for _, op := range doc.Operations() {
		page, _ := pages.Page(op.ID)
		for row := range strings.Lines(string(page)) {
			if strings.HasPrefix(row, "| ") && strings.Count(strings.ReplaceAll(row, `\|`, ""), "|") != 5 {
				t.Errorf("%s: a row does not have four cells: %s", op.ID, row)
			}
		}
	}
}

func TestTheSameContractGivesTheSamePages(t *testing.T) {
	first, second := reference.New(whole(t), base), reference.New(whole(t), base)
	if string(first.Index()) != string(second.Index()) {
		t.Error("the index differs")
	}
	for _, op := range whole(t).Operations() {
		a, _ := first.Page(op.ID)
		b, _ := second.Page(op.ID)
		if string(a) != string(b) {
			t.Errorf("the page of %s differs", op.ID)
		}
	}
}

func TestThePageOfAnEventSaysWhatASenderHasToKnow(t *testing.T) {
	page, _ := reference.New(whole(t), base).Page("aid_accounts_aid_connections_events_post")
	for _, want := range []string{
		"# Report progress on a merchant's connection\n",
		"**Evidence:** `seed`. This operation follows a complete page of the public documentation literally.",
		"an access token with the scope `admin:accounts` or `write:accounts`. The token must be that of a partner or the platform.",
		"| `connection` | path: string, one of `instabank`, `vipps`, `payex.creditcard`, `payex`, `collector`, `swish`, `bambora` | yes | The provider.",
		`| path: string, pattern ` + "`" + `^[PT]{1}(?=(?:.{3}\|.{8})$)[0-9]*$` + "`",
		"| `event` | string, 1 to 128 characters | yes |",
		"| `occurred_at` | string, date-time | no |",
		"At most 65536 bytes of `application/json`.",
		"--url '" + base + "/v1/accounts/T11200000/management/accounts/T11223351/connections/vipps/events'",
		"- Header `Mooring-Effect`: What the event did",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	body, _, _ := strings.Cut(string(page), "## Answers")
	if strings.Contains(body, "| `created_by` |") {
		t.Error("a read-only member is shown as part of the request")
	}
	if !strings.Contains(string(page), "| `created_by` | string | yes |") {
		t.Error("a read-only member is missing from the answer")
	}
}

func TestMembersAreListedHoweverTheSchemaIsPutTogether(t *testing.T) {
	page := fixture(t, `
schema:
  allOf:
    - $ref: "#/components/schemas/Part"
    - type: object
      required: [list]
      properties:
        list: {type: array, minItems: 1, items: {type: object, properties: {inner: {type: integer, minimum: 1, maximum: 9}}}}
        choice: {oneOf: [{$ref: "#/components/schemas/Part"}, {type: object, properties: {other: {type: [string, "null"]}}}]}
        again: {$ref: "#/components/schemas/Node"}
`)
	for _, want := range []string{
		"| `list` | array of object, at least 1 item | yes |",
		"| `list[].inner` | integer, 1 to 9 | no |",
		"| `part` | string, always `x` | yes | A part. |",
		"| `choice.part` | string, always `x` | yes | Part: A part. |",
		"| `choice.other` | string or null | no | form 2: |",
		"| `again.next.next` | object | no |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestTextOfAProviderFileStaysText(t *testing.T) {
	page := fixture(t, `
schema:
  type: object
  properties:
    "a`+"`"+`|b": {type: string, pattern: "^(a|`+"``"+`)$", description: "| cell | [link](javascript:alert(1)) <script>\n\n# Heading"}
examples:
  hostile: {summary: "<b>*x*</b>", value: {"`+"```"+`": "</script>\n`+"```"+`"}}
`)
	for _, refused := range []string{"\n# Heading", "[link](", "<script>", "<b>", "| cell |"} {
		if strings.Contains(page, refused) {
			t.Errorf("the page lets %q through:\n%s", refused, page)
		}
	}
	for row := range strings.Lines(page) {
		if strings.HasPrefix(row, "| ") && strings.Count(strings.ReplaceAll(row, `\|`, ""), "|") != 5 {
			t.Errorf("a row does not have four cells: %s", row)
		}
	}
}

// fixture is the page of one operation whose request body is the given media
// type object.
func fixture(t *testing.T, media string) string {
	t.Helper()
	document := `
openapi: 3.1.0
info: {title: Fixture, summary: One operation}
paths:
  /things:
    post:
      operationId: thing_post
      summary: Make a thing
      x-evidence: inferred
      security: []
      requestBody:
        content:
          application/json:
` + indent(media, "            ") + `
      responses: {"200": {description: Made}}
components:
  schemas:
    Part: {type: object, required: [part], properties: {part: {type: string, enum: [x], description: A part.}}}
    Node: {type: object, properties: {next: {$ref: "#/components/schemas/Node"}}}
`
	doc, err := gate.Assemble(fstest.MapFS{"fixture.yaml": {Data: []byte(document)}})
	if err != nil {
		t.Fatal(err)
	}
	page, ok := reference.New(doc, base).Page("thing_post")
	if !ok {
		t.Fatal("there is no page")
	}
	return string(page)
}

func indent(s, by string) string {
	return by + strings.ReplaceAll(strings.Trim(s, "\n"), "\n", "\n"+by)
}

// whole is the contract as the server executes it.
func whole(t *testing.T) *gate.Document {
	t.Helper()
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := gate.Assemble(contract.FS, catalogue.Contract())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
