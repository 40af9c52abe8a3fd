package dispatch

import (
	"container/heap"
	"slices"

	"mooring/internal/account"
	"mooring/internal/hook"
	"mooring/internal/store"
)

// loaded is a subscription as it stands in the store.
type loaded struct {
	onDisk   int64 // up to which outcome it was written, at least
	sub      hook.Subscription
	secrets  hook.Secrets
	standing store.Standing
	account  account.Account
}

// refresh reads a subscription again: somebody wrote to it.
func (d *Dispatcher) refresh(k key) {
	shard := store.ShardOf(k.id)
	if !d.shards.has(shard) || d.stopping || !d.Serves(k.account) {
		return
	}
	if ep := d.endpoints[k]; ep != nil && ep.retiring {
		ep.reload = true
		return
	}
	fence, onDisk := d.shards.held[shard].Fence, int64(0)
	if ep := d.endpoints[k]; ep != nil {
		onDisk = ep.onDisk
	}
	d.read(func() {
		l, err := d.load(k)
		l.onDisk = onDisk
		d.inbox.call(func() {
			switch {
			case d.shards.held[shard].Fence != fence: // whoever has it now reads it
			case err != nil && d.asking.Err() == nil:
				d.Log.Warn("reading a subscription failed; trying again", "error", err, "account", k.account, "subscription", k.id)
				d.later(func() { d.refresh(k) })
			case err == nil:
				d.install(k, shard, &l)
			}
		})
	})
}

func (d *Dispatcher) load(k key) (l loaded, err error) {
	if l.sub, err = d.Store.SubscriptionByID(d.asking, k.account, k.id); err != nil {
		return l, err
	}
	if !d.tells(&l.sub) {
		return l, nil
	}
	if l.standing, err = d.Store.Standing(d.asking, k.account, k.id); err != nil {
		return l, err
	}
	found, err := d.Store.AccountsNow(d.asking, []account.ID{k.account})
	if err != nil {
		return l, err
	}
	l.account = found[k.account]
	secrets, err := d.Secrets(d.asking, k.account, k.id, d.Now())
	l.secrets = secrets.Ready()
	return l, err
}

// tells says whether a subscription is one that this engine sends for.
func (d *Dispatcher) tells(s *hook.Subscription) bool {
	return s.Told() && d.Senders[s.Kind] != nil && (s.Settings.Notice == nil || s.Settings.Notice.Digest == nil)
}

// install puts a subscription in hand as it was read.
func (d *Dispatcher) install(k key, shard int64, l *loaded) {
	ep := d.endpoints[k]
	switch {
	case ep != nil && ep.retiring:
		ep.reload = true
	case d.shards.leaving[shard] || d.stopping:
	case !d.tells(&l.sub) || l.account.Deleted():
		if ep != nil {
			d.retire(ep)
		}
	case l.standing.Progress.Rewind != nil:
		d.rewind(k, shard, *l.standing.Progress.Rewind)
	case ep == nil:
		d.add(k, shard, l)
	default:
		d.change(ep, l)
	}
}

func (d *Dispatcher) newEndpoint(k key, shard int64) *endpoint {
	return &endpoint{
		key: k, d: d, shard: shard, lanes: map[string]*lane{}, inAgain: map[string]*work{}, againBusy: map[string]int{},
	}
}

// add begins with a subscription.
func (d *Dispatcher) add(k key, shard int64, l *loaded) {
	ep := d.newEndpoint(k, shard)
	p := l.standing.Progress
	ep.sub, ep.secrets, ep.kind = &l.sub, &l.secrets, l.account.Kind
	ep.next, ep.saved = p.Position, p.Position
	ep.health = hook.Health{
		Failures: int(p.Failures), FailingSince: p.FailingSince, ProbeAt: p.ProbeAt, Warned: int(p.Warned), SucceededAt: p.SucceededAt,
	}
	for _, position := range p.Ahead {
		if ep.ahead == nil {
			ep.ahead = map[int64]struct{}{}
		}
		ep.ahead[position] = struct{}{}
	}
	for name, n := range l.standing.Waiting {
		ep.lane(name).stored = n
	}
	for i := range l.standing.Failed {
		row := &l.standing.Failed[i]
		lane := ep.lane(row.Lane)
		if lane.failed != nil { // nothing fails behind one that failed; if it did, it goes beside its lane
			w := ep.workOf(row)
			ep.inAgain[row.ID], ep.again = w, append(ep.again, w)
			continue
		}
		lane.failed = ep.workOf(row)
		lane.failed.lane = lane
		heap.Push(&ep.dues, lane)
	}
	d.endpoints[k] = ep
	d.tail.needed.Store(int64(len(d.endpoints)))
	d.tail.ask()
	for _, lane := range ep.lanes {
		ep.arrange(lane)
	}
	d.loadAgain(ep)
	d.soil(ep)
}

func (ep *endpoint) workOf(row *store.Delivery) *work {
	return &work{ep: ep, position: row.Position, row: row, number: row.Attempts + 1, due: row.DueAt, read: row.DueAt}
}

// change goes on with a subscription that somebody wrote to. Whoever does so
// does not want to wait for what the receiver once asked for: one message goes.
func (d *Dispatcher) change(ep *endpoint, l *loaded) {
	ep.pace = ep.pace.Resume()
	if ep.sub.Target != l.sub.Target {
		ep.health, ep.pace, ep.unsaved = hook.Health{SucceededAt: ep.health.SucceededAt}, hook.Pace{}, true
		ep.revive(d.Now())
		d.recorder.note(ep)
	}
	ep.sub, ep.secrets, ep.kind = &l.sub, &l.secrets, l.account.Kind
	for i := range l.standing.Failed {
		row := &l.standing.Failed[i]
		lane := ep.lanes[row.Lane]
		if lane == nil || lane.failed == nil || lane.failed.row.ID != row.ID || lane.flying != nil {
			continue // what was asked for while it is on the wire is found when that is written
		}
		if w := lane.failed; w.changed > l.onDisk {
			ep.reread = true
		} else if !row.DueAt.Equal(w.read) {
			w.due, w.read = row.DueAt, row.DueAt
			heap.Fix(&ep.dues, lane.index)
			ep.hurry()
		}
	}
	if ep.reread && ep.onDisk == ep.batch && ep.out.empty() {
		ep.reread = false
		d.refresh(ep.key)
	}
	d.loadAgain(ep)
	d.soil(ep)
}

// hurry makes a probe due: somebody asked for something to be sent.
func (ep *endpoint) hurry() {
	if ep.health.Open() {
		ep.health.ProbeAt = ep.d.Now()
	}
}

// loadAgain reads what was asked for again.
func (d *Dispatcher) loadAgain(ep *endpoint) {
	if ep.asking || ep.settled != ep.settledOnDisk {
		ep.moreAgain = true
		return
	}
	ep.asking, ep.moreAgain = true, false
	settled, onDisk := ep.settled, ep.onDisk
	d.read(func() {
		rows, err := d.Store.DeliveriesAgain(d.asking, ep.account, ep.id, pageSize)
		d.inbox.call(func() {
			ep.asking = false
			switch {
			case ep.gone || ep.retiring:
			case err != nil:
				ep.moreAgain = true
				d.later(func() { d.loadAgain(ep) })
			case settled != ep.settled:
				ep.moreAgain = true
				if ep.settled == ep.settledOnDisk {
					d.loadAgain(ep)
				}
			default:
				d.takeAgain(ep, rows, onDisk)
			}
		})
	})
}

// takeAgain takes in what was asked for again, read when outcomes up to one
// were on disk.
func (d *Dispatcher) takeAgain(ep *endpoint, rows []store.Delivery, onDisk int64) {
	for i := range rows {
		row := &rows[i]
		w := ep.inAgain[row.ID]
		switch {
		case w == nil:
			w = ep.workOf(row)
			ep.inAgain[row.ID], ep.again = w, append(ep.again, w)
			if row.Attempts == 0 {
				ep.hurry()
			}
		case !slices.Contains(ep.again, w): // what is asked for while it is on the wire is found when that is written
		case w.changed > onDisk:
			ep.moreAgain = true
		case !row.DueAt.Equal(w.read):
			w.due, w.read = row.DueAt, row.DueAt
			ep.hurry()
		}
	}
	if ep.moreAgain && ep.onDisk > onDisk {
		d.loadAgain(ep)
	}
	d.soil(ep)
}

// feedLane reads the next deliveries that wait in a lane.
func (d *Dispatcher) feedLane(ep *endpoint, l *lane) {
	if l.loading || ep.gone || ep.retiring {
		return
	}
	l.loading = true
	after, written := l.last, ep.written
	d.read(func() {
		rows, err := d.Store.DeliveriesWaiting(d.asking, ep.account, ep.id, l.name, after, pageSize)
		d.inbox.call(func() {
			switch {
			case err != nil:
				d.later(func() { l.loading = false; ep.arrange(l); d.soil(ep) })
				return
			case len(rows) == 0 && (ep.writing || ep.noted): // they are not on disk yet
				ep.hungry = append(ep.hungry, l)
				return
			case len(rows) == 0 && written != ep.written: // they came to the disk behind the read
				l.loading = false
				ep.arrange(l)
				return
			case len(rows) == 0: // somebody removed them
				l.stored = 0
			}
			l.loading = false
			for i := range rows {
				w := ep.workOf(&rows[i])
				w.lane = l
				l.rows, l.last = append(l.rows, w), w.position
			}
			ep.arrange(l)
			d.soil(ep)
		})
	})
}

// rewind has a subscription begin again from a position: what is on its way is
// only noted, and the rest is read as it then stands.
func (d *Dispatcher) rewind(k key, shard int64, to int64) {
	if old := d.endpoints[k]; old != nil {
		d.unhear(old)
		old.gone = true
		d.schedule(old, d.Now())
	}
	ep := d.newEndpoint(k, shard)
	ep.next, ep.retiring, ep.reload, ep.unsaved = to, true, true, true
	ep.out.rewound = &to
	d.endpoints[k] = ep
	d.recorder.note(ep)
}

// retire sends nothing more to an endpoint, and lets go of it when what is on
// its way is written down.
func (d *Dispatcher) retire(ep *endpoint) {
	ep.next = ep.looked()
	d.unhear(ep)
	ep.retiring = true
	ep.unsaved = ep.unsaved || ep.position() != ep.saved
	d.schedule(ep, d.Now())
	d.recorder.note(ep)
	d.retired(ep)
}

// retired lets go of an endpoint that is at rest.
func (d *Dispatcher) retired(ep *endpoint) {
	if !ep.retiring || ep.gone || ep.flying > 0 || ep.off != nil || ep.writing || ep.unsaved || !ep.out.empty() {
		return
	}
	ep.gone = true
	d.remove(ep)
	if ep.reload {
		d.refresh(ep.key)
	}
}

// discard lets go of an endpoint at once, with what is not written.
func (d *Dispatcher) discard(ep *endpoint) {
	d.unhear(ep)
	ep.gone = true
	d.unwritten -= len(ep.out.attempts)
	ep.unwritten -= len(ep.out.attempts)
	ep.out = outgoing{}
	d.schedule(ep, d.Now())
	d.remove(ep)
}

func (d *Dispatcher) remove(ep *endpoint) {
	if d.endpoints[ep.key] == ep {
		delete(d.endpoints, ep.key)
	}
	d.tail.needed.Store(int64(len(d.endpoints)))
	d.left(ep.shard)
}
