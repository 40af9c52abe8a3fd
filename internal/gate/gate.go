// Package gate executes the contract: it turns an assembled OpenAPI 3.1
// document and a map of functions into one http.Handler.
//
// It owns routing, limits, parsing, validation, the question who may call
// what, the shape of every error on the wire, and one log line and one metric
// per request. It promises that a function runs only for a request that the
// document allows, that no problem with a request is reported one at a time,
// and that no value from a request appears in an error or a log line. It must
// never know a domain rule or touch storage: what it has to ask, such as who
// holds a token, it is given as a function.
//
// The order in which a request is judged is fixed: route (404, 405), headers
// (413, 414, 415, 431), room (503), size and depth of the body (413, 400), path and query
// and header parameters (400), token (401), scopes and accounts (403), then
// what the body says (400). A body above DefaultMaxBody, where one is allowed,
// is not read before all that is known.
//
// What OpenAPI has no word for, a document says with these members of an
// operation:
//
//	x-mooring-function    name of the function that runs it; else its operationId
//	x-mooring-argument    constant handed to a function that runs several
//	x-mooring-action      what the audit calls it; else the function's name
//	x-mooring-callers     kinds of account whose access tokens are let in
//	x-mooring-max-body    longest body in bytes
//	x-mooring-budget      whose room its calls take up, when it is not that of all
//	                      reads or all writes
//	x-mooring-body: raw   the function gets the body as it came, within size and
//	                      depth, and asks a Reader what it says
//	x-mooring-body: rows  the same, but its depth is not looked at before: each of
//	                      its rows is a body of its own to a Reader
//	x-mooring-errors      "oauth" for errors as RFC 6749 wants them
//	x-mooring-extension   not part of the documented API
//	x-evidence            what the description rests on
//
// and these of a schema: x-mooring-pattern, the RE2 equivalent of a pattern,
// and x-mooring-max-bytes, the longest compact JSON of a value. x-mooring-says of
// the whole document tells people what its patterns mean, in words that follow
// "must be".
//
// Security schemes are of type http: "basic", "bearer", and three bearer schemes
// by name, "callback", "provider" and "exchange", which only tokens of that kind
// meet and which they meet alone.
package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/telemetry"
)

// Limits that every request meets, whatever its operation. Header limits are
// for the http.Server to set (MaxHeaderBytes); the gate itself counts fields.
const (
	MaxHeaderBytes  = 16 << 10
	MaxHeaderFields = 100
	MaxTargetBytes  = 8 << 10
	DefaultMaxBody  = 64 << 10
	MaxDepth        = 16
	MaxMembers      = 256
	MaxStringBytes  = 8 << 10
	MaxRawString    = 64 << 10 // in a body that is handed over raw, which may hold certificates
)

// Config is all that a gate needs.
type Config struct {
	Document  *Document
	Functions map[string]Function // by the name that operations give in x-mooring-function

	// Verify turns the values of the Authorization header into a caller. Its
	// error is shown as the fault that it is.
	Verify func(ctx context.Context, authorization []string) (auth.Caller, error)

	// World says whether this process serves an account's world; nil serves
	// both. A refused id is 403 as the first account of a path, 404 later.
	World func(account.ID) bool

	// Denied is told of each call whose answer is 401, 403 or 404. It must return
	// at once. nil tells nobody.
	Denied func(call *Call, status int)

	// Admission refuses what there is no room for. nil makes one for this gate alone.
	Admission *Admission

	Log            *slog.Logger
	Metrics        *telemetry.Metrics
	FingerprintKey []byte        // keys the hash of requests that carry an Idempotency-Key
	NewID          func() string // makes request ids; nil makes UUIDv7s
}

// Gate is the contract in execution. It is an http.Handler and safe for
// concurrent use.
type Gate struct {
	Config
	mux *http.ServeMux
}

// route is one path of the document with what may be done there.
type route struct {
	plans map[string]*plan // by method, GET also under HEAD
	allow string
}

// ServeHTTP is never called: the gate asks the mux which route it would
// choose and serves the request itself.
func (*route) ServeHTTP(http.ResponseWriter, *http.Request) {}

// New makes every operation of the document ready. It refuses an operation whose
// function is missing, a function that no operation names, and whatever in
// the document cannot be executed, all in one error.
func New(cfg Config) (*Gate, error) {
	if cfg.Document == nil || cfg.Verify == nil || cfg.Log == nil || cfg.Metrics == nil {
		return nil, errors.New("gate: Document, Verify, Log and Metrics are required")
	}
	if cfg.Admission == nil {
		cfg.Admission = NewAdmission(cfg.Metrics)
	}
	if cfg.NewID == nil {
		cfg.NewID = newRequestID
	}
	if err := matchFunctions(cfg.Document.Operations(), cfg.Functions); err != nil {
		return nil, err
	}
	g := &Gate{Config: cfg, mux: http.NewServeMux()}
	if err := g.compile(); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Gate) compile() error {
	var problems []error
	routes := map[string]*route{}
	for _, op := range g.Document.Operations() {
		p, err := newPlan(g.Document, op, g.Functions[op.Function])
		if err == nil && !g.Document.proven {
			_, err = p.schemas()
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("operation %s: %w", op.ID, err))
			continue
		}
		if p.keyed && len(g.FingerprintKey) == 0 {
			problems = append(problems, fmt.Errorf("operation %s: takes an Idempotency-Key, and there is no FingerprintKey", op.ID))
		}
		r := routes[op.Path]
		if r == nil {
			r = &route{plans: map[string]*plan{}}
			routes[op.Path] = r
		}
		r.plans[op.Method] = p
		if op.Method == http.MethodGet {
			r.plans[http.MethodHead] = p
		}
	}
	for _, path := range slices.Sorted(maps.Keys(routes)) {
		r := routes[path]
		methods := slices.Sorted(maps.Keys(r.plans))
		r.allow = strings.Join(append(methods, http.MethodOptions), ", ")
		if err := g.register(path, r); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// register gives a path to the mux, which panics when two paths would compete
// for the same requests.
func (g *Gate) register(path string, r *route) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("path %s: %v", path, p)
		}
	}()
	pattern := path
	if strings.HasSuffix(path, "/") {
		pattern += "{$}"
	}
	g.mux.Handle(pattern, r)
	return nil
}

func matchFunctions(operations []*Operation, functions map[string]Function) error {
	var problems []error
	named := map[string]bool{}
	for _, op := range operations {
		named[op.Function] = true
		if functions[op.Function] == nil {
			problems = append(problems, fmt.Errorf("operation %s: there is no function %q", op.ID, op.Function))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		if !named[name] {
			problems = append(problems, fmt.Errorf("function %q: no operation names it", name))
		}
	}
	return errors.Join(problems...)
}

func newRequestID() string {
	return uuid.Must(uuid.NewV7()).String()
}
