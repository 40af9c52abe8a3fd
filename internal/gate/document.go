package gate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mooring/internal/account"
)

// Document is an assembled OpenAPI 3.1 description. It does not change after
// Assemble and is safe for concurrent use.
type Document struct {
	raw        map[string]any
	says       sayings
	operations []*Operation
	proven     bool // its references and schemas are known to be right; each schema is compiled when it is first needed

	compiling sync.Mutex
	compiler  *jsonschema.Compiler // guarded by compiling; nil until there is one
}

// Operation is one method on one path, with everything that the gate and the
// reference pages have to know about it.
type Operation struct {
	ID          string // operationId; labels the metric and the log line
	Method      string // such as "POST"
	Path        string // the template, such as "/v1/accounts/{aid}/..."
	Summary     string
	Description string
	Tags        []string
	Function    string // name of the Go function that runs it; the ID unless x-mooring-function says otherwise
	Argument    string // x-mooring-argument: constant handed to a shared function
	Action      string // x-mooring-action: what the audit calls it; the Function unless said
	Evidence    string // x-evidence
	Extension   bool   // x-mooring-extension
	Security    []Requirement
	Callers     []account.Kind // x-mooring-callers, of access tokens; empty lets every kind in
	Budget      string         // x-mooring-budget: that calls take a place of; "read" or "write" unless said, "" when 503 is no answer
	MaxBody     int64          // bytes
	OAuthErrors bool           // x-mooring-errors: oauth
	RawBody     bool           // x-mooring-body: raw; the function gets the body as it came, and asks a Reader what it says
	Rows        bool           // x-mooring-body: rows; raw, and the function judges the depth too
	Parameters  []Parameter    // path-level and own, references resolved, in document order
	Body        *Body          // nil when the operation takes none
	Raw         map[string]any // the operation object as assembled; numbers are json.Number

	pointer string // where Raw stands in the document
}

// Requirement is one alternative of an operation's security. An operation
// without any is public.
type Requirement struct {
	Scheme string   // "bearer", "callback", "basic", or "" for "without credentials"
	Scopes []string // all of them are needed
}

// Parameter is one path, query or header parameter.
type Parameter struct {
	In, Name string
	Required bool
	Raw      map[string]any // the parameter object, reference resolved

	pointer string
}

// Body is what an operation accepts as request body.
type Body struct {
	Required bool
	Types    []string       // accepted media types, sorted
	Raw      map[string]any // the request body object, reference resolved

	pointer string
}

// Assemble is Fragments.Assemble of all *.yaml files of fsys.
func Assemble(fsys fs.FS, more ...map[string]any) (*Document, error) {
	fragments, err := Read(fsys)
	if err != nil {
		return nil, err
	}
	return fragments.Assemble(more...)
}

// Assemble merges the fragments, in the order of their names, with further maps
// of the same shape. A name defined twice, a reference that leads nowhere and
// an incomplete operation are errors that name the file or the operation; all of
// them are reported together.
func (f *Fragments) Assemble(more ...map[string]any) (*Document, error) {
	raw, err := f.merge(more)
	if err != nil {
		return nil, err
	}
	return newDocument(raw)
}

// Whole is the document that Pack made of all fragments. Nothing of it is
// checked again.
func (f *Fragments) Whole() (*Document, error) {
	d := &Document{raw: f.whole, proven: true}
	return d, d.read()
}

// Parse reads a document that was published by JSON, for tools that check a
// running server.
func Parse(published []byte) (*Document, error) {
	dec := json.NewDecoder(bytes.NewReader(published))
	dec.UseNumber()
	var raw map[string]any
	if err := dec.Decode(&raw); err != nil {
		return nil, fmt.Errorf("gate: not a JSON document: %w", err)
	}
	return newDocument(raw)
}

func newDocument(raw map[string]any) (*Document, error) {
	d := &Document{raw: raw}
	if err := d.checkReferences(); err != nil {
		return nil, err
	}
	var err error
	if d.compiler, err = newCompiler(raw); err != nil {
		return nil, err
	}
	return d, d.read()
}

// read takes in what the document says.
func (d *Document) read() (err error) {
	d.says = readSayings(d.raw)
	d.operations, err = d.readOperations()
	return err
}

// Operations is every operation, sorted by path and then method.
func (d *Document) Operations() []*Operation { return slices.Clone(d.operations) }

// Operation finds one by its operationId.
func (d *Document) Operation(id string) (*Operation, bool) {
	i := slices.IndexFunc(d.operations, func(op *Operation) bool { return op.ID == id })
	if i < 0 {
		return nil, false
	}
	return d.operations[i], true
}

// Raw is the assembled document itself: map[string]any, []any, string, bool,
// nil and json.Number. It must not be changed.
func (d *Document) Raw() map[string]any { return d.raw }

// Resolve follows the $ref of an object, if it has one, until there is none.
func (d *Document) Resolve(object map[string]any) map[string]any {
	_, object = d.follow("", object)
	return object
}

// follow is Resolve that also keeps track of where the object stands.
func (d *Document) follow(pointer string, object map[string]any) (string, map[string]any) {
	for range 32 {
		ref, ok := object["$ref"].(string)
		if !ok {
			return pointer, object
		}
		target, ok := d.at(ref)
		if !ok {
			return pointer, object
		}
		pointer, object = ref, target
	}
	return pointer, object
}

// at finds the object that a local reference such as "#/components/schemas/X"
// names.
func (d *Document) at(ref string) (map[string]any, bool) {
	rest, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil, false
	}
	var value any = d.raw
	for token := range strings.SplitSeq(rest, "/") {
		switch parent := value.(type) {
		case map[string]any:
			value, ok = parent[unescapeToken(token)]
		case []any:
			value, ok = element(parent, token)
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
	}
	object, ok := value.(map[string]any)
	return object, ok
}

// checkReferences reports every $ref that leads nowhere.
func (d *Document) checkReferences() error {
	var broken []string
	visit(d.raw, nil, func(at trail, object map[string]any) {
		ref, ok := object["$ref"].(string)
		if !ok {
			return
		}
		if _, found := d.at(ref); !found {
			broken = append(broken, fmt.Sprintf("%s: $ref %q leads nowhere", at, ref))
		}
	})
	slices.Sort(broken)
	return joinLines(broken)
}

// trail is where an object stands in a document, token by token.
type trail []string

// String is something that a person finds in a YAML file.
func (t trail) String() string { return strings.Join(t, " > ") }

// visit calls f for every object below value, parents first. What it is told
// of the place is good during the call alone. Examples are data, not
// description, and are left out.
func visit(value any, at trail, f func(at trail, object map[string]any)) {
	switch value := value.(type) {
	case map[string]any:
		f(at, value)
		described := len(at) > 0 && at[len(at)-1] == "properties"
		for name, member := range value {
			if described || !isExample(name) {
				visit(member, append(at, name), f)
			}
		}
	case []any:
		for i, item := range value {
			visit(item, append(at, strconv.Itoa(i)), f)
		}
	}
}

// isExample says whether the member holds example data. Inside "properties"
// the names are those of the described data and mean nothing.
func isExample(name string) bool {
	switch name {
	case "example", "examples", "default", "enum", "const":
		return true
	}
	return false
}

func escapeToken(token string) string {
	return escaper.Replace(token)
}

func unescapeToken(token string) string {
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1")

// readable turns a pointer into something a person finds in a YAML file.
func readable(pointer string) string {
	return unescapeToken(strings.ReplaceAll(strings.TrimPrefix(pointer, "#/"), "/", " > "))
}
