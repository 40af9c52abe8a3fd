package product

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// TestEveryEventIsToldWhenTheProcessIsKilled kills the server in the middle of
// many writes, again and again, while it tells a hook of them: each event that
// was answered with 200 comes, in the order of its connection, and what comes
// twice is the same message, of which there are no more than were on their way.
func TestEveryEventIsToldWhenTheProcessIsKilled(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { hookCrash(t, 5) })
	t.Run("postgres", func(t *testing.T) { hookCrash(t, 1, "--database", storetest.Postgres(t)) })
}

// onTheirWay is how many messages may be under way to one endpoint.
const onTheirWay = 64

func hookCrash(t *testing.T, cycles int, args ...string) {
	inbox := &hookInbox{t: t, first: map[string]int{}, bodies: map[string]string{}, came: make(chan struct{}, 1)}
	receiver := httptest.NewServer(inbox)
	defer receiver.Close()
	args = append(args, "--data", filepath.Join(t.TempDir(), "data"))
	s := dev(t, append(args, "--listen", "127.0.0.1:0")...)
	args = append(args, "--listen", strings.TrimPrefix(s.BaseURL, "http://"))
	c := &crasher{t: t, tokens: tokens(t, s), acknowledged: map[string]map[string]string{}}
	answer, err := drive.NewClient(s.BaseURL).Do(http.MethodPost, "/v1/accounts/"+s.PartnerAccount+"/hooks/subscriptions",
		bearer(c.tokens["partner"]), fmt.Appendf(nil, `{"config":{"url":%q},"events":["account_connection_update"]}`, receiver.URL))
	if err != nil || answer.Status != http.StatusOK {
		t.Fatalf("%d %s, %v", answer.Status, answer.Body, err)
	}
	for cycle := range cycles {
		c.writeUntilKilled(s, cycle)
		s = dev(t, args...)
		c.verify(s)
	}
	inbox.await(c.acknowledged)
	inbox.checkOrder(c, s)
	t.Logf("%d messages came, %d of them again", len(inbox.order), inbox.repeated)
	if inbox.repeated > cycles*onTheirWay {
		t.Errorf("%d messages came again after %d kills", inbox.repeated, cycles)
	}
	s.Kill()
}

// hookInbox is a receiver of hooks.
type hookInbox struct {
	t    *testing.T
	came chan struct{}

	mu       sync.Mutex
	order    []string          // ids, as they came first
	first    map[string]int    // where in order
	bodies   map[string]string // by id, with the id of the delivery
	repeated int
}

func (in *hookInbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("event") == "ping" {
		return
	}
	id, message := r.Header.Get("webhook-id"), r.Header.Get("event-delivery")+string(body)
	in.mu.Lock()
	defer in.mu.Unlock()
	if before, again := in.bodies[id]; again {
		if in.repeated++; before != message {
			in.t.Errorf("message %s came again as another:\n%s\n%s", id, before, message)
		}
		return
	}
	in.bodies[id], in.first[id] = message, len(in.order)
	in.order = append(in.order, id)
	select {
	case in.came <- struct{}{}:
	default:
	}
}

// await returns when all that was promised came.
func (in *hookInbox) await(promised map[string]map[string]string) {
	in.t.Helper()
	ctx, cancel := context.WithTimeout(in.t.Context(), time.Minute)
	defer cancel()
	for {
		missing := 0
		in.mu.Lock()
		for _, events := range promised {
			for id := range events {
				if _, ok := in.first[id]; !ok {
					missing++
				}
			}
		}
		in.mu.Unlock()
		if missing == 0 {
			return
		}
		select {
		case <-in.came:
		case <-ctx.Done():
			in.t.Fatalf("%d events that were acknowledged did not come", missing)
		}
	}
}

// checkOrder fails unless what came of each connection came in its order, with
// nothing left out before what came.
func (in *hookInbox) checkOrder(c *crasher, s *drive.Server) {
	in.t.Helper()
	for _, slug := range slugs {
		last := -1
		for _, e := range c.read(s, slug).Events {
			in.mu.Lock()
			at, came := in.first[e.ID]
			in.mu.Unlock()
			if !came {
				continue // from before the subscription, or never answered and still on its way
			}
			if at < last {
				in.t.Errorf("%s: event %s came before an earlier one", slug, e.ID)
			}
			last = at
		}
	}
}
