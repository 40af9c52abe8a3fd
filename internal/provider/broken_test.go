package provider_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/provider"
)

// brokenFiles is what can be wrong with a file: one edit of a good one, and
// everything that is said about it.
var brokenFiles = map[string]struct{ old, new, want string }{
	// not the YAML that a provider file may be
	"a tab":              {"title: Acme", "\ttitle: Acme", `2:1: not YAML: found a tab character that violates indentation`},
	"two documents":      {"scenarios:", "---\nscenarios:", `1:1: a provider file is one YAML document, this one has more`},
	"a name twice":       {"title: Acme Pay", "title: Acme Pay\ntitle: Acme", `3:1: "title" stands here twice`},
	"an anchor":          {"[acme.card]\npartner", "&cards [acme.card]\npartner", `6:10: anchors and aliases are not allowed: write the value out`},
	"a merge key":        {"prefix: Acme", "prefix: Acme\n<<: {}", `5:1: the name of a member must be plain text`},
	"a tag":              {"prefix: Acme", "prefix: !!binary QWNtZQ==", `4:9: tags are not allowed: quote the value to make it text`},
	"a number beyond":    {"schema: 2", "schema: .inf", `5:9: the value is neither text nor a number, true, false or null that JSON has`},
	"too deeply nested":  {"signup: {}", "signup: {a: " + strings.Repeat("[", 80) + strings.Repeat("]", 80) + "}", `93:79: nested too deeply`},
	"bytes and no text":  {"Acme Pay", "Acme \xff", `1:1: not YAML: invalid leading UTF-8 octet`},
	"a colon in a value": {"about: Lets", "about: Note: lets", `3:1: not YAML: mapping values are not allowed in this context`},

	// not the members that a provider file may have
	"an unknown member":      {"prefix: Acme", "prefix: Acme\ncolour: red", `5:1: "colour" does not belong here`},
	"a missing member":       {"prefix: Acme\n", "", `1:1: "prefix" is missing`},
	"a slug with capitals":   {"slug: acme", "slug: Acme", `1:1: must match the pattern ^[a-z0-9]+(?:-[a-z0-9]+)*$`},
	"a slug that is a path":  {"slug: acme", "slug: acme/x", `1:1: must match the pattern ^[a-z0-9]+(?:-[a-z0-9]+)*$`},
	"a slug of another file": {"slug: acme", "slug: other", `1:1: the file of the provider other must be named other.yaml`},
	"an empty title":         {"title: Acme Pay", `title: ""`, `2:1: must have 1 or more characters`},
	"a title of two lines":   {"title: Acme Pay", `title: "Acme\nPay"`, `2:1: must match the pattern ^[^\n]*$`},
	"an unknown method":      {"  post:\n", "  delete: {id: x, evidence: seed, summary: x}\n  post:\n", `13:3: "delete" does not belong here`},
	"no get": {
		"  get:\n    id: acme_get\n    evidence: inferred\n    summary: Read the Acme connection\n    sync: documented\n", "",
		`12:1: "get" is missing`,
	},
	"evidence that is none":         {"evidence: inferred\n    summary: Apply", "evidence: rumour\n    summary: Apply", `15:5: must be one of seed, documented-2026, documented-2021, inferred, extension`},
	"sync where nothing is read":    {"    deprecated:", "    sync: documented\n    deprecated:", `17:5: "sync" does not belong here`},
	"an operation without a name":   {"    id: acme_get\n", "", `18:3: "id" is missing`},
	"a model that does not exist":   {"model: many", "model: several", `24:3: must be one of many, single`},
	"an unknown generated member":   {"callback_at]", "finished_at]", `29:27: must be one of id, url, created_at, callback_at, expires_at`},
	"a version that is no number":   {"\n  1:\n", "\n  first:\n", `32:3: "first" does not belong here`},
	"a misspelt keyword":            {"maxLength: 8", "maxlength: 8", `45:48: "maxlength" does not belong here`},
	"a keyword we do without":       {"{type: string, minLength", "{type: string, oneOf: [], minLength", `45:34: "oneOf" does not belong here`},
	"a schema without a type":       {"name: {type: string, pattern", "name: {pattern", `54:15: "type" is missing`},
	"an unknown type":               {"case_id: {type: string, format", "case_id: {type: text, format", `44:19: must be one of object, array, string, number, integer, boolean`},
	"a request that is text":        {"  2:\n    request:\n      type: object", "  2:\n    request:\n      type: string", `41:7: must be object`},
	"a request without members":     {requestTwo, "", `40:5: "properties" is missing`},
	"a reference":                   {"case_id: {type: string, format: uuid}", `case_id: {$ref: "#/versions/1/request"}`, "44:9: \"type\" is missing\n44:19: \"$ref\" does not belong here"},
	"a simulated status":            {"      status: enabled\n      event", "      status: active\n      event", `83:7: must be one of pending, enabled, failed, declined`},
	"an event in capitals":          {"enrolled:\n", "ENROLLED:\n", `75:3: "ENROLLED" does not belong here`},
	"too few invalid examples":      {"    - summary: No case\n      signup: {}\n      wrong: /case_id\n", "", `91:3: must have 3 or more items`},
	"an example without its place":  {"      wrong: /owners/0/name\n", "", `98:7: "wrong" is missing`},
	"a format that nobody checks":   {"format: uuid", "format: iban", `44:33: must be one of date, date-time, email, uri, uuid`},
	"a secret that may not be one":  {"writeOnly: true}\n        keys", "writeOnly: false}\n        keys", `61:32: must be true`},
	"an alias twice":                {"[acme.card]\npartner", "[acme.card, acme.card]\npartner", `6:1: must not have the same item twice`},
	"a minimum that is a text":      {"minItems: 1", "minItems: one", `48:11: must be of type integer, not string`},
	"a path without its values":     {"  enum: [acme.card]\n", "", `8:1: "enum" is missing`},
	"a parameter that exists":       {"parameter: product", "parameter: aid", `9:3: the path has a parameter aid already`},
	"a prefix in small letters":     {"prefix: Acme", "prefix: acme", `4:1: must match the pattern ^[A-Z][A-Za-z0-9]{0,31}$`},
	"an alias that is the own slug": {"[acme.card]\npartner", "[acme]\npartner", `6:11: the name "acme" is taken by acme.yaml`},

	// well-formed, and wrong
	"no such version":            {"schema: 2", "schema: 3", `5:1: there is no version 3 in versions`},
	"a version that is not used": {"\n  1:\n", "\n  7:\n", `32:3: version 7 is newer than schema, which is 2`},
	"a required stranger":        {"  2:\n    request:\n      type: object\n      required: [case_id]", "  2:\n    request:\n      type: object\n      required: [case]", `42:18: "case" is required but not declared in properties`},
	"a pattern with look-ahead":  {`"^[A-Z]"`, `"^(?=A)[A-Z]"`, "54:36: not a pattern that RE2 can execute: error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
	"a pattern with back-reference": {
		`"^[A-Z]"`, `"^(A)\\1"`, "54:36: not a pattern that RE2 can execute: error parsing regexp: invalid escape sequence: `\\1`",
	},
	"a rule for another type":      {"share: {type: number, minimum", "share: {type: number, maxLength: 3, minimum", `55:37: maxLength says nothing about a value of type number`},
	"limits the wrong way round":   {"minLength: 1, maxLength: 8", "minLength: 9, maxLength: 8", `45:34: minLength is greater than maxLength`},
	"an array of anything":         {"{type: string, minLength: 1, maxLength: 8}", "{type: array}", `45:9: an array must say what its items are`},
	"many without a key":           {"  key: [case_id, store_id]\n", "", `23:1: the model many needs a key`},
	"a key that nobody sends":      {"key: [case_id, store_id]", "key: [case_id, shop]", "25:18: \"shop\" is not a member of the request in version 1\n25:18: \"shop\" is not a member of the request in version 2"},
	"a key that is a list":         {"key: [case_id, store_id]", "key: [owners]", "25:9: \"owners\" is not a member of the request in version 1\n25:9: \"owners\" is not a string in version 2"},
	"one signup with a key":        {"model: many", "model: single", `25:3: the model single has no key`},
	"a restart of many":            {"  get:\n", "  put: {id: acme_put, evidence: inferred, summary: Again}\n  get:\n", `18:3: a put restarts the one signup of the model single`},
	"a view without the request":   {"    data: data\n", "", `27:3: view.data says where the request's members go: it stands there exactly when there is a request`},
	"a member shown twice":         {"data: data", "data: created_at", `28:5: "created_at" is shown twice: as a generated member and as the request's members`},
	"a constant shown twice":       {"constants: {type: direct}", "constants: {created_at: now}", `30:17: "created_at" is shown twice: as a generated member and as a constant`},
	"a sent member shown twice":    {"data: data\n    members: [created_at, callback_at]\n    constants: {type: direct}", "data: inline\n    constants: {store_id: direct}", "37:9: \"store_id\" is shown already as a constant\n44:9: \"store_id\" is shown already as a constant"},
	"an unexplained signup":        {"  signup_received:\n", "  received:\n", `69:1: "signup_received" is missing: every signup records it`},
	"a schema against its example": {"examples: [60]", "examples: [60, 160]", `55:78: the schema refuses its own value: must be at most 100`},
	"a schema against its enum":    {"enum: [on, off]", "enum: [on, 1]", `60:43: the schema refuses its own value: must be of type string, not number`},
	"a good example that is bad":   {"name: Kari, share", "name: kari, share", `90:19: the example is refused: must match the pattern ^[A-Z]`},
	"an example of two mistakes":   {"{name: Kari, share: 60}", "{share: -1}", "90:18: the example is refused: \"name\" is missing\n90:19: the example is refused: must be at least 0"},
	"an undeclared example":        {"share: 60}", "shares: 60}", `90:31: the request does not declare this member`},
	"a bad example that is good":   {"signup: {case_id: case-17}", "signup: {case_id: 3c90c3cc-0d44-4b50-8888-8dd25736052a}", `95:7: the example is accepted`},
	"an example bad elsewhere":     {"wrong: /owners/0/name", "wrong: /owners", `100:7: what is wrong stands at "/owners/0/name"`},
	"an event out of nothing":      {"      event: enrolled\n", "      event: accepted\n", `84:7: "accepted" is not among the events`},
	"sync in other words":          {"    sync: documented\n", "    sync: true\n", `22:5: must be one of documented, extension`},
	"a simulated stranger":         {"      event: enrolled\n", "      event: enrolled\n      configuration: {status: on, secret: x, phase: x}\n", `85:46: not a member of the configuration`},
	"a simulated contradiction":    {"      event: enrolled\n", "      event: enrolled\n      configuration: {status: maybe}\n", "85:7: the configuration's schema refuses it: \"secret\" is missing\n85:23: the configuration's schema refuses it: must be one of on, off"},
}

const requestTwo = `
      properties:
        case_id: {type: string, format: uuid}
        store_id: {type: string, minLength: 1, maxLength: 8}
        owners:
          type: array
          minItems: 1
          maxItems: 3
          items:
            type: object
            required: [name]
            properties:
              name: {type: string, pattern: "^[A-Z]"}
              share: {type: number, minimum: 0, maximum: 100, examples: [60]}`

func TestABrokenFileIsRefusedWithPlaceAndReason(t *testing.T) {
	good := acmeText(t)
	for name, test := range brokenFiles {
		t.Run(name, func(t *testing.T) {
			if strings.Count(good, test.old) != 1 {
				t.Fatalf("%q stands %d times in the good file", test.old, strings.Count(good, test.old))
			}
			_, err := provider.Load(files("acme.yaml", strings.Replace(good, test.old, test.new, 1)))
			if err == nil {
				t.Fatal("the file was loaded")
			}
			if diff := cmp.Diff(test.want, strings.ReplaceAll(err.Error(), "acme.yaml:", "")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
