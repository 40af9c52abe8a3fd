package gate

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"mooring/internal/fault"
)

// Headers that every answer has. The slices are shared and never changed.
var (
	anyOrigin      = []string{"*"}
	exposedHeaders = []string{exposed}
	noSniff        = []string{"nosniff"}
	noStore        = []string{"no-store"}
	jsonType       = []string{typeJSON}
)

// write sends the reply and says what was sent.
func (x *exchange) write(reply Reply) (status, bytes int) {
	h := x.w.Header()
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Access-Control-Expose-Headers"] = exposedHeaders
	h["X-Content-Type-Options"] = noSniff
	h["Cache-Control"] = noStore
	h["X-Request-Id"] = []string{x.call.RequestID}
	for name, values := range x.call.header {
		h[name] = values
	}
	for name, value := range reply.Header {
		h.Set(name, value)
	}
	status = reply.Status
	if status == 0 {
		status = http.StatusOK
	}
	if status == http.StatusNoContent || status == http.StatusNotModified {
		x.w.WriteHeader(status)
		return status, 0
	}
	if len(reply.Body) > 0 {
		h["Content-Type"] = jsonType
	}
	if reply.Type != "" {
		h["Content-Type"] = []string{reply.Type}
	}
	if reply.Stream == nil {
		h["Content-Length"] = []string{strconv.Itoa(len(reply.Body))}
	}
	took := time.Since(x.started)
	if took > time.Second { // some of the client's time to read is over
		_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(WriteLimit))
	}
	x.w.WriteHeader(status)
	if reply.Stream != nil {
		x.began = max(took, 1)
		return status, x.stream(reply.Stream)
	}
	if x.r.Method == http.MethodHead {
		return status, 0
	}
	bytes, err := x.w.Write(reply.Body)
	if err != nil && x.cause == nil {
		x.cause = err
	}
	return status, bytes
}

// unknownOperation labels requests that met no operation.
const unknownOperation = "unknown"

// maxLogged bounds each field of the log line that a client has a hand in.
const maxLogged = 512

// record writes the request's one log line and its one metric. Those that are
// turned away by the thousand share a line.
func (x *exchange) record(status, bytes int) {
	took := time.Since(x.started)
	operation, path := unknownOperation, ""
	if x.plan != nil {
		operation, path = x.plan.operation.ID, x.plan.operation.Path
	}
	x.gate.Metrics.Observe(operation, status, cmp.Or(x.began, took))

	level := slog.LevelInfo
	switch {
	case x.turnedAway: // nothing is broken
		level = slog.LevelWarn
		if !x.gate.Admission.tell(x.gate.othersRefused) {
			return
		}
	case status == http.StatusServiceUnavailable && x.abandoned(): // nothing else is known to be wrong
		level = slog.LevelWarn
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	ctx := context.WithoutCancel(x.r.Context())
	if !x.gate.Log.Enabled(ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 16),
		slog.String("operation", operation),
		slog.String("method", bounded(x.r.Method, 16)),
		slog.String("path", path),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.Int("bytes", bytes),
		slog.String("request_id", x.call.RequestID),
	)
	if x.trace != "" {
		attrs = append(attrs, slog.String("trace_id", x.trace))
	}
	if x.known {
		attrs = append(attrs, slog.String("account", string(x.call.Caller.Account)), slog.String("client", x.call.Caller.Client))
	}
	x.gate.Log.LogAttrs(ctx, level, "request", append(attrs, x.causeAttrs()...)...)
}

// abandoned says whether a request failed because its client went away.
func (x *exchange) abandoned() bool {
	err := x.r.Context().Err()
	return err != nil && errors.Is(x.cause, err)
}

// othersRefused writes the line that refusals for want of room share.
func (g *Gate) othersRefused(refusals int) {
	g.Log.Warn("more requests found no room", "refusals", refusals)
}

// causeAttrs tells operators what clients are not told.
func (x *exchange) causeAttrs() []slog.Attr {
	if x.cause == nil {
		return nil
	}
	f := fault.From(x.cause)
	code := cmp.Or(f.Code, f.Kind.String())
	if r, ok := x.cause.(*refusal); ok {
		code = r.code
	}
	attrs := []slog.Attr{slog.String("fault", code), slog.String("cause", bounded(x.cause.Error(), maxLogged))}
	if x.stack != nil {
		attrs = append(attrs, slog.String("stack", string(x.stack)))
	}
	return attrs
}

func bounded(s string, limit int) string {
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}
