package tenants

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/gate"
	"mooring/test/drive"
)

var update = flag.Bool("update", false, "write matrix.txt anew")

// Who asks. The partner A owns what is "own"; the last five are A's as well.
const (
	nobody     = "none"
	merchant   = "merchant"
	partnerA   = "partner-A"
	partnerB   = "partner-B"
	ofPlatform = "platform"
	callback   = "callback"
	exchange   = "exchange"
	ofProvider = "provider"
	acting     = "acting"
)

var callers = []string{nobody, merchant, acting, partnerA, partnerB, ofPlatform, callback, exchange, ofProvider}

// What a parameter may name, beside what is the caller's own.
const (
	own      = "own"
	sibling  = "sibling"   // of another merchant of the same partner
	foreign  = "foreign"   // of partner B
	foreigns = "foreign.." // this and all that follow are of partner B
	missing  = "missing"
	broken   = "malformed"
	deleted  = "deleted"
	otherly  = "other world"
)

// ref is one parameter of a request, and what is known of what it names.
type ref struct {
	name, in, value string
	account         account.ID // that it names, or that what it names belongs to; zero when that is not there
	isAccount       bool
	state           string // live, missing, broken, deleted or otherly
}

const live = "live"

// cell is one request of the matrix with its answer.
type cell struct {
	op     *gate.Operation
	row    row
	caller string
	refs   []ref
	a, b   *tenant
	answer drive.Answer
}

// row is what is asked of an operation: by whose view, and which of its
// parameters names what.
type row struct {
	scene string // "merchant" when {oid} is a merchant that speaks for itself; else ""
	param string // "" for what is all one's own
	kind  string
}

func (r row) String() string {
	name := strings.TrimSpace(r.param + " " + r.kind)
	if r.scene != "" {
		return "as a " + r.scene + ": " + name
	}
	return name
}

// prober asks all cells of one operation.
type prober struct {
	w    *world
	op   *gate.Operation
	slug string
	a, b *tenant
}

func (w *world) prober(op *gate.Operation) *prober {
	p := &prober{w: w, op: op, slug: cmp.Or(slugs[op.ID], "vipps")}
	if provider, ok := w.server.Catalogue().Resolve(op.Argument); ok {
		p.slug = provider.Slug
	}
	if op.Method != http.MethodGet && len(p.names()) > 0 {
		return p
	}
	if _, known := w.quiet[p.slug]; !known {
		w.quiet[p.slug] = [2]*tenant{p.tenant(), p.tenant()}
	}
	p.a, p.b = w.quiet[p.slug][0], w.quiet[p.slug][1]
	return p
}

func (p *prober) tenant() *tenant {
	tn := p.w.newTenant(p.slug)
	if prepare := prepared[p.op.Function]; prepare != nil {
		prepare(p.w, tn)
	}
	return tn
}

// names are the parameters that name something of somebody, in the order of the
// path, and then those of the query.
func (p *prober) names() []gate.Parameter {
	var inPath, inQuery []gate.Parameter
	for _, declared := range p.op.Parameters {
		switch {
		case declared.In == "path" && !isConstant(declared.Name):
			inPath = append(inPath, declared)
		case declared.In == "query" && isAccount(declared):
			inQuery = append(inQuery, declared)
		}
	}
	place := func(one gate.Parameter) int { return strings.Index(p.op.Path, "{"+one.Name+"}") }
	slices.SortFunc(inPath, func(x, y gate.Parameter) int { return place(x) - place(y) })
	for _, name := range inBody[p.op.ID] {
		inPath = append(inPath, gate.Parameter{In: "body", Name: name})
	}
	return append(inPath, inQuery...)
}

// fixture is what makes what a parameter names.
func (p *prober) fixture(name string) fixture {
	p.w.t.Helper()
	found, known := fixtures[p.fixtureName(name)]
	if !known {
		p.w.t.Fatalf("fixtures_test.go does not know what {%s} names in %s", name, p.op.Path)
	}
	return found
}

// fixtureName is under what the fixture of a parameter stands: its name, or
// where that means several things, the part of the path before it and its name.
func (p *prober) fixtureName(name string) string {
	before, _, inPath := strings.Cut(p.op.Path, "/{"+name+"}")
	special := before[strings.LastIndexByte(before, '/')+1:] + "/" + name
	if _, known := fixtures[special]; inPath && known {
		return special
	}
	return name
}

func isConstant(name string) bool {
	_, constant := constants[name]
	return constant
}

// hasForm says whether a parameter can be malformed.
func hasForm(declared gate.Parameter) bool {
	schema, _ := declared.Raw["schema"].(map[string]any)
	return schema["pattern"] != nil || schema["format"] != nil
}

// isAccount says whether a parameter names an account, by its pattern.
func isAccount(declared gate.Parameter) bool {
	schema, _ := declared.Raw["schema"].(map[string]any)
	return slices.Contains([]string{"aid", "oid", "partner_id", "account_id", "audience"}, declared.Name) && declared.In != "query" || schema["pattern"] == `^[PT]{1}\d{8}$`
}

// scenes are the ways to read {oid}: as a partner that owns, and as a merchant
// that speaks for itself.
func (p *prober) scenes() []string {
	if strings.Contains(p.op.Path, "{oid}") && !strings.Contains(p.op.Path, "{aid}") {
		return []string{"", merchant}
	}
	return []string{""}
}

// namesPartner says whether a parameter, when it comes first, names a partner.
func (p *prober) namesPartner(name string) bool {
	return name == "oid" || name == "partner_id" || name == "aid" && slices.Contains(ofPartners, p.op.ID)
}

// resolve gives every parameter something of one tenant.
func (p *prober) resolve(scene string, tn *tenant, id account.ID) []ref {
	var refs []ref
	var last account.ID
	at := map[string]string{}
	for _, declared := range p.names() {
		r := ref{name: declared.Name, in: declared.In, state: live, isAccount: isAccount(declared)}
		switch {
		case r.isAccount && last == "" && p.namesPartner(declared.Name) && scene != merchant:
			r.account = tn.partner
		case r.isAccount:
			r.account = id
		case last == "":
			r.account = platformID
		default:
			r.account = last
		}
		if r.value = string(r.account); r.isAccount {
			last = r.account
		} else {
			r.value = p.own(tn, declared.Name, r.account, at)
		}
		at[declared.Name] = r.value
		refs = append(refs, r)
	}
	return refs
}

// own is what a fixture makes, once for each tenant and place.
func (p *prober) own(tn *tenant, name string, id account.ID, at map[string]string) string {
	key := fmt.Sprint(p.fixtureName(name), id, at)
	if tn.made[key] == "" {
		tn.made[key] = p.fixture(name).own(p.w, tn, id, at)
	}
	return tn.made[key]
}

// rows are what is asked of the operation.
func (p *prober) rows() []row {
	var rows []row
	names := p.names()
	for _, scene := range p.scenes() {
		rows = append(rows, row{scene, "", own})
		for i, declared := range names {
			kinds := []string{own, sibling, foreign, foreigns, missing, broken, deleted, otherly}
			drop := func(kind string, no bool) {
				if no {
					kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == kind })
				}
			}
			ofMerchant := scene == merchant || slices.ContainsFunc(names[:i+1], func(n gate.Parameter) bool {
				return isAccount(n) && !p.namesPartner(n.Name)
			})
			ofTenant := slices.ContainsFunc(names[:i+1], isAccount)
			drop(own, declared.In != "query")
			drop(sibling, !ofMerchant)
			drop(foreign, !ofTenant)
			drop(foreigns, !ofTenant || i+1 >= len(names) || names[i+1].In == "query")
			drop(deleted, !isAccount(declared) && p.fixture(declared.Name).deleted == nil)
			drop(broken, !hasForm(declared))
			drop(otherly, !isAccount(declared))
			for _, kind := range kinds {
				rows = append(rows, row{scene, declared.Name, kind})
			}
		}
	}
	return rows
}

// refs are the parameters of a row, without those of the query that it is not
// about.
func (p *prober) refs(r row) []ref {
	refs := p.resolve(r.scene, p.a, p.a.merchant)
	i := slices.IndexFunc(refs, func(one ref) bool { return one.name == r.param })
	switch r.kind {
	case sibling:
		refs[i] = p.resolve(r.scene, p.a, p.a.sibling)[i]
	case foreign:
		refs[i] = p.resolve(r.scene, p.b, p.b.merchant)[i]
	case foreigns:
		copy(refs[i:], p.resolve(r.scene, p.b, p.b.merchant)[i:])
	case missing, broken, deleted, otherly:
		refs[i] = p.other(r, refs, i)
	}
	return slices.DeleteFunc(refs, func(one ref) bool { return one.in == "query" && one.name != r.param })
}

// other is a parameter that names nothing that is there.
func (p *prober) other(r row, refs []ref, i int) ref {
	one := refs[i]
	one.account, one.state = "", r.kind
	ofPartner := strings.HasSuffix(one.value, "00000")
	switch {
	case r.kind == broken && one.isAccount:
		one.value = one.value[:len(one.value)-1]
	case r.kind == broken:
		one.value = "~"
	case r.kind == otherly:
		one.value = "P" + one.value[1:]
	case r.kind == missing && one.isAccount && ofPartner:
		one.value = "T99900000"
	case r.kind == missing && one.isAccount:
		one.value = one.value[:4] + "99999"
	case r.kind == missing:
		one.value = p.fixture(one.name).missing
	case one.isAccount && ofPartner:
		one.value = string(p.w.gone)
	case one.isAccount:
		one.value = string(p.a.deleted)
	default:
		at := map[string]string{}
		for _, before := range refs[:i] {
			at[before.name] = before.value
		}
		one.value = p.fixture(one.name).deleted(p.w, p.a, refs[i].account, at)
	}
	return one
}

// ask asks one cell. After a write that was done, whoever it was done to is
// replaced, so that each cell finds the same.
func (p *prober) ask(r row, caller string) cell {
	if p.a == nil {
		p.a = p.tenant()
	}
	if p.b == nil {
		p.b = p.tenant()
	}
	c := cell{op: p.op, row: r, caller: caller, refs: p.refs(r), a: p.a, b: p.b}
	c.answer = p.w.ask(p.op.Method, p.target(c.refs), p.tokenOf(caller), p.body(c.refs))
	if p.op.Method != http.MethodGet && c.done() && len(c.refs) > 0 {
		p.a = nil
		if caller == partnerB || strings.HasPrefix(r.kind, foreign) {
			p.b = nil
		}
	}
	return c
}

func (c cell) done() bool { return c.answer.Status < 300 }

func (p *prober) target(refs []ref) string {
	target, query := p.op.Path, url.Values{}
	for name, value := range constants {
		target = strings.ReplaceAll(target, "{"+name+"}", cmp.Or(value, p.slug))
	}
	for _, r := range refs {
		if r.in == "query" {
			query.Set(r.name, r.value)
		}
		target = strings.ReplaceAll(target, "{"+r.name+"}", r.value)
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	return target
}

func (p *prober) tokenOf(caller string) string {
	switch caller {
	case nobody:
		return ""
	case ofPlatform:
		return p.w.platform
	case partnerB:
		return p.b.tokens[partnerA]
	case exchange:
		if !p.a.exchanged.After(time.Now().Add(-exchangeAge)) || p.takes("exchange") {
			p.a.tokens[exchange], p.a.exchanged = p.w.exchange(p.a), time.Now()
		}
	}
	return p.a.tokens[caller]
}

// exchangeAge is how long an exchange token is used here; it lives a minute.
const exchangeAge = 20 * time.Second

func (p *prober) takes(scheme string) bool { return takes(p.op, scheme) }

func takes(op *gate.Operation, scheme string) bool {
	return slices.ContainsFunc(op.Security, func(r gate.Requirement) bool { return r.Scheme == scheme })
}

// body is that of fixtures_test.go, else the first example of the contract.
func (p *prober) body(refs []ref) []byte {
	if made := bodies[p.op.ID]; made != nil {
		at := map[string]string{}
		for _, r := range refs {
			at[r.name] = r.value
		}
		return []byte(made(p.w, p.a, at))
	}
	text := example(p.op)
	if text == nil {
		return nil
	}
	return []byte(strings.NewReplacer("T11223351", string(p.a.merchant), "T11200000", string(p.a.partner)).Replace(string(text)))
}

// example is the first example of an operation's body; nil when it takes none.
func example(op *gate.Operation) []byte {
	if op.Body == nil {
		return nil
	}
	content, _ := op.Body.Raw["content"].(map[string]any)
	media, _ := content["application/json"].(map[string]any)
	examples, _ := media["examples"].(map[string]any)
	names := slices.Sorted(maps.Keys(examples))
	if len(names) == 0 {
		return nil
	}
	text, err := json.Marshal(examples[names[0]].(map[string]any)["value"])
	if err != nil {
		panic(err)
	}
	return text
}

func TestMatrixOnSQLite(t *testing.T)   { testMatrix(t, newWorld(t, onSQLite)) }
func TestMatrixOnPostgres(t *testing.T) { testMatrix(t, newWorld(t, onPostgres(t))) }

// enough is how many cells the matrix has at least.
const enough = 5_000

// askers is how many operations are asked at the same time.
const askers = 4

func testMatrix(t *testing.T, w *world) {
	cells := w.askAll()
	if t.Failed() {
		return
	}
	t.Logf("%d cells of %d operations, %d tenants", len(cells), len(w.document.Operations()), w.made.Load())
	if len(cells) < enough {
		t.Errorf("there are %d cells, want at least %d", len(cells), enough)
	}
	checkRules(t, cells)
	if t.Failed() {
		return
	}
	text := render(cells)
	if *update {
		must(t, os.WriteFile("matrix.txt", []byte(text), 0o644))
	}
	want, err := os.ReadFile("matrix.txt")
	must(t, err)
	if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(text, "\n")); diff != "" {
		t.Errorf("the answers are not those of matrix.txt; when they are as they should be, run go test ./test/tenants -run SQLite -update:\n%s", diff)
	}
}

// askAll asks every cell of every operation, and gives them in the order of the
// contract.
func (w *world) askAll() []cell {
	operations := w.document.Operations()
	found := make([][]cell, len(operations))
	var next atomic.Int64
	var asking sync.WaitGroup
	for range askers {
		asking.Go(func() {
			w := w.another()
			for i := next.Add(1) - 1; i < int64(len(operations)); i = next.Add(1) - 1 {
				p := w.prober(operations[i])
				for _, r := range p.rows() {
					for _, caller := range callers {
						found[i] = append(found[i], p.ask(r, caller))
					}
				}
			}
		})
	}
	asking.Wait()
	return slices.Concat(found...)
}

const title = `What every operation answers to whom, whatever its parameters name. Made by go test ./test/tenants -update, and
checked by it; the rules that hold whatever stands here are in rules_test.go.

Partner A owns a merchant, its sibling and one that was deleted; partner B owns others. A row says which parameter names
what, while all others name what is A's own. "foreign" is B's; "foreign.." makes all parameters that follow B's, too.
"acting" is a token of the merchant that partner A exchanged its own for; "provider" is a client of A's for one provider.
Operations with the same answers share a table.
`

// render is the matrix as a text. Operations with equal tables share one.
func render(cells []cell) string {
	tables, order := map[string][]string{}, []string{}
	for len(cells) > 0 {
		op, n := cells[0].op, 0
		var table strings.Builder
		fmt.Fprintf(&table, "%-28s", "")
		for _, caller := range callers {
			fmt.Fprintf(&table, " %9s", caller)
		}
		for ; n < len(cells) && cells[n].op == op; n++ {
			if cells[n].caller == callers[0] {
				fmt.Fprintf(&table, "\n%-28s", cells[n].row)
			}
			fmt.Fprintf(&table, " %9d", cells[n].answer.Status)
		}
		cells = cells[n:]
		if tables[table.String()] == nil {
			order = append(order, table.String())
		}
		tables[table.String()] = append(tables[table.String()], op.Method+" "+op.Path)
	}
	text := title
	for _, table := range order {
		text += "\n" + strings.Join(tables[table], "\n") + "\n" + table + "\n"
	}
	return text
}
