package store

import (
	"bytes"
	"cmp"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"mooring/internal/fault"
)

// call is a received call as the batch sees it: as it is stored, and what the
// changes so far judged of it.
type call struct {
	place
	id, signup string
	digest     []byte // nil once its signup was erased
	judgedAt   time.Time
	attempts   int64
	verdict    Verdict

	judged bool // by this batch
}

// callID names a received call.
type callID struct {
	place
	id string
}

// said is what a provider said of a signup, by its digest. It counts once.
type said struct {
	place
	signup, digest string
}

func (c *call) said() said { return said{c.place, c.signup, string(c.digest)} }

// inbox is the received calls that a batch judges, and what was applied of the
// same words before.
type inbox struct {
	calls   map[callID]*call
	applied map[said]bool
}

func (in *inbox) scan(r row) error {
	var (
		c       call
		judged  sql.NullInt64
		applied bool
	)
	err := r.Scan(&c.account, &c.provider, &c.id, &c.signup, &c.digest, &judged, &c.attempts, &c.verdict.State,
		&c.verdict.Effect, &c.verdict.Event, &c.verdict.Code, &c.verdict.Reason, &applied)
	c.judgedAt = instant(judged)
	in.calls[callID{c.place, c.id}] = &c
	if applied {
		in.applied[c.said()] = true
	}
	return err
}

// find is the call that a change judges, and whether the same was applied
// before; nil when it judges none.
func (in *inbox) find(c Change) (*call, bool, error) {
	if c.Inbox == nil {
		return nil, false, nil
	}
	if c.Key != nil {
		return nil, false, errors.New("a change that judges a call has a key: the call's digest tells whether it came before")
	}
	found := in.calls[callID{place{c.Account, c.Provider}, c.Inbox.ID}]
	if found == nil {
		return nil, false, fault.Missing()
	}
	if found.signup != c.Inbox.Signup || found.digest != nil && !bytes.Equal(found.digest, c.Inbox.Digest) {
		return nil, false, errors.New("a change names another call than was received")
	}
	return found, found.verdict.State == VerdictApplied || found.digest != nil && in.applied[found.said()], nil
}

// judge takes a verdict in. What was applied stays applied, whatever is said
// of a later look at it.
func (in *inbox) judge(c *call, v Verdict, now time.Time) {
	c.judged, c.attempts = true, c.attempts+1
	if c.verdict.State == VerdictApplied {
		return
	}
	c.verdict, c.judgedAt = v, now
	if v.State == VerdictApplied && c.digest != nil {
		in.applied[c.said()] = true
	}
}

// rows are the judged calls as callJudged takes them.
func (in *inbox) rows() [][]any {
	var judged []*call
	for _, c := range in.calls {
		if c.judged {
			judged = append(judged, c)
		}
	}
	slices.SortFunc(judged, func(a, b *call) int { return cmp.Or(a.place.compare(b.place), strings.Compare(a.id, b.id)) })
	rows := make([][]any, len(judged))
	for i, c := range judged {
		rows[i] = []any{
			string(c.account), c.provider, c.id, micros(c.judgedAt), c.attempts, c.verdict.State, c.verdict.Effect,
			c.verdict.Event, c.verdict.Code, c.verdict.Reason,
		}
	}
	return rows
}
