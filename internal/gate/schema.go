package gate

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mooring/internal/fault"
)

// resource is the address under which the document is known to the schema
// compiler. Nothing is ever loaded from it.
const resource = "mooring:contract"

// Schema is one compiled schema of the document together with what it
// declares.
type Schema struct {
	compiled *jsonschema.Schema
	shape    *shape
	says     sayings
}

// Schema compiles the schema at a pointer such as "#/components/schemas/Error".
func (d *Document) Schema(pointer string) (*Schema, error) {
	d.compiling.Lock()
	defer d.compiling.Unlock()
	var err error
	if d.compiler == nil {
		if d.compiler, err = newCompiler(d.raw); err != nil {
			return nil, err
		}
	}
	compiled, err := d.compiler.Compile(resource + pointerFragment(pointer))
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", readable(pointer), err)
	}
	return &Schema{compiled: compiled, shape: d.newShapes().of(pointer), says: d.says}, nil
}

// Problems says what is wrong with a value of a body, in the words that
// clients see.
func (s *Schema) Problems(value any) []fault.Problem {
	return bodyProblems(s.compiled.Validate(value), s.says)
}

// Undeclared lists the paths of members that the schema does not declare.
func (s *Schema) Undeclared(value any) []string {
	t := trimmer{look: true}
	t.trim(s.shape, value)
	slices.Sort(t.undeclared)
	return t.undeclared
}

// newCompiler prepares the schema compiler: draft 2020-12, formats asserted,
// patterns executed as executedPatterns says.
func newCompiler(raw map[string]any) (*jsonschema.Compiler, error) {
	executed, err := executedPatterns(raw)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(func(pattern string) (jsonschema.Regexp, error) {
		return compilePattern(pattern, executed)
	})
	return c, c.AddResource(resource, raw)
}

type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a contract refers to nothing outside itself", url)
}

// pattern is a documented regular expression and what is executed for it.
type pattern struct {
	documented string
	*regexp.Regexp
}

// String is the documented spelling: it is the one that clients are told.
func (p pattern) String() string { return p.documented }

func compilePattern(documented string, executed map[string]string) (jsonschema.Regexp, error) {
	source, ok := executed[documented]
	if !ok {
		source = documented
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, fmt.Errorf("pattern %s: give its RE2 equivalent as x-mooring-pattern: %w", documented, err)
	}
	return pattern{documented, re}, nil
}

// executedPatterns maps each documented pattern to the RE2 equivalent that
// stands beside it.
func executedPatterns(raw map[string]any) (map[string]string, error) {
	executed := map[string]string{}
	var problems []string
	visit(raw, nil, func(at trail, object map[string]any) {
		own, ok := object["x-mooring-pattern"].(string)
		if !ok {
			return
		}
		documented := text(object, "pattern")
		if old, ok := executed[documented]; ok && old != own {
			problems = append(problems, fmt.Sprintf("%s: x-mooring-pattern differs from that of the same pattern elsewhere", at))
		}
		executed[documented] = own
	})
	slices.Sort(problems)
	return executed, joinLines(problems)
}

// pointerFragment percent-encodes a pointer so that it can stand in a URL;
// braces of path templates are not allowed there.
func pointerFragment(pointer string) string {
	tokens := strings.Split(pointer, "/")
	for i := 1; i < len(tokens); i++ {
		tokens[i] = url.PathEscape(tokens[i])
	}
	return strings.Join(tokens, "/")
}
