package gate

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// Function runs one or more operations. What it returns as error is shown to
// the client if it is a fault, and is an opaque 500 if not.
type Function func(ctx context.Context, call *Call) (Reply, error)

// Reply is an answer as it goes out.
type Reply struct {
	Status int    // 0 means 200
	Type   string // media type of Body; "" means application/json
	Header map[string]string
	Body   []byte

	// Stream, unless nil, sends the body in parts, in place of Body. The context
	// ends when the client leaves. What it returns is for the log.
	Stream func(ctx context.Context, s *Stream) error
}

// Call is one request that the contract allows.
type Call struct {
	Operation      *Operation
	Caller         auth.Caller // zero on public and basic operations
	RequestID      string
	Remote         netip.Addr // the peer; proxies are not trusted
	Target         string     // the path in its one canonical spelling, escapes and account ids included; only with a key
	MediaType      string     // "application/json", "application/x-www-form-urlencoded" or ""
	Body           []byte     // the validated, trimmed JSON object (a form's as well), or as it came for a raw operation; nil when there is none
	Strict         bool       // Prefer: handling=strict
	IdempotencyKey string     // 1-255 visible ASCII characters without the quotes; "" when none was sent
	Fingerprint    []byte     // keyed hash of method, path, query and canonical body; only with a key

	path          map[string]string
	accounts      map[string]account.ID
	query         url.Values
	authorization []string
	requestHeader http.Header
	header        http.Header // of the answer
	x             *exchange   // that it is part of
}

// Handle adapts a typed function. In is decoded from the validated, trimmed
// body and stays zero when there is none. Out is encoded as JSON with status
// 200, unless it is a Reply.
func Handle[In, Out any](fn func(ctx context.Context, call *Call, in In) (Out, error)) Function {
	return func(ctx context.Context, call *Call) (Reply, error) {
		var in In
		if call.Body != nil {
			if err := json.Unmarshal(call.Body, &in); err != nil {
				if problem, found := notInDigits(err); found {
					return Reply{}, fault.Refused(problem)
				}
				return Reply{}, fmt.Errorf("the contract lets in what %T cannot hold: %w", in, err)
			}
		}
		out, err := fn(ctx, call, in)
		if err != nil {
			return Reply{}, err
		}
		if reply, ok := any(out).(Reply); ok {
			return reply, nil
		}
		body, err := json.Marshal(out, json.Deterministic(true))
		if err != nil {
			return Reply{}, fmt.Errorf("encode %T: %w", out, err)
		}
		return Reply{Body: body}, nil
	}
}

// notInDigits finds a number that is an integer to the contract and that
// nothing here counts with: written as 1.0 or 1e2, or too large.
func notInDigits(err error) (fault.Problem, bool) {
	semantic, ok := errors.AsType[*json.SemanticError](err)
	if !ok || semantic.JSONKind != jsontext.KindNumber || semantic.GoType == nil || !reflect.Zero(semantic.GoType).CanInt() {
		return fault.Problem{}, false
	}
	path := slices.Collect(semantic.JSONPointer.Tokens())
	return bodyProblem(path, "INVALID_TYPE", "must be an integer in digits alone, of at most 63 bits", "integer", "number"), true
}

// Path is a path parameter, percent-decoded.
func (c *Call) Path(name string) string { return c.path[name] }

// Account is a path parameter that names an account, in its one canonical
// form: an owner's "T112" is "T11200000". It is zero for any other parameter.
func (c *Call) Account(name string) account.ID { return c.accounts[name] }

// Query is the first value of a query parameter, and whether it was given.
func (c *Call) Query(name string) (string, bool) {
	values, ok := c.query[name]
	if !ok {
		return "", false
	}
	return values[0], true
}

// Queries is every query parameter that was sent. It must not be changed.
func (c *Call) Queries() url.Values { return c.query }

// CanonicalPath is the path as we would write it: the same for "T112" and
// "T11200000", and for a letter and its percent-encoding.
func (c *Call) CanonicalPath() string {
	segments := strings.Split(c.Operation.Path, "/")
	for i, segment := range segments {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			value := c.path[name]
			if id, ok := c.accounts[name]; ok {
				value = string(id)
			}
			segments[i] = url.PathEscape(value)
		}
	}
	return strings.Join(segments, "/")
}

// RequestHeader is the value of a header parameter that the contract declares;
// "" when it was not sent.
func (c *Call) RequestHeader(name string) string { return c.requestHeader.Get(name) }

// Basic is the user and password of the Authorization header, as they were
// sent: OAuth clients percent-encode them (RFC 6749 section 2.3.1).
func (c *Call) Basic() (id, secret string, ok bool) {
	return basicCredentials(c.authorization)
}

// SetHeader sets a header of the answer, also of one that reports a fault.
func (c *Call) SetHeader(name, value string) {
	if c.header == nil {
		c.header = http.Header{}
	}
	c.header.Set(name, value)
}

// basicCredentials reads RFC 7617 credentials; two Authorization headers give
// none.
func basicCredentials(authorization []string) (id, secret string, ok bool) {
	if len(authorization) != 1 {
		return "", "", false
	}
	scheme, encoded, ok := strings.Cut(authorization[0], " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimLeft(encoded, " "))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(plain), ":")
}
