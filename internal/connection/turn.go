package connection

import (
	"time"

	"mooring/internal/provider"
)

// Language is the one that texts are shown in until a caller can choose.
const Language = "en"

// Turn says why a connection stands where it does, and who must act next.
type Turn struct {
	Since        time.Time // of the event that the connection stands at
	Event        string    // its name
	Who          string    // merchant, partner, provider or operator; "" when nobody must act
	Due          time.Time // when that is usually done; zero when it can't be said
	Code         string    // reason code; "" when none is known
	ProviderCode string
	Retryable    bool   // whether a new signup may succeed
	Meaning      string // for people; "" when the file does not know the event
	Next         string // for people; "" when there is nothing to do
}

// TurnOf reads the turn off the newest event that was applied: what its sender
// said, then what the provider's file knows of it, then what is known of its
// reason. Nobody is sent to a link that has ended by now, a time of the
// account. c must have been loaded whole.
func TurnOf(c *Connection, p *provider.Provider, now time.Time) Turn {
	return turnAt(c.standsAt(), p).by(now, c.Status, c.newest().ExpiresAt)
}

// TurnAt reads the turn off a connection's stand, without its history and what
// the provider's own code was; linkEnds is when its newest signup's link does.
// Who must act, by when and why is as it was when the event came; what it means
// and what is next is what the provider's file says now. p may be nil.
func TurnAt(status Status, s Stand, p *provider.Provider, linkEnds, now time.Time) Turn {
	e := Event{Name: s.Event, CreatedAt: s.Since}
	if p == nil || s.Code != p.Events[s.Event].Reason {
		e.Code = s.Code
	}
	t := turnAt(e, p)
	t.Who, t.Due, t.Code = s.Turn, s.Due, s.Code
	return t.by(now, status, linkEnds)
}

// by is the turn at a time, when the link may have ended that it depends on.
func (t Turn) by(now time.Time, status Status, linkEnds time.Time) Turn {
	if status == Pending && t.atLink() && !now.Before(linkEnds) {
		return t.tooLate()
	}
	return t
}

// turnAt reads the turn off one event, whatever the hour. p may be nil.
func turnAt(e Event, p *provider.Provider) Turn {
	var known provider.Known
	if p != nil {
		known = p.Events[e.Name]
	}
	t := Turn{
		Since: e.CreatedAt, Event: e.Name, Who: known.Turn, Code: e.Code, ProviderCode: e.ProviderCode,
		Meaning: known.Meaning[Language], Next: known.Next[Language],
	}
	if t.Code == "" {
		t.Code = known.Reason
	}
	if known.Wait > 0 {
		t.Due = e.CreatedAt.Add(known.Wait)
	}
	if reason, ok := provider.ReasonOf(t.Code); ok {
		t.explain(reason, e.Code != "" && e.Code != known.Reason)
	}
	return t
}

// atLink says whether the merchant must follow the signup's link.
func (t Turn) atLink() bool {
	return t.Who == "merchant" && (t.Code == "" || t.Code == "signature_required")
}

// tooLate is the turn once the link has ended that the merchant had to follow.
func (t Turn) tooLate() Turn {
	late := Turn{Since: t.Since, Event: t.Event, Code: "link_expired"}
	if reason, ok := provider.ReasonOf(late.Code); ok {
		late.explain(reason, true)
	}
	return late
}

// explain adds what is known of the reason. One that the sender named knows
// better than the file what to do.
func (t *Turn) explain(r provider.Reason, named bool) {
	t.Retryable = r.Retryable
	if named || t.Who == "" && t.Next == "" {
		t.Who, t.Next = r.Turn, r.Next[Language]
	}
	if t.Meaning == "" {
		t.Meaning = r.Meaning[Language]
	}
}

// standsAt is the newest event that was applied and is not only bookkeeping.
func (c *Connection) standsAt() Event {
	for i := len(c.Events) - 1; i > 0; i-- {
		if e := c.Events[i]; !e.Stale && !e.remark() {
			return e
		}
	}
	return c.Events[0]
}
