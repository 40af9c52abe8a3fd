package gate

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// shape is what a schema says about the members of an object: which are
// declared, which are read-only, and whether others are data to be kept.
type shape struct {
	members  map[string]*member
	folded   map[string]string // folded spelling of each declared name
	open     bool              // undeclared members are data and kept
	rest     *shape            // what undeclared members look like; nil for anything
	items    *shape            // what the items of an array look like
	maxBytes int               // x-mooring-max-bytes: longest compact JSON of the value; 0 for no limit
}

type member struct {
	shape    *shape
	readOnly bool
}

// caseVariant finds the declared member that name differs from in case only.
func (s *shape) caseVariant(name string) (string, bool) {
	declared, ok := s.folded[fold(name)]
	return declared, ok && declared != name
}

// fold maps all spellings that Unicode simple case folding holds to be equal,
// such as "status", "Status" and "ſtatus", to one.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}

// shapes builds the shape of each schema once; schemas may refer to
// themselves.
type shapes struct {
	document *Document
	known    map[string]*shape
}

func (d *Document) newShapes() *shapes {
	return &shapes{document: d, known: map[string]*shape{}}
}

// of is the shape that all the schemas together give: an object has to
// satisfy each of them, so it may have the members of any.
func (b *shapes) of(pointers ...string) *shape {
	key := strings.Join(pointers, " ")
	if s, ok := b.known[key]; ok {
		return s
	}
	s := &shape{members: map[string]*member{}, folded: map[string]string{}}
	b.known[key] = s

	facets := b.facets(pointers, map[string]bool{})
	names := map[string][]string{} // pointers to the schemas of each member
	var rest, items []string
	closed := false
	for _, f := range facets {
		for name := range object(f.schema, "properties") {
			names[name] = append(names[name], f.pointer+"/properties/"+escapeToken(name))
		}
		switch additional := f.schema["additionalProperties"].(type) {
		case map[string]any:
			s.open = true
			rest = append(rest, f.pointer+"/additionalProperties")
		case bool:
			s.open = s.open || additional
			closed = closed || !additional
		}
		if f.schema["patternProperties"] != nil {
			s.open = true
		}
		if limit, ok := integer(f.schema["x-mooring-max-bytes"]); ok {
			s.maxBytes = limit
		}
		if _, ok := f.schema["items"].(map[string]any); ok {
			items = append(items, f.pointer+"/items")
		}
	}
	if len(names) == 0 && !closed {
		s.open = true
	}
	for name, at := range names {
		slices.Sort(at)
		s.members[name] = &member{shape: b.of(at...), readOnly: b.readOnly(at)}
		s.folded[fold(name)] = name
	}
	if len(rest) > 0 {
		s.rest = b.of(rest...)
	}
	if len(items) > 0 {
		s.items = b.of(items...)
	}
	return s
}

// facet is one schema that speaks about a value, and where it stands.
type facet struct {
	pointer string
	schema  map[string]any
}

// facets lists the schemas at the pointers and all that they combine.
func (b *shapes) facets(pointers []string, seen map[string]bool) []facet {
	var all []facet
	for _, pointer := range pointers {
		schema, ok := b.document.at(pointer)
		if !ok || seen[pointer] {
			continue
		}
		seen[pointer] = true
		all = append(all, facet{pointer, schema})
		var below []string
		if ref, ok := schema["$ref"].(string); ok {
			below = append(below, ref)
		}
		for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
			list, _ := schema[keyword].([]any)
			for i := range list {
				below = append(below, pointer+"/"+keyword+"/"+strconv.Itoa(i))
			}
		}
		for _, keyword := range []string{"if", "then", "else"} {
			if schema[keyword] != nil {
				below = append(below, pointer+"/"+keyword)
			}
		}
		all = append(all, b.facets(below, seen)...)
	}
	return all
}

func (b *shapes) readOnly(pointers []string) bool {
	return slices.ContainsFunc(b.facets(pointers, map[string]bool{}), func(f facet) bool {
		return f.schema["readOnly"] == true
	})
}
