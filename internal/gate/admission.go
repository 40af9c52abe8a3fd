package gate

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"mooring/internal/fault"
	"mooring/internal/telemetry"
)

// The budgets that an operation can name in x-mooring-budget, and the two that
// the others share, so that writes which wait for a disk leave room for reads,
// and neither keeps anybody from logging in or the machine from being watched.
const (
	budgetRead     = "read"
	budgetWrite    = "write"
	budgetToken    = "token"
	budgetCallback = "callback"
	budgetImport   = "import"
	budgetProbe    = "probe"
	budgetUpstream = "upstream" // calls that wait for somebody else's answer
)

// budgets are how many requests of each may be at work at once: at most, and
// however slow they get.
var budgets = map[string]struct{ most, least int }{
	budgetRead:     {256, 64},
	budgetWrite:    {256, 64},
	budgetToken:    {64, 64},
	budgetCallback: {64, 64},
	budgetImport:   {16, 16},
	budgetProbe:    {16, 16},
	budgetUpstream: {256, 256},
}

const (
	// tolerance is how many times as long as usual requests may take before
	// fewer are let in.
	tolerance = 2
	// unhurried is what no request is blamed for: a faster one counts as if it
	// usually took so long.
	unhurried = 10 * time.Millisecond
	// memory is how many requests what is usual is remembered from.
	memory = 64
	// tellRest is for how long after a log line about refusals there is no other.
	tellRest = time.Second
)

// Admission lets in as many requests as can be answered in time, and refuses
// the others at once: what waited longer than its client does would be work for
// nobody. It counts what is at work; nothing queues and nothing is timed out.
//
// How many are let in to read and to write follows from how long they take.
// Whoever is at work beside a few others only shows what is usual for its operation,
// and nobody is blamed before that is known. Who is refused because of what he
// sent shows nothing.
// When others take more than twice as long, as many are let in
// as are answered within that time at the rate that was seen (Little's law), and
// more again once they are quick.
//
// It is made once for a process and outlives generations of gates.
type Admission struct {
	budgets map[string]*budget

	mu      sync.Mutex
	resting bool // a refusal had a log line within tellRest
	untold  int  // refusals since then
}

// NewAdmission lets in everybody, until the budgets are full.
func NewAdmission(m *telemetry.Metrics) *Admission {
	a := &Admission{budgets: map[string]*budget{}}
	for name, size := range budgets {
		b := &budget{limit: size.most, most: size.most, least: size.least}
		a.budgets[name] = b
		b.refused = m.CounterOf("mooring_requests_refused_total", "Requests that found no room.", "budget", name)
		m.GaugeOf("mooring_requests_at_work", "Requests that are at work.", "budget", name, func() float64 { return float64(b.now().atWork) })
		m.GaugeOf("mooring_requests_room", "Requests that may be at work at once.", "budget", name, func() float64 { return float64(b.now().limit) })
	}
	return a
}

// tell says whether a refusal has a log line of its own: writing one for each
// would keep the machine from those that were let in. Others that come within
// tellRest share the one that others writes then, with how many they were.
func (a *Admission) tell(others func(refusals int)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.resting {
		a.untold++
		return false
	}
	a.rest(others)
	return true
}

func (a *Admission) rest(others func(refusals int)) {
	a.resting = true
	time.AfterFunc(tellRest, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.resting = false
		if a.untold == 0 {
			return
		}
		others(a.untold)
		a.untold = 0
		a.rest(others)
	})
}

// budget is what requests of one kind share.
type budget struct {
	most, least int
	refused     interface{ Inc() }

	mu      sync.Mutex
	limit   int
	atWork  int
	noisy   uint64  // requests that made it more than a few that are at work
	counted int     // of this round: requests that were not alone with a few
	company int     // how many were at work when they came, summed
	strain  float64 // and how many times as long as usual they took, summed
}

// pace is how long an operation takes beside a few others; 0 when nobody
// knows. It is guarded by the operation's budget.
type pace struct{ usual time.Duration }

// place is what a request that was let in holds; none when its budget is nil.
type place struct {
	budget  *budget
	pace    *pace
	began   time.Time
	company int    // how many were at work when it came, itself included
	noisy   uint64 // of the budget, before it came
}

// full says that there is no place, without taking one when there is.
func (b *budget) full() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refuse()
}

// enter takes a place, or says that there is none.
func (b *budget) enter(p *pace, now time.Time) (place, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refuse(); err != nil {
		return place{}, err
	}
	b.atWork++
	there := place{b, p, now, b.atWork, b.noisy}
	if b.atWork > b.least/4 {
		b.noisy++
	}
	return there, nil
}

func (b *budget) refuse() error {
	if b.atWork < b.limit {
		return nil
	}
	b.refused.Inc()
	return noRoom[rand.IntN(len(noRoom))]
}

// noRoom asks to come back in one to three seconds: those who are refused
// together should not all come back together.
var noRoom = [...]*fault.Fault{errNoRoom(1 * time.Second), errNoRoom(2 * time.Second), errNoRoom(3 * time.Second)}

// noRoomReply is the same for all of them: to encode it each time would be half
// of what a refusal takes here.
var noRoomReply = sync.OnceValue(func() Reply { return encodeAnswer(http.StatusServiceUnavailable, answerOf(noRoom[0])) })

func errNoRoom(wait time.Duration) *fault.Fault {
	f := fault.New(fault.Unavailable, fault.CodeUnavailable, "too many requests are at work; nothing was done")
	f.RetryAfter = wait
	return f
}

// leave gives the place back, if there is one, after so long; 0 when how long it
// took tells nothing.
func (p *place) leave(took time.Duration) {
	b := p.budget
	if b == nil {
		return
	}
	p.budget = nil
	b.mu.Lock()
	defer b.mu.Unlock()
	b.atWork--
	if took == 0 || b.least == b.most {
		return
	}
	if p.noisy == b.noisy { // there were never more than a few since it came
		p.pace.learn(took)
		return
	}
	if p.pace.usual == 0 { // nobody knows what is long
		return
	}
	b.company += p.company
	b.strain += float64(took) / float64(max(p.pace.usual, unhurried))
	if b.counted++; b.counted >= b.limit {
		b.adapt()
	}
}

// learn moves what is usual towards what was seen.
func (p *pace) learn(took time.Duration) {
	if p.usual == 0 {
		p.usual = took
	}
	p.usual += (took - p.usual) / memory
}

// adapt ends a round: as many requests as the budget holds. One bad moment
// takes no more than half of the room away, and nobody is let in for a room
// that is not used.
func (b *budget) adapt() {
	switch inTime := int(tolerance * float64(b.company) / b.strain); {
	case b.strain > tolerance*float64(b.counted):
		b.limit = max(b.least, b.limit/2, min(b.limit, inTime))
	case 2*b.company > b.counted*b.limit:
		b.limit = min(b.most, b.limit+b.limit/8)
	}
	b.counted, b.company, b.strain = 0, 0, 0
}

// now is how full the budget is.
func (b *budget) now() (is struct{ atWork, limit int }) {
	b.mu.Lock()
	defer b.mu.Unlock()
	is.atWork, is.limit = b.atWork, b.limit
	return is
}

// checkRoom refuses what there is no room for now, before anything is read. What is answered
// without any work, such as whether the process is alive, needs none: its description does not know 503.
func (x *exchange) checkRoom() (err error) {
	if x.plan.budget != "" {
		err = x.gate.Admission.budgets[x.plan.budget].full()
		x.turnedAway = err != nil
	}
	return err
}

// admit takes the request's place.
func (x *exchange) admit() (err error) {
	if x.plan.budget != "" {
		x.place, err = x.gate.Admission.budgets[x.plan.budget].enter(&x.plan.pace, time.Now())
		x.turnedAway = err != nil
	}
	return err
}

// Upstream moves the call to where it may wait for somebody else, such as a
// provider, without keeping others from their answers here. It is refused when
// too many do.
func (c *Call) Upstream() error {
	if c.x.place.budget == nil {
		return nil
	}
	there, err := c.x.gate.Admission.budgets[budgetUpstream].enter(nil, time.Now())
	if err != nil {
		c.x.turnedAway = true
		return err
	}
	c.x.place.leave(0)
	c.x.place = there
	return nil
}
