// Package reference writes the reference of the API from the contract that is
// executed: an index for people and programs (llms.txt) and one Markdown page
// for each operation.
//
// It promises that every operation has a page, that every link leads to
// something the server answers, and that text from the contract, which may come
// from an operator's provider file, can't become Markdown of its own beyond
// paragraphs and code spans. It must never describe what the contract does not.
package reference

import (
	"slices"
	"strings"
	"sync"

	"mooring/internal/gate"
)

// exampleBase is how examples in the contract write the address of the server.
// The pages show the real one instead.
const exampleBase = "https://mooring.example.com"

// Pages is the reference. It does not change after New; a page is rendered when
// it is first asked for.
type Pages struct {
	index []byte
	pages map[string]func() []byte // by operationId
}

// New lays out the reference of a document. publicURL is the base of all links, without a slash
// at its end.
func New(doc *gate.Document, publicURL string) *Pages {
	w := writer{doc: doc, base: publicURL}
	p := &Pages{index: w.real(w.index()), pages: map[string]func() []byte{}}
	for _, op := range doc.Operations() {
		p.pages[op.ID] = sync.OnceValue(func() []byte { return w.real(w.page(op)) })
	}
	return p
}

// Index is llms.txt: what the service is, how to get a token, and a link to
// each page.
func (p *Pages) Index() []byte { return p.index }

// Page is the Markdown page of one operation.
func (p *Pages) Page(operationID string) ([]byte, bool) {
	page, ok := p.pages[operationID]
	if !ok {
		return nil, false
	}
	return page(), true
}

// writer renders one document for one server.
type writer struct {
	doc  *gate.Document
	base string
}

// real puts the server's own address in place of the one in examples.
func (w writer) real(text string) []byte {
	return []byte(strings.ReplaceAll(text, exampleBase, w.base))
}

func (w writer) indexURL() string              { return w.base + "/llms.txt" }
func (w writer) contractURL(ext string) string { return w.base + "/openapi." + ext }
func (w writer) pageURL(id string) string      { return w.base + "/reference/" + id + ".md" }

func (w writer) index() string {
	info := object(w.doc.Raw(), "info")
	var b strings.Builder
	line(&b, "# "+plain(text(info, "title")), "")
	line(&b, "> "+plain(text(info, "summary")), "")
	if opening := firstParagraphs(text(info, "description")); opening != "" {
		line(&b, prose(opening), "")
	}
	w.indexToken(&b)
	for _, tag := range w.tags() {
		w.indexTag(&b, tag)
	}
	line(&b, "## The whole description", "",
		"- [OpenAPI as JSON]("+w.contractURL("json")+"): what the server executes, word for word",
		"- [OpenAPI as YAML]("+w.contractURL("yaml")+"): the same, easier to read")
	return b.String()
}

// indexToken shows how to get a token, with the operation that gives tokens
// for JSON.
func (w writer) indexToken(b *strings.Builder) {
	at := slices.IndexFunc(w.doc.Operations(), func(op *gate.Operation) bool {
		return op.Body != nil && slices.Contains(op.Body.Types, typeJSON) &&
			slices.ContainsFunc(op.Security, func(r gate.Requirement) bool { return r.Scheme == "basic" })
	})
	if at < 0 {
		return
	}
	op := w.doc.Operations()[at]
	line(b, "## Getting a token", "",
		"Send the id and the secret of an API client to ["+plain(op.Summary)+"]("+w.pageURL(op.ID)+"). "+
			"Pass the `access_token` of the answer on with every other call, as `Authorization: Bearer {access_token}`.", "")
	line(b, fence("sh", w.curl(op, typeJSON)), "")
}

func (w writer) indexTag(b *strings.Builder, tag tag) {
	line(b, "## "+plain(tag.name), "")
	if tag.description != "" {
		line(b, prose(tag.description), "")
	}
	for _, op := range tag.operations {
		line(b, "- ["+plain(op.Summary)+"]("+w.pageURL(op.ID)+"): "+code(op.Method+" "+op.Path))
	}
	line(b, "")
}

type tag struct {
	name, description string
	operations        []*gate.Operation
}

// tags groups the operations by their first tag, in the order in which the
// contract declares the tags; what has an undeclared tag or none comes last.
func (w writer) tags() []tag {
	var tags []tag
	for _, declared := range list(w.doc.Raw(), "tags") {
		d, _ := declared.(map[string]any)
		tags = append(tags, tag{name: text(d, "name"), description: text(d, "description")})
	}
	others := tag{name: "Others"}
	for _, op := range w.doc.Operations() {
		at := slices.IndexFunc(tags, func(t tag) bool { return len(op.Tags) > 0 && t.name == op.Tags[0] })
		if at < 0 {
			others.operations = append(others.operations, op)
			continue
		}
		tags[at].operations = append(tags[at].operations, op)
	}
	tags = append(tags, others)
	return slices.DeleteFunc(tags, func(t tag) bool { return len(t.operations) == 0 })
}

// firstParagraphs is a text up to its first heading.
func firstParagraphs(description string) string {
	opening, _, _ := strings.Cut(description, "\n#")
	return strings.TrimSpace(opening)
}

func line(b *strings.Builder, lines ...string) {
	for _, s := range lines {
		b.WriteString(s)
		b.WriteByte('\n')
	}
}

func object(parent map[string]any, name string) map[string]any {
	child, _ := parent[name].(map[string]any)
	return child
}

func list(parent map[string]any, name string) []any {
	items, _ := parent[name].([]any)
	return items
}

func text(parent map[string]any, name string) string {
	s, _ := parent[name].(string)
	return s
}
