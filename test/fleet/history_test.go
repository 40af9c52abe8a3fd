package fleet

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"
)

// between is how many operations there are between one fault and the next.
const between = 60

// TestNodesThatAreKilledAndPausedTellOneHistory: clients race for a few
// connections through all nodes, while nodes are killed and stand still. What
// they saw is one history, of which nothing is missing or there twice; the feed and
// the hooks tell all of it, once and in order.
func TestNodesThatAreKilledAndPausedTellOneHistory(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3, "--outbound-allow", "127.0.0.0/8", "--outbound-unverified")
	told := newReceiver(t, f)
	feed := newFollower(f)
	l := newLoad(f)
	l.run()
	for i := range *faults {
		l.await(between)
		if i%2 == 0 {
			l.kill(i % len(f.nodes))
		} else {
			l.pause(i % len(f.nodes))
		}
	}
	l.await(between)
	l.stop()
	all := map[string]history{}
	for i := range f.nodes {
		for _, slug := range connections {
			in := input{kind: reads, connection: slug}
			l.note(clients, in, func() output {
				all[slug] = f.read(slug, f.node(i).client.Do)
				return seen(all[slug])
			})
		}
	}
	l.check(t, all)
	for _, slug := range connections {
		f.checkDense(slug, all[slug])
	}
	feed.check(all)
	told.check(all)
}

// kill ends a node without a chance to tidy up, and starts another in its place.
func (l *load) kill(i int) {
	l.node(i).Kill()
	l.await(between) // the others go on
	l.start(i, binary)
}

// pause lets a node stand still for a while: long enough for others to take it
// for dead, when nothing is done meanwhile.
func (l *load) pause(i int) {
	n := l.node(i)
	if err := n.Signal(syscall.SIGSTOP); err != nil {
		l.t.Error(err)
	}
	select {
	case <-l.more(between):
	case <-time.After(4 * time.Second): // it may hold what they all need
	}
	if err := n.Signal(syscall.SIGCONT); err != nil {
		l.t.Error(err)
	}
}

// checkDense reads the whole history as an operator does: numbered from one
// without a gap, in the order of time, each event once, and the status is that
// of the last.
func (f *fleet) checkDense(slug string, want history) {
	f.t.Helper()
	var last int64
	at, names, ids := time.Time{}, map[string]bool{}, []string{}
	for {
		answer, err := f.insist(http.MethodGet, fmt.Sprintf("/v1/operator/accounts/%s/connections/%s/events?limit=100&starting_after=%d", f.world.SecondAccount, slug, last), f.header("platform", ""), nil)
		var page []struct {
			Seq       int64     `json:"seq"`
			ID        string    `json:"id"`
			Event     string    `json:"event"`
			CreatedAt time.Time `json:"created_at"`
		}
		if err == nil {
			err = json.Unmarshal(answer.Body, &page)
		}
		if err != nil {
			f.t.Fatalf("%s: %v\n%s", slug, err, answer.Body)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if e.Seq != last+1 || e.CreatedAt.Before(at) || names[e.Event] {
				f.t.Errorf("%s: event %d, %s at %s, comes after %d at %s", slug, e.Seq, e.Event, e.CreatedAt, last, at)
			}
			last, at, names[e.Event] = e.Seq, e.CreatedAt, true
			ids = append(ids, e.ID)
		}
	}
	var shown []string
	for _, e := range want.Events {
		shown = append(shown, e.ID)
	}
	if !slices.Equal(shown, ids) {
		f.t.Errorf("%s: the merchant is shown %d events, the operator %d, or others", slug, len(shown), len(ids))
	}
	if end := want.Events[len(want.Events)-1]; want.Status != end.Status {
		f.t.Errorf("%s: the status is %s, that of the last event %s", slug, want.Status, end.Status)
	}
}

// follower reads the feed of the merchant from whichever node answers, from its
// beginning and without an end.
type follower struct {
	*fleet
	cursor string
	ids    map[string][]string // of the events of a connection, as they came
}

func newFollower(f *fleet) *follower { return &follower{fleet: f, ids: map[string][]string{}} }

// page reads on.
func (r *follower) page() {
	path := "/v1/accounts/" + r.world.SecondAccount + "/feed?limit=100"
	if r.cursor != "" {
		path += "&after=" + r.cursor
	}
	answer, err := r.insist(http.MethodGet, path, r.header("second", ""), nil)
	var page struct {
		Items []struct {
			ID, Event, Connection string
		}
		Cursor string
	}
	if err == nil {
		err = json.Unmarshal(answer.Body, &page)
	}
	if err != nil || answer.Status != http.StatusOK {
		r.t.Fatalf("feed: %d %s, %v", answer.Status, answer.Body, err)
	}
	for _, item := range page.Items {
		if item.Event == "account_connection_update" {
			r.ids[item.Connection] = append(r.ids[item.Connection], item.ID)
		}
	}
	r.cursor = page.Cursor
}

// check reads until every event was told, and holds the order against that of
// the connections. Whoever gives places in the feed may just have been killed.
func (r *follower) check(all map[string]history) {
	r.t.Helper()
	missing := func() int { return total(all) - total(r.ids) }
	for end := time.Now().Add(patience); missing() > 0 && time.Now().Before(end); {
		r.page()
	}
	r.page() // what is told twice
	for slug, h := range all {
		var want []string
		for _, e := range h.Events {
			want = append(want, e.ID)
		}
		if !slices.Equal(want, r.ids[slug]) {
			r.t.Errorf("%s: the feed tells of %d events, there are %d, or in another order", slug, len(r.ids[slug]), len(want))
		}
	}
}

func total[V history | []string](by map[string]V) (n int) {
	for _, v := range by {
		switch v := any(v).(type) {
		case history:
			n += len(v.Events)
		case []string:
			n += len(v)
		}
	}
	return n
}
