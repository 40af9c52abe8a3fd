// Package gateway owns our questions to the providers: how does this
// connection stand with you?
//
// It promises that a connection is asked about at most once in an interval,
// whoever and however many want to know, and that a provider which is slow,
// wrong or broken costs a caller a few seconds and nothing else. It must never
// write anything, and must never know a provider by name.
package gateway

import (
	"context"
	"errors"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/provider"
)

// Question is what is asked: how the connection of an account stands. The
// connection is as the asker knows it and must not be changed.
type Question struct {
	Account    account.ID
	Provider   *provider.Provider
	Connection *connection.Connection
}

// Gateway is a way to the providers of one world.
type Gateway interface {
	// Status asks the provider. It returns when ctx ends. ErrUnavailable says
	// that this provider can't be asked at all.
	Status(ctx context.Context, q Question) (provider.Report, error)
}

// ErrUnavailable is a gateway's answer when there is nobody to ask about a
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
