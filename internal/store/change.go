package store

import (
	"context"
	"hash/fnv"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

// Change is a write to one connection.
type Change struct {
	Caller     auth.Caller
	Owner      account.ID // the owner that the path names; zero when the account speaks for itself
	Account    account.ID
	Provider   string       // slug
	ExternalID string       // asks for the event with this external id
	Whole      bool         // load signups and events too
	Key        *Idempotency // nil when none was sent
	Inbox      *Inbox       // the received call that this change judges; nil when it judges none. It has no Key then

	// System says that the service itself writes, such as an answer of a
	// provider: no client is checked, and Caller is not looked at. It has no Key.
	System bool

	// Closed lets the change be made to an account that was deleted, too.
	Closed bool

	// Audit is what is remembered when the connection is written to, unless the
	// decision brings records of its own; its Account, AccountAt, Target and
	// Outcome are filled in. nil remembers nothing.
	Audit *AuditRecord

	// Decide says what is to be written. It must be pure and repeatable: the
	// store may run it again when transactions meet. An error refuses this
	// change and no other. It must not change the bytes that it finds.
	Decide func(Found) (Decision, error)
}

// Found is what stands before a decision. It is a copy, and the decision's own.
type Found struct {
	Account    account.Account
	Connection *connection.Connection // nil when there is none
	Duplicate  *connection.Event      // the event with the external id that was asked for; nil when there is none
	Replayed   bool                   // a call with the digest of Inbox was applied to its signup before
}

// Decision is what a change comes to.
type Decision struct {
	Connection *connection.Connection // nil: write nothing but the idempotency record and what stands below
	Answer     Answer

	Keys     []DataKey     // new keys
	Fields   []SealedField // newly sealed members; those of a configuration replace the version before the one in force
	Tasks    []Task        // things to be done later
	Replaces string        // id of a signup whose steps that are still due are given up; Tasks come in their place
	Verdict  *Verdict      // on the call of Change.Inbox; needed exactly when there is one
	Audit    []AuditRecord // what is to be remembered of this, in the place of Change.Audit
	Erased   string        // id of a signup whose key and fields are destroyed, with the answers kept for its account
}

// Answer is what the client is told of a success, kept under its key.
type Answer struct {
	Header   map[string]string
	Body     []byte
	Kept     []byte // what is kept under the key and given again; nil for Body itself
	Replayed bool   // it was given before; nothing was written this time
}

// Idempotency is the Idempotency-Key of a request. A key means one thing per
// caller, operation and path.
type Idempotency struct {
	Operation, Path, Key string
	Fingerprint          []byte // of everything else in the request
}

// Change writes to a connection and returns when the effect is on disk.
//
// The account must exist, not be deleted unless Closed, be covered by the caller when Owner is zero, and be
// owned by Owner otherwise (the platform owns every account of its world);
// else the fault is Missing. The caller's client must be enabled and have a
// grant for the caller's account; else Denied. A callback token must speak of
// a signup of the very connection; else the fault is Missing. A key that was used with
// another fingerprint is a 422. Unavailable means: try again, with the same
// key. Any other error is Decide's own, or internal.
//
// When ctx ends Change stops waiting; the write goes on.
func (s *Store) Change(ctx context.Context, c Change) (Answer, error) {
	j := &job{change: c, done: make(chan outcome, 1)}
	if err := s.enqueue(j); err != nil {
		return Answer{}, err
	}
	select {
	case out := <-j.done:
		return out.answer, out.err
	case <-ctx.Done():
		return Answer{}, unavailable("the request ended before its outcome was known; retry with the same Idempotency-Key", ctx.Err())
	}
}

// enqueue hands a job to the committer of its account, or refuses it at once.
func (s *Store) enqueue(j *job) error {
	if err := s.sound(); err != nil {
		return err
	}
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return unavailable("the service is stopping", nil)
	}
	select {
	case s.route(j.change.Account).queue <- j:
		return nil
	default:
		return unavailable("too many writes are waiting", nil)
	}
}

// route finds the committer of an account. All writes to one connection go
// through one committer of this process.
func (s *Store) route(id account.ID) *committer {
	h := fnv.New32a()
	h.Write([]byte(id))
	return s.committers[h.Sum32()%uint32(len(s.committers))]
}

// job is a change on its way, and where its outcome goes.
type job struct {
	change Change
	done   chan outcome // holds one, so that answering never waits
}

type outcome struct {
	answer Answer
	err    error
}

// scope is what the job's key is unique in.
func (j *job) scope() scope {
	c := j.change
	return scope{
		account: string(c.Caller.Account), client: c.Caller.Client,
		operation: c.Key.Operation, path: c.Key.Path, key: c.Key.Key,
	}
}

func keyReused() error {
	return fault.New(fault.Invalid, fault.CodeKeyReused,
		"the Idempotency-Key was used before with a different request")
}
