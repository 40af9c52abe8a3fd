package connection

import (
	"bytes"

	"mooring/internal/fault"
	"mooring/internal/provider"
)

// Message is what a provider said of one signup.
type Message struct {
	Signup        string   // id of the signup, which is the callback's reference
	Event         NewEvent // what is recorded; Signup and Rule are filled in here
	Configuration []byte   // JSON object of what may rest in clear; nil when nothing was said of it
	Final         bool     // it completes the signup, as a documented callback does
	Secret        bool     // the configuration brings secrets, which are not in Configuration
	Bare          int64    // the number of the event that brought a configuration without a secret; 0 when it is not known
}

// Hear takes in what a provider said of one signup. In the single model only
// the newest one can be spoken of. A signup that was completed is not
// completed again, nor reconfigured, while the connection is enabled: a
// connection in use is never pointed elsewhere without a new signup. One that
// has no configuration yet, or one without any of its secrets, may still be given
// its first: nothing can be in use that has no keys. What
// completes a signup happened when it was heard, unless it says otherwise: a
// report of before that comes later is stale, and then nothing but the event
// is recorded. It is Missing when there is no such signup. c must have been loaded whole.
func Hear(c *Connection, p *provider.Provider, in Message, act Act) (Event, error) {
	s := c.Find(in.Signup)
	if s == nil {
		return Event{}, fault.Missing()
	}
	if !p.Signup.Many && s.Seq != c.LastSignup {
		return Event{}, fault.New(fault.Invalid, fault.CodeSignupReplaced, "the signup was replaced by a newer one")
	}
	changes := in.Final || in.Configuration != nil
	first := in.Configuration != nil && (c.Configuration == nil || in.Secret && in.Bare != 0 && in.Bare == c.ConfiguredSeq)
	if changes && c.Status == Enabled && !s.CallbackAt.IsZero() && !first {
		return Event{}, enabled("the connection is enabled, and this signup was completed before; it takes a new signup to change it")
	}
	in.Event.Signup, in.Event.Rule = s.Seq, p.Signup.Rule
	if in.Final && in.Event.OccurredAt.IsZero() {
		in.Event.OccurredAt = later(act.At, c.OccurredAt)
	}
	e, err := Append(c, p, in.Event, act)
	if err != nil || e.Stale {
		return e, err
	}
	if changes {
		s.CallbackAt = e.CreatedAt
	}
	if in.Configuration != nil {
		c.configure(in.Configuration, e)
	}
	return e, nil
}

// configure puts a configuration in force.
func (c *Connection) configure(configuration []byte, brought Event) {
	c.Configuration, c.ConfiguredSeq = configuration, brought.Seq
}

// ApplyReport takes in what a provider answered about a connection's status.
// It records an event only when the report changes the status or the
// configuration, and says whether it did.
func ApplyReport(c *Connection, p *provider.Provider, r provider.Report, act Act) (bool, error) {
	status := Status(r.Status)
	configured := r.Configuration != nil && (r.Renewed || !bytes.Equal(r.Configuration, c.Configuration))
	if status == c.Status && !configured {
		return false, nil
	}
	e, err := Append(c, p, NewEvent{Status: status, Name: r.Event, Code: r.Code, ProviderCode: r.ProviderCode}, act)
	if err != nil {
		return false, err
	}
	if configured {
		c.configure(r.Configuration, e)
	}
	return true, nil
}
