// Package gateway owns our calls to the providers: take this signup, and how
// does this connection stand with you?
//
// It promises that a connection is asked about at most once in an interval,
// whoever and however many want to know, that a provider which is slow, wrong
// or broken costs a caller a few seconds and nothing else, and that a signup
// which is handed over again can be told from a new one by its id. It must
// never write anything, and must never know a provider by name.
package gateway

import (
	"context"
	"errors"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/secret"
)

// Question is what is asked: how the connection of an account stands. The
// connection is as the asker knows it and must not be changed.
type Question struct {
	Account    account.ID
	Provider   *provider.Provider
	Connection *connection.Connection
}

// Submission is a signup on its way to its provider.
type Submission struct {
	ID       string // the same each time that the signup is handed over
	Account  account.Account
	Provider *provider.Provider
	Signup   connection.Signup
	Data     secret.Plain // JSON object: the whole signup, with what rests sealed
	Callback Callback
}

// Callback is how the provider answers later.
type Callback struct {
	Events     string // URL for events about this signup
	Documented string // URL of the provider's documented callback; "" when there is none
	Token      secret.Plain
}

// Gateway is a way to the providers of one world.
type Gateway interface {
	// Submit hands a signup to its provider. It returns nil when the provider
	// has taken it and will say later how it went, and what the provider said of
	// it otherwise. ErrUnavailable says that nobody takes signups for this
	// provider.
	Submit(ctx context.Context, s Submission) (*connection.Message, error)
	// Status asks the provider. It returns when ctx ends. ErrUnavailable says
	// that this provider can't be asked at all.
	Status(ctx context.Context, q Question) (provider.Report, error)
}

// ErrUnavailable is a gateway's answer when there is nobody to talk to about a
// provider.
var ErrUnavailable = errors.New("nobody can be asked about this provider")

// Outcome is how a question went, in the words of the header Mooring-Sync as
// far as they are known before the report is stored.
type Outcome string

// The outcomes. Only Done comes with a report.
const (
	Done        Outcome = "done"        // the provider answered now
	Recent      Outcome = "recent"      // it was asked a moment ago; what it said then is stored or about to be
	Failed      Outcome = "failed"      // it could not be asked, or its answer made no sense
	Unavailable Outcome = "unavailable" // there is nobody to ask
)
