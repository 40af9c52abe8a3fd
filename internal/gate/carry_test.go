package gate_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/gate"
	"mooring/internal/gate/gatetest"
	"mooring/internal/telemetry"
)

// carried is one line of testdata/operations.yaml.
type carried struct {
	ID, Method, Path, Status string
	Basic, Body              bool
	Scopes                   []string
}

var templateName = regexp.MustCompile(`\{([^}]+)\}`)

// contract derives a part of a contract from the operation.
func (c carried) contract() map[string]any {
	security := []any{}
	if c.Basic {
		security = append(security, map[string]any{"basic": []any{}})
	}
	for _, scope := range c.Scopes {
		security = append(security, map[string]any{"bearer": []any{scope}})
	}
	if len(security) == 0 {
		security = append(security, map[string]any{"bearer": []any{}})
	}
	parameters := []any{}
	for _, match := range templateName.FindAllStringSubmatch(c.Path, -1) {
		switch name := match[1]; name {
		case "aid", "oid":
			parameters = append(parameters, map[string]any{"$ref": "#/components/parameters/" + name})
		default:
			parameters = append(parameters, map[string]any{"name": name, "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
		}
	}
	operation := map[string]any{
		"operationId": c.ID, "x-evidence": "inferred", "security": security, "parameters": parameters,
		"responses": map[string]any{c.Status: map[string]any{"description": "ok"}},
	}
	if c.Body {
		schema := map[string]any{"type": "object", "required": []any{"a"}, "properties": map[string]any{"a": map[string]any{"type": "integer"}}}
		operation["requestBody"] = map[string]any{"required": true, "content": map[string]any{"application/json": map[string]any{"schema": schema}}}
	}
	if c.Status != "204" {
		schema := map[string]any{"type": "object", "required": []any{"operation"}, "properties": map[string]any{"operation": map[string]any{"const": c.ID}}}
		operation["responses"] = map[string]any{c.Status: map[string]any{
			"description": "ok", "content": map[string]any{"application/json": map[string]any{"schema": schema}},
		}}
	}
	return map[string]any{"paths": map[string]any{c.Path: map[string]any{c.Method: operation}}}
}

func TestTheGateCarriesAllOperationsOfThePublicAPI(t *testing.T) {
	data, err := os.ReadFile("testdata/operations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var list []carried
	if err := yaml.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 56 {
		t.Fatalf("the list has %d operations", len(list))
	}
	var parts []map[string]any
	functions := map[string]gate.Function{}
	for i, c := range list {
		if c.Status == "" {
			list[i].Status = "200"
		}
		parts = append(parts, list[i].contract())
		status, _ := strconv.Atoi(list[i].Status)
		functions[c.ID] = func(_ context.Context, call *gate.Call) (gate.Reply, error) {
			return gate.Reply{Status: status, Body: fmt.Appendf(nil, `{"operation":%q}`, call.Operation.ID)}, nil
		}
	}
	doc, err := gate.Assemble(basesOnly{os.DirFS("testdata/small")}, parts...)
	if err != nil {
		t.Fatal(err)
	}
	var scopes auth.Scopes
	g, err := gate.New(gate.Config{
		Document: doc, Functions: functions, Metrics: telemetry.NewMetrics(), Log: slog.New(slog.DiscardHandler),
		Verify: func(_ context.Context, authorization []string) (auth.Caller, error) {
			return auth.Caller{Account: "T00000000", Kind: account.KindPlatform, Client: "c", Scopes: scopes}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	defer server.Close()
	checker := gatetest.New(doc)
	for _, c := range list {
		t.Run(c.ID, func(t *testing.T) {
			path := templateName.ReplaceAllStringFunc(c.Path, func(name string) string {
				switch name {
				case "{aid}", "{oid}":
					return "T11223351"
				case "{partner_id}":
					return "T112"
				}
				return "x-1"
			})
			call := func(scope auth.Scopes) answer {
				scopes = scope
				b := &bench{t: t, url: server.URL}
				a := ask{method: strings.ToUpper(c.Method), path: path, token: "Bearer x"}
				if c.Basic {
					a.token = "Basic YTpi"
				}
				if c.Body {
					a.body = `{"a":1}`
				}
				return b.do(a)
			}
			if len(c.Scopes) > 0 {
				if got := call(auth.Scopes{"other"}); got.status != http.StatusForbidden {
					t.Fatalf("without its scope: got %d", got.status)
				}
			}
			for _, scope := range append(slices.Clone(c.Scopes), "last")[:max(1, len(c.Scopes))] {
				got := call(auth.Scopes{scope})
				if fmt.Sprint(got.status) != c.Status {
					t.Fatalf("got %d %s", got.status, got.body)
				}
				if err := checker.Check(strings.ToUpper(c.Method), path, got.status, got.header, []byte(got.body)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// basesOnly shows the base file of the small contract without its paths.
type basesOnly struct{ fs.FS }

func (b basesOnly) Open(name string) (fs.File, error) {
	if name == "paths.yaml" {
		return nil, fs.ErrNotExist
	}
	return b.FS.Open(name)
}

func (b basesOnly) Glob(string) ([]string, error) { return []string{"base.yaml"}, nil }
