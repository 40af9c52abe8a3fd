package store

import (
	"errors"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/hook"
)

// line is one connection as the batch sees it: what is stored, and what the
// changes so far made of it.
type line struct {
	place
	stored  *connection.Connection // nil when there is none
	head    *connection.Connection // nil when there is none yet; without signups and events
	signups []connection.Signup    // what the batch added, after the stored ones if some change asked for them
	events  []connection.Event     // likewise
	told    []hook.Entry           // what is to be told of them

	oldSignups, oldEvents int              // how many of them were stored before
	moved                 map[int]struct{} // places of the stored ones among signups that a decision changed
	replaced              int64            // version of the configuration in force before the newest one; 0 when none was replaced
	external              map[string]connection.Event
}

// found is the copy that a decision gets.
func (l *line) found(acc account.Account, c Change) Found {
	f := Found{Account: acc}
	if e, ok := l.external[c.ExternalID]; ok && c.ExternalID != "" {
		f.Duplicate = &e
	}
	switch {
	case l.head == nil:
	case c.Whole:
		f.Connection = clone(l.head, l.signups, l.events)
	default:
		f.Connection = clone(l.head, nil, nil)
	}
	return f
}

// take makes a decision the new state of the connection, after checking that
// it only adds to the history.
func (l *line) take(c Change, acc account.Account, decided *connection.Connection, now time.Time) error {
	if decided == nil {
		return nil
	}
	if decided.Account != l.account || decided.Provider != l.provider {
		return errors.New("a decision returned another connection")
	}
	var seq, signup int64
	if l.head != nil {
		seq, signup = l.head.LastSeq, l.head.LastSignup
	}
	events, err := l.newEvents(c, decided, seq)
	if err != nil {
		return err
	}
	signups, err := newSignups(decided, signup)
	if err != nil {
		return err
	}
	changed, err := l.changedSignups(c, decided)
	if err != nil {
		return err
	}
	before := l.head
	for _, e := range events {
		if e.ExternalID != "" {
			l.external[e.ExternalID] = e
		}
		l.told = append(l.told, hook.OfEvent(hook.FeedOwner(acc), before, decided, e, now))
		before = decided
	}
	for _, s := range changed {
		l.replace(s)
	}
	l.events, l.signups = append(l.events, events...), append(l.signups, signups...)
	if l.head != nil && l.head.ConfiguredSeq != decided.ConfiguredSeq {
		l.replaced = l.head.ConfiguredSeq
	}
	l.head = clone(decided, nil, nil)
	return nil
}

// newEvents are the events that a decision added after number last. Their
// numbers must be dense, and an external id must be the one asked for: only
// that one is known to be free.
func (l *line) newEvents(c Change, decided *connection.Connection, last int64) ([]connection.Event, error) {
	var added []connection.Event
	for _, e := range decided.Events {
		if e.Seq <= last && len(added) == 0 {
			continue
		}
		if e.Seq != last+1+int64(len(added)) {
			return nil, errors.New("a decision numbered its events with gaps")
		}
		if !isID(e.ID) {
			return nil, errors.New("a decision made an event whose id is not a UUID in lower case")
		}
		if _, taken := l.external[e.ExternalID]; e.ExternalID != "" && (taken || e.ExternalID != c.ExternalID) {
			return nil, errors.New("a decision used an external id that it did not ask for, or that is taken")
		}
		added = append(added, e)
	}
	if decided.LastSeq != last+int64(len(added)) {
		return nil, errors.New("a decision's last event number is not that of its newest event")
	}
	return added, nil
}

// newSignups are the signups that a decision added after number last.
func newSignups(decided *connection.Connection, last int64) ([]connection.Signup, error) {
	var added []connection.Signup
	for _, s := range decided.Signups {
		if s.Seq <= last && len(added) == 0 {
			continue
		}
		if s.Seq != last+1+int64(len(added)) {
			return nil, errors.New("a decision numbered its signups with gaps")
		}
		if !isID(s.ID) {
			return nil, errors.New("a decision made a signup whose id is not a UUID in lower case")
		}
		added = append(added, s)
	}
	if decided.LastSignup != last+int64(len(added)) {
		return nil, errors.New("a decision's last signup number is not that of its newest signup")
	}
	return added, nil
}

// changedSignups are the known signups that a decision changed. Only one that
// was shown all of them may, and only what follows from their history.
func (l *line) changedSignups(c Change, decided *connection.Connection) ([]connection.Signup, error) {
	if !c.Whole {
		return nil, nil
	}
	var changed []connection.Signup
	for _, s := range decided.Signups[:min(len(decided.Signups), len(l.signups))] {
		if s.Seq < 1 || s.Seq > int64(len(l.signups)) || !sameSignup(s, l.signups[s.Seq-1]) {
			return nil, errors.New("a decision rewrote what a signup is known by")
		}
		if !sameRow(s, l.signups[s.Seq-1]) {
			changed = append(changed, s)
		}
	}
	return changed, nil
}

// replace puts the new state of a known signup in the place of the old one.
func (l *line) replace(s connection.Signup) {
	i := int(s.Seq - 1)
	l.signups[i] = s
	if i < l.oldSignups {
		if l.moved == nil {
			l.moved = map[int]struct{}{}
		}
		l.moved[i] = struct{}{}
	}
}
