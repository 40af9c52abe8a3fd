package dispatch

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"mooring/internal/account"
	"mooring/internal/hook"
)

// tail is where the log ends for this node, and its newest entries.
type tail struct {
	needed   atomic.Int64 // how many endpoints there are
	asked    chan struct{}
	known    bool          // it was found
	position int64         // of the last entry that was handed out
	from     int64         // recent has every entry after it
	recent   []*hook.Entry // in order
}

func newTail() tail { return tail{asked: make(chan struct{}, 1)} }

// ask wakes the reader: there is somebody to read for.
func (t *tail) ask() {
	select {
	case t.asked <- struct{}{}:
	default:
	}
}

// follow is the one reader at the end of the log. It hands on what comes, page
// by page.
func (d *Dispatcher) follow(ctx context.Context) {
	known, at := false, int64(0)
	for ctx.Err() == nil {
		moved := d.Store.FeedMoved()
		var err error
		if known, at, err = d.readTail(ctx, known, at); err != nil && ctx.Err() == nil {
			d.Log.Warn("reading the log failed; trying again", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(restAfter):
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-moved:
		case <-d.tail.asked:
		}
	}
}

func (d *Dispatcher) readTail(ctx context.Context, known bool, at int64) (bool, int64, error) {
	for d.tail.needed.Load() > 0 && ctx.Err() == nil {
		if !known {
			end, err := d.Store.FeedEnd(ctx)
			if err != nil {
				return false, 0, err
			}
			at = end
			d.hand(ctx, func() { d.jump(end) })
		}
		page, err := d.Store.FeedOfAll(ctx, at, pageSize)
		if err != nil || len(page) == 0 {
			return true, at, err
		}
		at = page[len(page)-1].Position
		d.hand(ctx, func() { d.handOut(page) })
		if known = true; len(page) < pageSize {
			return true, at, nil
		}
	}
	return false, 0, ctx.Err()
}

// hand has the loop run f, and waits until it did.
func (d *Dispatcher) hand(ctx context.Context, f func()) {
	done := make(chan struct{})
	d.inbox.call(func() { f(); close(done) })
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// jump moves the tail to the end of the log, which nobody read for a while.
func (d *Dispatcher) jump(end int64) {
	for _, ep := range d.endpoints {
		if ep.atTail {
			ep.fallBack(d.tail.position)
		}
		d.soil(ep)
	}
	d.tail.position, d.tail.from, d.tail.recent, d.tail.known = end, end, nil, true
}

// handOut gives new entries to those at the tail whom they concern.
func (d *Dispatcher) handOut(page []hook.Entry) {
	t := &d.tail
	for i := range page {
		e := &page[i]
		before := t.position
		t.position = e.Position
		t.recent = append(t.recent, e)
		d.offer(e.Account, e, before)
		if e.Owner != e.Account {
			d.offer(e.Owner, e, before)
		}
		if platform := account.Platform(e.Account.World()); platform != e.Account && platform != e.Owner {
			d.offer(platform, e, before)
		}
	}
	if extra := len(t.recent) - 2*ringSize; extra > 0 {
		t.recent = slices.Clone(t.recent[len(t.recent)-ringSize:])
		t.from = t.recent[0].Position - 1
	}
}

// offer gives an entry to the endpoints of one subscriber. before is where the
// tail was.
func (d *Dispatcher) offer(to account.ID, e *hook.Entry, before int64) {
	all := d.heard[to]
	for i := len(all) - 1; i >= 0; i-- { // backwards: one that falls back leaves the list
		ep := all[i]
		if e.Position <= ep.next {
			continue // it read on by itself before it came here
		}
		if ep.stalled() || !ep.take(e) {
			ep.fallBack(before)
		}
		d.soil(ep)
	}
}

// fallBack has an endpoint read by itself from a position on.
func (ep *endpoint) fallBack(from int64) {
	ep.d.unhear(ep)
	ep.next = from
}

// hear has an endpoint be handed what comes.
func (d *Dispatcher) hear(ep *endpoint) {
	ep.atTail = true
	d.heard[ep.account] = append(d.heard[ep.account], ep)
}

func (d *Dispatcher) unhear(ep *endpoint) {
	if !ep.atTail {
		return
	}
	ep.atTail = false
	ep.next = max(ep.next, d.tail.position)
	all := d.heard[ep.account]
	if i := slices.Index(all, ep); i >= 0 {
		d.heard[ep.account] = slices.Delete(slices.Clone(all), i, i+1)
	}
	if len(d.heard[ep.account]) == 0 {
		delete(d.heard, ep.account)
	}
}

// readOn reads a page for an endpoint that is behind, when it has room.
func (d *Dispatcher) readOn(ep *endpoint) {
	if ep.atTail || ep.paging || ep.gone || ep.retiring || ep.stalled() || ep.full() || len(ep.works) > window/2 || !d.tail.known {
		return
	}
	if d.join(ep) {
		return
	}
	ep.paging = true
	sure, after := d.tail.position, ep.next
	d.read(func() {
		page, err := d.Store.FeedAfter(d.asking, ep.account, ep.kind, after, pageSize)
		d.inbox.call(func() {
			ep.paging = false
			if ep.gone || ep.retiring {
				return
			}
			if err != nil {
				ep.rest = d.Now().Add(restAfter)
				d.schedule(ep, d.Now())
				return
			}
			d.paged(ep, page, sure)
		})
	})
}

// paged takes in a page, which has everything up to a position when it is not
// a whole one.
func (d *Dispatcher) paged(ep *endpoint, page []hook.Entry, sure int64) {
	defer d.soil(ep)
	for i := range page {
		if !ep.take(&page[i]) {
			return
		}
	}
	if len(page) < pageSize {
		ep.next = max(ep.next, sure)
	}
}

// join has an endpoint that is close enough catch up with the tail.
func (d *Dispatcher) join(ep *endpoint) bool {
	t := &d.tail
	if ep.next < t.from {
		return false
	}
	i, _ := slices.BinarySearchFunc(t.recent, ep.next+1, func(e *hook.Entry, p int64) int { return int(e.Position - p) })
	for _, e := range t.recent[i:] {
		if !ep.take(e) {
			return true // full: it goes on when there is room
		}
	}
	d.hear(ep)
	return true
}
