package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mooring/internal/account"
)

// The media types that a body may have.
const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

// plan is one operation made ready to run: everything that does not depend
// on the request is worked out here, once.
type plan struct {
	operation *Operation
	run       Function
	wildcards []wildcard
	schemas   func() (*schemas, error) // of parameters and bodies, compiled when first asked for
	keyed     bool                     // takes an Idempotency-Key
	bearer    bool                     // some alternative of security is a token, of whichever kind
	basic     bool                     // some alternative is Basic
	anonymous bool                     // public, or some alternative needs nothing
	budget    string                   // that its calls take a place of; "" when they need none
	pace      pace
}

// schemas are what a request of an operation is held against.
type schemas struct {
	parameters []*parameter // of path, query and header
	bodies     map[string]*Schema
}

// wildcard is a path parameter and the segment where it stands.
type wildcard struct {
	segment int
	name    string
	account func(string) (account.ID, error) // nil when it names no account
}

// accountParameters are the path parameters that name an account.
var accountParameters = map[string]func(string) (account.ID, error){
	"aid":        account.ParseID,
	"oid":        account.ParseOwner,
	"partner_id": account.ParseOwner,
}

// parameter is a compiled parameter.
type parameter struct {
	Parameter
	schema *jsonschema.Schema
	says   sayings
	kind   string // JSON type that the text is read as
	items  string // the same for the items of an array
	joined bool   // an array is one comma-separated text, not many parameters
}

// headersOfGate are header parameters that the gate reads itself, by rules
// that a schema cannot express.
var headersOfGate = []string{"Idempotency-Key", "Prefer", "X-Request-Id", "Traceparent", "Authorization", "Content-Type", "Accept"}

func newPlan(d *Document, op *Operation, run Function) (*plan, error) {
	p := &plan{operation: op, run: run, anonymous: len(op.Security) == 0, budget: op.Budget}
	for i, segment := range strings.Split(op.Path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			p.wildcards = append(p.wildcards, wildcard{i, name, accountParameters[name]})
		}
	}
	for _, requirement := range op.Security {
		switch requirement.Scheme {
		case "":
			p.anonymous = true
		case schemeBasic:
			p.basic = true
		default:
			p.bearer = true
		}
	}
	p.keyed = slices.ContainsFunc(op.Parameters, func(declared Parameter) bool { return declared.is("Idempotency-Key") })
	if p.keyed && op.RawBody { // the fingerprint would have to be of what the body says
		return nil, errors.New("x-mooring-body: raw and an Idempotency-Key don't go together")
	}
	p.schemas = sync.OnceValues(func() (*schemas, error) { return compile(d, op) })
	return p, nil
}

// is says whether it is the header of this name.
func (p Parameter) is(header string) bool {
	return p.In == "header" && strings.EqualFold(p.Name, header)
}

func compile(d *Document, op *Operation) (*schemas, error) {
	s := &schemas{bodies: map[string]*Schema{}}
	for _, declared := range op.Parameters {
		if slices.ContainsFunc(headersOfGate, declared.is) {
			continue
		}
		if err := s.addParameter(d, declared); err != nil {
			return nil, err
		}
	}
	return s, s.addBodies(d, op.Body)
}

func (s *schemas) addParameter(d *Document, declared Parameter) error {
	schema, err := d.Schema(declared.pointer + "/schema")
	if err != nil {
		return fmt.Errorf("parameter %s: %w", declared.Name, err)
	}
	compiled := follow(schema.compiled)
	parameter := &parameter{Parameter: declared, schema: schema.compiled, says: d.says, kind: soleType(compiled)}
	parameter.joined = declared.Raw["explode"] == false
	if compiled.Items2020 != nil {
		parameter.items = soleType(follow(compiled.Items2020))
	}
	s.parameters = append(s.parameters, parameter)
	return nil
}

func (s *schemas) addBodies(d *Document, body *Body) error {
	if body == nil {
		return nil
	}
	for _, mediaType := range body.Types {
		schema, err := d.Schema(body.pointer + "/content/" + escapeToken(mediaType) + "/schema")
		if err != nil {
			return fmt.Errorf("requestBody: %w", err)
		}
		s.bodies[mediaType] = schema
	}
	return nil
}

// follow is the schema that a chain of references ends in.
func follow(s *jsonschema.Schema) *jsonschema.Schema {
	for s.Ref != nil && s.Types == nil {
		s = s.Ref
	}
	return s
}

func soleType(s *jsonschema.Schema) string {
	if s.Types == nil {
		return "string"
	}
	names := s.Types.ToStrings()
	if len(names) != 1 {
		return "string"
	}
	return names[0]
}

// value reads a parameter's text as the JSON type that its schema asks for.
// Text that does not fit stays text, which the schema then refuses.
func (p *parameter) value(given []string) any {
	if p.kind != "array" {
		return scalar(p.kind, given[0])
	}
	if p.joined {
		given = strings.Split(given[0], ",")
	}
	list := make([]any, len(given))
	for i, s := range given {
		list[i] = scalar(p.items, s)
	}
	return list
}

func scalar(kind, s string) any {
	switch kind {
	case "integer": // digits alone: what reads it need not know that 1e1 is one
		if _, err := strconv.ParseInt(s, 10, 64); err == nil && json.Valid([]byte(s)) {
			return json.Number(s)
		}
	case "number":
		if json.Valid([]byte(s)) && reasonable(s) {
			return json.Number(s)
		}
	case "boolean":
		if s == "true" || s == "false" {
			return s == "true"
		}
	}
	return s
}
