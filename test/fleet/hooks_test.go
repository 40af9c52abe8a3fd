package fleet

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// receiver is an endpoint that hooks of the merchant are sent to.
type receiver struct {
	*fleet
	came chan struct{} // holds one: something came

	mu       sync.Mutex
	place    map[string]int    // of messages, in the order in which they came first
	messages map[string]string // by id
	again    int
}

func newReceiver(t *testing.T, f *fleet) *receiver {
	t.Helper()
	r := &receiver{fleet: f, came: make(chan struct{}, 1), place: map[string]int{}, messages: map[string]string{}}
	endpoint := httptest.NewTLSServer(r)
	t.Cleanup(endpoint.Close)
	answer, err := f.insist(http.MethodPost, "/v1/accounts/"+f.world.SecondAccount+"/hooks/subscriptions", f.header("second", "subscribe"),
		fmt.Appendf(nil, `{"config":{"url":%q,"insecure_ssl":1},"events":["account_connection_update"]}`, endpoint.URL))
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("%d %s, %v", answer.Status, answer.Body, err)
	}
	return r
}

func (r *receiver) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil || req.Header.Get("event") == "ping" {
		return
	}
	id, message := req.Header.Get("webhook-id"), req.Header.Get("event-delivery")+string(body)
	r.mu.Lock()
	defer r.mu.Unlock()
	before, again := r.messages[id]
	switch {
	case !again:
		r.messages[id], r.place[id] = message, len(r.place)
	case before != message:
		r.t.Errorf("message %s came again as another:\n%s\n%s", id, before, message)
	default:
		r.again++
	}
	select {
	case r.came <- struct{}{}:
	default:
	}
}

// check waits until every event that the clients made came, and holds the order
// of each connection against its history.
func (r *receiver) check(all map[string]history) {
	r.t.Helper()
	end := time.After(patience)
	for r.missing(all) > 0 {
		select {
		case <-r.came:
		case <-end:
			r.t.Fatalf("%d events did not come", r.missing(all))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for slug, h := range all {
		last := -1
		for _, e := range made(h) {
			if r.place[e.ID] < last {
				r.t.Errorf("%s: event %s came before an earlier one", slug, e.Event)
			}
			last = r.place[e.ID]
		}
	}
	r.t.Logf("%d messages came, %d of them again", len(r.place), r.again)
}

func (r *receiver) missing(all map[string]history) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range all {
		for _, e := range made(h) {
			if _, came := r.place[e.ID]; !came {
				n++
			}
		}
	}
	return n
}

// made are the events since the subscription: the first is of the seed.
func made(h history) []event { return h.Events[1:] }
