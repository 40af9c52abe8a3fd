package provider

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Disclose puts the parts that may be shown back into a configuration. A part
// whose place is gone, such as an item of a list that became shorter, stays
// out.
func (p *Provider) Disclose(configuration []byte, parts []Part) []byte {
	shown := slices.ContainsFunc(parts, func(part Part) bool { return part.Shown })
	whole := plainObject(configuration)
	if !shown || whole == nil {
		return configuration
	}
	for _, part := range parts {
		if value, ok := plainValue([]byte(part.Value.Reveal())); ok && part.Shown {
			for _, version := range append(p.others(), p) {
				put(whole, version.configuration, tokens(part.Pointer), value)
			}
		}
	}
	return canonical(whole)
}

// ShowsSecrets says whether the connection's own GET gives back anything that
// is sealed.
func (p *Provider) ShowsSecrets() bool {
	return p.showsSecrets || slices.ContainsFunc(p.others(), func(o *Provider) bool { return o.showsSecrets })
}

// put sets the member at the end of a path, if the rule lets it be shown and
// the object that has it is there.
func put(at any, r *rule, path []string, value any) {
	for ; len(path) > 1 && r != nil; path = path[1:] {
		switch holder := at.(type) {
		case map[string]any:
			at, r = holder[path[0]], r.members[path[0]]
		case []any:
			i, ok := wholeText(path[0])
			if !ok || i >= len(holder) {
				return
			}
			at, r = holder[i], r.items
		default:
			return
		}
	}
	object, ok := at.(map[string]any)
	if !ok || r == nil || len(path) != 1 {
		return
	}
	if m := r.members[path[0]]; m != nil && m.shown {
		object[path[0]] = value
	}
}

// tokens takes a JSON pointer (RFC 6901) apart.
func tokens(pointer string) []string {
	if pointer == "" {
		return nil
	}
	all := strings.Split(pointer[1:], "/")
	for i, token := range all {
		all[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
	}
	return all
}

// plainValue reads one JSON value as the document readers do.
func plainValue(text []byte) (value any, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err := decoder.Decode(&value)
	return value, err == nil
}

// plainObject reads a JSON object as a plain value; nil when it is none.
func plainObject(text []byte) map[string]any {
	value, _ := plainValue(text)
	object, _ := value.(map[string]any)
	return object
}

// find gives the value at a path of a plain value.
func find(value any, path []string) (any, bool) {
	for _, token := range path {
		switch holder := value.(type) {
		case map[string]any:
			member, ok := holder[token]
			if !ok {
				return nil, false
			}
			value = member
		case []any:
			i, ok := wholeText(token)
			if !ok || i >= len(holder) {
				return nil, false
			}
			value = holder[i]
		default:
			return nil, false
		}
	}
	return value, true
}
