package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/provider"
)

// The limits of a desk. A question ends before the next one about the same
// connection may begin.
const (
	Interval    = 5 * time.Second // between two questions about one connection
	Timeout     = 4 * time.Second // for a provider to answer
	MaxRecent   = 16_384          // connections that may be asked about within one interval
	maxEventLen = 128             // characters, as the contract has it
)

// Desk is where questions to the providers are put. It is safe for concurrent
// use.
type Desk struct {
	gateways map[account.World]Gateway

	mu     sync.Mutex
	asked  map[subject]*question
	oldest []*question // by time asked; those of asked and no others
}

// subject is what a question is about.
type subject struct {
	account  account.ID
	provider string
}

// question is one that was put within the last interval.
type question struct {
	subject subject
	at      time.Time
	lastSeq int64 // the newest event that the asker knew of

	answered chan struct{} // closed when the rest is set
	report   provider.Report
	outcome  Outcome
	err      error
}

// New makes a desk with the ways to the providers of each world. A world
// without one has nobody to ask.
func New(gateways map[account.World]Gateway) *Desk {
	return &Desk{gateways: gateways, asked: map[subject]*question{}}
}

// Ask asks the provider about a connection, unless it was asked within the
// interval. Callers that come while a question is under way share its answer,
// provided that they know of the same events; a report that is based on an
// older state must not be stored over a newer one. The end of ctx ends the wait
// of this caller and nobody else's.
func (d *Desk) Ask(ctx context.Context, q Question) (provider.Report, Outcome, error) {
	gateway, ok := d.gateways[q.Account.World()]
	if !ok {
		return provider.Report{}, Unavailable, nil
	}
	asked, outcome, err := d.put(ctx, gateway, q)
	if asked == nil {
		return provider.Report{}, outcome, err
	}
	select {
	case <-asked.answered:
		return asked.report, asked.outcome, asked.err
	case <-ctx.Done():
		return provider.Report{}, Failed, ctx.Err()
	}
}

// put starts a question or joins the one under way. It is nil when the caller
// has nothing to wait for.
func (d *Desk) put(ctx context.Context, gateway Gateway, q Question) (*question, Outcome, error) {
	about := subject{q.Account, q.Provider.Slug}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(time.Now().Add(-Interval))
	if recent := d.asked[about]; recent != nil {
		if recent.underWay() && recent.lastSeq == q.Connection.LastSeq {
			return recent, "", nil
		}
		return nil, Recent, nil
	}
	if len(d.oldest) >= MaxRecent {
		return nil, Failed, errors.New("too many connections were asked about in a few seconds")
	}
	asked := &question{subject: about, at: time.Now(), lastSeq: q.Connection.LastSeq, answered: make(chan struct{})}
	d.asked[about] = asked
	d.oldest = append(d.oldest, asked)
	go asked.ask(context.WithoutCancel(ctx), gateway, q)
	return asked, "", nil
}

// forget drops the questions that were put at or before a time.
func (d *Desk) forget(until time.Time) {
	i := 0
	for ; i < len(d.oldest) && !d.oldest[i].at.After(until); i++ {
		delete(d.asked, d.oldest[i].subject)
	}
	clear(d.oldest[:i])
	d.oldest = d.oldest[i:]
}

func (q *question) underWay() bool {
	select {
	case <-q.answered:
		return false
	default:
		return true
	}
}

// ask waits for the gateway no longer than Timeout, even for one that does not
// heed its context.
func (q *question) ask(ctx context.Context, gateway Gateway, about Question) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	type answer struct {
		report provider.Report
		err    error
	}
	given := make(chan answer, 1)
	go func() {
		report, err := status(ctx, gateway, about)
		given <- answer{report, err}
	}()
	var a answer
	select {
	case a = <-given:
	case <-ctx.Done():
		a.err = ctx.Err()
	}
	switch {
	case a.err == nil:
		q.report, q.outcome = a.report, Done
	case errors.Is(a.err, ErrUnavailable):
		q.outcome = Unavailable
	default:
		q.outcome, q.err = Failed, fmt.Errorf("ask %s: %w", about.Provider.Slug, a.err)
	}
	close(q.answered)
}

// status is the gateway's answer, once it makes sense. A gateway that panics
// has failed like any other.
func status(ctx context.Context, gateway Gateway, q Question) (report provider.Report, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = fmt.Errorf("the gateway panicked: %v", thrown)
		}
	}()
	if report, err = gateway.Status(ctx, q); err != nil {
		return provider.Report{}, err
	}
	return report, check(report, q.Connection.Status)
}

// check refuses a report that could not be stored, and says why to operators
// too. One that changes nothing needs no name for its event.
func check(r provider.Report, now connection.Status) error {
	status := connection.Status(r.Status)
	silent := status == now && r.Configuration == nil
	switch {
	case !slices.Contains(connection.Statuses, status):
		return &Failure{Reason: "the provider answered a status that does not exist"}
	case !silent && (r.Event == "" || len([]rune(r.Event)) > maxEventLen):
		return &Failure{Reason: fmt.Sprintf("the provider answered without a name of 1 to %d characters for the event", maxEventLen)}
	case r.Configuration != nil && (!json.Valid(r.Configuration) || !bytes.HasPrefix(r.Configuration, []byte("{"))):
		return &Failure{Reason: "the provider answered a configuration that is not a JSON object"}
	}
	return nil
}
