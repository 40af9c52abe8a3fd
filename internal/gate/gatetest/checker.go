// Package gatetest checks answers against the contract, more strictly than a
// client would: a member or a Mooring header that the document does not
// declare is an error.
//
// It owns nothing of the program. Tests and the seed check use it on what a
// running server said.
package gatetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"mooring/internal/gate"
)

// Checker validates answers. All methods may be called at the same time.
type Checker struct {
	doc *gate.Document
	mux *http.ServeMux

	mu      sync.Mutex // held while a schema is compiled
	schemas map[string]*gate.Schema
}

// New makes a checker for a document.
func New(doc *gate.Document) *Checker {
	c := &Checker{doc: doc, mux: http.NewServeMux(), schemas: map[string]*gate.Schema{}}
	paths := map[string]methods{}
	for _, op := range doc.Operations() {
		if paths[op.Path] == nil {
			paths[op.Path] = methods{}
		}
		paths[op.Path][op.Method] = op
	}
	for path, found := range paths {
		if strings.HasSuffix(path, "/") {
			path += "{$}"
		}
		c.mux.Handle(path, found)
	}
	return c
}

// FromJSON makes a checker for a document as a server publishes it.
func FromJSON(published []byte) (*Checker, error) {
	doc, err := gate.Parse(published)
	if err != nil {
		return nil, err
	}
	return New(doc), nil
}

// methods is the operations of one path.
type methods map[string]*gate.Operation

func (methods) ServeHTTP(http.ResponseWriter, *http.Request) {}

// Check says everything that is wrong with the answer to a request, in one
// error; nil when nothing is. The target is the path as it was sent, with or
// without a query.
func (c *Checker) Check(method, target string, status int, header http.Header, body []byte) error {
	op := c.find(method, target)
	var problems []error
	switch {
	case method == http.MethodOptions && status == http.StatusNoContent:
	case op == nil:
		problems = c.checkError(status, header, body)
	default:
		problems = c.checkAnswer(op, method, status, header, body)
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("%s %s answered %d: %w", method, target, status, err)
	}
	return nil
}

// Operation is the id of the operation that a request meets, "" for none.
func (c *Checker) Operation(method, target string) string {
	if op := c.find(method, target); op != nil {
		return op.ID
	}
	return ""
}

func (c *Checker) find(method, target string) *gate.Operation {
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		return nil
	}
	handler, _ := c.mux.Handler(req)
	found, ok := handler.(methods)
	if !ok {
		return nil
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return found[method]
}

// checkError checks an answer that belongs to no operation: an unknown path
// or method, in the documented shape of errors.
func (c *Checker) checkError(status int, header http.Header, body []byte) []error {
	if status < 400 {
		return []error{errors.New("no operation of the contract answers this")}
	}
	return c.checkJSON("#/components/schemas/Error", header, body)
}

func (c *Checker) checkAnswer(op *gate.Operation, method string, status int, header http.Header, body []byte) []error {
	pointer, response := c.response(op, status)
	if response == nil {
		return []error{fmt.Errorf("operation %s does not declare this status", op.ID)}
	}
	problems := c.checkHeaders(response, header)
	if method == http.MethodHead {
		return problems
	}
	content := object(response, "content")
	if len(content) == 0 {
		if len(body) > 0 {
			problems = append(problems, errors.New("there is a body where none is declared"))
		}
		return problems
	}
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return append(problems, fmt.Errorf("Content-Type: %w", err))
	}
	declared, ok := content[mediaType].(map[string]any)
	if !ok {
		return append(problems, fmt.Errorf("Content-Type %s is not declared; %s", mediaType, names(content)))
	}
	if declared["schema"] == nil || !isJSON(mediaType) {
		return problems
	}
	return append(problems, c.checkJSON(pointer+"/content/"+escape(mediaType)+"/schema", header, body)...)
}

// response finds what an operation says of a status: exactly, by its class
// ("4XX"), or by default.
func (c *Checker) response(op *gate.Operation, status int) (string, map[string]any) {
	declared := object(op.Raw, "responses")
	for _, name := range []string{strconv.Itoa(status), strconv.Itoa(status/100) + "XX", "default"} {
		response, ok := declared[name].(map[string]any)
		if !ok {
			continue
		}
		if ref, ok := response["$ref"].(string); ok {
			return ref, c.doc.Resolve(response)
		}
		return "#/paths/" + escape(op.Path) + "/" + strings.ToLower(op.Method) + "/responses/" + name, response
	}
	return "", nil
}

func (c *Checker) checkHeaders(response map[string]any, header http.Header) []error {
	declared := map[string]map[string]any{}
	for name, value := range object(response, "headers") {
		described, _ := value.(map[string]any)
		declared[http.CanonicalHeaderKey(name)] = c.doc.Resolve(described)
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if strings.HasPrefix(name, "Mooring-") && declared[name] == nil {
			problems = append(problems, fmt.Errorf("header %s is not declared", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		problems = append(problems, checkHeader(name, declared[name], header)...)
	}
	return problems
}

// checkHeader looks at presence and allowed values, which is all that our
// headers declare.
func checkHeader(name string, declared map[string]any, header http.Header) []error {
	value := header.Get(name)
	if value == "" {
		if declared["required"] == true {
			return []error{fmt.Errorf("header %s is missing", name)}
		}
		return nil
	}
	allowed, ok := object(declared, "schema")["enum"].([]any)
	if ok && !slices.Contains(allowed, any(value)) {
		return []error{fmt.Errorf("header %s: %q is not declared", name, value)}
	}
	return nil
}

func (c *Checker) checkJSON(pointer string, header http.Header, body []byte) []error {
	mediaType, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if !isJSON(mediaType) {
		return []error{fmt.Errorf("Content-Type %q is not JSON", mediaType)}
	}
	schema, err := c.schema(pointer)
	if err != nil {
		return []error{err}
	}
	value, err := decode(body)
	if err != nil {
		return []error{fmt.Errorf("the body is not JSON: %w", err)}
	}
	var problems []error
	for _, p := range schema.Problems(value) {
		problems = append(problems, fmt.Errorf("%s: %s", p.Path, p.Message))
	}
	for _, path := range schema.Undeclared(value) {
		problems = append(problems, fmt.Errorf("%s is not declared", path))
	}
	return problems
}

func (c *Checker) schema(pointer string) (*gate.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if schema, ok := c.schemas[pointer]; ok {
		return schema, nil
	}
	schema, err := c.doc.Schema(pointer)
	if err != nil {
		return nil, err
	}
	c.schemas[pointer] = schema
	return schema, nil
}

func decode(body []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return value, nil
}

func isJSON(mediaType string) bool {
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

func object(parent map[string]any, name string) map[string]any {
	child, _ := parent[name].(map[string]any)
	return child
}

func names(content map[string]any) string {
	return strings.Join(slices.Sorted(maps.Keys(content)), " or ") + " is"
}

func escape(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}
