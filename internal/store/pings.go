package store

import (
	"context"
	"time"

	"mooring/internal/hook"
)

var pingAdded = writes(`INSERT INTO delivery
		(account, subscription, id, position, entry, type, lane, state, attempts, due_at, last_error, created_at)
	VALUES ($1, $2, $3, 0, $4, 'ping', '', 'again', 0, $5, '', $5)`)

// OnSubscriptionTouched has f run after each commit of this process that wrote
// to a subscription, or to what it is to be sent. f must not wait.
func (s *Store) OnSubscriptionTouched(f func()) { s.subscriptionTouched.Store(&f) }

// ping makes a message due that tells the endpoint of a subscription of it; ""
// is none. Whoever calls it touches the subscription.
func (t *tx) ping(ctx context.Context, sub hook.Subscription, id string, at time.Time) error {
	if id == "" {
		return nil
	}
	_, err := t.change(ctx, pingAdded, string(sub.Account), sub.ID, hook.DeliveryID(sub.ID, id), id, micros(at))
	return err
}
