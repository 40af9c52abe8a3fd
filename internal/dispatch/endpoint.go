package dispatch

import (
	"maps"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/hook"
	"mooring/internal/store"
)

// endpoint is a subscription in hand.
type endpoint struct {
	key
	sub     *hook.Subscription // never changed, but replaced
	secrets *hook.Secrets
	kind    account.Kind // of the account that subscribed
	shard   int64

	health hook.Health
	pace   hook.Pace
	rest   time.Time // after a trouble of our own

	// Where it is in the log.
	d       *Dispatcher
	next    int64              // entries up to it were looked at, unless it reads at the tail
	atTail  bool               // it is handed every entry as it comes
	paging  bool               // a page is being read
	ahead   map[int64]struct{} // positions after next that were done before it was loaded
	works   []*work            // of entries from the log, by position: the first is not done
	saved   int64              // the position that is on disk
	unsaved bool               // the progress has changed since

	lanes  map[string]*lane
	ready  []*lane // may send at once
	dues   dues    // held up by a failed delivery
	hungry []*lane // wait for deliveries that are not on disk yet

	again         []*work          // by request
	inAgain       map[string]*work // by id, also those of them that are on the wire
	againBusy     map[string]int   // on the wire, by lane
	moreAgain     bool             // there may be more in the store
	asking        bool             // for these
	settled       int64            // how many of them ever were settled
	settledOnDisk int64

	flying    int
	unwritten int
	out       outgoing
	batch     int64 // how many outcomes were handed over to be written
	onDisk    int64 // up to which of them they are
	reread    bool  // somebody asked for something that was about to be written
	noted     bool  // with the recorder
	writing   bool
	written   int // how often what is to be written was
	inDirty   bool
	timer     timer
	gone      bool    // its results are only noted: another has taken its place, or none
	retiring  bool    // nothing more is sent; it goes when everything is written
	reload    bool    // and comes back as it is then
	off       *ending // it is switched off once nothing is on its way; nil when it is not
}

// work is one message on its way to an endpoint.
type work struct {
	ep       *endpoint
	sub      *hook.Subscription
	secrets  *hook.Secrets
	entry    *hook.Entry // nil until it is read
	asOf     int64       // the epoch at which it was read by itself; 0 when it came with others
	position int64
	lane     *lane           // nil of what is sent by request
	row      *store.Delivery // nil of what comes from the log
	number   int64           // of the next attempt
	done     bool
	due      time.Time
	read     time.Time // when its row is due on disk, as far as it was read or written
	changed  int64     // the outcome that last changed its row
}

// lane is a row in which messages wait for each other. What failed comes first,
// then the deliveries that wait in the store, then what is in hand.
type lane struct {
	name    string
	queue   []*work
	rows    []*work // of the deliveries in the store, the first of them
	stored  int64   // how many there are
	last    int64   // position of the last that was taken from there
	failed  *work
	flying  *work
	ready   bool
	loading bool
	index   int // in dues
}

// head is what may be sent next; nil when nothing may.
func (l *lane) head() *work {
	switch {
	case l.flying != nil || l.failed != nil:
		return nil
	case len(l.rows) > 0:
		return l.rows[0]
	case l.stored > 0 || len(l.queue) == 0:
		return nil
	default:
		return l.queue[0]
	}
}

// held says whether what comes from the log must become a delivery that waits.
func (l *lane) held() bool { return l.failed != nil || l.stored > 0 }

func (ep *endpoint) looked() int64 {
	if ep.atTail {
		return max(ep.next, ep.d.tail.position)
	}
	return ep.next
}

// position is up to where everything is done.
func (ep *endpoint) position() int64 {
	if len(ep.works) > 0 {
		return ep.works[0].position - 1
	}
	return ep.looked()
}

// progress is how far it is, as it is stored.
func (ep *endpoint) progress() *store.Progress {
	p := &store.Progress{
		Account: ep.account, Subscription: ep.id, Position: ep.position(),
		FailingSince: ep.health.FailingSince, Failures: int64(ep.health.Failures), ProbeAt: ep.health.ProbeAt,
		Warned: int64(ep.health.Warned), SucceededAt: ep.health.SucceededAt,
	}
	for _, w := range ep.works {
		if w.done {
			p.Ahead = append(p.Ahead, w.position)
		}
	}
	if len(ep.ahead) > 0 {
		p.Ahead = append(p.Ahead, slices.Sorted(maps.Keys(ep.ahead))...)
	}
	return p
}

// full says whether as much is in hand as may be, or waits to be written.
func (ep *endpoint) full() bool { return len(ep.works) >= window || len(ep.out.rows) >= window }

// idle says that nothing is in hand that could be sent, now or later.
func (ep *endpoint) idle() bool {
	return len(ep.works) == 0 && len(ep.lanes) == 0 && len(ep.again) == 0 && len(ep.againBusy) == 0
}

// stalled says that nothing new is read for it: it is taken for dead, and there
// is something to probe it with.
func (ep *endpoint) stalled() bool { return ep.health.Open() && !ep.idle() }

// take looks at the next entry of the log; false when there is no room for it.
func (ep *endpoint) take(e *hook.Entry) bool {
	if _, done := ep.ahead[e.Position]; done {
		delete(ep.ahead, e.Position)
		if len(ep.works) > 0 {
			ep.works = append(ep.works, &work{position: e.Position, done: true})
		}
		ep.next = e.Position
		return true
	}
	if !ep.sub.Wants(*e) {
		ep.next = e.Position
		return true
	}
	if ep.full() {
		return false
	}
	ep.next = e.Position
	l := ep.lane(hook.Lane(*e))
	w := &work{ep: ep, entry: e, position: e.Position, lane: l, number: 1}
	ep.works = append(ep.works, w)
	l.queue = append(l.queue, w)
	ep.d.want(e.Account)
	if l.held() {
		ep.holdUp(l)
	}
	ep.arrange(l)
	return true
}

func (ep *endpoint) lane(name string) *lane {
	l := ep.lanes[name]
	if l == nil {
		l = &lane{name: name, index: -1}
		ep.lanes[name] = l
	}
	return l
}

// arrange puts a lane where it belongs after something in it changed.
func (ep *endpoint) arrange(l *lane) {
	switch {
	case l.head() != nil:
		if !l.ready {
			l.ready = true
			ep.ready = append(ep.ready, l)
		}
	case l.flying != nil || l.failed != nil:
	case l.stored > 0:
		ep.d.feedLane(ep, l)
	case len(l.queue) == 0 && ep.lanes[l.name] == l:
		delete(ep.lanes, l.name)
	}
}

// holdUp makes deliveries of what waits in a lane behind one that failed. While
// the endpoint is taken for dead it stays in hand, and the log waits.
func (ep *endpoint) holdUp(l *lane) {
	if ep.health.Open() || len(l.queue) == 0 {
		return
	}
	ep.d.recorder.note(ep)
	now := ep.d.Now()
	for _, w := range l.queue {
		w.row = &store.Delivery{
			Account: ep.account, Subscription: ep.id, ID: hook.DeliveryID(ep.id, w.entry.ID), Position: w.position,
			Entry: w.entry.ID, Type: w.entry.Type, Lane: l.name, State: store.DeliveryWaiting, CreatedAt: now,
		}
		ep.put(w)
		if int64(len(l.rows)) == l.stored && len(l.rows) < pageSize {
			l.rows, l.last = append(l.rows, w), w.position
		}
		l.stored++
		ep.finish(w)
	}
	l.queue = nil
}

// finish marks an entry of the log as done.
func (ep *endpoint) finish(w *work) {
	w.done = true
	i := 0
	for i < len(ep.works) && ep.works[i].done {
		ep.works[i] = nil
		i++
	}
	ep.works = ep.works[i:]
	ep.unsaved = true
}

// put notes that a delivery is to be written as it is now.
func (ep *endpoint) put(w *work) {
	c := *w.row
	ep.out.rows = append(ep.out.rows, rowChange{c.ID, &c, w.read})
	w.read, w.changed = c.DueAt.Truncate(time.Microsecond), ep.batch+1
}

// drop notes that a delivery was told.
func (ep *endpoint) drop(w *work) {
	ep.out.rows = append(ep.out.rows, rowChange{w.row.ID, nil, w.read})
}

// outgoing is what is to be written of an endpoint next.
type outgoing struct {
	attempts []store.Attempt
	rows     []rowChange
	told     []hook.Entry
	disabled string
	rewound  *int64
}

type rowChange struct {
	id   string
	put  *store.Delivery // nil: it is gone
	read time.Time       // when it was due before; zero when it was not written
}

func (o *outgoing) empty() bool {
	return len(o.attempts) == 0 && len(o.rows) == 0 && len(o.told) == 0 && o.disabled == "" && o.rewound == nil
}
