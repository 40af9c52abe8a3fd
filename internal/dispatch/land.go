package dispatch

import (
	"container/heap"
	"time"

	"mooring/internal/hook"
	"mooring/internal/store"
)

// land takes in what came of an attempt.
func (d *Dispatcher) land(l *landing) {
	w, ep := l.work, l.work.ep
	d.flying--
	ep.flying--
	d.metrics.flying.Set(float64(d.flying))
	if !d.shards.has(ep.shard) {
		return // another makes the attempt again
	}
	if l.verdict == sent {
		ep.out.attempts = append(ep.out.attempts, l.attempt)
		ep.unwritten++
		d.unwritten++
		d.recorder.note(ep)
		d.metrics.sent(l.result)
	}
	if ep.gone {
		return
	}
	switch l.verdict {
	case undone:
		ep.putBack(w, l.finished.Add(restAfter))
	case refused:
		d.metrics.refused.Inc()
		ep.settle(w)
	default:
		d.judge(ep, w, l)
	}
	d.switchOff(ep)
	d.recorder.note(ep)
	d.soil(ep)
	d.retired(ep)
}

// judge moves an endpoint by what came of an attempt.
func (d *Dispatcher) judge(ep *endpoint, w *work, l *landing) {
	wasOpen := ep.health.Open()
	health, change := ep.health.After(l.result, l.finished, d.Chance())
	ep.health, ep.pace, ep.unsaved = health, ep.pace.After(l.result, l.finished), true
	switch turn := hook.Next(int(w.number), wasOpen || health.Open(), l.result, d.Chance()); {
	case turn.Done:
		ep.settle(w)
	case w.position == 0 && !l.result.Ours: // a ping is tried once
		ep.settle(w)
	default:
		ep.fail(w, turn, l, wasOpen)
	}
	if change.Closed {
		ep.revive(l.finished)
	}
	if change.Warn > 0 {
		ep.tell(change, l.finished)
	}
	if change.Disabled != "" && !ep.retiring {
		ep.off = &ending{change.Disabled, ep.says(change, l.finished)}
		d.retire(ep)
	}
}

// putBack leaves a message where it was, until a time.
func (ep *endpoint) putBack(w *work, until time.Time) {
	ep.rest = until
	if w.lane == nil {
		ep.leave(w)
		ep.again = append([]*work{w}, ep.again...)
		return
	}
	w.lane.flying = nil
	if w.lane.failed == w {
		heap.Push(&ep.dues, w.lane)
		return
	}
	ep.arrange(w.lane)
}

// settle ends a message: it was told, or must not be.
func (ep *endpoint) settle(w *work) {
	if w.lane == nil {
		ep.leave(w)
		ep.drop(w)
		ep.forgetAgain(w)
		return
	}
	ep.leaveLane(w)
	if w.row != nil {
		ep.drop(w)
	}
	ep.arrange(w.lane)
}

// leave takes a message off the wire that was asked for again.
func (ep *endpoint) leave(w *work) {
	if ep.againBusy[w.row.Lane]--; ep.againBusy[w.row.Lane] <= 0 {
		delete(ep.againBusy, w.row.Lane)
	}
}

func (ep *endpoint) forgetAgain(w *work) {
	delete(ep.inAgain, w.row.ID)
	ep.settled++
	ep.moreAgain = ep.moreAgain || len(ep.inAgain) == 0
}

// leaveLane takes a message from its place in its lane.
func (ep *endpoint) leaveLane(w *work) {
	l := w.lane
	l.flying = nil
	switch {
	case l.failed == w:
		l.failed = nil
	case len(l.rows) > 0 && l.rows[0] == w:
		l.rows[0] = nil
		l.rows = l.rows[1:]
		l.stored--
	default:
		l.queue[0] = nil
		l.queue = l.queue[1:]
		ep.finish(w)
	}
}

// fail keeps a message to be tried again, or for dead.
func (ep *endpoint) fail(w *work, turn hook.Turn, l *landing, wasOpen bool) {
	if w.row == nil {
		w.row = &store.Delivery{
			Account: ep.account, Subscription: ep.id, ID: l.attempt.Delivery, Position: w.position, Entry: w.entry.ID,
			Type: w.entry.Type, Lane: w.lane.name, CreatedAt: l.attempt.At,
		}
	}
	if w.row.FirstAt.IsZero() {
		w.row.FirstAt = l.attempt.At
	}
	if !wasOpen && !l.result.Ours { // those while it is taken for dead do not count
		w.row.Attempts = w.number
		w.number++
	}
	w.row.LastError = l.result.Why()
	w.due = l.finished.Add(turn.Wait)
	w.row.DueAt = w.due
	if w.lane == nil {
		ep.leave(w)
		w.row.State = store.DeliveryAgain
		if turn.Dead {
			ep.kill(w, l.finished)
			return
		}
		ep.again = append(ep.again, w)
		ep.put(w)
		return
	}
	ep.leaveLane(w)
	if turn.Dead {
		ep.kill(w, l.finished)
		ep.arrange(w.lane)
		return
	}
	w.row.State = store.DeliveryFailed
	w.lane.failed = w
	heap.Push(&ep.dues, w.lane)
	ep.put(w)
	ep.holdUp(w.lane)
}

// kill gives a message up.
func (ep *endpoint) kill(w *work, at time.Time) {
	w.row.State, w.row.DueAt = store.DeliveryDead, at
	ep.put(w)
	if w.lane == nil {
		ep.forgetAgain(w)
	}
	ep.d.metrics.dead.Inc()
}

// revive makes due what waits for an endpoint that is alive again.
func (ep *endpoint) revive(now time.Time) {
	for _, l := range ep.dues {
		l.failed.due = now
	}
	for _, w := range ep.again {
		w.due = now
	}
}

// tell writes what changed of an endpoint into the feed of whose it is, which the
// store knows.
func (ep *endpoint) tell(change hook.Change, at time.Time) {
	ep.out.told = append(ep.out.told, ep.says(change, at))
}

func (ep *endpoint) says(change hook.Change, at time.Time) hook.Entry {
	return hook.OfEndpoint("", *ep.sub, ep.health, change, ep.d.NewID(), at)
}

// ending is why an endpoint is to be switched off, and what is told of it.
type ending struct {
	why  string
	told hook.Entry
}

// switchOff has it written that an endpoint is switched off, once nothing is on
// its way to it: what came of that would be written over what whoever switches
// it on again begins with. If somebody wrote to the subscription meanwhile, it
// is tried as it is now.
func (d *Dispatcher) switchOff(ep *endpoint) {
	off := ep.off
	if off == nil || ep.flying > 0 {
		return
	}
	ep.off = nil
	if ep.reload {
		return
	}
	d.Log.Info("an endpoint was switched off", "account", ep.account, "subscription", ep.id, "why", off.why)
	ep.out.disabled, ep.out.told = off.why, append(ep.out.told, off.told)
}
