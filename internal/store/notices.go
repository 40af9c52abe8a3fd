package store

import (
	"context"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/hook"
)

var (
	addressesAsked = reads(`SELECT count(*) FROM subscription WHERE account = $1 AND kind = $2 AND created_at >= $3`)

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

// AddressesAsked counts the rules for e-mail that an account made since a real
// time, also those that it deleted: each asked a reader something.
func (s *Store) AddressesAsked(ctx context.Context, id account.ID, since time.Time) (n int, err error) {
	err = s.lookup(ctx, addressesAsked, func(r row) error { return r.Scan(&n) }, string(id), string(hook.KindEmail), micros(since))
	return n, err
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
