package connection

import (
	"errors"
	"time"

	"mooring/internal/fault"
	"mooring/internal/provider"
)

// MaxAhead is how far in the future an occurred_at may lie. One further ahead
// would make every later event of the connection stale.
const MaxAhead = 24 * time.Hour

var errNameless = errors.New("an event needs a name")

// NewEvent is what a sender says of an event.
type NewEvent struct {
	Status      Status
	Name        string
	Description *string
	Metadata    []byte
	ExternalID  string
	OccurredAt  time.Time
	Reason      string

	Signup       int64 // number of the signup it is about; 0 for the whole connection
	Code         string
	ProviderCode string
	Rule         provider.Rule // how the status of one signup becomes the connection's; "" is provider.LastEvent
}

// Append adds an event and folds it into the status. The last event wins,
// unless it says that it occurred before the newest one that also said so: then
// it is recorded as stale and the status stays. An event about one signup of
// several goes by in.Rule; with provider.AnyEnabled c must have been loaded
// whole. Whose turn it is then is read off the file of p; it may be nil when
// that is not known.
func Append(c *Connection, p *provider.Provider, in NewEvent, act Act) (Event, error) {
	if in.OccurredAt.After(act.At.Add(MaxAhead)) {
		return Event{}, fault.Refused(fault.Problem{
			In: "body", Name: "occurred_at", Path: "#/occurred_at", Code: "OUT_OF_RANGE",
			Message: "occurred_at lies more than 24 hours in the future",
		})
	}
	if in.Name == "" {
		return Event{}, errNameless
	}
	if c.LastSeq >= MaxEvents {
		return Event{}, fault.New(fault.Invalid, fault.CodeLimitReached, "a connection holds at most %d events", MaxEvents)
	}
	size := int64(len(in.Name) + len(in.Metadata) + len(in.Reason) + len(in.ProviderCode))
	if in.Description != nil {
		size += int64(len(*in.Description))
	}
	if err := c.grow(size); err != nil {
		return Event{}, err
	}
	return c.record(p, in, act), nil
}

// record adds an event, whatever the history holds already.
func (c *Connection) record(p *provider.Provider, in NewEvent, act Act) Event {
	e := Event{
		Seq: c.LastSeq + 1, ID: act.NewID(), Status: in.Status, Name: in.Name,
		Description: in.Description, Metadata: in.Metadata,
		CreatedAt: later(act.At, c.LastEventAt), CreatedBy: act.By,
		ExternalID: in.ExternalID, OccurredAt: in.OccurredAt,
		Stale: in.OccurredAt.Before(c.OccurredAt) && !in.OccurredAt.IsZero() && !c.OccurredAt.IsZero(), Reason: in.Reason,
		Signup: in.Signup, Code: in.Code, ProviderCode: in.ProviderCode,
	}
	c.Events = append(c.Events, e)
	c.fold(p, e, in.Rule)
	return e
}

// grow counts what a sender adds to the history. A connection is read whole, so
// its history has to stay of a size that can be.
func (c *Connection) grow(size int64) error {
	if c.History+size > MaxHistory {
		return fault.New(fault.Invalid, fault.CodeLimitReached, "the events and signups of a connection hold at most %d bytes", MaxHistory)
	}
	c.History += size
	return nil
}

// EffectOf says what storing e did.
func EffectOf(e Event) Effect {
	if e.Stale {
		return Stale
	}
	return Applied
}

// fold takes one more event into the derived facts of the connection.
func (c *Connection) fold(p *provider.Provider, e Event, rule provider.Rule) {
	c.LastSeq, c.LastEventAt = e.Seq, e.CreatedAt
	c.UpdatedAt = later(e.CreatedAt, c.UpdatedAt)
	if e.Stale {
		return
	}
	before := c.Status
	c.Status = c.statusAfter(e, rule)
	c.OccurredAt = later(e.OccurredAt, c.OccurredAt)
	if !e.remark() || c.Status != before { // in an imported history another system may mean something else by the name
		c.standAt(e, p)
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
