package contract_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/connection"
	"mooring/internal/gate"
	"mooring/internal/gateway"
)

func TestEveryOperationIsDescribed(t *testing.T) {
	doc := assemble(t)
	tags := tagNames(doc)
	for _, op := range doc.Operations() {
		if op.Summary == "" || op.Description == "" {
			t.Errorf("%s: summary and description are needed", op.ID)
		}
		if strings.ContainsAny(op.Summary, "\n`*") || strings.HasSuffix(op.Summary, ".") {
			t.Errorf("%s: the summary is a heading: one line, plain, no full stop", op.ID)
		}
		if len(op.Tags) != 1 || !tags[op.Tags[0]] {
			t.Errorf("%s: one declared tag is needed, not %q", op.ID, op.Tags)
		}
		if (op.Evidence == "extension") != op.Extension {
			t.Errorf("%s: x-evidence: extension and x-mooring-extension go together", op.ID)
		}
		if len(op.Callers) > 0 && !asks(op, "bearer") {
			t.Errorf("%s: x-mooring-callers means nothing without an access token", op.ID)
		}
	}
}

func TestEveryOperationListsTheStatusesThatFollowFromItsDescription(t *testing.T) {
	for _, op := range assemble(t).Operations() {
		listed := statuses(op)
		needed := []int{400, 405, 500} // any query may be one that can't be decoded
		if asks(op, "bearer") {
			needed = append(needed, 401, 403, 503)
		}
		if asks(op, "basic") {
			needed = append(needed, 401, 429, 503)
		}
		if hasParameter(op, "oid") || hasParameter(op, "aid") {
			needed = append(needed, 403)
		}
		if op.Method != "GET" { // a body that is not wanted may still be too large, or of no type
			needed = append(needed, 413, 415)
		}
		if op.Body != nil {
			needed = append(needed, 415)
		}
		if hasParameter(op, "Idempotency-Key") {
			needed = append(needed, 422)
		}
		for _, status := range needed {
			if !slices.Contains(listed, status) {
				t.Errorf("%s: %d is missing", op.ID, status)
			}
		}
		ping := op.ID == "aid_source_hooks_hid_ping_post"
		if success := listed[0]; success != 200 && (success != 202 || !op.RawBody) && (success != 204 || !ping) {
			t.Errorf("%s: success is 200, or for a callback 202 and for a ping 204, not %d", op.ID, success)
		}
		if slices.Contains(listed, 422) != hasParameter(op, "Idempotency-Key") {
			t.Errorf("%s: 422 is the answer to a reused Idempotency-Key and to nothing else", op.ID)
		}
	}
}

// keyless are writes that take no Idempotency-Key, beside those with raw
// bodies, which are told apart by what they say.
var keyless = map[string]string{
	"operator_callback_token_post":        "its answer is a secret, which is not kept",
	"aid_auths_oauth_exchange_token_post": "its answer is a secret, which is not kept",
	"aid_auths_oauth_revoke_post":         "made again it changes nothing, and a token is a secret, which is not kept",
	"operator_connection_sync_post":       "made again it is the same question",
	"operator_batch_post":                 "it changes nothing",
	"operator_batch_answers_post":         "read again a file changes nothing",
	"operator_callback_replay_post":       "made again it judges again, and changes nothing that was applied",
	"aid_auth_clients_post":               "its answer is a secret, which is not kept",
	"aid_auths_clients_id_rotate_post":    "its answer is a secret, which is not kept",
	"aid_source_hooks_hid_ping_post":      "made again it is another ping, which is what is asked for",
	"account_hook_rotate_post":            "its answer is a secret, which is not kept",
}

func TestEveryWriteTakesAnIdempotencyKeyAndAPreference(t *testing.T) {
	doc := assemble(t)
	for _, op := range doc.Operations() {
		keyed := op.Method != "GET" && asks(op, "bearer") && !op.RawBody && keyless[op.ID] == ""
		if hasParameter(op, "Idempotency-Key") != keyed {
			t.Errorf("%s: Idempotency-Key is for writes, and for each of them", op.ID)
		}
		if hasParameter(op, "Prefer") != (keyed || op.RawBody) {
			t.Errorf("%s: Prefer is for writes, and for each of them that has a body", op.ID)
		}
		ok := doc.Resolve(object(op.Raw, "responses", "200"))
		if keyed && object(ok, "headers", "Idempotent-Replayed") == nil {
			t.Errorf("%s: a 200 may be replayed, but does not list the header for it", op.ID)
		}
	}
}

func TestEveryWriteTakesAReasonAndHasANameInTheAudit(t *testing.T) {
	for _, op := range assemble(t).Operations() {
		write := op.Method != "GET" && slices.ContainsFunc(op.Security, func(r gate.Requirement) bool {
			return slices.Contains([]string{"bearer", "callback", "provider"}, r.Scheme)
		})
		if hasParameter(op, "Mooring-Reason") != write {
			t.Errorf("%s: Mooring-Reason (#/components/parameters/Reason) is for writes, and for each of them", op.ID)
		}
		if write && !strings.Contains(op.Action, ".") {
			t.Errorf("%s: the audit would call it %s; say x-mooring-action, such as account.create", op.ID, op.Action)
		}
	}
}

func TestEveryAnswerHasARequestIDAndAnExample(t *testing.T) {
	doc := assemble(t)
	for _, op := range doc.Operations() {
		for name := range object(op.Raw, "responses") {
			response := doc.Resolve(object(op.Raw, "responses", name))
			if object(response, "headers", "X-Request-Id") == nil {
				t.Errorf("%s %s: the header X-Request-Id is missing", op.ID, name)
			}
			if len(object(response, "content")) == 0 && name != "202" && name != "204" {
				t.Errorf("%s %s: content is missing", op.ID, name)
			}
			for mediaType := range object(response, "content") {
				checkExamplesExist(t, op.ID+" "+name, object(response, "content", mediaType))
			}
		}
		if op.Body != nil {
			for mediaType := range object(op.Body.Raw, "content") {
				checkExamplesExist(t, op.ID+" body", object(op.Body.Raw, "content", mediaType))
			}
		}
		for _, p := range op.Parameters {
			if p.Raw["example"] == nil && object(p.Raw, "schema")["enum"] == nil {
				t.Errorf("%s: parameter %s has no example", op.ID, p.Name)
			}
		}
	}
}

func checkExamplesExist(t *testing.T, where string, media map[string]any) {
	t.Helper()
	examples := object(media, "examples")
	if len(examples) == 0 {
		t.Errorf("%s: there is no example", where)
	}
	for name := range examples {
		if object(examples, name)["summary"] == nil || object(examples, name)["value"] == nil {
			t.Errorf("%s: example %s needs summary and value", where, name)
		}
	}
}

func TestEveryExampleFitsItsSchema(t *testing.T) {
	doc := assemble(t)
	checked := 0
	check := func(pointer string, value any) {
		schema, err := doc.Schema(pointer)
		if err != nil {
			t.Errorf("%s: %v", pointer, err)
			return
		}
		checked++
		for _, p := range schema.Problems(value) {
			t.Errorf("example at %s: %s: %s", pointer, p.Path, p.Message)
		}
		for _, path := range schema.Undeclared(value) {
			t.Errorf("example at %s: %s is not declared", pointer, path)
		}
	}
	eachObject(doc.Raw(), "#", func(pointer string, o map[string]any) {
		if schema := object(o, "schema"); schema != nil {
			for name := range object(o, "examples") {
				check(pointer+"/schema", object(o, "examples", name)["value"])
			}
			if value, ok := o["example"]; ok {
				check(pointer+"/schema", value)
			}
		}
		if values, ok := o["examples"].([]any); ok {
			for _, value := range values {
				check(pointer, value)
			}
		}
	})
	if checked < 50 {
		t.Errorf("only %d examples were found; the search must be broken", checked)
	}
}

func TestEveryComponentIsUsed(t *testing.T) {
	doc := assemble(t)
	used := map[string]bool{}
	eachObject(doc.Raw(), "#", func(_ string, o map[string]any) {
		if ref, ok := o["$ref"].(string); ok {
			used[ref] = true
		}
	})
	for kind, named := range object(doc.Raw(), "components") {
		for name := range named.(map[string]any) {
			if ref := "#/components/" + kind + "/" + name; kind != "securitySchemes" && !used[ref] {
				t.Errorf("nothing refers to %s", ref)
			}
		}
	}
}

func TestEveryPatternIsSaidInWordsToo(t *testing.T) {
	doc := assemble(t)
	says := object(doc.Raw(), "x-mooring-says")
	used := map[string]bool{}
	eachObject(doc.Raw(), "#", func(pointer string, o map[string]any) {
		pattern, ok := o["pattern"].(string)
		if ok && says[pattern] == nil {
			t.Errorf("%s: say in words what %s means, in x-mooring-says of openapi.yaml", pointer, pattern)
		}
		used[pattern] = true
	})
	for pattern := range says {
		if !used[pattern] {
			t.Errorf("x-mooring-says has words for %s, which nothing uses", pattern)
		}
	}
}

func TestWhatIsOursIsMarked(t *testing.T) {
	doc := assemble(t)
	for _, name := range []string{"Idempotency-Key", "Prefer", "Mooring-Reason"} {
		for _, op := range doc.Operations() {
			for _, p := range op.Parameters {
				if p.Name == name && p.Raw["x-mooring-extension"] != true {
					t.Errorf("%s: the parameter %s is not marked", op.ID, name)
				}
			}
		}
	}
	for name := range object(doc.Raw(), "components", "headers") {
		header := object(doc.Raw(), "components", "headers", name)
		standard := slices.Contains([]string{"Allow", "CacheControl", "RetryAfter", "WWWAuthenticate"}, name)
		if (header["x-mooring-extension"] == true) == standard {
			t.Errorf("header %s: marked %v, standard %v", name, header["x-mooring-extension"], standard)
		}
	}
}

func TestTheEventHasTheDocumentedMembersAndNoOther(t *testing.T) {
	doc := assemble(t)
	documented := []string{"created_at", "created_by", "description", "event", "id", "metadata", "status"}
	answer := object(doc.Raw(), "components", "schemas", "ConnectionEvent", "properties")
	if diff := cmp.Diff(documented, slices.Sorted(maps.Keys(answer))); diff != "" {
		t.Errorf("answer (-documented +ours):\n%s", diff)
	}
	request := object(doc.Raw(), "components", "schemas", "ConnectionEventRequest", "properties")
	for name := range request {
		ours := object(request, name)["x-mooring-extension"] == true
		if ours == slices.Contains(documented, name) {
			t.Errorf("request member %s: marked as extension %v", name, ours)
		}
	}
	for _, name := range []string{"id", "created_at", "created_by"} {
		if object(request, name)["readOnly"] != true || object(answer, name)["readOnly"] != true {
			t.Errorf("%s is read-only", name)
		}
	}
}

func TestTheEnumsAreThoseOfTheCode(t *testing.T) {
	doc := assemble(t)
	tests := []struct {
		at   []string
		want []string
	}{
		{[]string{"components", "schemas", "ConnectionStatus"}, words(connection.Statuses...)},
		{[]string{"components", "headers", "MooringEffect", "schema"}, words(connection.Applied, connection.Stale, connection.Duplicate)},
		{
			[]string{"components", "headers", "MooringSync", "schema"},
			append([]string{"changed", "unchanged"}, words(gateway.Recent, gateway.Failed, gateway.Unavailable)...),
		},
	}
	for _, test := range tests {
		var got []string
		for _, value := range object(doc.Raw(), test.at...)["enum"].([]any) {
			got = append(got, value.(string))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-code +contract):\n%s", strings.Join(test.at, "."), diff)
		}
	}
}

func TestIDsAreRefusedInEveryWayThatTheirPatternsForbid(t *testing.T) {
	doc := assemble(t)
	tests := []struct {
		id       string
		aid, oid bool
	}{
		{"T11223351", true, true},
		{"P00000000", true, true},
		{"T112", false, true},
		{"P999", false, true},
		{"t11223351", false, false},
		{"X11223351", false, false},
		{"T1122335", false, false},
		{"T112233511", false, false},
		{"T11", false, false},
		{"T1122", false, false},
		{"T11223351\n", false, false},
		{"\nT11223351", false, false},
		{"T112\n", false, false},
		{" T11223351", false, false},
		{"T１１２２３３５１", false, false},
		{"T١١٢", false, false},
		{"T1122335/", false, false},
		{"TT1223351", false, false},
		{"T11223a51", false, false},
		{"", false, false},
	}
	for _, test := range tests {
		for name, want := range map[string]bool{"aid": test.aid, "oid": test.oid} {
			if got := fits(t, doc, "#/components/parameters/"+name+"/schema", test.id); got != want {
				t.Errorf("%s %q: accepted %v, want %v", name, test.id, got, want)
			}
		}
	}
}

func TestEventsAreBounded(t *testing.T) {
	doc := assemble(t)
	event := func(name string, value any) map[string]any {
		e := map[string]any{"status": "pending", "event": "x", "reason": "x"}
		e[name] = value
		return e
	}
	manyKeys := map[string]any{}
	for i := range 51 {
		manyKeys[strconv.Itoa(i)] = ""
	}
	tests := []struct {
		name, member string
		value        any
		want         bool
	}{
		{"the shortest event", "event", "x", true},
		{"the longest event", "event", strings.Repeat("é", 128), true},
		{"an event that is too long", "event", strings.Repeat("x", 129), false},
		{"an empty event", "event", "", false},
		{"an unknown status", "status", "Enabled", false},
		{"the longest description", "description", strings.Repeat("x", 1024), true},
		{"a description that is too long", "description", strings.Repeat("x", 1025), false},
		{"an empty description", "description", "", true},
		{"too many keys of metadata", "metadata", manyKeys, false},
		{"metadata that is a list", "metadata", []any{}, false},
		{"an empty external_id", "external_id", "", false},
		{"an external_id that is too long", "external_id", strings.Repeat("x", 129), false},
		{"the longest external_id", "external_id", strings.Repeat("x", 128), true},
		{"a time with an offset", "occurred_at", "2026-05-12T11:30:00.5+02:00", true},
		{"a day", "occurred_at", "2026-05-12", false},
	}
	for _, test := range tests {
		for _, schema := range []string{"ConnectionEventRequest", "OperatorEventRequest"} {
			if got := fits(t, doc, "#/components/schemas/"+schema, event(test.member, test.value)); got != test.want {
				t.Errorf("%s in %s: accepted %v", test.name, schema, got)
			}
		}
	}
	if got := fmt.Sprint(object(doc.Raw(), "components", "schemas", "EventMetadata")["x-mooring-max-bytes"]); got != "16384" {
		t.Errorf("metadata takes up to %s bytes, not 16384", got)
	}
	for length, want := range map[int]bool{0: false, 1: true, 1024: true, 1025: false} {
		if got := fits(t, doc, "#/components/schemas/OperatorEventRequest", event("reason", strings.Repeat("x", length))); got != want {
			t.Errorf("a reason of %d characters: accepted %v", length, got)
		}
	}
}

func TestATokenRequestKeepsToItself(t *testing.T) {
	doc := assemble(t)
	request := map[string]any{
		"grant_type": "client_credentials", "audience": "https://mooring.example.com/v1/accounts/T11200000",
		"type": "x", "scope": []any{"read:accounts"},
	}
	schema, err := doc.Schema("#/components/schemas/TokenRequest")
	if err != nil {
		t.Fatal(err)
	}
	if problems := schema.Problems(request); len(problems) > 0 {
		t.Errorf("members that other clients add are refused: %v", problems)
	}
	if diff := cmp.Diff([]string{"#/scope", "#/type"}, schema.Undeclared(request)); diff != "" {
		t.Errorf("what is dropped (-want +got):\n%s", diff)
	}
}

func fits(t *testing.T, doc *gate.Document, pointer string, value any) bool {
	t.Helper()
	schema, err := doc.Schema(pointer)
	if err != nil {
		t.Fatal(err)
	}
	return len(schema.Problems(value)) == 0
}

func asks(op *gate.Operation, scheme string) bool {
	return slices.ContainsFunc(op.Security, func(r gate.Requirement) bool { return r.Scheme == scheme })
}

func hasParameter(op *gate.Operation, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p gate.Parameter) bool { return p.Name == name })
}

// statuses is every status that an operation lists, ascending.
func statuses(op *gate.Operation) []int {
	var all []int
	for name := range object(op.Raw, "responses") {
		status, _ := strconv.Atoi(name)
		all = append(all, status)
	}
	slices.Sort(all)
	return all
}

func tagNames(doc *gate.Document) map[string]bool {
	names := map[string]bool{}
	for _, declared := range doc.Raw()["tags"].([]any) {
		names[declared.(map[string]any)["name"].(string)] = true
	}
	return names
}

// eachObject calls f for every object of the document that describes
// something; what stands in examples is data.
func eachObject(value any, pointer string, f func(pointer string, o map[string]any)) {
	switch value := value.(type) {
	case map[string]any:
		f(pointer, value)
		for _, name := range slices.Sorted(maps.Keys(value)) {
			data := name == "example" || name == "examples" || name == "enum" || name == "const" || name == "default"
			if data && !strings.HasSuffix(pointer, "/properties") {
				continue
			}
			eachObject(value[name], pointer+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name), f)
		}
	case []any:
		for i, item := range value {
			eachObject(item, fmt.Sprintf("%s/%d", pointer, i), f)
		}
	}
}

// object walks down members that are objects; nil when one is not there.
func object(o map[string]any, names ...string) map[string]any {
	for _, name := range names {
		o, _ = o[name].(map[string]any)
	}
	return o
}

func words[T ~string](values ...T) []string {
	var all []string
	for _, value := range values {
		all = append(all, string(value))
	}
	return all
}
