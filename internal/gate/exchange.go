package gate

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/telemetry"
)

// exchange is one request on its way through the gate.
type exchange struct {
	gate       *Gate
	w          http.ResponseWriter
	r          *http.Request
	started    time.Time
	trace      string
	plan       *plan // nil until the route is known
	schemas    *schemas
	call       Call
	raw        []byte // the body as it came
	known      bool   // Caller is somebody whose token was verified
	place      place
	turnedAway bool // for want of room
	cause      error
	stack      []byte        // of a panic
	began      time.Duration // after which a stream began; 0 for other answers
}

// ServeHTTP answers one request.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{gate: g, w: w, r: r, started: time.Now()}
	x.call.RequestID = requestID(r.Header["X-Request-Id"], g.NewID)
	x.call.x = x
	x.call.authorization = r.Header["Authorization"]
	x.call.requestHeader = r.Header
	x.trace, _ = telemetry.TraceParent(r.Header.Get("Traceparent"))
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		x.call.Remote = peer.Addr().Unmap()
	}
	reply := x.answer()
	status, bytes := x.write(reply)
	x.record(status, bytes)
	x.tellDenied(status)
}

// tellDenied reports what somebody was not let in to, or not shown.
func (x *exchange) tellDenied(status int) {
	if x.gate.Denied == nil || x.plan == nil {
		return
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		x.gate.Denied(&x.call, status)
	}
}

// answer always gives an answer: a fault becomes its body, a panic a 500.
func (x *exchange) answer() (reply Reply) {
	defer func() {
		p := recover()
		if p == http.ErrAbortHandler {
			panic(p)
		}
		if p != nil {
			x.stack = debug.Stack()
			reply = x.refuse(fmt.Errorf("panic: %v", p))
		}
	}()
	reply, err := x.serve()
	if err != nil {
		return x.refuse(err)
	}
	return reply
}

// serve judges the request in the order that the package comment gives, and
// runs the operation's function.
func (x *exchange) serve() (Reply, error) {
	if len(x.r.RequestURI) > MaxTargetBytes {
		return Reply{}, errTargetTooLong
	}
	if isPreflight(x.r) {
		return preflightReply, nil
	}
	if err := x.route(); err != nil {
		return Reply{}, err
	}
	if x.plan == nil { // plain OPTIONS
		return Reply{Status: http.StatusNoContent}, nil
	}
	defer x.place.leave(0)
	steps := [...]func() error{x.checkHeaders, x.checkRoom, x.receive, x.admit, x.readParameters, x.authenticate, x.authorize, x.readBody}
	if x.sendsMuch() {
		steps = [...]func() error{x.checkHeaders, x.admit, x.readParameters, x.authenticate, x.authorize, x.receiveOutside, x.admit, x.readBody}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return Reply{}, err
		}
	}
	reply, err := x.plan.run(x.r.Context(), &x.call)
	if err == nil || fault.From(err).Kind == fault.Unavailable {
		x.place.leave(time.Since(x.place.began))
	}
	return reply, err
}

// sendsMuch says whether the body is longer than most operations take: such a
// body is read only when it is known who sends it, and that he may.
func (x *exchange) sendsMuch() bool {
	n := x.r.ContentLength
	return x.plan.operation.MaxBody > DefaultMaxBody && (n < 0 || n > DefaultMaxBody)
}

// receiveOutside gives the place back while a body arrives.
func (x *exchange) receiveOutside() error {
	x.place.leave(0)
	return x.receive()
}

// route finds the operation. For a path that is not in its cleaned form the
// mux chooses a redirect instead of one of our routes, and that counts as
// unknown: what is checked is what is served.
func (x *exchange) route() error {
	handler, _ := x.gate.mux.Handler(x.r)
	route, ok := handler.(*route)
	if !ok {
		return errUnknownPath
	}
	if x.r.Method == http.MethodOptions {
		x.call.SetHeader("Allow", route.allow)
		return nil
	}
	x.plan = route.plans[x.r.Method]
	if x.plan == nil {
		x.call.SetHeader("Allow", route.allow)
		return errMethod
	}
	x.call.Operation = x.plan.operation
	return x.readPath()
}

func (x *exchange) readPath() error {
	segments := strings.Split(x.r.URL.EscapedPath(), "/")
	x.call.path = make(map[string]string, len(x.plan.wildcards))
	for _, wild := range x.plan.wildcards {
		if wild.segment >= len(segments) {
			return errUnknownPath
		}
		value, err := url.PathUnescape(segments[wild.segment])
		if err != nil {
			return errUnknownPath
		}
		x.call.path[wild.name] = value
	}
	return nil
}

// authenticate fills Caller. Operations with Basic credentials check those
// themselves; the gate only makes sure that there are some.
func (x *exchange) authenticate() error {
	if x.plan.basic {
		if _, _, ok := x.call.Basic(); ok {
			return nil
		}
	}
	if x.plan.anonymous && (!x.plan.bearer || len(x.call.authorization) == 0) {
		return nil
	}
	if !x.plan.bearer {
		return fault.Denied(errors.New("no Basic credentials"))
	}
	caller, err := x.gate.Verify(x.r.Context(), x.call.authorization)
	if err != nil {
		return err
	}
	x.call.Caller, x.known = caller, true
	return nil
}

// authorize asks whether the caller may run this operation on the accounts
// that the path names.
func (x *exchange) authorize() error {
	if x.known {
		if err := x.plan.allows(x.call.Caller); err != nil {
			if err == errScope { // RFC 6750 section 3.1
				x.call.SetHeader("Www-Authenticate", `Bearer realm="mooring", error="insufficient_scope"`)
			}
			return err
		}
	}
	first := true
	for _, wild := range x.plan.wildcards {
		id, ok := x.call.accounts[wild.name]
		if !ok {
			continue
		}
		served := x.gate.World == nil || x.gate.World(id)
		switch {
		case first && !served:
			return forbidden("this process does not serve the world of the account")
		case first && x.known && !x.call.Caller.Covers(id):
			if x.call.Caller.Exchange != nil {
				return fault.Denied(errAudience)
			}
			return forbidden("the token is not for this account")
		case !served, x.known && id.World() != x.call.Caller.Account.World():
			return fault.Missing()
		}
		first = false
	}
	return nil
}

// errAudience says that an exchange token was sent to anything but the one call
// that it is for.
var errAudience = errors.New("the token is for another address")

var errScope = forbidden("the token lacks the scope for this operation")

func forbidden(message string) error {
	return fault.New(fault.Forbidden, fault.CodeForbidden, "%s", message)
}

// allows says whether the caller has the scopes of some alternative that takes
// its kind of token, and is of a kind that may call. Tokens of a special kind
// meet nothing but the scheme made for them, whatever their scopes.
func (p *plan) allows(caller auth.Caller) error {
	scheme, enough := schemeOf(caller), false
	for _, requirement := range p.operation.Security {
		if requirement.Scheme == scheme && hasAll(caller, requirement.Scopes) {
			enough = true
		}
	}
	if !enough && scheme == schemeExchange {
		return fault.Denied(errAudience)
	}
	if !enough {
		return errScope
	}
	if scheme == schemeBearer && len(p.operation.Callers) > 0 && !slices.Contains(p.operation.Callers, caller.Kind) {
		return forbidden("accounts of this kind may not call this operation")
	}
	return nil
}

// schemeOf is the scheme that takes the caller's kind of token.
func schemeOf(caller auth.Caller) string {
	switch {
	case caller.Callback != nil:
		return schemeCallback
	case caller.Exchange != nil:
		return schemeExchange
	case caller.Provider != "":
		return schemeProvider
	default:
		return schemeBearer
	}
}

func hasAll(caller auth.Caller, scopes []string) bool {
	for _, scope := range scopes {
		if !caller.Scopes.Has(scope) {
			return false
		}
	}
	return true
}
