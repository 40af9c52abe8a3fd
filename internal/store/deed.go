package store

import (
	"context"
	"errors"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// Deed is a write to something else than a connection: who does it, under
// which key, and what is remembered of it.
type Deed struct {
	Caller auth.Caller
	Owner  account.ID    // the owner that the path names; zero when the account speaks for itself
	About  account.ID    // the account that is written to
	With   []account.ID  // others that it locks: all are locked at once, in one order, or two deeds would wait in a circle
	Key    *Idempotency  // nil when none was sent
	Closed bool          // it may be done to an account that was deleted, too
	Audit  []AuditRecord // what is remembered when it is done; not when it was done before

	idle *bool // set when it turns out to change nothing, of which nothing is remembered
}

// perform does a deed in one transaction: it re-checks the caller's right to
// write to the account, gives the answer again that was given under its key,
// and else runs do and keeps its answer. It is Denied when the caller's client
// may act no more, and Missing when the account is not the caller's to write,
// or deleted unless the deed may be done to such. do gets the account as it is now, locked; it may run again.
func (s *Store) perform(
	ctx context.Context, d Deed, do func(ctx context.Context, t *tx, acc account.Account) (Answer, error),
) (answer Answer, err error) {
	done, err := s.deeds.enter(ctx)
	if err != nil {
		return Answer{}, err
	}
	defer done()
	err = s.transact(ctx, func(ctx context.Context, t *tx) error {
		answer = Answer{}
		acc, err := t.authorise(ctx, d)
		if err != nil {
			return err
		}
		kept, found, err := t.keptAnswer(ctx, d)
		if err != nil {
			return err
		}
		if found {
			answer = kept
			return nil
		}
		if answer, err = do(ctx, t, acc); err != nil {
			return err
		}
		if d.idle != nil && *d.idle {
			return t.keepAnswer(ctx, d, answer, s.now())
		}
		for i, r := range d.Audit {
			if r.Account == acc.ID {
				d.Audit[i].AccountAt = acc.Now(r.At)
			}
		}
		if err := t.audit(ctx, d.Audit...); err != nil {
			return err
		}
		return t.keepAnswer(ctx, d, answer, s.now())
	})
	return answer, err
}

var (
	accountLocked = batches(
		`SELECT `+accountColumns+` FROM account WHERE id = $1`,
		`SELECT `+accountColumns+` FROM account WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE`)

	errMayNot = errors.New("the client or its account is disabled or gone, has no right to the account any more, or its token was revoked")
)

// authorise loads and locks the accounts of a deed, and checks who writes.
func (t *tx) authorise(ctx context.Context, d Deed) (account.Account, error) {
	var found *account.Account
	may := false
	var ids keys
	for _, id := range append([]account.ID{d.About}, d.With...) {
		ids.add(string(id))
	}
	if err := t.loadMany(ctx, accountLocked, ids.sorted(), func(r row) error {
		a, err := scanAccount(r)
		if a.ID == d.About {
			found = &a
		}
		return err
	}); err != nil {
		return account.Account{}, err
	}
	if isID(d.Caller.Client) {
		who := keys{actorOf(d.Caller).key()}
		if err := t.loadMany(ctx, clientsOfBatch, who.sorted(), func(row) error { may = true; return nil }); err != nil {
			return account.Account{}, err
		}
	}
	switch {
	case !may:
		return account.Account{}, fault.Denied(errMayNot)
	case found == nil || found.Deleted() && !d.Closed || !mayWrite(Change{Caller: d.Caller, Owner: d.Owner}, *found):
		return account.Account{}, fault.Missing()
	}
	return *found, nil
}

// through is the account whose grant lets the caller's client act: that of the
// token, or of the partner who exchanged its own for it.
func through(c auth.Caller) account.ID {
	if c.Actor != "" {
		return c.Actor
	}
	return c.Account
}

// scope is what the key of a deed is unique in.
func (d Deed) scope() scope {
	return scope{
		account: string(d.Caller.Account), client: d.Caller.Client,
		operation: d.Key.Operation, path: d.Key.Path, key: d.Key.Key,
	}
}

// keptAnswer is what was answered under the key of a deed, if anything was.
func (t *tx) keptAnswer(ctx context.Context, d Deed) (answer Answer, found bool, err error) {
	if d.Key == nil {
		return Answer{}, false, nil
	}
	var before kept
	err = t.loadMany(ctx, answersOfBatch, [][]any{d.scope().values()}, func(r row) (err error) {
		found = true
		_, before, err = scanAnswer(r)
		return err
	})
	if err != nil || !found {
		return Answer{}, false, err
	}
	answer, err = replay(before, d.Key.Fingerprint)
	return answer, true, err
}

// keepAnswer keeps what was answered under the key of a deed.
func (t *tx) keepAnswer(ctx context.Context, d Deed, answer Answer, now time.Time) error {
	if d.Key == nil {
		return nil
	}
	values, err := d.scope().with(kept{fingerprint: d.Key.Fingerprint, answer: answer, about: d.About}, now)
	if err != nil {
		return err
	}
	return t.changeMany(ctx, answerAdded, [][]any{values})
}
