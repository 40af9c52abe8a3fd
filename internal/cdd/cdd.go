// Package cdd keeps the rules of cases: a customer's due diligence, which an
// account asks for and somebody decides.
//
// It owns what a case is, how it moves, which outcomes a test account may ask
// for, and how much a case may hold. It promises that the events of a case are
// numbered without a gap and never go back in time. It must never decide for
// production how a case ends, and never do I/O.
package cdd

import (
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// Status says where a case stands.
type Status string

// The statuses, as documented. Active means approved.
const (
	Active                Status = "ACTIVE"
	Declined              Status = "DECLINED"
	UnderManualReview     Status = "UNDER_MANUAL_REVIEW"
	AutomaticReview       Status = "AUTOMATIC_REVIEW"
	WaitingForSignature   Status = "WAITING_FOR_SIGNATURE"
	WaitingForDeclaration Status = "WAITING_FOR_DECLARATION"
	Failed                Status = "ERROR"
	Archived              Status = "ARCHIVED"
	WaitingForDetails     Status = "WAITING_FOR_DETAILS"
	Terminated            Status = "TERMINATED"
)

// The events of a case.
const (
	Created = "case_created"
	Updated = "case_updated"
)

// How much an account's cases may hold.
const (
	MaxCases  = 1000    // of one account
	MaxEvents = 200     // of one case
	MaxBytes  = 4 << 20 // of what was sent about all cases of one account
)

// outcomes is what a test account may put in payout_destination_description
// to have its case decided at once.
var outcomes = map[string]Status{
	"AUTO_APPROVE":               Active,
	"AUTO_DECLINE":               Declined,
	"AUTO_WAITING_FOR_SIGNATURE": WaitingForSignature,
}

// Case is one application for due diligence.
type Case struct {
	Account   account.ID
	ID        string // UUIDv7
	Request   []byte // what was asked for: a canonical JSON object
	Events    []Event
	CreatedAt time.Time
	CreatedBy string
	UpdatedAt time.Time
}

// Event is one fact in the life of a case.
type Event struct {
	ID        int    // counts from 1
	RequestID string // of the request that it came with
	Name      string
	At        time.Time
	Status    Status // where the case stands from now on
	Error     string // what went wrong; "" when nothing did
	Detail    []byte // JSON object from whoever decided; nil when none
}

// Request is a case as it is asked for.
type Request struct {
	ID          string // of the case that it becomes
	RequestID   string
	Data        []byte // a canonical JSON object
	Description string // of the payout destination
}

// Open makes a case. It waits for a person, unless a test account asks for an
// outcome.
func Open(id account.ID, in Request, at time.Time, by string) Case {
	c := Case{Account: id, ID: in.ID, Request: in.Data, CreatedAt: at, CreatedBy: by}
	outcome, magic := outcomes[in.Description]
	if !magic || id.World() != account.Test {
		c.record(Event{RequestID: in.RequestID, Name: Created, Status: UnderManualReview}, at)
		return c
	}
	c.record(Event{RequestID: in.RequestID, Name: Created, Status: AutomaticReview}, at)
	c.record(Event{RequestID: in.RequestID, Name: Updated, Status: outcome}, at)
	return c
}

// Move records that a case stands elsewhere now; any status may follow any.
func (c *Case) Move(e Event, at time.Time) error {
	if len(c.Events) >= MaxEvents {
		return fault.New(fault.Invalid, fault.CodeLimitReached, "a case holds at most %d events", MaxEvents)
	}
	e.Name = Updated
	c.record(e, at)
	return nil
}

// Status is where the case stands.
func (c Case) Status() Status { return c.Events[len(c.Events)-1].Status }

func (c *Case) record(e Event, at time.Time) {
	if at.Before(c.UpdatedAt) {
		at = c.UpdatedAt // a clock that steps back must not turn the history around
	}
	e.ID, e.At = len(c.Events)+1, at
	c.Events, c.UpdatedAt = append(c.Events, e), at
}

// Room refuses what an account has no room for: how many cases it would have,
// and how many bytes they would hold.
func Room(cases int, bytes int64) error {
	switch {
	case cases > MaxCases:
		return fault.New(fault.Invalid, fault.CodeLimitReached, "an account has at most %d cases", MaxCases)
	case bytes > MaxBytes:
		return fault.New(fault.Invalid, fault.CodeLimitReached, "the cases of an account hold at most %d bytes", MaxBytes)
	}
	return nil
}

// Registry says what signups that name a case ask of it.
type Registry string

// The registries.
const (
	Off          Registry = "off"    // nothing: the documentation does not say that it exists
	MustExist    Registry = "exists" // that the account has it
	MustBeActive Registry = "active" // that it was approved, too
)

// Admit refuses a signup for a case; c is nil when the account has no such one.
func (r Registry) Admit(c *Case) error {
	switch {
	case r == Off || r == "":
		return nil
	case c == nil:
		return fault.New(fault.Invalid, fault.CodeCaseUnknown, "the account has no case with this case_id; open one first")
	case r == MustBeActive && c.Status() != Active:
		return fault.New(fault.Invalid, fault.CodeCaseNotActive, "the case stands at %s; it must be %s before signing up", c.Status(), Active)
	}
	return nil
}
