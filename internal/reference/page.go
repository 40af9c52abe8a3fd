package reference

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mooring/internal/gate"
)

// evidences say in words what x-evidence says in one.
var evidences = map[string]string{
	"seed":            "This operation follows a complete page of the public documentation literally.",
	"documented-2026": "This operation follows current public documentation that could be read in part.",
	"documented-2021": "This operation follows the public description as it was in 2021; newer documentation could not be read.",
	"inferred":        "This operation is not documented; it follows the pattern of its siblings.",
	"extension":       "This operation is an extension of Mooring and not part of the documented API.",
}

func (w writer) page(op *gate.Operation) string {
	var b strings.Builder
	line(&b, "# "+plain(op.Summary), "", code(op.Method+" "+op.Path), "")
	if description := prose(op.Description); description != "" {
		line(&b, description, "")
	}
	line(&b, "**Operation:** "+code(op.ID), "")
	line(&b, "**Evidence:** "+code(op.Evidence)+". "+evidences[op.Evidence], "")
	line(&b, "**Who may call it:** "+access(op), "")
	w.parameters(&b, op)
	w.body(&b, op)
	w.example(&b, op)
	w.answers(&b, op, "Answers", func(status int) bool { return status < 400 })
	w.answers(&b, op, "Errors", func(status int) bool { return status >= 400 })
	line(&b, "[All operations]("+w.indexURL()+")")
	return b.String()
}

// access says what a request has to show, and whose token it may be.
func access(op *gate.Operation) string {
	if len(op.Security) == 0 {
		return "anyone; no token is needed."
	}
	var ways, scopes []string
	for _, r := range op.Security {
		switch {
		case r.Scheme == "basic":
			ways = append(ways, "an API client, with its id and secret by HTTP Basic authentication")
		case r.Scheme == "":
			ways = append(ways, "anyone, without a token")
		case len(r.Scopes) == 0:
			ways = append(ways, "an access token with any scope")
		default:
			scopes = append(scopes, codes(r.Scopes, " and "))
		}
	}
	if len(scopes) > 0 {
		ways = append(ways, "an access token with the scope "+strings.Join(scopes, " or "))
	}
	return strings.Join(ways, ", or ") + "." + kinds(op)
}

// kinds says whose token is taken, when not everybody's is.
func kinds(op *gate.Operation) string {
	if len(op.Callers) == 0 {
		return ""
	}
	names := map[string]string{"platform": "the platform", "partner": "a partner", "merchant": "a merchant"}
	var all []string
	for _, kind := range op.Callers {
		all = append(all, names[string(kind)])
	}
	return " The token must be that of " + strings.Join(all, " or ") + "."
}

func (w writer) parameters(b *strings.Builder, op *gate.Operation) {
	var rows []row
	for _, p := range op.Parameters {
		rows = append(rows, row{
			name:     p.Name,
			kind:     p.In + ": " + w.kind(w.resolve(object(p.Raw, "schema"))),
			required: p.Required,
			meaning:  meaning(p.Raw),
		})
	}
	if len(rows) > 0 {
		line(b, "## Parameters", "")
		table(b, "parameter", rows)
	}
}

func (w writer) body(b *strings.Builder, op *gate.Operation) {
	if op.Body == nil {
		return
	}
	line(b, "## Request body", "")
	line(b, "At most "+strconv.FormatInt(op.MaxBody, 10)+" bytes of "+codes(op.Body.Types, " or ")+".", "")
	for _, mediaType := range op.Body.Types {
		if len(op.Body.Types) > 1 {
			line(b, "### "+code(mediaType), "")
		}
		schema := object(object(object(op.Body.Raw, "content"), mediaType), "schema")
		if rows := w.members(schema, request); len(rows) > 0 {
			table(b, "member", rows)
		}
	}
}

func (w writer) example(b *strings.Builder, op *gate.Operation) {
	types := []string{""}
	if op.Body != nil {
		types = op.Body.Types
	}
	line(b, "## Example", "")
	for _, mediaType := range types {
		line(b, fence("sh", w.curl(op, mediaType)), "")
	}
}

// answers renders the statuses that are wanted, with the members of a body
// when it is not an error and every example.
func (w writer) answers(b *strings.Builder, op *gate.Operation, title string, wanted func(status int) bool) {
	responses := object(op.Raw, "responses")
	begun := false
	for _, name := range slices.Sorted(maps.Keys(responses)) {
		status, err := strconv.Atoi(name)
		if err != nil || !wanted(status) {
			continue
		}
		if !begun {
			line(b, "## "+title, "")
			begun = true
		}
		line(b, "### "+name+" "+http.StatusText(status), "")
		w.answer(b, w.doc.Resolve(object(responses, name)), status)
	}
}

func (w writer) answer(b *strings.Builder, response map[string]any, status int) {
	line(b, prose(text(response, "description")), "")
	w.headers(b, response)
	content := object(response, "content")
	for _, mediaType := range slices.Sorted(maps.Keys(content)) {
		media := object(content, mediaType)
		if rows := w.members(object(media, "schema"), answer); len(rows) > 0 && status < 400 {
			table(b, "member", rows)
		}
		for _, e := range examples(media) {
			if e.summary != "" {
				line(b, plain(e.summary)+":", "")
			}
			line(b, fence(language(mediaType), show(e.value)), "")
		}
	}
}

// headers lists the headers that say something about this answer. The request
// id stands on every answer and is left to the index of the contract.
func (w writer) headers(b *strings.Builder, response map[string]any) {
	headers := object(response, "headers")
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if name == "X-Request-Id" {
			continue
		}
		header := w.doc.Resolve(object(headers, name))
		line(b, "- Header "+code(name)+": "+meaning(header))
	}
	if len(headers) > 1 || len(headers) == 1 && headers["X-Request-Id"] == nil {
		line(b, "")
	}
}

func table(b *strings.Builder, title string, rows []row) {
	line(b, "| "+title+" | type | required | meaning |", "| --- | --- | --- | --- |")
	for _, r := range rows {
		required := "no"
		if r.required {
			required = "yes"
		}
		line(b, "| "+cell(code(r.name))+" | "+cell(r.kind)+" | "+required+" | "+cell(r.meaning)+" |")
	}
	line(b, "")
}

func codes(names []string, between string) string {
	var all []string
	for _, name := range names {
		all = append(all, code(name))
	}
	return strings.Join(all, between)
}
