package dispatch

import (
	"context"
	"time"
)

// lookBack is how far back one looks for subscriptions that were written to on
// another node: clocks differ, and a write takes a while until it can be seen.
const lookBack = 15 * time.Second

// Now and then one looks back much further: a commit may be slow and a clock
// wrong.
const (
	farLook     = time.Minute
	farLookBack = time.Hour
)

// touched makes what the store calls when a subscription was written to here.
func (d *Dispatcher) touched() func() {
	return func() {
		select {
		case d.look <- struct{}{}:
		default:
		}
	}
}

// watch looks for subscriptions that were written to.
func (d *Dispatcher) watch(ctx context.Context) {
	tick := time.NewTicker(d.rhythm.look)
	defer tick.Stop()
	seen := map[key]time.Time{}
	since := d.Now().Add(-lookBack)
	far := d.Now()
	for {
		now := d.Now()
		if now.Sub(far) >= farLook {
			since, far = now.Add(-farLookBack), now
		}
		written, err := d.Store.SubscriptionsWritten(ctx, since)
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("looking for changed subscriptions failed; trying again", "error", err)
		}
		for _, w := range written {
			k := key{w.Account, w.ID}
			if !seen[k].Equal(w.At) {
				seen[k] = w.At
				d.inbox.call(func() { d.refresh(k) })
			}
		}
		if err == nil {
			since = now.Add(-lookBack)
			for k, at := range seen {
				if at.Before(now.Add(-farLookBack)) {
					delete(seen, k)
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.look:
		}
	}
}
