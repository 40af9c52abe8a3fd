package dispatch

import (
	"context"
	"slices"
	"time"

	"mooring/internal/fault"
	"mooring/internal/store"
)

// recorder writes outcomes, all that are at hand in one transaction.
type recorder struct {
	noted   []*endpoint
	busy    bool
	resting bool // until there is more at hand, or a while is over
}

const (
	atOnce = 1024 // how many attempts one transaction writes, about
	enough = 256  // for how many one is begun at once
	// After one the next waits this long for more: what it costs beside its rows
	// would otherwise be paid for a few of them.
	recordRest = 10 * time.Millisecond
)

func (r *recorder) note(ep *endpoint) {
	if !ep.noted {
		ep.noted = true
		r.noted = append(r.noted, ep)
	}
}

func (r *recorder) idle() bool { return !r.busy && len(r.noted) == 0 }

// written is an outcome on its way to the disk.
type written struct {
	ep       *endpoint
	outcome  store.Outcome
	attempts int
	settled  int64
	done     bool // it is on disk
	batch    int64
}

// record hands what is at hand to a goroutine that writes it.
func (d *Dispatcher) record(now time.Time) {
	r := &d.recorder
	if r.busy || len(r.noted) == 0 || r.resting && d.unwritten < enough && !d.stopping {
		return
	}
	var (
		batch []written
		n     int
	)
	for len(r.noted) > 0 && n < atOnce {
		ep := r.noted[0]
		r.noted[0] = nil
		r.noted = r.noted[1:]
		ep.noted = false
		if !d.shards.has(ep.shard) {
			d.unwritten -= len(ep.out.attempts)
			ep.out = outgoing{}
			continue
		}
		if ep.out.empty() && (!ep.unsaved || ep.gone) {
			if !ep.writing {
				ep.feed()
			}
			continue
		}
		batch = append(batch, ep.outcome(now))
		n += len(ep.out.attempts)
		ep.out, ep.writing, ep.unsaved = outgoing{}, true, false
	}
	if len(batch) == 0 {
		return
	}
	r.busy = true
	leases := d.shards.of(batch)
	d.working.Go(func() {
		d.write(d.asking, leases, batch)
		d.inbox.call(func() {
			r.busy, r.resting = false, true
			for i := range batch {
				d.recorded(&batch[i])
			}
		})
		time.AfterFunc(recordRest, func() { d.inbox.call(func() { r.resting = false }) })
	})
}

// outcome is what is to be written of an endpoint.
func (ep *endpoint) outcome(now time.Time) written {
	o := store.Outcome{
		Account: ep.account, Subscription: ep.id, Attempts: ep.out.attempts, Told: ep.out.told, Disabled: ep.out.disabled,
		Rewound: ep.out.rewound, At: now,
	}
	if !ep.gone {
		o.Progress = ep.progress()
	}
	last := make(map[string]int, len(ep.out.rows))
	for i, c := range ep.out.rows {
		if _, again := last[c.id]; !again && !c.read.IsZero() {
			if o.Read == nil {
				o.Read = map[string]time.Time{}
			}
			o.Read[c.id] = c.read
		}
		last[c.id] = i
	}
	for i, c := range ep.out.rows {
		switch {
		case last[c.id] != i:
		case c.put == nil:
			o.Gone = append(o.Gone, c.id)
		case !ep.gone:
			o.Put = append(o.Put, *c.put)
		}
	}
	ep.batch++
	return written{ep: ep, outcome: o, attempts: len(o.Attempts), settled: ep.settled, batch: ep.batch}
}

// write writes a batch, however long it takes, and marks what is on disk. What
// never can be written is given up alone.
func (d *Dispatcher) write(ctx context.Context, leases map[string]store.Lease, batch []written) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		outcomes := make([]store.Outcome, 0, len(batch))
		var held []store.Lease
		for i := range batch {
			l, ok := leases[leaseName(batch[i].ep.shard)]
			if !ok {
				continue
			}
			outcomes = append(outcomes, batch[i].outcome)
			if !slices.Contains(held, l) {
				held = append(held, l)
			}
		}
		if len(outcomes) == 0 {
			return
		}
		err := d.Store.Record(ctx, held, outcomes)
		switch {
		case err == nil:
			for i := range batch {
				_, batch[i].done = leases[leaseName(batch[i].ep.shard)]
			}
			return
		case ctx.Err() != nil:
			return
		case fault.From(err).Kind == fault.Conflict:
			d.forget(ctx, leases, held)
		case fault.From(err).Kind != fault.Unavailable && len(batch) > 1:
			for i := range batch {
				d.write(ctx, leases, batch[i:i+1])
			}
			return
		case fault.From(err).Kind != fault.Unavailable:
			d.Log.Error("what came of attempts can't be written down: they are made again", "error", err,
				"account", batch[0].ep.account, "subscription", batch[0].ep.id)
			d.giveUp(batch[0].ep)
			return
		default:
			d.Log.Warn("writing down what came of attempts failed; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// giveUp drops what is in hand of an endpoint, and reads it again after a rest.
func (d *Dispatcher) giveUp(ep *endpoint) {
	d.inbox.call(func() { d.discard(ep) })
	d.later(func() { d.refresh(ep.key) })
}

// forget drops the leases that are another's by now.
func (d *Dispatcher) forget(ctx context.Context, leases map[string]store.Lease, held []store.Lease) {
	still, err := d.Store.RenewLeases(ctx, d.Now().Add(d.rhythm.lease), held...)
	if err != nil {
		return
	}
	for _, l := range held {
		if !slices.ContainsFunc(still, func(s store.Lease) bool { return s.Name == l.Name && s.Fence == l.Fence }) {
			delete(leases, l.Name)
		}
	}
}

// recorded goes on with an endpoint whose outcome was to be written.
func (d *Dispatcher) recorded(w *written) {
	ep := w.ep
	ep.writing = false
	ep.unwritten -= w.attempts
	d.unwritten -= w.attempts
	if ep.gone || !w.done {
		return
	}
	ep.saved, ep.settledOnDisk, ep.onDisk = w.outcome.Progress.Position, w.settled, w.batch
	if ep.reread && !ep.retiring {
		ep.reread = false
		d.refresh(ep.key)
	}
	ep.written++
	if ep.moreAgain {
		d.loadAgain(ep)
	}
	ep.feed()
	d.soil(ep)
	d.retired(ep)
}

// feed has the lanes read on that waited for what is on disk now.
func (ep *endpoint) feed() {
	hungry := ep.hungry
	ep.hungry = nil
	for _, l := range hungry {
		l.loading = false
		ep.arrange(l)
	}
}
