package connection

import (
	"time"

	"mooring/internal/fault"
	"mooring/internal/provider"
)

// Stand is where a connection stands, kept with it so that a list needs no
// history: what TurnOf says as long as no link has ended, and who looks after
// it. It is as the provider's file had it when the event came.
type Stand struct {
	Event string    // name of the event that the connection stands at; "" once its account is closed
	Since time.Time // when it came; zero in rows that were not placed yet
	Turn  string    // merchant, partner, provider or operator; "" when nobody must act
	Due   time.Time // when that is usually done; zero when it can't be said
	Code  string    // reason code; "" when none is known

	Assignee     string    // who looks after it; "" for nobody
	SnoozedUntil time.Time // when it is to be shown again, by the account's own time; zero when it is shown
}

// Counted says whether a connection stands anywhere: it was placed, and its
// account was not closed.
func (s Stand) Counted() bool { return s.Event != "" }

// Open says whether a connection waits for something: it is settled only once
// it is enabled and nobody must act.
func (c *Connection) Open() bool {
	return c.Stand.Counted() && (c.Status != Enabled || c.Stand.Turn != "")
}

// Close records that the account of a connection was closed. The status stays;
// from then on the connection waits for nobody. A full history does not keep an
// account from being closed.
func Close(c *Connection, act Act) Event {
	e := c.record(nil, NewEvent{Status: c.Status, Name: AccountClosed}, act)
	c.Stand = Stand{Since: e.CreatedAt}
	return e
}

// Place gives a connection the stand that its history says, when it has none.
// It says whether it had none. c must have been loaded whole.
func (c *Connection) Place(p *provider.Provider) bool {
	if !c.Stand.Since.IsZero() || len(c.Events) == 0 {
		return false
	}
	c.standAt(c.standsAt(), p)
	return true
}

// standAt moves the stand to an event. What was put off is looked at again,
// and nobody looks after what is settled.
func (c *Connection) standAt(e Event, p *provider.Provider) {
	t := turnAt(e, p)
	who := c.Stand.Assignee
	c.Stand = Stand{Event: e.Name, Since: t.Since, Turn: t.Who, Due: t.Due, Code: t.Code, Assignee: who}
	if !c.Open() {
		c.Stand.Assignee = ""
	}
}

// MaxSnooze is how far ahead a connection may be put off.
const MaxSnooze = 366 * 24 * time.Hour

// Assign says who looks after a connection from now on; "" for nobody.
func (c *Connection) Assign(who string) error {
	if who != "" && !c.Open() {
		return settled()
	}
	c.Stand.Assignee = who
	return nil
}

// Snooze puts a connection off until a time of the account's own; the zero time
// ends that. What happens to the connection ends it too.
func (c *Connection) Snooze(until, now time.Time) error {
	if !until.IsZero() && !c.Open() {
		return settled()
	}
	if !until.IsZero() && (!until.After(now) || until.After(now.Add(MaxSnooze))) {
		return fault.Refused(fault.Problem{
			In: "body", Name: "until", Path: "#/until", Code: "OUT_OF_RANGE",
			Message: "until must lie ahead, by the account's own time, and not more than 366 days",
		})
	}
	c.Stand.SnoozedUntil = until
	return nil
}

// settled is the refusal of what makes no sense once nobody has to act.
func settled() error {
	return fault.New(fault.Conflict, fault.CodeConflict, "the connection is settled: nobody has to act")
}
