package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/hook"
)

// Subscription is who is told, with what its messages are signed with, as it
// rests, and how far it is.
type Subscription struct {
	hook.Subscription
	Secrets  []SubscriptionSecret // oldest first
	Progress Progress
}

// MaxSubscriptions is how many an account may have, of hooks and of notices
// each.
const MaxSubscriptions = 50

// Shards is how many parts the subscriptions are sorted into.
const Shards = 64

// ShardOf is the part that a subscription belongs to.
func ShardOf(id string) int64 {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int64(h.Sum32() % Shards)
}

const subscriptionColumns = `account, id, kind, target, target_by, events, settings, active, created_at, created_by, updated_at,
	deleted_at, deleted_by, disabled_at, disabled_why`

var (
	subscriptionAdded = writes(`INSERT INTO subscription (` + subscriptionColumns + `, shard, touched_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`)

	subscriptionChanged = writes(`UPDATE subscription SET target = $3, target_by = $4, events = $5, settings = $6, active = $7,
			updated_at = $8, deleted_at = $9, deleted_by = $10, disabled_at = $11, disabled_why = $12,
			touched_at = CASE WHEN touched_at >= $13 THEN touched_at + 1 ELSE $13 END
		WHERE account = $1 AND id = $2`)

	// One that begins is told nothing of before.
	progressAdded = writes(`INSERT INTO subscription_progress (account, subscription, position, ahead, failures, warned)
		SELECT account, id, (SELECT coalesce(max(position), 0) FROM feed), '[]', 0, 0
		FROM subscription WHERE account = $1 AND id = $2`)

	// Who switches an endpoint on again has mended it: what it failed before does
	// not count.
	progressForgiven = writes(`UPDATE subscription_progress
		SET failing_since = NULL, failures = 0, probe_at = NULL, warned = 0
		WHERE account = $1 AND subscription = $2`)

	progressOwn = writes(`SELECT ` + progressColumns + ` FROM subscription_progress WHERE account = $1 AND subscription = $2`)

	progressOfAccount = reads(`SELECT ` + progressColumns + `, subscription FROM subscription_progress WHERE account = $1`)

	deliveriesDropped = writes(`DELETE FROM delivery WHERE account = $1 AND subscription = $2`)

	subscriptionLocked = batches(
		`SELECT `+subscriptionColumns+` FROM subscription WHERE account = $1 AND id = $2 AND deleted_at IS NULL`,
		`SELECT `+subscriptionColumns+` FROM subscription
		WHERE account = ANY ($1::text[]) AND id = ANY ($2::uuid[]) AND deleted_at IS NULL FOR UPDATE`)

	kindsOfAccount = writes(`SELECT kind FROM subscription WHERE account = $1 AND deleted_at IS NULL`)

	subscriptionsOfAccount = reads(`SELECT ` + subscriptionColumns + ` FROM subscription AS s
		WHERE s.account = $1 AND $2 AND s.deleted_at IS NULL
			AND EXISTS (SELECT 1 FROM account AS a WHERE a.id = $1 AND a.deleted_at IS NULL)
		ORDER BY s.created_at, s.id`)

	subscriptionOne = reads(`SELECT ` + subscriptionColumns + ` FROM subscription WHERE account = $1 AND id = $2`)

	subscriptionsOfShard = reads(`SELECT ` + subscriptionColumns + ` FROM subscription
		WHERE shard = $1 AND deleted_at IS NULL ORDER BY account, id`)
)

// AddSubscription makes a subscription of the account of a deed, with its
// secrets, within the limit of the account. It begins at the end of the log.
// ping is the id of a message that tells its endpoint of it; "" for none. What
// show gives is answered and kept under a key.
func (s *Store) AddSubscription(
	ctx context.Context, d Deed, sub Subscription, ping string, show func(Subscription) (Answer, error),
) (Answer, error) {
	if !isID(sub.ID) {
		return Answer{}, errNoUUID
	}
	return s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		sub := sub
		sub.Account, sub.CreatedBy = acc.ID, d.Caller.Client
		if err := t.roomForSubscription(ctx, acc.ID, sub.Kind); err != nil {
			return Answer{}, err
		}
		if sub.Kind == hook.KindEmail {
			if err := t.roomForLetter(ctx, sub.Subscription); err != nil {
				return Answer{}, err
			}
		}
		values, err := subscriptionValues(sub.Subscription, d.Caller.Client)
		if err != nil {
			return Answer{}, err
		}
		if _, err := t.change(ctx, subscriptionAdded, append(values, ShardOf(sub.ID), micros(sub.CreatedAt))...); err != nil {
			return Answer{}, err
		}
		if _, err := t.change(ctx, progressAdded, string(acc.ID), sub.ID); err != nil {
			return Answer{}, err
		}
		if err := t.replaceSubscriptionSecrets(ctx, sub); err != nil {
			return Answer{}, err
		}
		t.touched = true
		if sub.Told() {
			if err := t.ping(ctx, sub.Subscription, ping, sub.CreatedAt); err != nil {
				return Answer{}, err
			}
		}
		return show(sub)
	})
}

// roomForSubscription refuses one more than an account may have.
func (t *tx) roomForSubscription(ctx context.Context, id account.ID, kind hook.Kind) error {
	there := 0
	err := t.load(ctx, kindsOfAccount, func(r row) error {
		var one hook.Kind
		err := r.Scan(&one)
		if (one == hook.KindHook) == (kind == hook.KindHook) {
			there++
		}
		return err
	}, string(id))
	if err == nil && there >= MaxSubscriptions {
		err = fault.New(fault.Invalid, fault.CodeLimitReached, "an account has at most %d subscriptions", MaxSubscriptions)
	}
	return err
}

// SubscriptionChange does something to a subscription, which it is given as it
// stands, with its secrets, and says what is to be answered. It may run again.
type SubscriptionChange func(*Subscription) (Answer, error)

// ChangeSubscription does a deed to one subscription of an account, at a real
// time: Missing when it has none of this id and one of these kinds. ping is the
// id of a message that is sent to it when its target changed; "" for none.
func (s *Store) ChangeSubscription(
	ctx context.Context, d Deed, id string, kinds []hook.Kind, at time.Time, ping string, change SubscriptionChange,
) (Answer, error) {
	return s.onSubscription(ctx, d, id, kinds, func(ctx context.Context, t *tx, sub *Subscription, by string) (Answer, error) {
		before := *sub
		before.Secrets = slices.Clone(sub.Secrets)
		answer, err := change(sub)
		if err != nil {
			return Answer{}, err
		}
		if sub.Target != before.Target {
			by = d.Caller.Client
		}
		if err := t.saveSubscription(ctx, sub.Subscription, by, at); err != nil {
			return Answer{}, err
		}
		if !slices.EqualFunc(sub.Secrets, before.Secrets, sameSecret) || !sub.DeletedAt.IsZero() {
			if err := t.replaceSubscriptionSecrets(ctx, *sub); err != nil {
				return Answer{}, err
			}
		}
		if !before.DisabledAt.IsZero() && sub.DisabledAt.IsZero() {
			if _, err := t.change(ctx, progressForgiven, string(sub.Account), sub.ID); err != nil {
				return Answer{}, err
			}
		}
		if !sub.DeletedAt.IsZero() {
			_, err = t.change(ctx, deliveriesDropped, string(sub.Account), sub.ID)
		}
		if sub.Target != before.Target && sub.Told() {
			err = t.ping(ctx, sub.Subscription, ping, at)
		}
		return answer, err
	})
}

// onSubscription loads one subscription of the account of a deed, locked, and
// who named its target.
func (s *Store) onSubscription(
	ctx context.Context, d Deed, id string, kinds []hook.Kind,
	do func(ctx context.Context, t *tx, sub *Subscription, by string) (Answer, error),
) (Answer, error) {
	return s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		var (
			found *Subscription
			by    string
		)
		if isID(id) {
			err := t.loadMany(ctx, subscriptionLocked, [][]any{{string(acc.ID), id}}, func(r row) (err error) {
				found = new(Subscription)
				found.Subscription, by, err = scanSubscription(r)
				return err
			})
			if err != nil {
				return Answer{}, err
			}
		}
		if found == nil || !slices.Contains(kinds, found.Kind) {
			return Answer{}, fault.Missing()
		}
		err := t.load(ctx, subscriptionSecretsOwn, func(r row) error {
			one, err := scanSubscriptionSecret(r)
			found.Secrets = append(found.Secrets, one)
			return err
		}, string(acc.ID), id)
		if err != nil {
			return Answer{}, err
		}
		found.Progress = Progress{Account: acc.ID, Subscription: id}
		if err := t.load(ctx, progressOwn, found.Progress.scan, string(acc.ID), id); err != nil {
			return Answer{}, err
		}
		return do(ctx, t, found, by)
	})
}

// saveSubscription writes a subscription over what it was.
func (t *tx) saveSubscription(ctx context.Context, sub hook.Subscription, by string, at time.Time) error {
	t.touched = true
	events, settings, err := encodeSubscription(sub)
	if err != nil {
		return err
	}
	_, err = t.change(ctx, subscriptionChanged, string(sub.Account), sub.ID, sub.Target, by, events, settings, sub.Active,
		micros(sub.UpdatedAt), micros(sub.DeletedAt), sub.DeletedBy, micros(sub.DisabledAt), sub.DisabledWhy, micros(at))
	return err
}

// Subscriptions lists the subscriptions of an account that are of some kinds
// and were not deleted, oldest first, with what is known of their secrets; none
// of an account that the caller does not cover.
func (s *Store) Subscriptions(ctx context.Context, caller auth.Caller, id account.ID, kinds []hook.Kind) (subs []Subscription, err error) {
	err = s.snapshot(ctx, func(t *tx) error {
		subs = nil
		err := t.load(ctx, subscriptionsOfAccount, func(r row) error {
			one, _, err := scanSubscription(r)
			if slices.Contains(kinds, one.Kind) {
				subs = append(subs, Subscription{Subscription: one})
			}
			return err
		}, string(id), caller.Covers(id))
		if err != nil || len(subs) == 0 {
			return err
		}
		if err := t.load(ctx, progressOfAccount, func(r row) error {
			p := Progress{Account: id}
			err := p.scanWith(r, &p.Subscription)
			if i := slices.IndexFunc(subs, func(s Subscription) bool { return s.ID == p.Subscription }); i >= 0 {
				subs[i].Progress = p
			}
			return err
		}, string(id)); err != nil {
			return err
		}
		return t.load(ctx, subscriptionSecretsOfAccount, func(r row) error {
			one, err := scanSubscriptionSecret(r)
			if i := slices.IndexFunc(subs, func(s Subscription) bool { return s.ID == one.Subscription }); i >= 0 {
				subs[i].Secrets = append(subs[i].Secrets, one)
			}
			return err
		}, string(id))
	})
	return subs, err
}

// SubscriptionOf is one of them; Missing when it is not there.
func (s *Store) SubscriptionOf(
	ctx context.Context, caller auth.Caller, id account.ID, subscription string, kinds []hook.Kind,
) (Subscription, error) {
	all, err := s.Subscriptions(ctx, caller, id, kinds)
	if err != nil {
		return Subscription{}, err
	}
	i := slices.IndexFunc(all, func(s Subscription) bool { return s.ID == subscription })
	if i < 0 {
		return Subscription{}, fault.Missing()
	}
	return all[i], nil
}

// SubscriptionByID is one for the service itself, also when it was deleted;
// Missing when it was never there.
func (s *Store) SubscriptionByID(ctx context.Context, id account.ID, subscription string) (hook.Subscription, error) {
	if !isID(subscription) {
		return hook.Subscription{}, fault.Missing()
	}
	return one(ctx, s, subscriptionOne, onlySubscription, string(id), subscription)
}

// SubscriptionsOfShard lists those of all accounts that belong to a part.
func (s *Store) SubscriptionsOfShard(ctx context.Context, shard int64) ([]hook.Subscription, error) {
	return list(ctx, s, subscriptionsOfShard, onlySubscription, shard)
}

var errNoKind = errors.New("a subscription has no kind")

func subscriptionValues(s hook.Subscription, by string) ([]any, error) {
	if s.Kind == "" {
		return nil, errNoKind
	}
	events, settings, err := encodeSubscription(s)
	return []any{
		string(s.Account), s.ID, string(s.Kind), s.Target, by, events, settings, s.Active, micros(s.CreatedAt), s.CreatedBy,
		micros(s.UpdatedAt), micros(s.DeletedAt), s.DeletedBy, micros(s.DisabledAt), s.DisabledWhy,
	}, err
}

func encodeSubscription(s hook.Subscription) (events, settings string, err error) {
	list, err := json.Marshal(append([]string{}, s.Events...))
	if err != nil {
		return "", "", fmt.Errorf("encode the events of a subscription: %w", err)
	}
	object, err := json.Marshal(s.Settings)
	if err != nil {
		return "", "", fmt.Errorf("encode the settings of a subscription: %w", err)
	}
	return string(list), string(object), nil
}

func onlySubscription(r row) (hook.Subscription, error) {
	s, _, err := scanSubscription(r)
	return s, err
}

func scanSubscription(r row) (s hook.Subscription, by string, err error) {
	var (
		events, settings                    []byte
		created, updated, deleted, disabled sql.NullInt64
	)
	if err := r.Scan(&s.Account, &s.ID, &s.Kind, &s.Target, &by, &events, &settings, &s.Active, &created, &s.CreatedBy,
		&updated, &deleted, &s.DeletedBy, &disabled, &s.DisabledWhy); err != nil {
		return s, "", err
	}
	s.CreatedAt, s.UpdatedAt = instant(created), instant(updated)
	s.DeletedAt, s.DisabledAt = instant(deleted), instant(disabled)
	if err := errors.Join(json.Unmarshal(events, &s.Events), json.Unmarshal(settings, &s.Settings)); err != nil {
		return s, "", fmt.Errorf("decode subscription %s: %w", s.ID, err)
	}
	return s, by, nil
}
