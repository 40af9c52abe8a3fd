package differential

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mooring/internal/account"
	"mooring/internal/gate"
)

// request is one that is sent to both sides. Names stand in it for what each
// side calls its own.
type request struct {
	op     *gate.Operation
	kind   string // of what it lists or makes
	method string
	target string
	header http.Header
	body   []byte
	caller account.ID // whose token it shows; "" for none
	values map[string]string
	basic  bool // it shows the credentials instead
}

// String is the request as a person reads it.
func (q request) String() string {
	header := q.header.Clone()
	header.Del("Authorization")
	return fmt.Sprintf("%s as %q: %s %s %v %.2000s", q.op.ID, q.caller, q.method, q.target, header, q.body)
}

// unasked are operations whose answers depend on when they are asked, or on what
// runs beside the requests.
var unasked = []string{
	"metrics_get",                                                                       // counts what ran
	"ready_get",                                                                         // measures
	"aid_source_hooks_hid_ping_post",                                                    // one host takes so many a minute
	"account_notice_test_post",                                                          // likewise
	"operator_connection_sync_post",                                                     // asks a provider so many times a minute
	"openapi_json_get", "openapi_yaml_get", "reference_index_get", "reference_page_get", // large, and no matter of a database
}

// request makes one for an operation.
func (r *maker) request(op *gate.Operation) request {
	q := request{op: op, method: op.Method, target: op.Path, header: http.Header{}, values: r.home(op)}
	segments := strings.Split(op.Path, "/")
	q.kind = strings.TrimSuffix(segments[len(segments)-1], "s")
	for i, segment := range segments {
		name := strings.Trim(segment, "{}")
		if name == segment {
			continue
		}
		if q.values[name] == "" || r.wild(2) {
			q.values[name] = r.inPath(name, segments[i-1], q.values)
		}
		q.target = strings.Replace(q.target, segment, url.PathEscape(q.values[name]), 1)
		if i == len(segments)-1 {
			q.kind = strings.TrimSuffix(segments[i-1], "s")
		}
	}
	r.sign(&q)
	r.parameters(&q)
	if op.Body != nil {
		r.write(&q)
	} else if r.wild(3) {
		q.body = []byte(`{}`)
		q.header.Set("Content-Type", "application/json")
	}
	if _, ok := q.values["connection"]; !ok {
		q.values["connection"] = op.Argument
	}
	return q
}

// home is where something is that the operation may be about: the values of the
// parameters under which it was made, its own name among them.
func (r *maker) home(op *gate.Operation) map[string]string {
	segments := strings.Split(op.Path, "/")
	for i := len(segments) - 1; i > 0; i-- {
		name := strings.Trim(segments[i], "{}")
		kind := r.kindOf(name, segments[i-1])
		if name == "connection" && len(r.applied) > 0 && r.chance(85) {
			return r.within(maps.Clone(one(r, r.applied)))
		}
		if name == segments[i] || len(r.names.pools[kind]) == 0 || r.chance(10) {
			continue
		}
		known := r.known(kind)
		found := maps.Clone(r.names.homes[known])
		if found == nil {
			found = map[string]string{}
		}
		found[name] = known
		return r.within(found)
	}
	return map[string]string{}
}

// within adds whose something is, to where it is.
func (r *maker) within(found map[string]string) map[string]string {
	if aid := found["aid"]; found["oid"] == "" && len(aid) == 9 {
		found["oid"] = one(r, []string{aid[:4] + "00000", aid[:1] + "00000000"})
	} else if aid == "" {
		found["aid"] = found["oid"]
	}
	return found
}

// kindOf is what a parameter names.
func (r *maker) kindOf(name, after string) string {
	switch name {
	case "oid", "partner_id", "aid", "payment_product_type", "recipient":
		return "nothing"
	case "token":
		return "link"
	case "connection":
		return name
	case "signup_id", "callback_reference":
		return "signup"
	}
	return strings.TrimSuffix(after, "s")
}

// inPath is the value of a parameter.
func (r *maker) inPath(name, after string, values map[string]string) string {
	if r.wild(2) {
		return cmp.Or(one(r, words), "x")
	}
	switch name {
	case "oid", "partner_id":
		return one(r, []string{"T11200000", "T11200000", "T112", "T11300000", "T00000000", "P11200000", "P00000000", "T11200001"})
	case "aid":
		if owner := values["oid"]; owner != "" && r.chance(90) {
			return r.merchantOf(owner)
		}
		return r.anyAccount()
	case "connection":
		return one(r, []string{"vipps", "payex", "payex.creditcard", "swish", "bambora", "collector", "instabank", "klarna", "kravia", "mastercard-3ds", "vipps-psp", "nobody"})
	case "payment_product_type":
		return "payex.creditcard"
	case "token":
		return strings.Repeat("A", 32)
	case "recipient":
		return one(r, recipients)
	}
	return cmp.Or(r.known(r.kindOf(name, after)), missing)
}

const missing = "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01"

var recipients = []string{"checkout", "till", "Checkout"}

func (r *maker) merchantOf(owner string) string {
	if made := r.known("account"); made != "" && r.chance(30) {
		return made
	}
	merchants := slices.DeleteFunc(slices.Clone(accounts), func(a someone) bool {
		return a.kind != account.KindMerchant || !strings.HasPrefix(owner, string(a.id[:4])) && !strings.HasPrefix(owner, string(a.id[:1])+"000")
	})
	if len(merchants) == 0 {
		return r.anyAccount()
	}
	return string(one(r, merchants).id)
}

// sign decides who asks: mostly somebody who may.
func (r *maker) sign(q *request) {
	first := "T00000000"
	for _, name := range []string{"aid", "partner_id", "oid"} {
		if strings.Contains(q.op.Path, "{"+name+"}") {
			first = q.values[name]
		}
	}
	world := account.ID(first[:1])
	switch scheme := schemeOf(q.op); {
	case scheme == "" || r.wild(1):
		return
	case scheme == "basic":
		q.caller, q.basic = whole(first), true
	case r.wild(4):
		q.caller = one(r, accounts).id
	case len(q.op.Callers) == 1 || r.chance(40):
		q.caller = world + "00000000"
	default:
		q.caller = whole(first)
	}
	if !slices.ContainsFunc(accounts, func(a someone) bool { return a.id == q.caller }) {
		q.caller = "T00000000"
	}
}

// whole is the id of an account in either spelling.
func whole(id string) account.ID {
	if len(id) == 4 {
		id += "00000"
	}
	return account.ID(id)
}

func schemeOf(op *gate.Operation) string {
	for _, s := range op.Security {
		if s.Scheme != "" {
			return s.Scheme
		}
	}
	return ""
}

// parameters fills in some of those of query and header.
func (r *maker) parameters(q *request) {
	query := url.Values{}
	for _, p := range q.op.Parameters {
		schema, _ := p.Raw["schema"].(map[string]any)
		var value string
		switch {
		case p.In == "path" || p.Name == "sync" || p.Name == "wait":
			continue // sync: a provider is asked so many times a minute
		case p.Name == "Idempotency-Key":
			if !r.chance(25) {
				continue
			}
			value = one(r, keys)
		case p.Name == "Prefer":
			if !r.chance(8) {
				continue
			}
			value = one(r, []string{"handling=strict", "handling=lenient", "dry-run", "respond-async, handling=strict"})
		case p.Name == "starting_after" && r.chance(60):
			value = r.known("page of " + q.kind)
		case !p.Required && !r.chance(15):
			continue
		case p.Name == "starting_after" || p.Name == "after":
			value = r.known("page of " + q.kind)
		default:
			value = printed(r.value(schema, p.Name, 0))
		}
		switch {
		case value == "":
		case p.In == "query":
			query.Add(p.Name, value)
		case !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }):
			q.header.Set(p.Name, value)
		}
	}
	if len(query) > 0 {
		q.target += "?" + query.Encode()
	}
}

// keys are few, so that some come again.
var keys = []string{"a", "A", "b", `"a"`, "~!@#$%^&*()_+", strings.Repeat("k", 255), strings.Repeat("k", 256), "%00", "'"}

// printed is how a value stands in a query.
func printed(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		var parts []string
		for _, part := range v {
			parts = append(parts, printed(part))
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(value)
}

// write gives the request its body: an example of the contract, one that its
// schema describes, and now and then neither.
func (r *maker) write(q *request) {
	mediaType := one(r, q.op.Body.Types)
	content, _ := q.op.Body.Raw["content"].(map[string]any)
	described, _ := content[mediaType].(map[string]any)
	q.header.Set("Content-Type", mediaType)
	value := r.body(described)
	for r.wild(40) {
		value = r.spoil(value)
	}
	if mediaType != "application/json" {
		q.body = []byte(form(value))
		return
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(r.chance(50))
	if enc.Encode(value) != nil {
		return
	}
	q.body = bytes.TrimSpace(text.Bytes())
	if r.wild(4) {
		q.body = r.broken(q.body)
	}
}

func (r *maker) body(described map[string]any) any {
	examples, _ := described["examples"].(map[string]any)
	schema, _ := described["schema"].(map[string]any)
	if len(examples) > 0 && (schema == nil || r.chance(50)) {
		name := one(r, slices.Sorted(maps.Keys(examples)))
		return r.fit(examples[name].(map[string]any)["value"], "")
	}
	return r.value(schema, "", 0)
}

// fit puts what is there in the place of what an example speaks of.
func (r *maker) fit(value any, key string) any {
	switch v := value.(type) {
	case map[string]any:
		fitted := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			fitted[name] = r.fit(v[name], name)
		}
		return fitted
	case []any:
		fitted := make([]any, len(v))
		for i := range v {
			fitted[i] = r.fit(v[i], key)
		}
		return fitted
	case string:
		if known := r.reference(key); known != "" {
			return known
		}
		if slices.Contains(free, key) && r.chance(40) {
			return cmp.Or(one(r, words), v)
		}
	}
	return value
}

// free are members that take any text.
var free = []string{"assignee", "body", "business_name", "description", "event", "external_id", "name", "reason", "search", "title"}

// broken is a text that is nearly JSON.
func (r *maker) broken(body []byte) []byte {
	body = slices.Clone(body)
	at := r.IntN(len(body) + 1)
	switch r.IntN(5) {
	case 0:
		return body[:at]
	case 1:
		return slices.Insert(body, at, '\xff')
	case 2:
		return slices.Insert(body, at, 0)
	case 3:
		return bytes.Replace(body, []byte(`{`), []byte(`{"a":1,"a":2,`), 1)
	}
	return bytes.Replace(body, []byte(`"`), []byte(`"\ud800`), 1)
}

func form(value any) string {
	object, _ := value.(map[string]any)
	values := url.Values{}
	for name, value := range object {
		values.Set(name, printed(value))
	}
	return values.Encode()
}
