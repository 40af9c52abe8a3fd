package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"mooring/internal/fault"
)

// bodyProblems puts what the validator found into our own words. The codes
// are those that clients of the public API know.
func bodyProblems(err error, says sayings) []fault.Problem {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return nil
	}
	var problems []fault.Problem
	says.explain(invalid, func(path []string, code, reason string, params ...string) {
		problems = append(problems, bodyProblem(path, code, reason, params...))
	})
	return problems
}

// parameterProblems is bodyProblems for one parameter.
func parameterProblems(err error, says sayings, in, name string) []fault.Problem {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return nil
	}
	var problems []fault.Problem
	says.explain(invalid, func(_ []string, code, reason string, params ...string) {
		problems = append(problems, parameterProblem(in, name, code, reason, params...))
	})
	return problems
}

func parameterProblem(in, name, code, reason string, params ...string) fault.Problem {
	return fault.Problem{In: in, Name: name, Path: fragment([]string{name}), Code: code, Message: name + " " + reason, Params: params}
}

// tidy sorts problems by path and drops repetitions, which combined schemas
// cause.
func tidy(problems []fault.Problem) []fault.Problem {
	slices.SortStableFunc(problems, func(a, b fault.Problem) int {
		if d := strings.Compare(a.Path, b.Path); d != 0 {
			return d
		}
		return strings.Compare(a.Code, b.Code)
	})
	problems = slices.CompactFunc(problems, func(a, b fault.Problem) bool {
		return a.In == b.In && a.Path == b.Path && a.Code == b.Code && slices.Equal(a.Params, b.Params)
	})
	return problems[:min(len(problems), maxProblems)]
}

type emitter func(path []string, code, reason string, params ...string)

// sayings are what patterns mean, in words that follow "must be".
type sayings map[string]string

// readSayings takes them out of a document.
func readSayings(raw map[string]any) sayings {
	table, _ := raw["x-mooring-says"].(map[string]any)
	says := sayings{}
	for pattern := range table {
		says[pattern] = text(table, pattern)
	}
	return says
}

// of is what a value that matches a pattern is.
func (s sayings) of(pattern string) string {
	if said := s[pattern]; said != "" {
		return "must be " + said
	}
	return "must match the pattern " + pattern
}

// explain reports each leaf of the validator's tree of errors.
func (s sayings) explain(e *jsonschema.ValidationError, emit emitter) {
	path := e.InstanceLocation
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		for _, cause := range e.Causes {
			s.explain(cause, emit)
		}
	case *kind.Required:
		for _, name := range k.Missing {
			emit(join(path, name), "OBJECT_MISSING_REQUIRED_PROPERTY", "is required", name)
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			emit(join(path, name), "OBJECT_ADDITIONAL_PROPERTIES", "is not allowed here", shorten(name))
		}
	case *kind.FalseSchema:
		emit(path, "OBJECT_ADDITIONAL_PROPERTIES", "is not allowed here")
	case *kind.DependentRequired:
		for _, name := range k.Missing {
			emit(join(path, name), "OBJECT_DEPENDENCY_KEY", fmt.Sprintf("is required beside %q", k.Prop), k.Prop)
		}
	case *kind.PropertyNames:
		emit(join(path, k.Property), "INVALID_NAME", "has a name that is not allowed here")
	case *kind.Type:
		emit(path, "INVALID_TYPE", fmt.Sprintf("must be %s, not %s", article(k.Want), article([]string{k.Got})), append(slices.Clone(k.Want), k.Got)...)
	case *kind.Enum:
		allowed := literals(k.Want)
		emit(path, "ENUM_MISMATCH", "must be one of "+strings.Join(allowed, ", "), allowed...)
	case *kind.Const:
		allowed := literals([]any{k.Want})
		emit(path, "ENUM_MISMATCH", "must be "+allowed[0], allowed...)
	case *kind.Pattern:
		emit(path, "PATTERN", s.of(k.Want), k.Want)
	case *kind.Format:
		emit(path, "INVALID_FORMAT", "must be a valid "+k.Want, k.Want)
	default:
		explainSize(path, k, emit)
	}
}

// explainSize reports the keywords that compare with a number, and the
// combinations.
func explainSize(path []string, k jsonschema.ErrorKind, emit emitter) {
	limit := func(code, format string, n any) {
		text := fmt.Sprint(n)
		if r, ok := n.(*big.Rat); ok {
			text = decimal(r)
		}
		message := fmt.Sprintf(format, text)
		if text == "1" { // one character, item or member
			message = strings.TrimSuffix(message, "s")
		}
		emit(path, code, message, text)
	}
	switch k := k.(type) {
	case *kind.MinLength:
		limit("MIN_LENGTH", "must have at least %s characters", k.Want)
	case *kind.MaxLength:
		limit("MAX_LENGTH", "must have at most %s characters", k.Want)
	case *kind.Minimum:
		limit("MINIMUM", "must be at least %s", k.Want)
	case *kind.Maximum:
		limit("MAXIMUM", "must be at most %s", k.Want)
	case *kind.ExclusiveMinimum:
		limit("MINIMUM_EXCLUSIVE", "must be greater than %s", k.Want)
	case *kind.ExclusiveMaximum:
		limit("MAXIMUM_EXCLUSIVE", "must be less than %s", k.Want)
	case *kind.MultipleOf:
		limit("MULTIPLE_OF", "must be a multiple of %s", k.Want)
	case *kind.MinItems:
		limit("ARRAY_LENGTH_SHORT", "must have at least %s items", k.Want)
	case *kind.MaxItems:
		limit("ARRAY_LENGTH_LONG", "must have at most %s items", k.Want)
	case *kind.MinProperties:
		limit("OBJECT_PROPERTIES_MINIMUM", "must have at least %s members", k.Want)
	case *kind.MaxProperties:
		limit("OBJECT_PROPERTIES_MAXIMUM", "must have at most %s members", k.Want)
	case *kind.UniqueItems:
		emit(path, "ARRAY_UNIQUE", "must not contain equal items")
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			emit(path, "ONE_OF_MULTIPLE", "matches more than one of the forms that exclude each other")
			return
		}
		emit(path, "ONE_OF_MISSING", "matches none of the allowed forms")
	case *kind.AnyOf:
		emit(path, "ANY_OF_MISSING", "matches none of the allowed forms")
	case *kind.Not:
		emit(path, "NOT_PASSED", "has a form that is not allowed")
	default:
		emit(path, "INVALID", "is not valid")
	}
}

func join(path []string, name string) []string {
	return append(slices.Clone(path), name)
}

func decimal(r *big.Rat) string {
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// article writes types as prose: "a string or null".
func article(types []string) string {
	words := make([]string, len(types))
	for i, t := range types {
		switch t {
		case "null":
			words[i] = t
		case "object", "array", "integer":
			words[i] = "an " + t
		default:
			words[i] = "a " + t
		}
	}
	return strings.Join(words, " or ")
}

// literals writes the allowed values of a schema.
func literals(values []any) []string {
	all := make([]string, len(values))
	for i, value := range values {
		switch value := value.(type) {
		case string:
			all[i] = value
		case json.Number:
			all[i] = value.String()
		default:
			encoded, _ := encodeTree(nil, value) // plain values of the document can always be written
			all[i] = string(encoded)
		}
	}
	return all
}
