// Package simulator stands in for the providers of test accounts.
//
// It owns no knowledge of its own: each provider's file says what it answers.
// It promises the same answer to the same question. It must never answer for a
// production account, and never do I/O.
package simulator

import (
	"context"
	"errors"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/gateway"
	"mooring/internal/provider"
)

// Simulator is the gateway of the test world.
type Simulator struct{}

// New makes a simulator.
func New() Simulator { return Simulator{} }

var errProduction = errors.New("a simulator answers for test accounts only")

// Status answers a pending connection with the report of the provider's file.
// Any other keeps the status that it has.
func (Simulator) Status(_ context.Context, q gateway.Question) (provider.Report, error) {
	switch {
	case q.Account.World() != account.Test:
		return provider.Report{}, errProduction
	case q.Provider.Scenarios["happy"].Answer == nil:
		return provider.Report{}, gateway.ErrUnavailable
	case q.Connection.Status == connection.Pending:
		return *q.Provider.Scenarios["happy"].Answer, nil
	}
	return provider.Report{Status: string(q.Connection.Status)}, nil
}
