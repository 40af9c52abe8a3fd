// Package simulator plays the providers of test accounts, on the accounts' own
// clocks.
//
// It owns no knowledge of its own: each provider's file says what happens when.
// It promises that steps happen in the order of an account's own time, whatever
// the node; that an account's clock stands at a step's time when it is played,
// and never goes back; and that a step which is played again after a crash
// changes nothing. What a provider would say goes through the same door as
// what real providers say, with a real callback token. It must never touch a
// production account, and must never know a provider by name.
package simulator

import (
	"context"
	"errors"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/gateway"
	"mooring/internal/provider"
)

// Simulator is the gateway of the test world.
type Simulator struct {
	clock func(context.Context, account.ID) (time.Time, error)
}

// New makes a simulator that is told what time it is for an account.
func New(clock func(context.Context, account.ID) (time.Time, error)) Simulator {
	return Simulator{clock}
}

var errProduction = errors.New("a simulator answers for test accounts only")

// Status answers a pending connection with what its newest signup's scenario
// has: what was lost on its way and is due, else the answer of the file. Any
// other connection keeps the status that it has.
func (s Simulator) Status(ctx context.Context, q gateway.Question) (provider.Report, error) {
	c := q.Connection
	as := provider.Report{Status: string(c.Status)}
	if q.Account.World() != account.Test {
		return provider.Report{}, errProduction
	}
	if c.Status != connection.Pending || len(c.Signups) == 0 {
		return as, nil
	}
	now, err := s.clock(ctx, q.Account)
	if err != nil {
		return provider.Report{}, err
	}
	for i := len(c.Signups) - 1; i >= 0; i-- {
		signup := c.Signups[i]
		played := scenarioOf(q.Provider, signup)
		if said := lost(q.Provider, played, signup, now); said != nil {
			return *said, nil
		}
		if played.Answer != nil {
			report := *played.Answer
			report.Configuration = fill(report.Configuration, signup)
			return report, nil
		}
		if !q.Provider.Signup.Many {
			break // the ones before it were replaced
		}
	}
	return as, nil
}

// lost is what the newest call of a scenario that is due and never arrived
// would have said; nil when there is none.
func lost(p *provider.Provider, played provider.Scenario, signup connection.Signup, now time.Time) *provider.Report {
	var said *provider.Report
	for _, step := range played.Steps {
		if step.Lost && !signup.CreatedAt.Add(step.After).After(now) {
			report := p.Says(step, signed(signup))
			said = &report
		}
	}
	return said
}

// Submit takes any signup: what the simulated provider does with it are the
// steps of its scenario.
func (Simulator) Submit(_ context.Context, s gateway.Submission) (*connection.Message, error) {
	if s.Account.ID.World() != account.Test {
		return nil, errProduction
	}
	return nil, nil
}
