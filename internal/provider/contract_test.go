package provider_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"mooring/internal/connection"
	"mooring/internal/provider"
)

// TestTheDocumentedOperationsAreServed spells out what clients of the
// documented API rely on: names, methods, paths, and how sure each is.
func TestTheDocumentedOperationsAreServed(t *testing.T) {
	const prefix = "aid_account_settings_connections_"
	want := map[string]string{
		"mastercard_3ds_post": "POST mastercard-3ds seed",
		"mastercard_3ds_get":  "GET mastercard-3ds documented-2026",
		"vipps_post":          "POST vipps documented-2021",
		"vipps_put":           "PUT vipps documented-2021",
		"vipps_get":           "GET vipps documented-2026",
		"payex_post":          "POST payex/{payment_product_type} documented-2021",
		"payex_get":           "GET payex/{payment_product_type} documented-2021",
		"swish_post":          "POST swish documented-2026",
		"swish_get":           "GET swish documented-2021",
		"collector_post":      "POST collector documented-2021",
		"collector_get":       "GET collector documented-2026",
		"bambora_post":        "POST bambora documented-2026",
		"bambora_get":         "GET bambora documented-2021",
		"instabank_post":      "POST instabank documented-2021",
		"instabank_get":       "GET instabank documented-2021",
		"klarna_post":         "POST klarna documented-2026",
		"klarna_get":          "GET klarna inferred",
		"vipps_psp_post":      "POST vipps-psp documented-2026",
		"vipps_psp_get":       "GET vipps-psp inferred",
		"kravia_put":          "PUT kravia documented-2026",
		"kravia_get":          "GET kravia documented-2026",
		"common_post":         "POST common documented-2026",
		"common_get":          "GET common documented-2021",
	}
	got := map[string]string{}
	for _, o := range newSuite(t).document.Operations() {
		if name, ok := strings.CutPrefix(o.ID, prefix); ok && !o.RawBody { // those are callbacks, with a test of their own
			got[name] = o.Method + " " + strings.TrimPrefix(o.Path, paths) + " " + o.Evidence
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestThePartnerEndpointTakesTheProvidersThatSaySo compares the files with the
// contract, which spells the documented names out.
func TestThePartnerEndpointTakesTheProvidersThatSaySo(t *testing.T) {
	s := newSuite(t)
	operation, ok := s.document.Operation("aid_accounts_aid_connections_events_post")
	if !ok {
		t.Fatal("there is no partner endpoint")
	}
	var documented []string
	for _, p := range operation.Parameters {
		if p.Name == "connection" {
			for _, name := range p.Raw["schema"].(map[string]any)["enum"].([]any) {
				documented = append(documented, name.(string))
			}
		}
	}
	var named []string
	for _, p := range s.catalogue.All() {
		if p.PartnerEvents {
			named = append(append(named, p.Slug), p.Aliases...)
		}
	}
	slices.Sort(documented)
	slices.Sort(named)
	if diff := cmp.Diff(documented, named); diff != "" {
		t.Error(diff)
	}
}

// TestSecretsAreNotInTheContract looks at what answers are made of. A request
// says of its own members that they are never shown.
func TestSecretsAreNotInTheAnswersOfTheContract(t *testing.T) {
	var walk func(at string, value any)
	walk = func(at string, value any) {
		switch value := value.(type) {
		case map[string]any:
			if _, secret := value["writeOnly"]; secret {
				t.Errorf("%s is described", at)
			}
			for name, member := range value {
				walk(at+"/"+name, member)
			}
		case []any:
			for i, item := range value {
				walk(at+"/"+strconv.Itoa(i), item)
			}
		}
	}
	for _, c := range []*provider.Catalogue{acme(t), newSuite(t).catalogue} {
		for name, schema := range c.Contract()["components"].(map[string]any)["schemas"].(map[string]any) {
			if strings.HasSuffix(name, "Connection") || strings.HasSuffix(name, "SignupShown") {
				walk(name, schema)
			}
		}
	}
	configuration := connectionMember(t, acme(t), "AcmeConnection", "configuration")
	want := map[string]any{
		"type":     "object",
		"required": []any{"status"},
		"properties": map[string]any{
			"status": map[string]any{"type": "string", "enum": []any{"on", "off"}},
			"keys": map[string]any{"type": "array", "items": map[string]any{
				"type": "object", "properties": map[string]any{
					"name": map[string]any{"type": "string"},
					"key":  map[string]any{"type": "string", "x-mooring-class": "secret"},
				},
			}},
			"brand": map[string]any{"type": "string"},
		},
	}
	if diff := cmp.Diff(want, configuration); diff != "" {
		t.Error(diff)
	}
}

// TestAnOperationDeclaresWhatItCanAnswer spells out the statuses and the
// headers of success, by what the file says.
func TestAnOperationDeclaresWhatItCanAnswer(t *testing.T) {
	vipps := newSuite(t).catalogue.Contract()["paths"].(map[string]any)[paths+"vipps"].(map[string]any)
	of := acme(t).Contract()["paths"].(map[string]any)[paths+"acme/{product}"].(map[string]any)
	for name, test := range map[string]struct {
		operation  any
		statuses   string
		headers    string
		deprecated bool
	}{
		"a signup with a body": {
			of["post"], "200 400 401 403 404 405 413 415 422 500 503", "Idempotent-Replayed X-Request-Id", true,
		},
		"a read that can ask": {of["get"], "200 400 401 403 404 405 500 503", "Mooring-Sync X-Request-Id", false},
		"a signup without a body": {
			vipps["post"], "200 400 401 403 404 405 413 415 422 500 503", "Idempotent-Replayed X-Request-Id", false,
		},
		"a restart": {vipps["put"], "200 400 401 403 404 405 413 415 422 500 503", "Idempotent-Replayed X-Request-Id", false},
	} {
		operation := test.operation.(map[string]any)
		responses := operation["responses"].(map[string]any)
		headers := responses["200"].(map[string]any)["headers"].(map[string]any)
		if diff := cmp.Diff(test.statuses, sorted(responses)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(test.headers, sorted(headers)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if operation["deprecated"] == true != test.deprecated {
			t.Errorf("%s is deprecated: %v", name, operation["deprecated"])
		}
	}
}

const paths = "/v1/accounts/{aid}/management/settings/connections/"

func sorted(object map[string]any) string {
	return strings.Join(slices.Sorted(maps.Keys(object)), " ")
}

// connectionMember is the schema of a member that a connection has beyond
// those that all connections have.
func connectionMember(t *testing.T, c *provider.Catalogue, schema, name string) any {
	t.Helper()
	all := c.Contract()["components"].(map[string]any)["schemas"].(map[string]any)
	own := all[schema].(map[string]any)["allOf"].([]any)[1].(map[string]any)
	return own["properties"].(map[string]any)[name]
}

// TestWhatIsClassedIsAskedForAndNotShown spells out what becomes of each class
// in the contract of a signup.
func TestWhatIsClassedIsAskedForAndNotShown(t *testing.T) {
	schemas := acme(t).Contract()["components"].(map[string]any)["schemas"].(map[string]any)
	owner := func(email map[string]any, others ...any) map[string]any {
		all := map[string]any{
			"name":  map[string]any{"type": "string", "pattern": "^[A-Z]"},
			"share": map[string]any{"type": "number", "minimum": json.Number("0"), "maximum": json.Number("100"), "examples": []any{json.Number("60")}},
			"email": email,
		}
		for i := 0; i < len(others); i += 2 {
			all[others[i].(string)] = others[i+1]
		}
		return all
	}
	email := map[string]any{"type": "string", "format": "email", "x-mooring-class": "contact"}
	for name, want := range map[string]struct{ account, owner any }{
		"AcmeSignup": {
			map[string]any{"type": "string", "pattern": "^[0-9]{11}$", "x-mooring-class": "financial"},
			owner(email, "born", map[string]any{"type": "string", "format": "date", "x-mooring-class": "identity", "writeOnly": true}),
		},
		"AcmeSignupShown": {
			map[string]any{"type": "string", "x-mooring-class": "financial", "examples": []any{"*******8903"}},
			owner(email),
		},
	} {
		properties := schemas[name].(map[string]any)["properties"].(map[string]any)
		if diff := cmp.Diff(want.account, properties["account"]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		items := properties["owners"].(map[string]any)["items"].(map[string]any)
		if diff := cmp.Diff(want.owner, items["properties"]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff([]any{"name"}, items["required"]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestTheViewShapesTheSignup(t *testing.T) {
	signups := connectionMember(t, acme(t), "AcmeConnection", "signups").(map[string]any)
	item := signups["items"].(map[string]any)
	if diff := cmp.Diff([]any{"created_at", "type", "data"}, item["required"]); diff != "" {
		t.Error(diff)
	}
	properties := item["properties"].(map[string]any)
	versions := map[string]any{"anyOf": []any{
		map[string]any{"$ref": "#/components/schemas/AcmeSignupShown"}, map[string]any{"$ref": "#/components/schemas/AcmeSignupV1"},
	}}
	if diff := cmp.Diff(versions, properties["data"]); diff != "" {
		t.Errorf("signups of older versions are not shown as what they are: %s", diff)
	}
	if properties["type"].(map[string]any)["const"] != "direct" || properties["callback_at"] == nil || len(properties) != 4 {
		t.Errorf("%v", properties)
	}
}

func TestTheWordsOfAFileAreThoseOfTheDomain(t *testing.T) {
	if provider.SignupReceived != connection.SignupReceived {
		t.Error("a file explains another event than the one that a signup records")
	}
	var schema struct {
		Defs struct {
			Status struct{ Enum []connection.Status }
		} `yaml:"$defs"`
	}
	text, err := os.ReadFile("file.schema.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(connection.Statuses, schema.Defs.Status.Enum); diff != "" {
		t.Error(diff)
	}
}

// isHelp says whether a text is the long help of a command, which ends in
// examples.
func isHelp(path, text string) bool {
	return strings.HasPrefix(path, "internal/cli/") && strings.Contains(text, "Examples:\n")
}

// TestNoGoFileKnowsAProviderByName reads the text in the program's source.
// What dev starts with, the examples in the command line's help and what measures
// a running server may name providers; nothing else may.
func TestNoGoFileKnowsAProviderByName(t *testing.T) {
	var names []string
	for _, p := range newSuite(t).catalogue.All() {
		names = append(names, regexp.QuoteMeta(p.Slug), regexp.QuoteMeta(p.Title))
		for _, alias := range p.Aliases {
			names = append(names, regexp.QuoteMeta(alias))
		}
	}
	name := regexp.MustCompile(`(?i)\b(` + strings.Join(names, "|") + `)\b`)
	read := 0
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasPrefix(path, "internal/seed/") || strings.HasPrefix(path, "test/") || strings.HasPrefix(path, "bench/") {
			return err
		}
		source, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		read++
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, path, source, 0)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && name.MatchString(text.Value) && !isHelp(path, text.Value) {
				t.Errorf("%s: %s", files.Position(text.Pos()), text.Value)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 20 {
		t.Errorf("only %d files were read", read)
	}
}
