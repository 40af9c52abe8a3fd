package reference

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// deepest is how far below a body its members are listed. Nothing documented
// goes that deep; a schema that refers to itself would never end.
const deepest = 8

// row is one member of a body, or one parameter.
type row struct {
	name     string
	kind     string // type and limits
	required bool
	meaning  string
}

// side says which of the members are of interest: a request has no read-only
// ones, an answer no write-only ones.
type side string

const (
	request side = "readOnly"
	answer  side = "writeOnly"
)

// members lists every member below a schema, parents first, required ones
// first among their siblings.
func (w writer) members(schema map[string]any, of side) []row {
	return w.below(w.resolve(schema), "", of, deepest)
}

func (w writer) below(schema map[string]any, prefix string, of side, depth int) []row {
	if depth == 0 {
		return nil
	}
	if items := object(schema, "items"); items != nil {
		return w.below(w.resolve(items), prefix+"[]", of, depth-1)
	}
	var rows []row
	properties, required := w.properties(schema)
	for _, name := range inOrder(properties, required) {
		member := w.resolve(properties[name])
		if member[string(of)] == true {
			continue
		}
		full := name
		if prefix != "" {
			full = prefix + "." + name
		}
		rows = append(rows, row{
			name: full, kind: w.kind(member), required: slices.Contains(required, name), meaning: meaning(member),
		})
		rows = append(rows, w.below(member, full, of, depth-1)...)
	}
	for _, variant := range w.variants(schema) {
		for _, r := range w.below(variant.schema, prefix, of, depth-1) {
			r.meaning = strings.TrimSpace(plain(variant.name) + ": " + r.meaning)
			rows = append(rows, r)
		}
	}
	return rows
}

// resolve follows references. What stands beside one, such as a description,
// counts more than what it leads to.
func (w writer) resolve(schema map[string]any) map[string]any {
	if _, ok := schema["$ref"]; !ok {
		return schema
	}
	whole := maps.Clone(w.doc.Resolve(schema))
	for name, value := range schema {
		if name != "$ref" {
			whole[name] = value
		}
	}
	return whole
}

// properties are those of the schema and of everything that allOf adds.
func (w writer) properties(schema map[string]any) (map[string]map[string]any, []string) {
	properties := map[string]map[string]any{}
	var required []string
	for _, part := range list(schema, "allOf") {
		p, _ := part.(map[string]any)
		more, needed := w.properties(w.resolve(p))
		maps.Copy(properties, more)
		required = append(required, needed...)
	}
	for name, value := range object(schema, "properties") {
		properties[name], _ = value.(map[string]any)
	}
	return properties, append(required, texts(schema, "required")...)
}

// inOrder is the required names as the contract orders them, then the others
// by the alphabet.
func inOrder(properties map[string]map[string]any, required []string) []string {
	var names []string
	for _, name := range append(slices.Clone(required), slices.Sorted(maps.Keys(properties))...) {
		if properties[name] != nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

type variant struct {
	name   string
	schema map[string]any
}

// variants are the alternatives of oneOf or anyOf, named by their references.
func (w writer) variants(schema map[string]any) []variant {
	var all []variant
	for _, part := range append(slices.Clone(list(schema, "oneOf")), list(schema, "anyOf")...) {
		p, _ := part.(map[string]any)
		name := text(p, "$ref")
		name = name[strings.LastIndexByte(name, '/')+1:]
		if name == "" {
			name = fmt.Sprintf("form %d", len(all)+1)
		}
		all = append(all, variant{name, w.resolve(p)})
	}
	return all
}

// kind is a schema's type and limits, in words.
func (w writer) kind(schema map[string]any) string {
	words := []string{w.typeName(schema)}
	if format := text(schema, "format"); format != "" {
		words = append(words, plain(format))
	}
	words = append(words, limits(schema)...)
	return strings.Join(words, ", ")
}

func (w writer) typeName(schema map[string]any) string {
	names := texts(schema, "type")
	if name := text(schema, "type"); name != "" {
		names = []string{name}
	}
	switch {
	case len(names) == 1 && names[0] == "array":
		return "array of " + w.typeName(w.resolve(object(schema, "items")))
	case len(names) > 0:
		return plain(strings.Join(names, " or "))
	case schema["properties"] != nil || schema["allOf"] != nil || schema["oneOf"] != nil || schema["anyOf"] != nil:
		return "object"
	}
	return "any"
}

// limits are the rules that a value has to keep beyond its type.
func limits(schema map[string]any) []string {
	var all []string
	if values := list(schema, "enum"); len(values) > 0 {
		all = append(all, choice(values))
	}
	if value, ok := schema["const"]; ok {
		all = append(all, "always "+code(fmt.Sprint(value)))
	}
	for _, r := range []struct{ low, high, unit string }{
		{"minLength", "maxLength", " characters"},
		{"minimum", "maximum", ""},
		{"minItems", "maxItems", " items"},
		{"minProperties", "maxProperties", " keys"},
		{"", "x-mooring-max-bytes", " bytes"},
	} {
		if words := between(schema[r.low], schema[r.high]); words != "" {
			unit := r.unit
			if strings.HasSuffix(words, " 1") && !strings.Contains(words, " to ") {
				unit = strings.TrimSuffix(unit, "s")
			}
			all = append(all, words+unit)
		}
	}
	if pattern := text(schema, "pattern"); pattern != "" {
		all = append(all, "pattern "+code(pattern))
	}
	if value, ok := schema["default"]; ok {
		all = append(all, "default "+code(fmt.Sprint(value)))
	}
	return all
}

func choice(values []any) string {
	var all []string
	for _, value := range values {
		all = append(all, code(fmt.Sprint(value)))
	}
	if len(all) == 1 {
		return "always " + all[0]
	}
	return "one of " + strings.Join(all, ", ")
}

func between(low, high any) string {
	switch {
	case low != nil && high != nil && fmt.Sprint(low) == fmt.Sprint(high):
		return fmt.Sprintf("exactly %v", low)
	case low != nil && high != nil:
		return fmt.Sprintf("%v to %v", low, high)
	case low != nil:
		return fmt.Sprintf("at least %v", low)
	case high != nil:
		return fmt.Sprintf("at most %v", high)
	}
	return ""
}

// meaning is a description on one line, with the mark of what is ours and of
// what is going away.
func meaning(described map[string]any) string {
	words := plain(text(described, "description"))
	if described["x-mooring-extension"] == true {
		words += " Extension."
	}
	if described["deprecated"] == true {
		words += " Deprecated."
	}
	return strings.TrimSpace(words)
}

func texts(parent map[string]any, name string) []string {
	var all []string
	for _, item := range list(parent, name) {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}
