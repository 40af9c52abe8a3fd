package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// Kind says what went wrong with an exchange.
type Kind string

// The kinds. Those up to Redirect are refusals of ours: what they guard against
// was not talked to.
const (
	BadURL     Kind = "the URL is not one that can be talked to"
	BadName    Kind = "the name of the host could not be resolved"
	BadAddress Kind = "the host has an address that is not allowed"
	Redirect   Kind = "it answered with a redirect, which is not followed"
	TooSlow    Kind = "it did not answer in time"
	TooLarge   Kind = "its answer was too large"
	BadTLS     Kind = "its certificate or its TLS could not be verified"
	NoWay      Kind = "no connection could be made"
	Broken     Kind = "the connection failed"
)

// Word is the kind in one word, for a column.
func (k Kind) Word() string { return words[k] }

var words = map[Kind]string{
	BadURL: "url", BadName: "name", BadAddress: "address", Redirect: "redirect", TooSlow: "timeout",
	TooLarge: "too_large", BadTLS: "tls", NoWay: "connect", Broken: "broken",
}

// Unreached says whether nobody was talked to: the message can't have come to
// its receiver.
func (k Kind) Unreached() bool {
	return k == BadURL || k == BadName || k == BadAddress || k == NoWay || k == BadTLS
}

// Error is an exchange that did not come to an answer. Its text may be shown to
// anybody: it names no address and quotes nothing. The cause is for the log.
type Error struct {
	Kind  Kind
	Cause error
}

func (e *Error) Error() string { return string(e.Kind) }

// Unwrap gives the cause, for whoever asks what it is.
func (e *Error) Unwrap() error { return e.Cause }

// classify finds the kind of what a transport returned.
func classify(ctx context.Context, err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	kind := Broken
	switch {
	case ctx.Err() != nil: // whatever became of it then
		return &Error{TooSlow, ctx.Err()}
	case isTimeout(err):
		kind = TooSlow
	case isTLS(err):
		kind = BadTLS
	}
	return &Error{kind, err}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func isTLS(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	operation, remote := errors.AsType[*net.OpError](err)
	return verification || authority || record || alert || remote && operation.Op == "remote error"
}
