package gate

import (
	"fmt"
	"strconv"
	"strings"

	"mooring/internal/fault"
)

// trimmer walks a decoded body beside its shape. It takes out what the
// contract does not declare or a client may not set, and remembers what it
// took. It finds what a schema has no keyword for: members that imitate a
// declared one, and values that take too many bytes.
type trimmer struct {
	look       bool     // only look at what is undeclared; take nothing out
	undeclared []string // pointers
	problems   []fault.Problem
	changed    bool
}

// trim is the walk from the top of a body.
func (t *trimmer) trim(s *shape, value any) {
	t.value(s, value, make([]string, 0, MaxDepth))
}

func (t *trimmer) value(s *shape, value any, path []string) {
	switch value := value.(type) {
	case map[string]any:
		t.object(s, value, path)
	case []any:
		if s.items != nil {
			for i, item := range value {
				t.value(s.items, item, append(path, strconv.Itoa(i)))
			}
		}
	}
	if s.maxBytes > 0 {
		t.measure(s.maxBytes, value, path)
	}
}

func (t *trimmer) object(s *shape, object map[string]any, path []string) {
	for name, value := range object {
		at := append(path, name)
		if m, declared := s.members[name]; declared {
			if m.readOnly && !t.look {
				t.take(object, name)
				continue
			}
			t.value(m.shape, value, at)
			continue
		}
		declared, variant := s.caseVariant(name)
		switch {
		case variant && !t.look:
			t.problems = append(t.problems, bodyProblem(at, "CASE_VARIANT",
				fmt.Sprintf("differs from the member %q only in the case of its letters", declared), declared))
			t.take(object, name)
		case s.open && s.rest != nil && !variant:
			t.value(s.rest, value, at)
		case !s.open || variant:
			t.undeclared = append(t.undeclared, fragment(at))
			t.take(object, name)
		}
	}
}

func (t *trimmer) take(object map[string]any, name string) {
	if !t.look {
		delete(object, name)
		t.changed = true
	}
}

func (t *trimmer) measure(limit int, value any, path []string) {
	encoded, err := encodeTree(nil, value)
	if err == nil && len(encoded) > limit {
		t.problems = append(t.problems, bodyProblem(path, "MAX_BYTES",
			fmt.Sprintf("must have at most %d bytes as JSON", limit), strconv.Itoa(limit)))
	}
}

// bodyProblem makes a problem with the member at path of the body. The reason
// continues a sentence that begins with the member: "is required".
func bodyProblem(path []string, code, reason string, params ...string) fault.Problem {
	p := fault.Problem{In: "body", Name: "body", Path: fragment(path), Code: code, Message: "the body " + reason, Params: params}
	if len(path) > 0 {
		p.Name = shorten(path[len(path)-1])
		p.Message = p.Path[len("#/"):] + " " + reason
	}
	return p
}

// fragment writes a path as an RFC 6901 pointer in its URI fragment form,
// "#/" for the whole. Names come from the client: long ones are cut and what
// does not belong into a URI is percent-encoded.
func fragment(path []string) string {
	if len(path) == 0 {
		return "#/"
	}
	var b strings.Builder
	b.WriteByte('#')
	for _, token := range path {
		b.WriteByte('/')
		escapeFragment(&b, escapeToken(shorten(token)))
	}
	return b.String()
}

// fragmentMarks are the bytes beside letters and digits that RFC 3986 allows
// in a fragment.
const fragmentMarks = "-._~!$&'()*+,;=:@/?"

func escapeFragment(b *strings.Builder, token string) {
	for i := range len(token) {
		c := token[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(fragmentMarks, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(b, "%%%02X", c)
		}
	}
}

// maxNameShown bounds how much of a client's member name an answer repeats.
const maxNameShown = 128

func shorten(name string) string {
	if len(name) <= maxNameShown {
		return name
	}
	return strings.ToValidUTF8(name[:maxNameShown], "") + "..."
}
