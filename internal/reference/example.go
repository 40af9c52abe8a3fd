package reference

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"mooring/internal/gate"
)

// The media types that requests come in.
const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

// sample is one example of a body.
type sample struct {
	summary string
	value   any
}

// examples are those of a media type object, by the alphabet of their names.
func examples(media map[string]any) []sample {
	named := object(media, "examples")
	var all []sample
	for _, name := range slices.Sorted(maps.Keys(named)) {
		e := object(named, name)
		all = append(all, sample{text(e, "summary"), e["value"]})
	}
	return all
}

// curl is a command that can be pasted, with a body of the media type when
// there is one. Credentials are left to shell variables.
func (w writer) curl(op *gate.Operation, mediaType string) string {
	parts := []string{"curl --request " + op.Method}
	parts = append(parts, "--url "+quote(w.base+w.target(op)))
	for _, r := range op.Security[:min(1, len(op.Security))] {
		switch r.Scheme {
		case "bearer":
			parts = append(parts, `--header "Authorization: Bearer $TOKEN"`)
		case "basic":
			parts = append(parts, `--user "$CLIENT_ID:$CLIENT_SECRET"`)
		}
	}
	if op.Body != nil {
		parts = append(parts, bodyArguments(op, mediaType)...)
	}
	return strings.Join(parts, " \\\n  ")
}

func bodyArguments(op *gate.Operation, mediaType string) []string {
	found := examples(object(object(op.Body.Raw, "content"), mediaType))
	if len(found) == 0 {
		return nil
	}
	if mediaType != typeForm {
		return []string{"--header " + quote("Content-Type: "+mediaType), "--data " + quote(show(found[0].value))}
	}
	var fields []string
	form, _ := found[0].value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(form)) {
		fields = append(fields, "--data-urlencode "+quote(name+"="+fmt.Sprint(form[name])))
	}
	return fields
}

// target is the path with an example in place of each parameter, and the
// query parameters that may not be left out.
func (w writer) target(op *gate.Operation) string {
	path := op.Path
	query := url.Values{}
	for _, p := range op.Parameters {
		value, ok := w.exampleOf(p)
		switch {
		case p.In == "path" && ok:
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
		case p.In == "query" && p.Required:
			query.Set(p.Name, value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// exampleOf is a value that a parameter may have: its example, that of its
// schema, or the first of the values it is limited to.
func (w writer) exampleOf(p gate.Parameter) (string, bool) {
	if value, ok := p.Raw["example"]; ok {
		return fmt.Sprint(value), true
	}
	schema := w.resolve(object(p.Raw, "schema"))
	for _, name := range []string{"examples", "enum"} {
		if values := list(schema, name); len(values) > 0 {
			return fmt.Sprint(values[0]), true
		}
	}
	return "", false
}

// quote makes one word of a shell command.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// show is an example as it is printed: text as it is, anything else as JSON.
func show(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	// The contract holds nothing that JSON can't: it was decoded from YAML into
	// maps, lists and plain values.
	_ = enc.Encode(value)
	return strings.TrimSpace(b.String())
}

// language names a code block's content for highlighters.
func language(mediaType string) string {
	switch mediaType {
	case typeJSON:
		return "json"
	case "text/html":
		return "html"
	case "text/markdown":
		return "markdown"
	case "application/yaml":
		return "yaml"
	}
	return "text"
}
