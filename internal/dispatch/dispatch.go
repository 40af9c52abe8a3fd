package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mooring/internal/account"
	"mooring/internal/hook"
	"mooring/internal/store"
	"mooring/internal/telemetry"
)

// The bounds of one node.
const (
	maxFlying     = 1024 // attempts under way
	maxUnwritten  = 8192 // attempts whose outcome is not on disk yet, those under way not counted
	maxOfOne      = 512  // of these, of one endpoint
	window        = 512  // entries of one endpoint in hand at once
	pageSize      = 256  // entries or deliveries read at once
	ringSize      = 4096 // newest entries kept in memory for all endpoints
	readers       = 4    // reads of the store for endpoints under way
	restAfter     = time.Second
	stopPatience  = 3 * time.Second // for what is on the wire when we stop
	writePatience = 3 * time.Second // for what is to be written then
)

// Deps is what the engine works with. All fields are needed.
type Deps struct {
	Store   *store.Store
	Senders map[hook.Kind]Sender
	// Secrets opens what the messages of a subscription are signed with.
	Secrets func(ctx context.Context, id account.ID, subscription string, now time.Time) (hook.Secrets, error)
	Serves  func(account.ID) bool

	Now     func() time.Time
	NewID   func() string
	Chance  func() float64 // drawn from [0, 1)
	Log     *slog.Logger
	Metrics *telemetry.Metrics
}

// Dispatcher is the engine of one node. What has no lock of its own belongs to
// the goroutine of Run alone; everything that waits is done by others, who
// leave what came of it in the inbox.
type Dispatcher struct {
	Deps
	rhythm  rhythm
	inbox   inbox
	metrics metrics
	shards  shards
	tail    tail

	endpoints map[key]*endpoint
	heard     map[account.ID][]*endpoint // those that read at the tail, by who subscribed
	timers    timers
	dirty     []*endpoint // there may be something to send to them

	flying    int
	unwritten int
	toStart   []*work
	recorder  recorder
	reading   int
	toRead    []func()
	stopping  bool

	checked accounts
	looking bool                // for what is to be sent, beside the loop
	wanted  map[account.ID]bool // accounts to look up soon
	working sync.WaitGroup
	rested  chan *work      // for those who have made an attempt, and wait for another
	sending context.Context // ends when what is on the wire is cut off
	cutOff  context.CancelFunc
	asking  context.Context // of reads and writes
	look    chan struct{}   // a subscription was written to here
	kept    *keeper         // when it is done
}

// key names a subscription.
type key struct {
	account account.ID
	id      string
}

// New makes a dispatcher.
func New(d Deps) *Dispatcher {
	r := shared
	if d.Store.Engine() == "sqlite" {
		r = alone
	}
	return &Dispatcher{
		Deps: d, rhythm: r, inbox: newInbox(), metrics: newMetrics(d.Metrics),
		endpoints: map[key]*endpoint{}, heard: map[account.ID][]*endpoint{}, tail: newTail(), shards: newShards(),
		wanted: map[account.ID]bool{}, look: make(chan struct{}, 1), rested: make(chan *work),
	}
}

// Run tells subscriptions until ctx ends, and returns when what was on the wire
// is finished, or cut off after a while, and written down.
func (d *Dispatcher) Run(ctx context.Context) error {
	background := context.WithoutCancel(ctx)
	d.sending, d.cutOff = context.WithCancel(background)
	defer d.cutOff()
	asking, stopAsking := context.WithCancel(background)
	defer stopAsking()
	d.asking = asking
	around, stopAround := context.WithCancel(ctx)
	defer stopAround()
	d.Store.OnSubscriptionTouched(d.touched())
	d.working.Go(func() { d.keepLeases(around) })
	d.working.Go(func() { d.follow(around) })
	d.working.Go(func() { d.watch(around) })

	d.loop(ctx)

	stopAround()
	stopAsking()
	d.working.Wait()
	return d.letGo(background)
}

// loop is the one hand that moves endpoints.
func (d *Dispatcher) loop(ctx context.Context) {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	stop, cut, giveUp := ctx.Done(), (<-chan time.Time)(nil), (<-chan time.Time)(nil)
	for {
		d.inbox.drain(d.land)
		now := d.Now()
		d.ring(now)
		d.fill(now)
		d.launch()
		d.record(now)
		if d.stopping && d.flying == 0 && d.recorder.idle() {
			return
		}
		alarm.Reset(d.timers.next(now))
		select {
		case <-d.inbox.wake:
		case <-alarm.C:
		case <-stop:
			stop, d.stopping = nil, true
			d.putDown()
			cut, giveUp = time.After(stopPatience), time.After(stopPatience+writePatience)
		case <-cut:
			d.cutOff()
		case <-giveUp:
			d.Log.Warn("what was sent last could not be written down; it is sent again")
			return
		}
	}
}

// landing is an attempt that is over.
type landing struct {
	work     *work
	result   hook.Result
	attempt  store.Attempt
	verdict  verdict
	finished time.Time
}

// verdict says what became of an attempt.
type verdict uint8

const (
	sent    verdict = iota // there is a result
	undone                 // it was not made, or cut off: again later
	refused                // it must not be made
)

// inbox is what others leave for the loop.
type inbox struct {
	mu     *sync.Mutex
	landed []landing
	calls  []func()
	spare  []landing
	wake   chan struct{}
}

func newInbox() inbox { return inbox{mu: &sync.Mutex{}, wake: make(chan struct{}, 1)} }

func (in *inbox) land(l landing) {
	in.mu.Lock()
	in.landed = append(in.landed, l)
	in.mu.Unlock()
	in.poke()
}

// call has f run by the loop.
func (in *inbox) call(f func()) {
	in.mu.Lock()
	in.calls = append(in.calls, f)
	in.mu.Unlock()
	in.poke()
}

func (in *inbox) poke() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

func (in *inbox) drain(land func(*landing)) {
	in.mu.Lock()
	landed, calls := in.landed, in.calls
	in.landed, in.calls = in.spare[:0], nil
	in.mu.Unlock()
	for i := range landed {
		land(&landed[i])
	}
	for _, f := range calls {
		f()
	}
	clear(landed)
	in.spare = landed
}

// read runs f beside the loop, a few at a time.
func (d *Dispatcher) read(f func()) {
	if d.reading >= readers {
		d.toRead = append(d.toRead, f)
		return
	}
	d.reading++
	d.working.Go(func() {
		f()
		d.inbox.call(func() {
			d.reading--
			if len(d.toRead) > 0 {
				next := d.toRead[0]
				d.toRead = d.toRead[1:]
				d.read(next)
			}
		})
	})
}

// later has the loop run f after a rest.
func (d *Dispatcher) later(f func()) { time.AfterFunc(restAfter, func() { d.inbox.call(f) }) }

// putDown stops everything but what is under way.
func (d *Dispatcher) putDown() {
	for _, w := range d.toStart {
		d.inbox.land(landing{work: w, verdict: undone})
	}
	d.toStart, d.toRead = nil, nil
	for _, ep := range d.endpoints {
		ep.unsaved = ep.unsaved || ep.position() != ep.saved
	}
	for _, ep := range d.endpoints {
		if ep.unsaved {
			d.recorder.note(ep)
		}
	}
}
