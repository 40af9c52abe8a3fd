package fleet

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"mooring/test/drive"
)

// patience is how long a client goes on asking.
const patience = 2 * time.Minute

// insist asks one node after the other until one answers: who is not answered,
// or is told 503, asks another.
func (f *fleet) insist(method, path string, header http.Header, body []byte) (drive.Answer, error) {
	var answer drive.Answer
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		answer, err = f.any().client.Within(5*time.Second).Do(method, path, header, body)
		if err == nil && answer.Status != http.StatusServiceUnavailable {
			return answer, nil
		}
	}
	return answer, fmt.Errorf("no node answered: %d %s, %w", answer.Status, answer.Body, err)
}

// connections are those that clients race for, all of one account.
var connections = []string{"vipps", "swish", "bambora"}

var statuses = []string{"pending", "enabled", "failed", "declined"}

func (f *fleet) eventsOf(slug string) string {
	return "/v1/accounts/" + f.world.Owner + "/management/accounts/" + f.world.SecondAccount + "/connections/" + slug + "/events"
}

// append posts an event until it is known to be there, or once when it has
// neither a key nor an external id.
func (f *fleet) append(in input, key string) output {
	header, path := f.header("partner", key), f.eventsOf(in.connection)
	body := fmt.Appendf(nil, `{"status":%q,"event":%q}`, in.status, in.name)
	if in.external != "" {
		body = fmt.Appendf(nil, `{"status":%q,"event":%q,"external_id":%q}`, in.status, in.name, in.external)
	}
	if key == "" && in.external == "" {
		answer, err := f.any().client.Within(5*time.Second).Do(http.MethodPost, path, header, body)
		if err != nil || answer.Status == http.StatusServiceUnavailable {
			return output{unknown: true}
		}
		return f.recorded(answer)
	}
	answer, err := f.insist(http.MethodPost, path, header, body)
	if err != nil {
		f.t.Errorf("event %s: %v", in.name, err)
		return output{unknown: true}
	}
	return f.recorded(answer)
}

func (f *fleet) recorded(answer drive.Answer) output {
	var e event
	if err := json.Unmarshal(answer.Body, &e); err != nil || answer.Status != http.StatusOK {
		f.t.Errorf("%s %s: %d %s", answer.Method, answer.Target, answer.Status, answer.Body)
	}
	return output{name: e.Event}
}

type event struct{ ID, Event, Status string }

// history is a connection with its events.
type history struct {
	Status string
	Events []event
}

// read asks for a connection, of one node until it answers or of any.
func (f *fleet) read(slug string, ask func(method, path string, header http.Header, body []byte) (drive.Answer, error)) (h history) {
	answer, err := ask(http.MethodGet, "/v1/accounts/"+f.world.SecondAccount+"/management/settings/connections/"+slug, f.header("second", ""), nil)
	if err == nil {
		err = json.Unmarshal(answer.Body, &h)
	}
	if err != nil || answer.Status != http.StatusOK {
		f.t.Errorf("read %s: %d %s, %v", slug, answer.Status, answer.Body, err)
	}
	return h
}

// load is clients that write and read until they are told to stop.
type load struct {
	*fleet
	ledger
	done    chan struct{}
	all     sync.WaitGroup
	number  atomic.Int64
	reached atomic.Pointer[goal]
}

// goal is a number of operations that somebody waits for.
type goal struct {
	at   int64
	once sync.Once
	met  chan struct{}
}

// clients of the load; each is one kind of client the whole time.
const clients = 8

func newLoad(f *fleet) *load {
	l := &load{fleet: f, ledger: ledger{started: time.Now()}, done: make(chan struct{})}
	for _, slug := range connections {
		l.begin(slug, f.read(slug, f.insist))
	}
	return l
}

// run starts the clients.
func (l *load) run() {
	for c := range clients {
		l.all.Go(func() { l.each(func(n int) { l.operate(c, n) }) })
	}
}

// pace is how soon a client does the next thing, at most.
const pace = 10 * time.Millisecond

// each does one thing after the other until the clients are told to stop.
func (l *load) each(do func(n int)) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-l.done:
			return
		case <-tick.C:
		}
		do(n)
		l.count()
	}
}

// operate does one thing: two clients race for external ids, one never asks
// twice, two read, and the others insist under keys.
func (l *load) operate(c, n int) {
	in := input{
		connection: connections[(c+n)%len(connections)], status: statuses[n%len(statuses)],
		name: fmt.Sprintf("c%d_n%d", c, n), kind: appends,
	}
	switch c {
	case 0, 1: // whoever is first with the n-th of them
		in.external = fmt.Sprintf("external-%d", n)
		in.connection = connections[n%len(connections)]
		l.note(c, in, func() output { return l.append(in, "") })
	case 2:
		l.note(c, in, func() output { return l.append(in, "") })
	case 3, 4:
		in.kind = reads
		l.note(c, in, func() output { return seen(l.read(in.connection, l.insist)) })
	default:
		l.note(c, in, func() output { return l.append(in, in.name) })
	}
}

// count tells whoever waits for so many operations.
func (l *load) count() {
	n := l.number.Add(1)
	if g := l.reached.Load(); g != nil && n >= g.at {
		g.once.Do(func() { close(g.met) })
	}
}

// more is closed when there were so many operations more.
func (l *load) more(n int64) <-chan struct{} {
	g := &goal{at: l.number.Load() + n, met: make(chan struct{})}
	l.reached.Store(g)
	return g.met
}

// await waits for so many operations more.
func (l *load) await(n int64) {
	select {
	case <-l.more(n):
	case <-time.After(patience):
		l.t.Errorf("the fleet stands still after %d operations", l.number.Load())
	}
}

// stop ends the clients, each after what it is doing.
func (l *load) stop() {
	close(l.done)
	l.all.Wait()
}
