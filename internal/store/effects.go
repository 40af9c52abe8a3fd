package store

import (
	"context"
	"errors"
)

// effects are what the decisions of a batch write beside their connections.
// Most batches have none, and run no statement for them.
type effects struct {
	keys     []DataKey
	fields   []SealedField
	tasks    []Task
	audit    []AuditRecord
	replaced []reference
	erased   []erasure
}

// reference names a signup by its id.
type reference struct {
	place
	id string
}

// erasure is the end of a person behind a signup.
type erasure struct{ reference }

// checkEffects refuses a decision that would write what is not its own.
func checkEffects(c Change, l *line, d Decision) error {
	if (c.Inbox == nil) != (d.Verdict == nil) {
		return errors.New("a decision has a verdict and no call, or a call and no verdict")
	}
	if v := d.Verdict; v != nil && v.State != VerdictApplied && v.State != VerdictRefused {
		return errors.New("a decision's verdict is neither applied nor refused")
	}
	for _, k := range d.Keys {
		if k.Account != c.Account || !isID(k.ID) || k.Subject != "" && !isID(k.Subject) {
			return errors.New("a decision made a key that is not of its account, or has no UUIDs")
		}
	}
	for _, f := range d.Fields {
		if f.Account != c.Account || f.Provider != c.Provider || !isID(f.Key) {
			return errors.New("a decision sealed a field of another connection, or under no key")
		}
		if f.Holder == "" && (f.Version == 0 || f.Version != l.configured(d)) || f.Holder != "" && (f.Version != 0 || !isID(f.Holder)) {
			return errors.New("a decision sealed a field of no signup, or of a configuration that is not in force")
		}
	}
	for _, t := range d.Tasks {
		if t.Account != c.Account || t.Provider != c.Provider || !isID(t.ID) || !isID(t.Signup) || t.State != TaskDue ||
			t.Kind != TaskSubmit && t.Kind != TaskStep && t.Kind != TaskBatch {
			return errors.New("a decision made a task that is not of its connection, not due, or of an unknown kind")
		}
	}
	for _, r := range d.Audit {
		if !isID(r.ID) {
			return errNoUUID
		}
	}
	if d.Replaces != "" && !isID(d.Replaces) || d.Erased != "" && !isID(d.Erased) {
		return errNoUUID
	}
	return nil
}

// configured is the version of the configuration that a decision leaves in
// force.
func (l *line) configured(d Decision) int64 {
	switch {
	case d.Connection != nil:
		return d.Connection.ConfiguredSeq
	case l.head != nil:
		return l.head.ConfiguredSeq
	}
	return 0
}

// add takes in what a decision writes beside its connection.
func (e *effects) add(p place, d Decision) {
	if d.Replaces != "" {
		r := reference{p, d.Replaces}
		e.replaced = append(e.replaced, r)
		for i := range e.tasks {
			if t := &e.tasks[i]; t.Kind == TaskStep && t.Account == p.account && t.Provider == p.provider && t.Signup == r.id {
				t.State = TaskGaveUp
			}
		}
	}
	e.keys, e.fields = append(e.keys, d.Keys...), append(e.fields, d.Fields...)
	e.tasks, e.audit = append(e.tasks, d.Tasks...), append(e.audit, d.Audit...)
	if d.Erased != "" {
		e.erased = append(e.erased, erasure{reference{p, d.Erased}})
	}
}

// write stores them. It comes after the connections and signups that they
// belong to, and what it deletes comes last, so that nothing is added after.
func (e *effects) write(ctx context.Context, t *tx, touched []*line) error {
	for _, r := range e.replaced {
		if _, err := t.change(ctx, stepsReplaced, r.values()...); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		st   *statement
		rows [][]any
	}{
		{dataKeyAdded, rowsOf(e.keys, dataKeyValues)},
		{fieldAdded, rowsOf(e.fields, fieldValues)},
		{taskAdded, rowsOf(e.tasks, taskValues)},
		{auditAdded, rowsOf(e.audit, auditValues)},
	} {
		if err := t.changeMany(ctx, part.st, part.rows); err != nil {
			return err
		}
	}
	for _, l := range touched {
		if l.replaced == 0 {
			continue
		}
		if _, err := t.change(ctx, configurationsTrimmed, string(l.account), l.provider, l.replaced); err != nil {
			return err
		}
	}
	for _, gone := range e.erased {
		if err := gone.write(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func rowsOf[T any](all []T, values func(T) []any) [][]any {
	rows := make([][]any, len(all))
	for i, one := range all {
		rows[i] = values(one)
	}
	return rows
}

func (r reference) values() []any { return []any{string(r.account), r.provider, r.id} }

// write destroys what tells of the person: what was sealed and its key, what
// the provider said, what was told of the signup and is not read yet, and the
// answers that anybody was given about the account.
func (e erasure) write(ctx context.Context, t *tx) error {
	if err := t.holdTellers(ctx, e.account); err != nil {
		return err
	}
	for _, st := range []*statement{fieldsErased, callsErased, submissionsErased, arrivalsErased, entriesErased, echoesErased} {
		if _, err := t.change(ctx, st, e.values()...); err != nil {
			return err
		}
	}
	if _, err := t.change(ctx, subjectKeyDeleted, string(e.account), e.id); err != nil {
		return err
	}
	if err := t.forgetAnswers(ctx, e.account); err != nil {
		return err
	}
	return t.moveEpoch(ctx) // for those who have in memory what is not to be told any more
}
