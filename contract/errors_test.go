package contract_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/fault"
	"mooring/internal/gate"
)

// answerCode is one value of error.code, with a request that is answered with
// it: the status in the document is the one that the gate gives.
type answerCode struct {
	code, meaning string
	refusal       refusal
}

// raised is the refusal of a well-formed request by the function behind it.
func raised(kind fault.Kind, code string) refusal {
	return refusal{path: eventPath, body: `{"status":"pending","event":"x"}`, fails: fault.New(kind, code, "x")}
}

var answerCodes = []answerCode{
	{fault.CodeInvalidParameter, "Parameters or members are wrong. `errors` lists every one of them.", refusal{path: eventPath, body: `{}`}},
	{fault.CodeConnectionEnabled, "The connection is enabled, so its signup can't be changed or restarted.", raised(fault.Invalid, fault.CodeConnectionEnabled)},
	{fault.CodeSignupReplaced, "The provider speaks of a signup that a newer one has replaced.", raised(fault.Invalid, fault.CodeSignupReplaced)},
	{fault.CodeSignupExpired, "The signup's link has ended, so that nobody can be let in to speak of it any more.", raised(fault.Invalid, fault.CodeSignupExpired)},
	{fault.CodeSignupSettled, "The signup is not pending any more, so that its simulated provider has nothing left to play.", raised(fault.Invalid, fault.CodeSignupSettled)},
	{fault.CodeOrganization, "The account's company needs an organization number before it can sign up with this provider.", raised(fault.Invalid, fault.CodeOrganization)},
	{fault.CodeAccountsRemain, "The partner still owns accounts: delete them, or move them to another owner.", raised(fault.Invalid, fault.CodeAccountsRemain)},
	{fault.CodePlatformStays, "The platform itself can't be deleted.", raised(fault.Invalid, fault.CodePlatformStays)},
	{fault.CodeRangeExhausted, "Every id that a new account could get is given; the platform has to add a range.", raised(fault.Conflict, fault.CodeRangeExhausted)},
	{fault.CodeCaseUnknown, "The account has no case with the signup's `case_id`. Only where the case registry is switched on.", raised(fault.Invalid, fault.CodeCaseUnknown)},
	{fault.CodeCaseNotActive, "The case of the signup's `case_id` is not `ACTIVE`. Only where the case registry asks for that.", raised(fault.Invalid, fault.CodeCaseNotActive)},
	{fault.CodeLimitReached, "The connection, the account or the case holds as much as it can; the message names the limit.", raised(fault.Invalid, fault.CodeLimitReached)},
	{fault.CodeLastClient, "The platform would be left without a client that may administrate it and grant what its clients hold.", raised(fault.Invalid, fault.CodeLastClient)},
	{"", "The access token, or the client's secret, is missing or not accepted. This answer has no code.", refusal{path: eventPath, body: `{}`, stranger: true}},
	{fault.CodeForbidden, "The token is good but lacks the scope, or is for another account, another world or another kind of account.", raised(fault.Forbidden, fault.CodeForbidden)},
	{"NOT_FOUND", "There is no operation at this path.", refusal{path: "/nothing"}},
	{fault.CodeNotFound, "There is no such record, or it is not the caller's to know of. Note the space in the code.", raised(fault.NotFound, fault.CodeNotFound)},
	{"METHOD_NOT_ALLOWED", "The path takes other methods; the header `Allow` lists them.", refusal{method: "DELETE", path: eventPath}},
	{fault.CodeConflict, "The record exists already, or contradicts one that does.", raised(fault.Conflict, fault.CodeConflict)},
	{fault.CodePrecondition, "The record is not what the request expects it to be.", raised(fault.Conflict, fault.CodePrecondition)},
	{"PAYLOAD_TOO_LARGE", "The body is longer than the operation takes.", refusal{path: eventPath, body: strings.Repeat(" ", 64<<10+1)}},
	{"URI_TOO_LONG", "The address is longer than 8 KiB.", refusal{path: eventPath + "?" + strings.Repeat("q", 8<<10)}},
	{"UNSUPPORTED_MEDIA_TYPE", "The `Content-Type` is missing or not one that the operation takes, or the body is compressed.", refusal{path: eventPath, mediaType: "text/plain", body: `{}`}},
	{fault.CodeKeyReused, "The `Idempotency-Key` was used with another request.", raised(fault.Conflict, fault.CodeKeyReused)},
	{fault.CodeTooMany, "Too many failed attempts, or too many calls that wait. Try again after the seconds in `Retry-After`.", raised(fault.TooMany, fault.CodeTooMany)},
	{"REQUEST_HEADER_FIELDS_TOO_LARGE", "There are more than 100 header fields.", refusal{path: eventPath, fields: 101}},
	{fault.CodeInternal, "Something failed on our side. The message holds the request id.", raised(fault.Internal, fault.CodeInternal)},
	{fault.CodeUnavailable, "The service can't answer now. Try again after the seconds in `Retry-After`, with the same `Idempotency-Key`.", raised(fault.Unavailable, fault.CodeUnavailable)},
}

// problemCodes are the values of error.errors[].code.
var problemCodes = map[string]string{
	"ANY_OF_MISSING":                   "The value has none of the forms that are allowed.",
	"ARRAY_LENGTH_LONG":                "The list has too many items.",
	"ARRAY_LENGTH_SHORT":               "The list has too few items.",
	"ARRAY_UNIQUE":                     "The list contains equal items.",
	"CASE_VARIANT":                     "The member differs from a declared one only in the case of its letters.",
	"CREDENTIALS_TWICE":                "The client's credentials stand in the body beside those in the `Authorization` header.",
	"DEPTH":                            "The body is nested too deeply.",
	"DUPLICATE":                        "The value stands there already, where each may stand once.",
	"DUPLICATE_MEMBER":                 "The member stands in its object, or the parameter in its form, more than once.",
	"DUPLICATE_PARAMETER":              "The parameter is given more than once.",
	"ENUM_MISMATCH":                    "The value is not one of those that are allowed; `params` lists them.",
	"INCOMPLETE_BODY":                  "The body ended before its announced length.",
	"UNKNOWN_COUNTRY":                  "The text is no code of ISO 3166-1.",
	"UNKNOWN_CURRENCY":                 "The text is no code of ISO 4217.",
	"INVALID":                          "The value breaks a rule that has no code of its own.",
	"INVALID_CURSOR":                   "The token does not belong to this list and these filters, or was not made here.",
	"INVALID_ENCODING":                 "The text is not valid UTF-8, or can't be decoded.",
	"INVALID_FILE":                     "The file can't be read, or its head line lacks a column.",
	"INVALID_FORM":                     "The body is not a valid form.",
	"INVALID_OWNER":                    "The account is no merchant, or its new owner is no partner of its world.",
	"INVALID_RANGE":                    "The range is of another world, or the platform's own.",
	"INVALID_FORMAT":                   "The text does not have the format that `params` names.",
	"INVALID_JSON":                     "The body is not JSON, or something follows it. The message says at which byte.",
	"INVALID_NAME":                     "The member has a name that is not allowed.",
	"INVALID_TARGET":                   "The audience names no account of this service.",
	"INVALID_TYPE":                     "The value is of another type; `params` lists the wanted ones and the one that was found.",
	"MAX_BYTES":                        "The value takes too many bytes as JSON.",
	"MAX_LENGTH":                       "The text is too long.",
	"MAXIMUM":                          "The number is too large.",
	"MAXIMUM_EXCLUSIVE":                "The number is not below its bound.",
	"MIN_LENGTH":                       "The text is too short.",
	"MINIMUM":                          "The number is too small.",
	"MINIMUM_EXCLUSIVE":                "The number is not above its bound.",
	"MULTIPLE_OF":                      "The number is not a multiple of the one in `params`.",
	"NOT_PASSED":                       "The value has a form that is ruled out.",
	"NUL_CHARACTER":                    "The text contains the character U+0000.",
	"NUMBER_RANGE":                     "The number is beyond what can be kept exactly.",
	"OBJECT_ADDITIONAL_PROPERTIES":     "The member is not allowed here.",
	"OBJECT_DEPENDENCY_KEY":            "The member is required beside another one.",
	"OBJECT_MISSING_REQUIRED_PROPERTY": "The member is required and missing.",
	"OBJECT_PROPERTIES_MAXIMUM":        "The object has too many members.",
	"OBJECT_PROPERTIES_MINIMUM":        "The object has too few members.",
	"ONE_OF_MISSING":                   "The value has none of the forms that are allowed.",
	"ONE_OF_MULTIPLE":                  "The value has more than one of the forms that exclude each other.",
	"OUT_OF_RANGE":                     "The time lies in the future, or before one that it comes after; or the number names nothing.",
	"PATTERN":                          "The text does not match the pattern in `params`.",
	"REQUIRED":                         "The parameter, or the whole body, is required and missing.",
	"UNSUPPORTED_GRANT_TYPE":           "The grant is another one than `client_credentials`.",
	"NOT_ALLOWED":                      "The value is not one for what it stands at; the message says why.",
	"OTHER_WORLD":                      "Production and test accounts never mix.",
	"UNKNOWN_CONNECTION":               "No provider that this server knows has this name.",
	"UNKNOWN_OWNER":                    "The owner is no account that is here. Owners are imported before what they own.",
	"UNKNOWN_RECIPIENT":                "The platform has no recipient of this name, or it has ended.",
	"KEY_MISMATCH":                     "The private key is not that of the certificate beside it.",
	"RESERVED_EVENT":                   "The service alone tells of events of this name: `signup_received`, `signup_erased`, `credential_expiring`, `account_closed`, `imported`. Take another.",
	"SECRET_NOT_ALLOWED":               "Metadata holds a member that the provider's file seals elsewhere, or a private key. Metadata is shown, so leave it out.",
	"UNKNOWN_SCOPE":                    "There is no such scope, or it can't be granted for this account or beside the others.",
	"UNKNOWN_SIGNUP":                   "`signup_id` is not the id of a signup of this connection.",
	"UNKNOWN_MEMBER":                   "The member is not declared, and such are refused here: in an import, or because `Prefer: handling=strict` asks for it.",
}

// oauthErrors are the values of error in answers to forms.
var oauthErrors = map[string]string{
	"invalid_request":         "The form is incomplete or wrong, or holds credentials that belong into the header.",
	"invalid_client":          "The client's id or secret is wrong, or the client is disabled.",
	"unauthorized_client":     "The client has no grant for the account.",
	"unsupported_grant_type":  "The grant is another one than `client_credentials`.",
	"invalid_target":          "The audience names no account of this service.",
	"invalid_scope":           "A scope was asked for that the client has not been granted.",
	"server_error":            "Something failed on our side.",
	"temporarily_unavailable": "Too many failed attempts (429), or the service can't answer now (503).",
}

// TestTheListOfErrorsIsThatOfTheCode keeps docs/errors.md.
func TestTheListOfErrorsIsThatOfTheCode(t *testing.T) {
	doc := assemble(t)
	var b strings.Builder
	fmt.Fprint(&b, errorsOpening)
	fmt.Fprint(&b, "\n## Codes\n\n| status | `error.code` | meaning |\n| --- | --- | --- |\n")
	for _, c := range answerCodes {
		code := "none"
		if c.code != "" {
			code = "`" + c.code + "`"
		}
		fmt.Fprintf(&b, "| %d | %s | %s |\n", statusOf(t, doc, c), code, c.meaning)
	}
	fmt.Fprint(&b, "\n## Codes of single problems\n\n| `error.errors[].code` | meaning |\n| --- | --- |\n")
	for _, code := range slices.Sorted(maps.Keys(problemCodes)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", code, problemCodes[code])
	}
	fmt.Fprint(&b, oauthOpening)
	for _, value := range object(doc.Raw(), "components", "schemas", "OAuthError", "properties", "error")["enum"].([]any) {
		meaning, ok := oauthErrors[value.(string)]
		if !ok {
			t.Errorf("the meaning of %s is not written down", value)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", value, meaning)
	}
	fmt.Fprint(&b, "\n## Statuses of each operation\n\n| operation | statuses |\n| --- | --- |\n")
	for _, op := range doc.Operations() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", op.ID, strings.Trim(fmt.Sprint(statuses(op)), "[]"))
	}
	golden(t, "errors.md", []byte(b.String()))
}

const errorsOpening = `# Errors

Made from the code and the contract by ` + "`go test ./contract -update`" + `; do not edit.

Every error is a JSON object with one member:

` + "```json" + `
{"error": {"code": "...", "message": "...", "errors": []}}
` + "```" + `

Programs decide by the status and by ` + "`code`" + `; ` + "`message`" + ` is for people and may change. A refused request is told everything that
is wrong with it at once: ` + "`errors`" + ` has one entry for each problem, with ` + "`code`, `params`, `message` and `path`" + `, and
` + "`in`, `name` and `path`" + ` beside ` + "`code`" + ` repeat where the first of them stands. No value of the request is ever quoted. Every answer has
the header ` + "`X-Request-Id`" + `. What is not HTTP, has a path that can't be decoded or more than 16 KiB of headers is refused in plain text before
it gets this far.
`

const oauthOpening = `
## Errors of token requests that are forms

These have the shape of RFC 6749: ` + "`{\"error\": \"...\", \"error_description\": \"...\"}`" + `.

| ` + "`error`" + ` | meaning |
| --- | --- |
`

// statusOf provokes the code and reports the status that came with it.
func statusOf(t *testing.T, doc *gate.Document, c answerCode) int {
	t.Helper()
	recorder := httptest.NewRecorder()
	newGate(t, doc, c.refusal.fails).ServeHTTP(recorder, c.refusal.request())
	var answer struct {
		Error struct{ Code string }
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error.Code != c.code {
		t.Errorf("a request for %q was answered with %q", c.code, answer.Error.Code)
	}
	return recorder.Code
}

// TestEveryCodeInTheSourceIsExplained reads the codes out of the source, so
// that none is added or forgotten in the tables above.
func TestEveryCodeInTheSourceIsExplained(t *testing.T) {
	explained := slices.Collect(maps.Keys(problemCodes))
	for _, c := range answerCodes {
		if c.code != "" {
			explained = append(explained, c.code)
		}
	}
	slices.Sort(explained)
	source := slices.DeleteFunc(codesInSource(t), func(code string) bool {
		_, oauth := oauthErrors[strings.ToLower(code)] // such a code may only choose among those names
		_, shown := problemCodes[code]
		return oauth && !shown
	})
	if diff := cmp.Diff(source, explained); diff != "" {
		t.Errorf("(-source +explained):\n%s", diff)
	}
}

// codesInSource is every code that a fault, a refusal of the gate or a problem
// is made with: constants named Code..., fields Code, and the arguments of the
// functions that make problems.
func codesInSource(t *testing.T) []string {
	t.Helper()
	makers := []string{"bodyProblem", "parameterProblem", "emit", "limit", "add", "stop", "New", "refuse", "problem"}
	found := map[string]bool{}
	take := func(e ast.Expr) {
		literal, ok := e.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return
		}
		value, err := strconv.Unquote(literal.Value)
		if err == nil && codeShape.MatchString(value) {
			found[value] = true
		}
	}
	eachSource(t, os.DirFS("../internal"), func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if strings.HasPrefix(n.Names[0].Name, "Code") && len(n.Values) > 0 {
				take(n.Values[0])
			}
		case *ast.CallExpr:
			if slices.Contains(makers, nameOf(n.Fun)) {
				for _, argument := range n.Args {
					take(argument)
				}
			}
		case *ast.CompositeLit:
			for _, element := range n.Elts {
				if pair, ok := element.(*ast.KeyValueExpr); ok && nameOf(pair.Key) == "Code" {
					take(pair.Value)
				} else if nameOf(n.Type) == "refusal" {
					take(element)
				}
			}
		}
		return true
	})
	return slices.Sorted(maps.Keys(found))
}

var codeShape = regexp.MustCompile(`^[A-Z]{3,}(?:[_ ][A-Z]+)*$`)

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// eachSource visits the syntax of every file that is part of the product.
func eachSource(t *testing.T, root fs.FS, visit func(ast.Node) bool) {
	t.Helper()
	err := fs.WalkDir(root, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err == nil {
			ast.Inspect(file, visit)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
