package fleet

import (
	"hash/fnv"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// kind is what a client asked for.
type kind int

const (
	begins kind = iota // what was there before the clients came
	appends
	reads
)

// input is one operation on one connection.
type input struct {
	kind                   kind
	connection             string
	name, status, external string // of an event
}

// output is what the client was told.
type output struct {
	unknown bool   // nothing: what was asked may have been done, once, at any time since
	name    string // of the event that is recorded: another's, when that had the external id first
	place   int    // among the events, as they were read in the end
	state          // that was read
}

// state is a connection: how many events, which in which order, and the status.
type state struct {
	events    int
	order     uint64 // stands for all names, in their order
	status    string
	externals string // those that were taken, with the names of their events
}

func (s state) with(name, status string) state {
	h := fnv.New64a()
	for i := range 8 {
		h.Write([]byte{byte(s.order >> (8 * i))})
	}
	h.Write([]byte(name))
	s.events, s.order, s.status = s.events+1, h.Sum64(), status
	return s
}

// seen is what a history is to the model.
func seen(h history) output {
	var s state
	for _, e := range h.Events {
		s = s.with(e.Event, h.Status)
	}
	return output{state: s}
}

// step says whether an operation that was answered so can come next.
func step(s state, in input, out output) (bool, state) {
	switch in.kind {
	case begins:
		return s == state{}, out.state
	case reads:
		return out.events == s.events && out.order == s.order && out.status == s.status, s
	}
	if _, rest, taken := strings.Cut(s.externals, " "+in.external+"="); taken && in.external != "" {
		first, _, _ := strings.Cut(rest, " ")
		return out.unknown || out.name == first, s
	}
	if out.place != s.events {
		return false, s
	}
	next := s.with(in.name, in.status)
	if in.external != "" {
		next.externals += " " + in.external + "=" + in.name + " "
	}
	return out.unknown || out.name == in.name, next
}

var model = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		by := map[string][]porcupine.Operation{}
		for _, o := range all {
			in := o.Input.(input)
			by[in.connection] = append(by[in.connection], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return state{} },
	Step: func(s, in, out any) (bool, any) { return step(s.(state), in.(input), out.(output)) },
}

// ledger is what clients did and saw, kept by themselves.
type ledger struct {
	mu      sync.Mutex
	started time.Time
	all     []porcupine.Operation
}

// begin notes how a connection stood before anybody asked.
func (l *ledger) begin(slug string, h history) {
	l.all = append(l.all, porcupine.Operation{Input: input{kind: begins, connection: slug}, Output: seen(h), Call: -2, Return: -1})
}

// note does something and writes it down. What may still be done at any time
// ends never.
func (l *ledger) note(client int, in input, do func() output) {
	call := time.Since(l.started)
	out := do()
	end := int64(time.Since(l.started))
	if out.unknown {
		end = math.MaxInt64
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: int64(call), Return: end})
}

// check fails unless there is one order in which all that was seen can have
// happened, each thing while its client waited for it. all is how the
// connections stood in the end. Where an event is in it is where it was written;
// one that nobody knows of and that is not in it was never written.
func (l *ledger) check(t *testing.T, all map[string]history) {
	t.Helper()
	places := map[input]int{}
	for slug, h := range all {
		for i, e := range h.Events {
			places[input{connection: slug, name: e.Event}] = i
		}
	}
	var known []porcupine.Operation
	unknown := 0
	for _, o := range l.all {
		in, out := o.Input.(input), o.Output.(output)
		place, there := places[input{connection: in.connection, name: in.name}]
		if out.unknown {
			unknown++
			if !there {
				continue
			}
		}
		out.place = place
		o.Output = out
		known = append(known, o)
	}
	result := porcupine.CheckOperationsTimeout(model, known, time.Minute)
	t.Logf("%d operations, %d of them with an unknown outcome: %s", len(l.all), unknown, result)
	if result != porcupine.Ok {
		t.Error("the histories are not linearizable")
	}
}

// TestTheModelKnowsAWrongHistory: a judge that never finds anything judges nothing.
func TestTheModelKnowsAWrongHistory(t *testing.T) {
	before := history{"pending", []event{{Event: "a"}}}
	after := history{"enabled", []event{{Event: "a"}, {Event: "b"}}}
	twice := history{"enabled", append(after.Events, event{Event: "b"})}
	begin := operation(begins, seen(before), -2, -1)
	wrote := operation(appends, output{name: "b", place: 1}, 1, 2)
	unsure := operation(appends, output{unknown: true, place: 1}, 1, math.MaxInt64)
	for name, c := range map[string]struct {
		then  []porcupine.Operation
		right bool
	}{
		"an event that is read after it was answered": {[]porcupine.Operation{wrote, operation(reads, seen(after), 3, 4)}, true},
		"an event that is not":                        {[]porcupine.Operation{wrote, operation(reads, seen(before), 3, 4)}, false},
		"one that may be, while nobody knows":         {[]porcupine.Operation{unsure, operation(reads, seen(before), 3, 4), operation(reads, seen(after), 5, 6)}, true},
		"one that comes and goes":                     {[]porcupine.Operation{unsure, operation(reads, seen(after), 3, 4), operation(reads, seen(before), 5, 6)}, false},
		"an event that nobody wrote":                  {[]porcupine.Operation{operation(reads, seen(after), 1, 2)}, false},
		"an event that is there twice":                {[]porcupine.Operation{wrote, operation(reads, seen(twice), 3, 4)}, false},
	} {
		if got := porcupine.CheckOperations(model, append(c.then, begin)); got != c.right {
			t.Errorf("%s is taken for right: %t", name, got)
		}
	}
}

// operation is what the only client of a small history did.
func operation(k kind, out output, call, end int64) porcupine.Operation {
	return porcupine.Operation{Input: input{kind: k, connection: "vipps", name: "b", status: "enabled"}, Output: out, Call: call, Return: end}
}
