// Package telemetry sets up what the program tells its operators: logs for
// people and machines, metrics for Prometheus, and trace ids taken over from
// clients.
//
// It promises that no metric has a label that grows with the number of
// accounts, and that its registry holds nothing that other code in the
// process registered globally. It must never know a domain type.
package telemetry

import (
	"io"
	"log/slog"
	"strings"
	"time"
)

// NewLogger writes records at level and above, as text for people or as one
// JSON object per line for machines. Times are in UTC. Any format but "json"
// is text.
func NewLogger(w io.Writer, format string, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: utc}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func utc(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && attr.Key == slog.TimeKey {
		attr.Value = slog.TimeValue(attr.Value.Time().UTC().Truncate(time.Microsecond))
	}
	return attr
}

// TraceParent takes the trace id out of a traceparent header (W3C Trace
// Context, section 3.2). A version that we do not know may have more fields
// after those of version 00.
func TraceParent(header string) (traceID string, ok bool) {
	const length = len("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if len(header) < length || header[2] != '-' || header[35] != '-' || header[52] != '-' {
		return "", false
	}
	version, trace, parent, flags := header[:2], header[3:35], header[36:52], header[53:55]
	if !isHex(version) || version == "ff" || !isHex(trace) || !isHex(parent) || !isHex(flags) {
		return "", false
	}
	if strings.Trim(trace, "0") == "" || strings.Trim(parent, "0") == "" {
		return "", false
	}
	if len(header) > length && (version == "00" || header[length] != '-') {
		return "", false
	}
	return trace, true
}

// isHex says whether s has only lower-case hexadecimal digits.
func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}
