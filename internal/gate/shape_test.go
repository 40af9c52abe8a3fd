package gate_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/gate"
	"mooring/internal/telemetry"
)

// What a schema declares is found wherever it says so, however it is put
// together.
func TestDeclaredMembersAreFoundInCombinedSchemas(t *testing.T) {
	for name, c := range map[string]struct{ schema, body, want string }{
		"all of":                  {`{allOf: [{properties: {a: {}}}, {properties: {b: {}}}]}`, `{"a":1,"b":2,"c":3}`, `{"a":1,"b":2}`},
		"one of":                  {`{oneOf: [{required: [a], properties: {a: {}}}, {required: [b], properties: {b: {}}}]}`, `{"b":2,"c":3}`, `{"b":2}`},
		"any of":                  {`{anyOf: [{properties: {a: {}}}, {properties: {b: {}}}]}`, `{"a":1,"b":2,"c":3}`, `{"a":1,"b":2}`},
		"conditions":              {`{properties: {a: {}}, if: {required: [a]}, then: {properties: {b: {}}}, else: {properties: {d: {}}}}`, `{"a":1,"b":2,"c":3}`, `{"a":1,"b":2}`},
		"a reference with more":   {`{$ref: '#/components/schemas/Tree', properties: {b: {}}}`, `{"b":2,"c":3,"leaf":4}`, `{"b":2,"leaf":4}`},
		"itself, below":           {`{$ref: '#/components/schemas/Tree'}`, `{"left":{"left":{"x":1,"leaf":5},"x":2},"list":[{"x":1,"list":[{"leaf":1,"x":1}]}]}`, `{"left":{"left":{"leaf":5}},"list":[{"list":[{"leaf":1}]}]}`},
		"a member from two sides": {`{allOf: [{properties: {a: {properties: {x: {}}}}}, {properties: {a: {properties: {y: {}}}}}]}`, `{"a":{"x":1,"y":2,"z":3}}`, `{"a":{"x":1,"y":2}}`},
		"nothing declared":        {`{type: object}`, `{"c":3}`, `{"c":3}`},
		"nothing allowed":         {`{type: object, additionalProperties: false}`, `{"c":3}`, `{}`},
		"others refused":          {`{properties: {a: {}}, additionalProperties: false}`, `{"a":1,"c":3}`, `{"a":1}`},
		"others welcome":          {`{properties: {a: {}}, additionalProperties: true}`, `{"a":1,"c":3}`, `{"a":1,"c":3}`},
		"others described":        {`{additionalProperties: {properties: {a: {}}}}`, `{"c":{"a":1,"b":2}}`, `{"c":{"a":1}}`},
		"others by pattern":       {`{properties: {a: {}}, patternProperties: {'^x-': {}}}`, `{"a":1,"x-c":3}`, `{"a":1,"x-c":3}`},
		"read-only by reference":  {`{properties: {a: {}, r: {$ref: '#/components/schemas/Own'}}}`, `{"a":1,"r":[]}`, `{"a":1}`},
		"read-only and required":  {`{properties: {a: {}, r: {allOf: [{$ref: '#/components/schemas/Own'}]}}}`, `{"a":1,"r":1}`, `{"a":1}`},
		"case among others":       {`{properties: {a: {}}, additionalProperties: true}`, `{"A":1}`, "#/A CASE_VARIANT"},
		"case below":              {`{$ref: '#/components/schemas/Tree'}`, `{"list":[{},{"Leaf":1}]}`, "#/list/1/Leaf CASE_VARIANT"},
		"names with pointers in":  {`{properties: {'a/b~c': {type: string}}}`, `{"a/b~c":1}`, "#/a~1b~0c INVALID_TYPE"},
		"a member that must not":  {`{properties: {a: false}}`, `{"a":1}`, "#/a OBJECT_ADDITIONAL_PROPERTIES"},
		"dependent members":       {`{properties: {a: {}, b: {}}, dependentRequired: {a: [b]}}`, `{"a":1}`, "#/b OBJECT_DEPENDENCY_KEY"},
		"too few members":         {`{minProperties: 1}`, `{}`, "#/ OBJECT_PROPERTIES_MINIMUM"},
		"a constant":              {`{properties: {a: {const: x}}}`, `{"a":"y"}`, "#/a ENUM_MISMATCH"},
		"no form fits":            {`{properties: {a: {oneOf: [{type: string}, {type: 'null'}]}}}`, `{"a":1}`, "#/a ONE_OF_MISSING"},
		"two forms fit":           {`{properties: {a: {oneOf: [{type: number}, {type: integer}]}}}`, `{"a":1}`, "#/a ONE_OF_MULTIPLE"},
		"none of any":             {`{properties: {a: {anyOf: [{type: string}, {type: array}]}}}`, `{"a":1}`, "#/a ANY_OF_MISSING"},
		"just that is wrong":      {`{properties: {a: {not: {type: string}}}}`, `{"a":"x"}`, "#/a NOT_PASSED"},
		"numbers":                 {`{properties: {a: {exclusiveMinimum: 0.5}, b: {exclusiveMaximum: 1}, c: {multipleOf: 0.01}}}`, `{"a":0.5,"b":1,"c":0.001}`, "#/a MINIMUM_EXCLUSIVE #/b MAXIMUM_EXCLUSIVE #/c MULTIPLE_OF"},
		"arrays":                  {`{properties: {a: {minItems: 1}, b: {contains: {const: 1}}}}`, `{"a":[],"b":[]}`, "#/a ARRAY_LENGTH_SHORT #/b INVALID"},
		"names of members":        {`{propertyNames: {maxLength: 2}}`, `{"abc":1}`, "#/abc INVALID_NAME"},
		"said by two, told once":  {`{allOf: [{required: [a]}, {required: [a]}]}`, `{}`, "#/a OBJECT_MISSING_REQUIRED_PROPERTY"},
		"formats": {
			`{properties: {a: {format: date-time}, b: {format: email}, c: {format: uri}, d: {format: whatever}}}`,
			`{"a":"2023-13-07T05:31:56Z","b":"x","c":"/x","d":"x"}`, "#/a INVALID_FORMAT #/b INVALID_FORMAT #/c INVALID_FORMAT",
		},
	} {
		t.Run(name, func(t *testing.T) {
			status, got := echo(t, c.schema, c.body)
			if status == 400 {
				got = strings.Join(answer{status: status, body: got}.problems(t), " ")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

// echo posts a body to an operation with that schema and gives back what the
// function got, or the refusal.
func echo(t *testing.T, schema, body string) (int, string) {
	t.Helper()
	const named = `
components:
  schemas:
    Own: {type: string, readOnly: true}
    Tree:
      properties:
        leaf: {type: integer}
        left: {$ref: '#/components/schemas/Tree'}
        list: {type: array, items: {$ref: '#/components/schemas/Tree'}}
`
	doc, err := gate.Assemble(files(named, operation("/x", "operationId: x\nx-evidence: seed\nsecurity: []\nrequestBody: {content: {application/json: {schema: "+schema+"}}}")))
	if err != nil {
		t.Fatal(err)
	}
	g, err := gate.New(gate.Config{
		Document: doc, Verify: verify, Metrics: telemetry.NewMetrics(), Log: slog.New(slog.DiscardHandler),
		Functions: map[string]gate.Function{"x": func(_ context.Context, call *gate.Call) (gate.Reply, error) {
			return gate.Reply{Body: call.Body}, nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest("POST", "/x", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, req)
	return rec.Code, rec.Body.String()
}
