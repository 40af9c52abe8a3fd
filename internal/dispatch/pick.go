package dispatch

import (
	"container/heap"
	"time"
)

// soil marks an endpoint: there may be something to send to it.
func (d *Dispatcher) soil(ep *endpoint) {
	if !ep.inDirty && !ep.gone {
		ep.inDirty = true
		d.dirty = append(d.dirty, ep)
	}
}

// fill starts what may be sent. Who has to wait for room of all comes first
// when there is some.
func (d *Dispatcher) fill(now time.Time) {
	if d.stopping || !d.shards.sure(now) {
		return
	}
	waiting := d.dirty
	d.dirty = nil
	for i, ep := range waiting {
		if d.flying >= maxFlying || d.unwritten >= maxUnwritten {
			d.dirty = append(d.dirty, waiting[i:]...)
			return
		}
		ep.inDirty = false
		if ep.gone {
			continue
		}
		for d.flying < maxFlying {
			w := ep.pick(now)
			if w == nil {
				break
			}
			d.flying++
			ep.flying++
			w.sub, w.secrets = ep.sub, ep.secrets
			d.toStart = append(d.toStart, w)
		}
		d.readOn(ep)
		d.schedule(ep, now)
	}
}

// share is how much of what may be on the wire one endpoint may have: the less
// is left, the less, so that dead ones can't take all of it.
func (d *Dispatcher) share() int {
	switch {
	case d.flying < maxFlying/2:
		return maxFlying
	case d.flying < maxFlying*3/4:
		return 8
	default:
		return 2
	}
}

// pick takes the next message that may be sent to an endpoint; nil when there
// is none.
func (ep *endpoint) pick(now time.Time) *work {
	if ep.retiring || ep.unwritten >= maxOfOne || now.Before(ep.rest) {
		return nil
	}
	if ep.health.Open() {
		if ep.flying > 0 || !ep.health.ProbeDue(now) {
			return nil
		}
		return ep.choose(time.Time{})
	}
	if ep.flying >= min(ep.pace.Room(now), ep.d.share()) {
		return nil
	}
	return ep.choose(now)
}

// choose takes what is due by a time, of everything there is when it is zero.
func (ep *endpoint) choose(by time.Time) *work {
	if w := ep.chooseAgain(by); w != nil {
		return w
	}
	if len(ep.dues) > 0 && (by.IsZero() || !ep.dues[0].failed.due.After(by)) {
		l := heap.Pop(&ep.dues).(*lane)
		l.flying = l.failed
		return l.flying
	}
	for len(ep.ready) > 0 {
		l := ep.ready[0]
		ep.ready[0] = nil
		ep.ready = ep.ready[1:]
		l.ready = false
		if w := l.head(); w != nil {
			l.flying = w
			return w
		}
		ep.arrange(l)
	}
	return nil
}

// chooseAgain takes one that was asked for again, one at a time of each lane.
func (ep *endpoint) chooseAgain(by time.Time) *work {
	for i, w := range ep.again {
		if !by.IsZero() && w.due.After(by) {
			continue
		}
		if ep.againBusy[w.row.Lane] > 0 && w.position != 0 {
			continue
		}
		ep.again = append(ep.again[:i:i], ep.again[i+1:]...)
		ep.againBusy[w.row.Lane]++
		return w
	}
	return nil
}

// wakeAt is when an endpoint may have something to do next without anything
// happening to it; zero when never.
func (ep *endpoint) wakeAt(now time.Time) time.Time {
	var at time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	switch {
	case ep.retiring || ep.gone:
		return time.Time{}
	case now.Before(ep.rest):
		sooner(ep.rest)
	case ep.health.Open():
		if ep.flying == 0 && (len(ep.dues) > 0 || len(ep.again) > 0 || len(ep.ready) > 0) {
			sooner(ep.health.ProbeAt)
		}
	case now.Before(ep.pace.Until()):
		sooner(ep.pace.Until())
	default:
		if len(ep.dues) > 0 {
			sooner(ep.dues[0].failed.due)
		}
		for _, w := range ep.again {
			if ep.againBusy[w.row.Lane] == 0 || w.position == 0 {
				sooner(w.due)
			}
		}
	}
	if !at.After(now) { // it waits for room, and what makes room wakes it
		return time.Time{}
	}
	return at
}

// dues are the lanes that a failed delivery holds up, by when it is due.
type dues []*lane

func (h dues) Len() int           { return len(h) }
func (h dues) Less(i, j int) bool { return h[i].failed.due.Before(h[j].failed.due) }
func (h dues) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *dues) Push(x any) {
	l := x.(*lane)
	l.index = len(*h)
	*h = append(*h, l)
}

func (h *dues) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	l.index = -1
	return l
}

// timer is when an endpoint is to be looked at again.
type timer struct {
	at    time.Time
	index int // in timers, from 1; 0 when it is in none
}

// timers are the endpoints with one, by their times.
type timers []*endpoint

func (h timers) Len() int           { return len(h) }
func (h timers) Less(i, j int) bool { return h[i].timer.at.Before(h[j].timer.at) }
func (h timers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].timer.index, h[j].timer.index = i+1, j+1
}

func (h *timers) Push(x any) {
	ep := x.(*endpoint)
	*h = append(*h, ep)
	ep.timer.index = len(*h)
}

func (h *timers) Pop() any {
	last := len(*h) - 1
	ep := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	ep.timer.index = 0
	return ep
}

// next is how long there is to the first of them.
func (h timers) next(now time.Time) time.Duration {
	if len(h) == 0 {
		return time.Hour
	}
	return max(0, h[0].timer.at.Sub(now))
}

// schedule sets the timer of an endpoint.
func (d *Dispatcher) schedule(ep *endpoint, now time.Time) {
	at := ep.wakeAt(now)
	switch {
	case at.Equal(ep.timer.at) && (ep.timer.index > 0) == !at.IsZero():
	case at.IsZero():
		heap.Remove(&d.timers, ep.timer.index-1)
		ep.timer.at = at
	case ep.timer.index > 0:
		ep.timer.at = at
		heap.Fix(&d.timers, ep.timer.index-1)
	default:
		ep.timer.at = at
		heap.Push(&d.timers, ep)
	}
}

// ring soils the endpoints whose time has come.
func (d *Dispatcher) ring(now time.Time) {
	for len(d.timers) > 0 && !d.timers[0].timer.at.After(now) {
		ep := heap.Pop(&d.timers).(*endpoint)
		ep.timer.at = time.Time{}
		d.soil(ep)
	}
}
