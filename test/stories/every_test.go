package stories

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"mooring/test/drive"
)

// operation is what the published contract says of one, as far as a request
// can be made from it.
type operation struct {
	Method, Path string
	OperationID  string
	Security     []map[string][]string
	Parameters   []parameter
	RequestBody  struct {
		Content map[string]struct {
			Examples map[string]struct{ Value json.RawMessage }
		}
	}
	Responses map[string]json.RawMessage
	Evidence  string `json:"x-evidence"`
	MaxBody   int    `json:"x-mooring-max-body"`
}

// parameter is a reference to a shared parameter, or one of its own, of which
// nothing is needed here.
type parameter struct {
	Ref string `json:"$ref"`
}

// read lists the operations of a published contract in the order of their paths.
func read(document []byte) ([]operation, error) {
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, err
	}
	var found []operation
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
			op := operation{Method: strings.ToUpper(method), Path: path}
			// What is no operation, such as parameters of a whole path, has no id.
			if json.Unmarshal(doc.Paths[path][method], &op) == nil && op.OperationID != "" {
				found = append(found, op)
			}
		}
	}
	return found, nil
}

func (o operation) needsToken() bool {
	return len(o.Security) > 0 && o.Security[0]["bearer"] != nil
}

func (o operation) takesKey() bool {
	return slices.ContainsFunc(o.Parameters, func(p parameter) bool { return strings.HasSuffix(p.Ref, "/IdempotencyKey") })
}

// target is the operation's path for an account.
func (o operation) target(s *story, account string) string {
	return strings.NewReplacer(
		"{aid}", account, "{oid}", s.server.PartnerAccount, "{partner_id}", s.server.PartnerAccount, "{connection}", "vipps",
		"{payment_product_type}", "payex.creditcard", "{token}", strings.Repeat("A", 32), "{page}", "health_get.md",
		"{notice_id}", unknownID, "{recipient}", "nobody", "{callback_reference}", unknownID, "{signup_id}", unknownID, "{callback_id}", unknownID, "{case_id}", unknownID, "{id}", unknownID,
		"{hid}", unknownID, "{delivery_id}", unknownID,
	).Replace(o.Path)
}

// unknownID names nothing.
const unknownID = "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01"

// body is the first of the contract's examples of a request, nil when there is
// no body.
func (o operation) body() []byte {
	examples := o.RequestBody.Content["application/json"].Examples
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		return examples[name].Value
	}
	return nil
}

// every asks something of each operation of the contract that it applies to,
// so that a new operation is covered without anyone remembering.
func every(ts *testscript.TestScript, s *story, args []string) {
	operations, err := read(s.contract)
	ts.Check(err)
	rule, ok := rules[strings.Join(args, " ")]
	if !ok {
		ts.Fatalf("there is no such rule; there are: %s", strings.Join(slices.Sorted(maps.Keys(rules)), "; "))
	}
	asked := 0
	for _, op := range operations {
		if rule.applies(op) {
			ts.Check(rule.ask(s, op))
			asked++
		}
	}
	if asked == 0 {
		ts.Fatalf("no operation was asked")
	}
}

// rule is one promise about many operations.
type rule struct {
	applies func(operation) bool
	ask     func(*story, operation) error
}

var rules = map[string]rule{
	"path refuses other methods":          {func(operation) bool { return true }, otherMethod},
	"operation with a token needs it":     {operation.needsToken, withoutToken},
	"operation refuses ids that are none": {operation.namesSomething, wrongIDs},
	"operation knows who may call it":     {operation.needsToken, wrongCaller},
	"operation misses an unknown account": {func(o operation) bool { return o.namesAccount() && !o.isCallback() }, unknownAccount},
	"operation refuses a broken query":    {func(operation) bool { return true }, brokenQuery},
	"write has a limit":                   {operation.writes, largeBody},
	"body needs a media type":             {operation.writes, typelessBody},
	"body is checked":                     {func(o operation) bool { return o.takesJSON() && !o.isCallback() }, wrongBody},
	"write happens once under a key":      {func(o operation) bool { return o.takesKey() && !o.needsMore() }, sameKey},
}

// isCallback says whether callback tokens are let in, which speak of one signup:
// callbacks have stories of their own.
func (o operation) isCallback() bool {
	return slices.ContainsFunc(o.Security, func(s map[string][]string) bool { return s["callback"] != nil })
}

// needsMore says whether a request can't succeed without something that was
// made before: such operations have stories of their own.
func (o operation) needsMore() bool {
	for _, name := range []string{"{signup_id}", "{callback_id}", "{callback_reference}", "{recipient}", "{case_id}", "{notice_id}", "{hid}", "{id}"} {
		if strings.Contains(o.Path, name) {
			return true
		}
	}
	deletes := o.Method == http.MethodDelete && strings.HasSuffix(o.Path, "/accounts/{aid}") // the account that others need
	if o.Method == http.MethodPost && (strings.HasSuffix(o.Path, "/owner") || strings.HasSuffix(o.Path, "/ranges")) {
		return true // there has to be a partner
	}
	if o.Method == http.MethodPost && strings.HasSuffix(o.Path, "/hooks/subscriptions") {
		return true // the first answer has a secret, which no other has
	}
	waiting := o.Method == http.MethodPut && strings.Contains(o.Path, "/queue/") // a connection that is not settled
	return deletes || waiting || strings.HasSuffix(o.Path, "/credentials") || strings.HasSuffix(o.Path, "/client-grants")
}

func (o operation) writes() bool       { return o.Method != http.MethodGet }
func (o operation) takesJSON() bool    { return o.body() != nil }
func (o operation) namesAccount() bool { return o.needsToken() && strings.Contains(o.Path, "{aid}") }

// namesSomething says whether the path has an id with a pattern. Links that
// people follow have none: a wrong one is answered with a page.
func (o operation) namesSomething() bool {
	return strings.Contains(o.Path, "{") && !strings.HasPrefix(o.Path, "/s/") && !strings.HasPrefix(o.Path, "/n/")
}

// try sends a request and expects a status that the contract lists.
func (s *story) try(o operation, method, target, caller string, body []byte, want int, extra ...string) error {
	s.token, s.extra = s.tokens[caller], extra
	answer, err := s.ask(method, target, s.headers(body != nil), body)
	if err != nil {
		return err
	}
	s.answer, s.extra = answer, nil
	if answer.Status != want {
		return fmt.Errorf("%s: %s %s as %s is answered with %d, expected %d: %s",
			o.OperationID, method, target, caller, answer.Status, want, answer.Body)
	}
	return s.check()
}

func otherMethod(s *story, o operation) error {
	all, err := read(s.contract)
	if err != nil {
		return err
	}
	for _, method := range []string{"DELETE", "PATCH", "TRACE"} {
		if slices.ContainsFunc(all, func(other operation) bool { return other.Path == o.Path && other.Method == method }) {
			continue
		}
		if err := s.try(o, method, o.target(s, s.server.Account), "nobody", nil, http.StatusMethodNotAllowed); err != nil {
			return err
		}
	}
	s.seen.saw(o.OperationID, http.StatusMethodNotAllowed)
	return nil
}

func withoutToken(s *story, o operation) error {
	return s.try(o, o.Method, o.target(s, s.server.SecondAccount), "nobody", o.body(), http.StatusUnauthorized)
}

func wrongIDs(s *story, o operation) error {
	target := o.Path
	for strings.Contains(target, "{") {
		before, rest, _ := strings.Cut(target, "{")
		_, after, _ := strings.Cut(rest, "}")
		target = before + "~" + after
	}
	return s.try(o, o.Method, target, "platform", o.body(), http.StatusBadRequest)
}

// wrongCaller lets a merchant call for another account: its own paths are not
// those of others, and those of partners and the platform are not its own.
func wrongCaller(s *story, o operation) error {
	return s.try(o, o.Method, o.target(s, s.server.SecondAccount), "merchant", o.body(), http.StatusForbidden)
}

func unknownAccount(s *story, o operation) error {
	return s.try(o, o.Method, o.target(s, "T99999999"), "platform", o.body(), http.StatusNotFound)
}

// brokenQuery has a percent sign with nothing sensible behind it.
func brokenQuery(s *story, o operation) error {
	return s.try(o, o.Method, o.target(s, s.server.SecondAccount)+"?a=%zz", "platform", o.body(), http.StatusBadRequest, s.basic(o)...)
}

func largeBody(s *story, o operation) error {
	mediaType := slices.Sorted(maps.Keys(o.RequestBody.Content))
	extra := s.basic(o)
	if len(mediaType) > 0 {
		extra = append(extra, "Content-Type: "+mediaType[0])
	}
	return s.try(o, o.Method, o.target(s, s.server.SecondAccount), "platform",
		[]byte(strings.Repeat("x", max(o.MaxBody, 64<<10)+1)), http.StatusRequestEntityTooLarge, extra...)
}

// basic is the header of the platform's client where an operation wants Basic
// credentials.
func (s *story) basic(o operation) []string {
	if len(o.Security) > 0 && o.Security[0]["basic"] != nil {
		return []string{"Authorization: " + drive.Basic(s.server.Clients()["platform"])}
	}
	return nil
}

func typelessBody(s *story, o operation) error {
	body := o.body()
	if body == nil { // where none is needed, one without a type is refused all the same
		body = []byte(`{}`)
	}
	return s.try(o, o.Method, o.target(s, s.server.SecondAccount), "platform", body, http.StatusUnsupportedMediaType, append(s.basic(o), "-Content-Type")...)
}

func wrongBody(s *story, o operation) error {
	return s.try(o, o.Method, o.target(s, s.server.SecondAccount), "platform", []byte(`{`), http.StatusBadRequest, s.basic(o)...)
}

// sameKey sends a request, repeats it, and sends another under the same key.
func sameKey(s *story, o operation) error {
	key := "Idempotency-Key: every-" + o.OperationID
	target := o.target(s, s.server.SecondAccount)
	if err := s.try(o, o.Method, target, "platform", o.body(), http.StatusOK, key); err != nil {
		return err
	}
	first := s.answer
	if err := s.try(o, o.Method, target, "platform", o.body(), http.StatusOK, key); err != nil {
		return err
	}
	if string(first.Body) != string(s.answer.Body) || s.answer.Header.Get("Idempotent-Replayed") != "true" {
		return fmt.Errorf("%s: the second answer is %s, the first was %s", o.OperationID, s.answer.Body, first.Body)
	}
	return s.try(o, o.Method, target+"?other=request", "platform", o.body(), http.StatusUnprocessableEntity, key)
}
