// Package fault is the small closed set of things that can go wrong.
//
// It owns the eight kinds, their machine codes and the shape of a list of
// problems. It promises that an error which is not a *Fault is internal, so
// that nothing unforeseen is ever explained to a client. It must never know
// HTTP: the table from kind to status lives in gate.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the situation of the caller, in one of eight words.
type Kind uint8

// The kinds. The zero Kind is Internal, so a forgotten kind tells nothing.
const (
	Internal Kind = iota
	Invalid
	Unauthenticated
	Forbidden
	NotFound
	Conflict
	TooMany
	Unavailable
)

// String is the kind's name as logs and metrics show it.
func (k Kind) String() string {
	return [...]string{
		"internal", "invalid", "unauthenticated", "forbidden",
		"not_found", "conflict", "too_many", "unavailable",
	}[k]
}

// The machine codes that faults carry on the wire. They are stable: clients
// branch on them. docs/errors.md lists each with its status.
const (
	CodeInvalidParameter  = "INVALID_REQUEST_PARAMETER"
	CodeForbidden         = "FORBIDDEN"
	CodeNotFound          = "NOT FOUND" // with the space, as the public API spells it for a missing record
	CodeConflict          = "CONFLICT"
	CodePrecondition      = "PRECONDITION_FAILED"
	CodeKeyReused         = "IDEMPOTENCY_KEY_REUSED"
	CodeTooMany           = "TOO_MANY_REQUESTS"
	CodeUnavailable       = "UNAVAILABLE"
	CodeInternal          = "INTERNAL_ERROR"
	CodeConnectionEnabled = "CONNECTION_ENABLED"
	CodeLimitReached      = "LIMIT_REACHED"
	CodeOrganization      = "ORGANIZATION_NUMBER_REQUIRED"
	CodeSignupReplaced    = "SIGNUP_REPLACED"
	CodeSignupExpired     = "SIGNUP_EXPIRED"
	CodeSignupSettled     = "SIGNUP_SETTLED"
	CodeLastClient        = "LAST_CLIENT"
	CodeRangeExhausted    = "RANGE_EXHAUSTED"
	CodeAccountsRemain    = "ACCOUNTS_REMAIN"
	CodeCaseUnknown       = "CASE_UNKNOWN"
	CodeCaseNotActive     = "CASE_NOT_ACTIVE"
	CodePlatformStays     = "PLATFORM_STAYS"
)

// Problem is one thing wrong with a request: where it stands and why it was
// refused. It never quotes the value, which may be a secret.
type Problem struct {
	In      string   // "path", "query", "header" or "body"
	Name    string   // the parameter's name; for a body the member's name
	Path    string   // JSON pointer as a fragment, such as "#/signup/case_id"; "#/" for the whole
	Code    string   // such as "OBJECT_MISSING_REQUIRED_PROPERTY"
	Params  []string // what the code speaks of, such as the allowed values
	Message string   // one sentence for a person
}

// Fault is an error that may be shown to the client, all but its cause.
type Fault struct {
	Kind       Kind
	Code       string
	Message    string
	Problems   []Problem
	RetryAfter time.Duration // when > 0, how long to wait before trying again
	cause      error
}

// New makes a fault of a kind with a machine code and a message for people.
func New(kind Kind, code, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Refused makes an Invalid fault out of every problem found in a request.
func Refused(problems ...Problem) *Fault {
	return &Fault{Kind: Invalid, Code: CodeInvalidParameter, Message: problems[0].Message, Problems: problems}
}

// Missing is the one answer for a record that does not exist or is not the
// caller's to know of. Both must read the same.
func Missing() *Fault {
	return New(NotFound, CodeNotFound, "not found")
}

// Denied is the one answer for a caller without a token that we accept. The
// cause is for the log line only.
func Denied(cause error) *Fault {
	return &Fault{Kind: Unauthenticated, Message: "UNAUTHORIZED", cause: cause}
}

// Because returns a copy of f that remembers why, for the log line only.
func (f *Fault) Because(cause error) *Fault {
	g := *f
	g.cause = cause
	return &g
}

// Error is the whole text, cause included: for logs, not for clients.
func (f *Fault) Error() string {
	if f.cause != nil {
		return f.Message + ": " + f.cause.Error()
	}
	return f.Message
}

// Unwrap gives the private cause.
func (f *Fault) Unwrap() error { return f.cause }

// From finds the fault in err; any other error becomes an opaque internal one.
func From(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return &Fault{Kind: Internal, Code: CodeInternal, Message: "unexpected error", cause: err}
}
