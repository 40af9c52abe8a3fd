package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/hook"
)

var (
	rulesForMail = writes(`SELECT ` + subscriptionColumns + ` FROM subscription WHERE account = $1 AND kind = 'email'`)

	rulesOfAll = reads(`SELECT ` + subscriptionColumns + ` FROM subscription
		WHERE kind <> 'hook' AND deleted_at IS NULL ORDER BY account, id`)
)

// Digests lists the rules of all accounts that are told once a day, as far as
// they are followed.
func (s *Store) Digests(ctx context.Context) ([]hook.Subscription, error) {
	rules, err := list(ctx, s, rulesOfAll, onlySubscription)
	return slices.DeleteFunc(rules, func(r hook.Subscription) bool {
		return !r.Told() || r.Settings.Notice == nil || r.Settings.Notice.Digest == nil
	}), err
}

// How often an account has strangers asked whether they agree to notices.
const (
	maxAsked   = 20
	askedIn    = time.Hour
	askedAgain = 30 * 24 * time.Hour // who did not answer, when the rule was deleted
)

// roomForLetter refuses a rule for e-mail whose reader may not be asked: he was
// already and has not agreed, or wanted no more, also when that rule was deleted.
func (t *tx) roomForLetter(ctx context.Context, sub hook.Subscription) error {
	asked, refused := 0, error(nil)
	err := t.load(ctx, rulesForMail, func(r row) error {
		one, err := onlySubscription(r)
		if err != nil || one.Settings.Notice == nil {
			return err
		}
		if one.CreatedAt.After(sub.CreatedAt.Add(-askedIn)) {
			asked++
		}
		if n := one.Settings.Notice; strings.EqualFold(one.Target, sub.Target) {
			open := n.ConfirmedAt.IsZero() && (one.DeletedAt.IsZero() || one.CreatedAt.After(sub.CreatedAt.Add(-askedAgain)))
			switch {
			case !n.StoppedAt.IsZero():
				refused = fault.New(fault.Conflict, fault.CodeConflict, "the reader of the address wanted no more notices; only he can start them again")
			case open && refused == nil:
				refused = fault.New(fault.Conflict, fault.CodeConflict, "the reader of the address was asked already, and has not agreed")
			}
		}
		return nil
	}, string(sub.Account))
	if err == nil && refused == nil && asked >= maxAsked {
		slow := fault.New(fault.TooMany, fault.CodeTooMany, "an account asks for at most %d addresses an hour", maxAsked)
		slow.RetryAfter, refused = askedIn, slow
	}
	return cmp.Or(err, refused)
}

// PingSubscription does a deed to one subscription of an account, at a real
// time: it makes a message due that is for it alone, after change said what is
// different now and what is to be answered. Missing when there is none of this
// id and one of these kinds.
func (s *Store) PingSubscription(
	ctx context.Context, d Deed, id string, kinds []hook.Kind, at time.Time, ping string, change SubscriptionChange,
) (Answer, error) {
	return s.onSubscription(ctx, d, id, kinds, func(ctx context.Context, t *tx, sub *Subscription, by string) (Answer, error) {
		answer, err := change(sub)
		if err != nil {
			return Answer{}, err
		}
		if err := t.saveSubscription(ctx, sub.Subscription, by, at); err != nil {
			return Answer{}, err
		}
		return answer, t.ping(ctx, sub.Subscription, ping, at)
	})
}

// AnswerNotice writes what the reader of a subscription decided about it, at a
// real time; what is remembered of it is told by r. No client is checked.
// Missing when there is no such subscription any more.
func (s *Store) AnswerNotice(
	ctx context.Context, id account.ID, subscription string, at time.Time, r AuditRecord, change func(*hook.Subscription),
) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		var (
			found *hook.Subscription
			by    string
		)
		if isID(subscription) {
			err := t.loadMany(ctx, subscriptionLocked, [][]any{{string(id), subscription}}, func(r row) error {
				sub, named, err := scanSubscription(r)
				found, by = &sub, named
				return err
			})
			if err != nil {
				return err
			}
		}
		if found == nil {
			return fault.Missing()
		}
		change(found)
		if err := t.saveSubscription(ctx, *found, by, at); err != nil {
			return err
		}
		return t.audit(ctx, r)
	})
}
