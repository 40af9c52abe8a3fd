package gate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// checkHeaders refuses what can be refused before anyone is asked who calls.
func (x *exchange) checkHeaders() error {
	if countFields(x.r.Header) > MaxHeaderFields {
		return errTooManyFields
	}
	x.call.Strict = prefersStrict(x.r.Header["Prefer"])
	if x.r.ContentLength == 0 {
		return nil
	}
	if x.r.ContentLength > x.plan.operation.MaxBody {
		return x.tooLarge()
	}
	if encodings := x.r.Header["Content-Encoding"]; len(encodings) > 0 && !(len(encodings) == 1 && strings.EqualFold(encodings[0], "identity")) {
		x.call.SetHeader("Accept-Encoding", "identity")
		return unsupported("a compressed body is not accepted")
	}
	types := x.r.Header["Content-Type"]
	if len(types) == 0 && x.r.ContentLength < 0 {
		return nil // a body without a stated length may turn out to be none
	}
	if len(types) != 1 {
		return unsupported("a body needs exactly one Content-Type")
	}
	return x.checkMediaType(types[0])
}

func countFields(header http.Header) int {
	n := 0
	for _, values := range header {
		n += len(values)
	}
	return n
}

func (x *exchange) checkMediaType(value string) error {
	mediaType, params, err := mime.ParseMediaType(value)
	if err != nil {
		return unsupported("the Content-Type cannot be read")
	}
	accepted := []string{typeJSON}
	if x.plan.operation.Body != nil {
		accepted = x.plan.operation.Body.Types
	}
	if !slices.Contains(accepted, mediaType) {
		return unsupported("the Content-Type must be " + strings.Join(accepted, " or "))
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return unsupported("the charset must be utf-8")
	}
	x.call.MediaType = mediaType
	return nil
}

// readParameters checks path, query and headers and reports all their
// problems at once.
func (x *exchange) readParameters() (err error) {
	if x.schemas, err = x.plan.schemas(); err != nil {
		return err
	}
	query, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return refused([]fault.Problem{parameterProblem("query", "query", "INVALID_ENCODING", "cannot be decoded")})
	}
	x.call.query = query
	var problems []fault.Problem
	for _, p := range x.schemas.parameters {
		problems = append(problems, x.checkParameter(p)...)
	}
	if x.plan.keyed {
		key, given, ok := idempotencyKey(x.r.Header["Idempotency-Key"])
		if given && !ok {
			problems = append(problems, parameterProblem("header", "Idempotency-Key", "INVALID_FORMAT", "must be given once and have 1 to 255 visible ASCII characters"))
		}
		x.call.IdempotencyKey = key
	}
	problems = append(problems, x.readAccounts(problems)...)
	return refused(problems)
}

func (x *exchange) checkParameter(p *parameter) []fault.Problem {
	given := x.given(p)
	if len(given) == 0 {
		if p.Required {
			return []fault.Problem{parameterProblem(p.In, p.Name, "REQUIRED", "is required")}
		}
		return nil
	}
	for _, s := range given {
		if !utf8.ValidString(s) {
			return []fault.Problem{parameterProblem(p.In, p.Name, "INVALID_ENCODING", "must be valid UTF-8")}
		}
		if strings.IndexByte(s, 0) >= 0 {
			return []fault.Problem{parameterProblem(p.In, p.Name, "NUL_CHARACTER", "must not contain the NUL character")}
		}
	}
	if len(given) > 1 && (p.kind != "array" || p.joined) {
		return []fault.Problem{parameterProblem(p.In, p.Name, "DUPLICATE_PARAMETER", "is given more than once")}
	}
	return parameterProblems(p.schema.Validate(p.value(given)), p.says, p.In, p.Name)
}

func (x *exchange) given(p *parameter) []string {
	switch p.In {
	case "path":
		return []string{x.call.path[p.Name]}
	case "query":
		return x.call.query[p.Name]
	default:
		return x.r.Header.Values(p.Name)
	}
}

// readAccounts parses the account ids of the path. The contract's pattern and
// the parser agree; should they not, the parser has the last word.
func (x *exchange) readAccounts(known []fault.Problem) []fault.Problem {
	var problems []fault.Problem
	for _, wild := range x.plan.wildcards {
		if wild.account == nil {
			continue
		}
		id, err := wild.account(x.call.path[wild.name])
		if err != nil {
			reported := func(p fault.Problem) bool { return p.In == "path" && p.Name == wild.name }
			if !slices.ContainsFunc(known, reported) {
				problems = append(problems, parameterProblem("path", wild.name, "PATTERN", "must name an account"))
			}
			continue
		}
		if x.call.accounts == nil {
			x.call.accounts = make(map[string]account.ID, len(x.plan.wildcards))
		}
		x.call.accounts[wild.name] = id
	}
	return problems
}

// receive takes in at most the bytes that the operation allows, and refuses
// nesting without end, unless the body comes in rows. Nothing else about a body is looked at before it is
// known who sent it.
func (x *exchange) receive() error {
	if x.r.ContentLength == 0 || x.r.Body == nil {
		return nil
	}
	body := http.MaxBytesReader(x.w, x.r.Body, x.plan.operation.MaxBody)
	var err error
	if n := x.r.ContentLength; n > 0 {
		x.raw = make([]byte, n)
		_, err = io.ReadFull(body, x.raw)
	} else {
		x.raw, err = io.ReadAll(body)
	}
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return x.tooLarge()
	}
	if err != nil {
		return refused([]fault.Problem{bodyProblem(nil, "INCOMPLETE_BODY", "did not arrive whole")})
	}
	if x.call.MediaType == typeJSON && !x.plan.operation.Rows && tooDeep(x.raw) {
		_, problems := readJSON(x.raw)
		return refused(problems)
	}
	return nil
}

// readBody parses, trims and validates the body and reports all its problems
// at once.
func (x *exchange) readBody() error {
	if len(x.raw) == 0 {
		x.call.MediaType = ""
		if x.plan.operation.Body != nil && x.plan.operation.Body.Required {
			return refused([]fault.Problem{bodyProblem(nil, "REQUIRED", "is required")})
		}
		return x.fingerprint()
	}
	if x.call.MediaType == "" {
		return unsupported("a body needs exactly one Content-Type")
	}
	if err := x.parse(x.raw); err != nil {
		return err
	}
	return x.fingerprint()
}

// parse judges the body, unless the operation's function wants to do that
// itself.
func (x *exchange) parse(raw []byte) error {
	if x.call.Strict {
		x.call.SetHeader("Preference-Applied", "handling=strict")
	}
	if x.plan.operation.RawBody {
		x.call.Body = raw
		return nil
	}
	var err error
	form := x.call.MediaType == typeForm
	read := readJSON
	if form {
		read = readForm
	}
	tree, problems := read(raw)
	if tree == nil {
		return refused(problems)
	}
	body := parsed{raw: raw, tree: tree, problems: problems, changed: form}
	x.call.Body, err = body.as(x.schemas.bodies[x.call.MediaType], x.call.Strict)
	return err
}

// parsed is a body that is text no more.
type parsed struct {
	raw      []byte
	tree     map[string]any
	problems []fault.Problem
	changed  bool // the tree is not what raw says
}

// as validates and trims a body. Without a schema there is nothing that it
// could say; it must be well-formed all the same.
func (b parsed) as(schema *Schema, strict bool) ([]byte, error) {
	tree, problems := b.tree, b.problems
	trim := trimmer{changed: b.changed}
	if schema == nil { // the operation takes no body, and what came is ignored
		trim.trim(nothing, tree)
	} else {
		trim.trim(schema.shape, tree)
		problems = append(problems, schema.Problems(tree)...)
	}
	problems = append(problems, trim.problems...)
	if strict {
		problems = append(problems, unknownMembers(trim.undeclared)...)
	}
	if len(problems) > 0 || schema == nil {
		return nil, refused(problems)
	}
	if !trim.changed {
		return b.raw, nil
	}
	return encodeTree(nil, tree)
}

// nothing is the shape of the body of an operation that takes none.
var nothing = &shape{}

func unknownMembers(pointers []string) []fault.Problem {
	problems := make([]fault.Problem, len(pointers))
	for i, pointer := range pointers {
		name := pointer[strings.LastIndexByte(pointer, '/')+1:]
		problems[i] = fault.Problem{
			In: "body", Name: name, Path: pointer, Code: "UNKNOWN_MEMBER",
			Message: pointer[len("#/"):] + " is not a member that this operation knows",
		}
	}
	return problems
}

// refused is one fault for all the problems, or nil when there are none.
func refused(problems []fault.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return fault.Refused(tidy(problems)...)
}

// fingerprint identifies the request for its Idempotency-Key: method, path
// with canonical account ids, query, and the body whatever its spacing and
// the order of its members. It is keyed, since it is stored and bodies may
// hold secrets that can be guessed.
func (x *exchange) fingerprint() error {
	if x.call.IdempotencyKey == "" {
		return nil
	}
	canonical := jsontext.Value(slices.Clone(x.call.Body))
	if len(canonical) > 0 {
		if err := canonical.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
			return fmt.Errorf("canonical body: %w", err)
		}
	}
	x.call.Target = x.call.CanonicalPath()
	mac := hmac.New(sha256.New, x.gate.FingerprintKey)
	writePart(mac, x.r.Method)
	writePart(mac, x.call.Target)
	writePart(mac, x.call.query.Encode())
	writePart(mac, string(canonical))
	x.call.Fingerprint = mac.Sum(nil)
	return nil
}

// writePart hashes a part after its length, so that no two lists of parts
// give the same input.
func writePart(mac hash.Hash, part string) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(part)))
	mac.Write(length[:])
	mac.Write([]byte(part))
}
