package gate

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"mooring/internal/fault"
)

// readForm turns an application/x-www-form-urlencoded body into a flat object
// of strings, under the same limits as JSON.
func readForm(body []byte) (map[string]any, []fault.Problem) {
	values, err := url.ParseQuery(string(body))
	if err != nil || !utf8.Valid(body) {
		return nil, []fault.Problem{bodyProblem(nil, "INVALID_FORM", "is not a valid form")}
	}
	if len(values) > MaxMembers {
		return nil, []fault.Problem{bodyProblem(nil, "OBJECT_PROPERTIES_MAXIMUM", "must have at most 256 parameters", "256")}
	}
	r := reader{maxString: MaxStringBytes}
	tree := make(map[string]any, len(values))
	for name, list := range values {
		r.path = []string{strings.ToValidUTF8(name, "?")}
		if !utf8.ValidString(name) || slices.ContainsFunc(list, func(s string) bool { return !utf8.ValidString(s) }) {
			r.add("INVALID_ENCODING", "must be valid UTF-8")
			continue
		}
		if len(list) > 1 {
			r.add("DUPLICATE_MEMBER", "stands in the form more than once")
		}
		r.text(name)
		tree[name] = r.text(list[0])
	}
	return tree, r.problems
}
