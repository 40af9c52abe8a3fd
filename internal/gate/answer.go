package gate

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"mooring/internal/fault"
)

// refusal is an answer that only HTTP has a word for; fault knows the rest.
type refusal struct {
	status      int
	code        string
	message     string
	description string // goes into errors[], for unknown paths
}

func (r *refusal) Error() string { return r.message }

var (
	errUnknownPath = &refusal{
		http.StatusNotFound, "NOT_FOUND", "unknown resource",
		"there is no operation at this path; /llms.txt and /openapi.json list all of them",
	}
	errMethod        = &refusal{http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "the method is not allowed here; the Allow header lists those that are", ""}
	errTargetTooLong = &refusal{http.StatusRequestURITooLong, "URI_TOO_LONG", fmt.Sprintf("the URL is longer than %d bytes", MaxTargetBytes), ""}
	errTooManyFields = &refusal{http.StatusRequestHeaderFieldsTooLarge, "REQUEST_HEADER_FIELDS_TOO_LARGE", fmt.Sprintf("there are more than %d header fields", MaxHeaderFields), ""}
)

func unsupported(message string) error {
	return &refusal{http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", message, ""}
}

func (x *exchange) tooLarge() error {
	return &refusal{http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE", fmt.Sprintf("the body is longer than %d bytes", x.plan.operation.MaxBody), ""}
}

// statuses is the one bridge from kinds of fault to HTTP.
var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.TooMany:         http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
}

// byCode are the codes whose status differs from that of their kind.
var byCode = map[string]int{
	fault.CodePrecondition: http.StatusPreconditionFailed,
	fault.CodeKeyReused:    http.StatusUnprocessableEntity,
}

// usual is the code of a fault that brings none of our own.
var usual = map[fault.Kind]string{
	fault.Internal:    fault.CodeInternal,
	fault.Invalid:     fault.CodeInvalidParameter,
	fault.Forbidden:   fault.CodeForbidden,
	fault.NotFound:    fault.CodeNotFound,
	fault.Conflict:    fault.CodeConflict,
	fault.TooMany:     fault.CodeTooMany,
	fault.Unavailable: fault.CodeUnavailable,
}

// unauthorized is the body of every 401, byte for byte as it was seen on the
// wire of the documented API.
var unauthorized = []byte(`{"error":{"errors":[],"message":"UNAUTHORIZED"}}`)

// answerBody is the documented shape of every error.
type answerBody struct {
	Error answerError `json:"error"`
}

type answerError struct {
	Code    string `json:"code,omitzero"`
	In      string `json:"in,omitzero"`
	Name    string `json:"name,omitzero"`
	Path    string `json:"path,omitzero"`
	Message string `json:"message"`
	Errors  []any  `json:"errors"`
}

type answerProblem struct {
	Code    string   `json:"code"`
	Params  []string `json:"params"`
	Message string   `json:"message"`
	Path    string   `json:"path"`
}

type answerDescription struct {
	Description string `json:"description"`
}

// refuse turns an error into an answer and keeps it for the log line.
func (x *exchange) refuse(err error) Reply {
	x.cause = err
	if r, ok := errors.AsType[*refusal](err); ok {
		return x.refuseByHTTP(r)
	}
	f := fault.From(err)
	if f.Kind == fault.Internal {
		f = fault.New(fault.Internal, fault.CodeInternal, "unexpected error; the request id is %s", x.call.RequestID).Because(err)
	}
	x.challenge(f)
	x.announceRetry(f)
	if x.speaksOAuth() {
		return oauthReply(f)
	}
	if x.turnedAway {
		return noRoomReply()
	}
	if f.Kind == fault.Unauthenticated {
		return Reply{Status: http.StatusUnauthorized, Body: unauthorized}
	}
	status, ok := byCode[f.Code]
	if !ok {
		status = statuses[f.Kind]
	}
	return encodeAnswer(status, answerOf(f))
}

func (x *exchange) refuseByHTTP(r *refusal) Reply {
	if x.speaksOAuth() {
		return encodeAnswer(r.status, oauthAnswer{"invalid_request", r.message})
	}
	body := answerError{Code: r.code, Message: r.message, Errors: []any{}}
	if r.description != "" {
		body.Errors = append(body.Errors, answerDescription{r.description})
	}
	return encodeAnswer(r.status, answerBody{body})
}

func answerOf(f *fault.Fault) answerBody {
	body := answerError{Code: f.Code, Message: f.Message, Errors: []any{}}
	if body.Code == "" || slices.Contains(oauthCodes, body.Code) {
		body.Code = usual[f.Kind]
	}
	for i, p := range f.Problems {
		if i == 0 {
			body.In, body.Name, body.Path = p.In, p.Name, p.Path
		}
		params := p.Params
		if params == nil {
			params = []string{}
		}
		body.Errors = append(body.Errors, answerProblem{p.Code, params, p.Message, p.Path})
	}
	return answerBody{body}
}

// challenge names the schemes that would be accepted (RFC 9110 section
// 11.6.1). It tells a missing token from a bad one, and nothing more.
func (x *exchange) challenge(f *fault.Fault) {
	if f.Kind != fault.Unauthenticated {
		return
	}
	var schemes []string
	if x.plan == nil || !x.plan.basic || x.plan.bearer && x.sentBearer() {
		bearer := `Bearer realm="mooring"`
		if len(x.call.authorization) > 0 {
			bearer += `, error="invalid_token"`
		}
		schemes = append(schemes, bearer)
	}
	if x.plan != nil && x.plan.basic {
		schemes = append(schemes, `Basic realm="mooring", charset="UTF-8"`)
	}
	x.call.SetHeader("Www-Authenticate", strings.Join(schemes, ", "))
}

// sentBearer says whether the request tried a token.
func (x *exchange) sentBearer() bool {
	return slices.ContainsFunc(x.call.authorization, func(value string) bool {
		scheme, _, _ := strings.Cut(value, " ")
		return strings.EqualFold(scheme, "Bearer")
	})
}

// announceRetry says when to come back; a second when nobody knows better.
func (x *exchange) announceRetry(f *fault.Fault) {
	wait := f.RetryAfter
	if f.Kind == fault.TooMany || f.Kind == fault.Unavailable {
		wait = max(wait, time.Second)
	}
	if wait > 0 {
		x.call.SetHeader("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
}

func encodeAnswer(status int, body any) Reply {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("gate: an error body cannot be written: %v", err))
	}
	return Reply{Status: status, Body: encoded}
}
