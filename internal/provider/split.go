package provider

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/secret"
)

// SplitSignup takes what must not rest in clear out of a signup's data, by the
// classes of the current version: kept has masks in place of financial members
// and nothing in place of the others.
func (p *Provider) SplitSignup(data []byte) (kept []byte, parts []Part) {
	return split(p.request, data)
}

// SplitConfiguration does the same to a configuration. Secret members leave no
// trace in kept.
func (p *Provider) SplitConfiguration(configuration []byte) (kept []byte, parts []Part) {
	return split(p.configuration, configuration)
}

// split divides a JSON object by a rule. What is not the object that the rule
// speaks of is sealed whole: nothing is known of it that would let it rest in
// clear. Nothing has nothing to divide, and stays nothing.
func split(r *rule, document []byte) (kept []byte, parts []Part) {
	if document == nil || r == nil || !r.classed {
		return document, nil
	}
	raw := jsontext.Value(document)
	if !raw.IsValid() || raw.Kind() != '{' {
		return []byte(`{}`), []Part{{Class: Secret, Value: secret.NewPlain(string(document))}}
	}
	s := splitter{}
	kept = s.object(make([]byte, 0, len(document)), r, raw, "")
	return kept, s.parts
}

// splitter walks a valid JSON value beside its rule.
type splitter struct{ parts []Part }

// value appends what is kept of a value, and says whether anything is.
func (s *splitter) value(b []byte, r *rule, raw jsontext.Value, at string) ([]byte, bool) {
	switch {
	case !r.classed:
		return append(b, raw...), true
	case r.sealed:
		s.take(r.class, raw, at, r.shown)
		return b, false
	case !r.fits(raw):
		s.take(Secret, raw, at, false)
		return b, false
	case r.class == Financial:
		s.take(Financial, raw, at, false)
		return appendMask(b, raw), true
	case r.members != nil:
		return s.object(b, r, raw, at), true
	case r.items != nil:
		return s.array(b, r.items, raw, at), true
	}
	return append(b, raw...), true
}

func (s *splitter) take(class Class, raw jsontext.Value, at string, shown bool) {
	s.parts = append(s.parts, Part{Pointer: at, Class: class, Value: secret.NewPlain(string(raw)), Shown: shown})
}

func (s *splitter) object(b []byte, r *rule, raw jsontext.Value, at string) []byte {
	b = append(b, '{')
	first := true
	eachMember(raw, func(quoted jsontext.Value, name string, value jsontext.Value) {
		before := len(b)
		if !first {
			b = append(b, ',')
		}
		b = append(append(b, quoted...), ':')
		kept := false
		if m := r.members[name]; m != nil {
			b, kept = s.value(b, m, value, at+pointerTo(name))
		} else if r.open {
			b, kept = append(b, value...), true
		}
		if !kept {
			b = b[:before]
			return
		}
		first = false
	})
	return append(b, '}')
}

func (s *splitter) array(b []byte, items *rule, raw jsontext.Value, at string) []byte {
	b = append(b, '[')
	for i, value := range elements(raw) {
		if i > 0 {
			b = append(b, ',')
		}
		var kept bool
		if b, kept = s.value(b, items, value, at+"/"+strconv.Itoa(i)); !kept {
			b = append(b, "null"...) // the others keep their places
		}
	}
	return append(b, ']')
}

// Masks show the last characters of what is long enough for that. Of what is
// shorter they don't even show how short it is.
const (
	maskShown = 4
	maskLeast = 8
)

// appendMask writes what is shown of a JSON string in its place: as many
// characters, of which the last ones are true.
func appendMask(b []byte, raw jsontext.Value) []byte {
	text, _ := jsontext.AppendUnquote(nil, raw) // not a string: the mask of a short one
	runes, hidden := []rune(string(text)), maskLeast
	if len(runes) >= maskLeast {
		hidden = len(runes) - maskShown
	}
	mask := strings.Repeat("*", hidden) + string(runes[min(hidden, len(runes)):])
	b, _ = jsontext.AppendQuote(b, mask) // unquoting gave valid UTF-8
	return b
}

// eachMember calls f for the members of a valid JSON object, in order.
func eachMember(object jsontext.Value, f func(quoted jsontext.Value, name string, value jsontext.Value)) {
	d := jsontext.NewDecoder(bytes.NewBuffer(object))
	_, _ = d.ReadToken() // the value is valid, so that nothing here fails
	for d.PeekKind() == '"' {
		quoted, _ := d.ReadValue()
		name, _ := jsontext.AppendUnquote(nil, quoted)
		quoted = quoted.Clone()
		value, _ := d.ReadValue()
		f(quoted, string(name), value)
	}
}

// elements are the items of a valid JSON array.
func elements(array jsontext.Value) []jsontext.Value {
	var all []jsontext.Value
	d := jsontext.NewDecoder(bytes.NewBuffer(array))
	_, _ = d.ReadToken()
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			break
		}
		all = append(all, value.Clone())
	}
	return all
}
