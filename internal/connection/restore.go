package connection

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/provider"
)

// Imported is the event that the service records where the events of an
// imported connection do not lead to the status that it has.
const Imported = "imported"

// Past is a connection as another system kept it. What is zero was not said.
type Past struct {
	Status        Status
	CreatedAt     time.Time
	CreatedBy     string
	UpdatedAt     time.Time
	Metadata      []byte
	Configuration []byte
	Signups       []PastSignup // oldest first
	Events        []PastEvent  // in any order; those of one moment in theirs
}

// PastSignup is an application of before.
type PastSignup struct {
	Application
	CreatedAt, CallbackAt, ExpiresAt time.Time
}

// PastEvent is an event of before, with the time and the author that it had.
type PastEvent struct {
	NewEvent
	ID, By string
	At     time.Time
}

// Restore makes a connection of its past: the same history, folded by the rules
// of today. Each signup is introduced by an event, one is recorded where none
// was kept, and a last one where the events do not lead to the status. idOf
// names the event of a number that has no id of its own. What can't have been
// is refused with all problems that were found; their paths are within the past.
func Restore(id account.ID, p *provider.Provider, past Past, idOf func(seq int64) string, act Act) (*Connection, error) {
	if problems := past.impossible(act.At); len(problems) > 0 {
		return nil, fault.Refused(problems...)
	}
	r := restoring{past: past, provider: p, idOf: idOf, act: act, c: &Connection{Account: id, Provider: p.Slug, Schema: p.Schema, Status: Pending}}
	if err := r.relive(); err != nil {
		return nil, err
	}
	return r.c, r.settle()
}

// oldest is before everything that a computer was told when it happened.
var oldest = time.Unix(0, 0)

// impossible lists what can't have been.
func (past Past) impossible(now time.Time) []fault.Problem {
	var found []fault.Problem
	add := func(path, code, message string) {
		found = append(found, fault.Problem{In: "body", Path: path, Code: code, Message: message})
	}
	early := func(path string, at time.Time) {
		if at.After(now) {
			add(path, "OUT_OF_RANGE", "lies in the future")
		}
		if !at.IsZero() && at.Before(oldest) {
			add(path, "OUT_OF_RANGE", "lies before 1970")
		}
	}
	if past.CreatedAt.IsZero() && len(past.Events) == 0 {
		add("/created_at", "OBJECT_MISSING_REQUIRED_PROPERTY", "is needed where there are no events")
	}
	early("/created_at", past.CreatedAt)
	early("/updated_at", past.UpdatedAt)
	if !past.UpdatedAt.IsZero() && past.UpdatedAt.Before(past.CreatedAt) {
		add("/updated_at", "OUT_OF_RANGE", "lies before created_at")
	}
	var before time.Time
	keys, ids := map[string]bool{}, map[string]bool{}
	for i, s := range past.Signups {
		at := fmt.Sprintf("/signups/%d", i)
		early(at+"/created_at", s.CreatedAt)
		early(at+"/callback_at", s.CallbackAt)
		if !s.CreatedAt.IsZero() && s.CreatedAt.Before(before) {
			add(at+"/created_at", "OUT_OF_RANGE", "lies before that of the signup before it; the oldest comes first")
		}
		if s.Key != "" && keys[s.Key] || ids[s.ID] {
			add(at, "DUPLICATE", "is a signup that stands there already")
		}
		keys[s.Key], ids[s.ID], before = true, true, later(s.CreatedAt, before)
	}
	external := map[string]bool{}
	for i, e := range past.Events {
		at := fmt.Sprintf("/events/%d", i)
		early(at+"/created_at", e.At)
		if e.ID != "" && ids[e.ID] {
			add(at+"/id", "DUPLICATE", "is the id of something else in this connection")
		}
		if external[e.ExternalID] && e.ExternalID != "" {
			add(at+"/external_id", "DUPLICATE", "is that of another event of this connection")
		}
		if e.Signup > int64(max(len(past.Signups), 1)) {
			add(at+"/signup", "OUT_OF_RANGE", "is the number of no signup of this connection")
		}
		ids[e.ID], external[e.ExternalID] = true, true
	}
	return found
}

// restoring is a connection on its way back.
type restoring struct {
	past     Past
	provider *provider.Provider
	idOf     func(seq int64) string
	act      Act
	c        *Connection
}

// moment is one event of the past, or the introduction of a signup.
type moment struct {
	PastEvent
	introduces int64 // number of the signup that came with it; 0 when none did
}

// relive records all events again, in their order.
func (r *restoring) relive() error {
	for _, m := range r.moments() {
		if m.introduces > 0 {
			if err := r.introduce(m); err != nil {
				return err
			}
			continue
		}
		if m.Signup > r.c.LastSignup {
			return fault.Refused(fault.Problem{
				In: "body", Path: "/events", Code: "OUT_OF_RANGE", Message: "hold an event about a signup that came before the signup",
			})
		}
		if err := r.append(m.PastEvent); err != nil {
			return err
		}
	}
	return nil
}

// moments puts events and signups in one order. The events that introduce
// signups are those of that name, in order, and new ones where there are fewer.
func (r *restoring) moments() []moment {
	events := slices.Clone(r.past.Events)
	slices.SortStableFunc(events, func(a, b PastEvent) int { return a.At.Compare(b.At) })
	first := r.past.CreatedAt
	if first.IsZero() || len(events) > 0 && events[0].At.Before(first) {
		first = events[0].At
	}
	var all []moment
	signups := int64(max(len(r.past.Signups), 1))
	next, latest := int64(1), first
	for _, e := range events {
		m := moment{PastEvent: e}
		if e.Name == SignupReceived && next <= signups && (e.Signup == 0 || e.Signup == next) {
			m.introduces, next = next, next+1
			if m.introduces == 1 {
				m.At = events[0].At
			}
			latest = later(m.At, latest)
		}
		all = append(all, m)
	}
	for ; next <= signups; next++ {
		at := first
		if next > 1 {
			at = later(r.past.Signups[next-1].CreatedAt, latest)
		}
		latest = at
		all = append(all, moment{introduces: next, PastEvent: PastEvent{At: at, NewEvent: NewEvent{Status: r.introduced(), Name: SignupReceived}}})
	}
	slices.SortStableFunc(all, func(a, b moment) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(order(a), order(b)))
	})
	return all
}

// introduced is the status that a signup comes with whose event was not kept: a
// new one of several never disturbs an enabled connection.
func (r *restoring) introduced() Status {
	if r.provider.Signup.Many && r.past.Status == Enabled {
		return Enabled
	}
	return Pending
}

// order lets signups come before what is said of them in the same moment.
func order(m moment) int64 {
	if m.introduces > 0 {
		return m.introduces - MaxSignups - 1
	}
	return 0
}

// introduce adds the next signup with its event.
func (r *restoring) introduce(m moment) error {
	c, seq := r.c, m.introduces
	if seq > MaxSignups {
		return fault.New(fault.Invalid, fault.CodeLimitReached, "a connection holds at most %d signups", MaxSignups)
	}
	var s PastSignup
	if len(r.past.Signups) > 0 {
		s = r.past.Signups[seq-1]
	}
	if s.ID == "" {
		s.ID = r.idOf(-seq)
	}
	if s.Data == nil {
		s.Data = []byte(`{}`)
	}
	if err := c.grow(int64(len(s.Data))); err != nil {
		return err
	}
	m.Signup = seq
	if err := r.append(m.PastEvent); err != nil {
		return err
	}
	if s.CreatedAt.IsZero() {
		s.CreatedAt = c.LastEventAt
	}
	if s.ExpiresAt.IsZero() {
		s.ExpiresAt = s.CreatedAt.Add(SignupLife)
	}
	c.LastSignup = seq
	c.Signups = append(c.Signups, Signup{
		Seq: seq, ID: s.ID, Key: s.Key, Data: s.Data, Digest: s.Digest, Token: r.act.NewToken(), Schema: r.provider.Schema,
		CreatedAt: s.CreatedAt, CreatedBy: cmp.Or(m.By, r.past.CreatedBy, r.act.By), CallbackAt: s.CallbackAt, ExpiresAt: s.ExpiresAt,
	})
	return nil
}

// append records one event at its own time.
func (r *restoring) append(e PastEvent) error {
	at := Act{At: e.At, By: cmp.Or(e.By, r.past.CreatedBy, r.act.By), NewID: func() string { return cmp.Or(e.ID, r.idOf(r.c.LastSeq+1)) }}
	if e.Signup > 0 && e.Name != SignupReceived {
		e.Rule = r.provider.Signup.Rule
	}
	_, err := Append(r.c, r.provider, e.NewEvent, at)
	return err
}

// settle leads the connection to where it stands, and gives it what is in force.
func (r *restoring) settle() error {
	c, past := r.c, r.past
	if past.Status != "" && c.Status != past.Status {
		at := later(past.UpdatedAt, c.LastEventAt)
		if err := r.append(PastEvent{At: at, NewEvent: NewEvent{Status: past.Status, Name: Imported}}); err != nil {
			return err
		}
	}
	if past.Configuration != nil {
		c.configure(past.Configuration, c.brought())
	}
	c.CreatedAt, c.CreatedBy = past.CreatedAt, cmp.Or(past.CreatedBy, r.act.By)
	if c.CreatedAt.IsZero() || c.CreatedAt.After(c.Events[0].CreatedAt) {
		c.CreatedAt = c.Events[0].CreatedAt
	}
	c.UpdatedAt, c.Metadata = later(past.UpdatedAt, c.LastEventAt), past.Metadata
	return nil
}

// brought is the event that a configuration of before is taken to have come
// with: the newest that enabled the connection, else the newest of all.
func (c *Connection) brought() Event {
	for i := len(c.Events) - 1; i >= 0; i-- {
		if e := c.Events[i]; e.Status == Enabled && !e.Stale {
			return e
		}
	}
	return c.Events[len(c.Events)-1]
}

// Continues says whether a connection is the one that was made of the past, or
// what became of it since. Both must be whole.
func (c *Connection) Continues(past *Connection) bool {
	if len(c.Events) < len(past.Events) || len(c.Signups) < len(past.Signups) || !c.CreatedAt.Equal(past.CreatedAt) {
		return false
	}
	for i, e := range past.Events {
		if !e.tellsSame(c.Events[i]) {
			return false
		}
	}
	for i, s := range past.Signups {
		is := c.Signups[i]
		if s.ID != is.ID || s.Key != is.Key || is.ErasedAt.IsZero() && !(bytes.Equal(s.Data, is.Data) && bytes.Equal(s.Digest, is.Digest)) {
			return false
		}
	}
	return c.LastSeq > past.LastSeq ||
		c.ConfiguredSeq == past.ConfiguredSeq && bytes.Equal(c.Configuration, past.Configuration) && bytes.Equal(c.Metadata, past.Metadata)
}

// tellsSame says whether two events are one fact, whoever wrote it down.
func (e Event) tellsSame(other Event) bool {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return e.ID == other.ID && e.Status == other.Status && e.Name == other.Name && e.CreatedAt.Equal(other.CreatedAt) &&
		text(e.Description) == text(other.Description) && bytes.Equal(e.Metadata, other.Metadata) &&
		e.ExternalID == other.ExternalID && e.OccurredAt.Equal(other.OccurredAt) && e.Code == other.Code &&
		e.ProviderCode == other.ProviderCode && e.Signup == other.Signup
}
