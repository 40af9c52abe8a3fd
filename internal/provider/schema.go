package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// newCompiler makes a compiler of draft 2020-12 that asserts formats, executes
// patterns with RE2 and loads nothing from anywhere.
func newCompiler() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	return c
}

// resource is the address of a schema while it is compiled.
const resource = "mooring:provider"

// compile compiles a schema that refers to nothing outside itself.
func compile(schema map[string]any) (*jsonschema.Schema, error) {
	compiler := newCompiler()
	if err := compiler.AddResource(resource, schema); err != nil {
		return nil, err
	}
	return compiler.Compile(resource)
}

type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a provider file refers to nothing outside itself", url)
}

// violation is one rule of a schema that a value breaks.
type violation struct {
	pointer string // the member itself, also when it is missing or does not belong
	reason  string
	missing bool // it is one that must be there and is not
}

// violationsOf takes the outcome of a validation apart, each rule once, in a
// fixed order.
func violationsOf(err error) []violation {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return nil
	}
	found := map[violation]bool{}
	collect(invalid, found)
	return slices.SortedFunc(maps.Keys(found), func(a, b violation) int {
		if d := strings.Compare(a.pointer, b.pointer); d != 0 {
			return d
		}
		return strings.Compare(a.reason, b.reason)
	})
}

func collect(e *jsonschema.ValidationError, found map[violation]bool) {
	for _, cause := range e.Causes {
		collect(cause, found)
	}
	if len(e.Causes) > 0 {
		return
	}
	at := pointerTo(e.InstanceLocation...)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			found[violation{at + pointerTo(name), fmt.Sprintf("%q is missing", name), true}] = true
		}
	case *kind.DependentRequired:
		for _, name := range k.Missing {
			found[violation{at + pointerTo(name), fmt.Sprintf("%q is missing", name), true}] = true
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			found[violation{at + pointerTo(name), fmt.Sprintf("%q does not belong here", name), false}] = true
		}
	default:
		found[violation{at, reasonOf(k), false}] = true
	}
}

// reasonOf puts a broken rule into our own words, so that they are the same
// whatever version of the library finds it.
func reasonOf(broken jsonschema.ErrorKind) string {
	switch k := broken.(type) {
	case *kind.Type:
		return fmt.Sprintf("must be of type %s, not %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Enum:
		return "must be one of " + listed(k.Want)
	case *kind.Const:
		return "must be " + listed([]any{k.Want})
	case *kind.Pattern:
		return "must match the pattern " + k.Want
	case *kind.Format:
		return "must be of the format " + k.Want
	case *kind.MinLength:
		return fmt.Sprintf("must have %d or more characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have %d or fewer characters", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must have %d or more items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have %d or fewer items", k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("must have %d or more members", k.Want)
	case *kind.Minimum:
		return "must be at least " + k.Want.RatString()
	case *kind.Maximum:
		return "must be at most " + k.Want.RatString()
	case *kind.UniqueItems:
		return "must not have the same item twice"
	}
	return "breaks the rule " + strings.Join(broken.KeywordPath(), "/")
}

func listed(values []any) string {
	var words []string
	for _, v := range values {
		words = append(words, fmt.Sprint(v))
	}
	return strings.Join(words, ", ")
}

// ruledBy lists the keywords that mean something for one type of value only.
var ruledBy = map[string][]string{
	"properties": {"object"}, "required": {"object"},
	"items": {"array"}, "minItems": {"array"}, "maxItems": {"array"},
	"minLength": {"string"}, "maxLength": {"string"}, "pattern": {"string"}, "format": {"string"},
	"minimum": {"number", "integer"}, "maximum": {"number", "integer"},
}

// eachSchema calls f for a schema and every schema below it, with the place of
// each, parents first and by name.
func eachSchema(pointer string, schema map[string]any, f func(pointer string, schema map[string]any)) {
	f(pointer, schema)
	properties := members(schema, "properties")
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		eachSchema(pointer+"/properties"+pointerTo(name), members(properties, name), f)
	}
	if items := members(schema, "items"); items != nil {
		eachSchema(pointer+"/items", items, f)
	}
}

// undeclared lists the pointers of the members of value that the schema does
// not name. An object without any named member is free.
func undeclared(schema map[string]any, value any, pointer string) []string {
	var found []string
	switch value := value.(type) {
	case map[string]any:
		properties := members(schema, "properties")
		for _, name := range slices.Sorted(maps.Keys(value)) {
			at := pointer + pointerTo(name)
			switch property := members(properties, name); {
			case property != nil:
				found = append(found, undeclared(property, value[name], at)...)
			case properties != nil && schema["additionalProperties"] != true:
				found = append(found, at)
			}
		}
	case []any:
		for i, item := range value {
			found = append(found, undeclared(members(schema, "items"), item, fmt.Sprintf("%s/%d", pointer, i))...)
		}
	}
	return found
}

// members is the object that a member of parent holds, nil when there is none.
func members(parent map[string]any, name string) map[string]any {
	child, _ := parent[name].(map[string]any)
	return child
}

// atMost says whether a limit of a schema, if it is there, leaves room for n.
func atMost(schema map[string]any, lower, upper string) bool {
	low, hasLow := schema[lower].(json.Number)
	high, hasHigh := schema[upper].(json.Number)
	if !hasLow || !hasHigh {
		return true
	}
	l, _ := low.Float64()
	h, _ := high.Float64()
	return l <= h
}

// wholeNumber reads a plain value that is one.
func wholeNumber(value any) (int, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	return wholeText(n.String())
}

// wholeText reads a number that is not negative.
func wholeText(text string) (int, bool) {
	i, err := strconv.Atoi(text)
	return i, err == nil && i >= 0
}
