package product

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// The seven connections that are pending when `mooring dev` starts.
var slugs = []string{"vipps", "payex", "swish", "collector", "bambora", "instabank"}

const (
	writers      = 64
	acknowledged = 100 // events in a cycle before the server is killed
)

// TestNothingAcknowledgedIsLostWhenTheProcessIsKilled kills the server in the
// middle of many writers, again and again, and looks after each restart
// whether every event that was answered with 200 is there once, and whether
// each connection's status is that of its last event.
func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { crash(t, 50) })
	t.Run("postgres", func(t *testing.T) { crash(t, 10, "--database", storetest.Postgres(t)) })
}

func crash(t *testing.T, cycles int, args ...string) {
	args = append(args, "--data", filepath.Join(t.TempDir(), "data"))
	s := dev(t, append(args, "--listen", "127.0.0.1:0")...)
	args = append(args, "--listen", strings.TrimPrefix(s.BaseURL, "http://"))
	c := &crasher{t: t, tokens: tokens(t, s), acknowledged: map[string]map[string]string{}}
	for cycle := range cycles {
		c.writeUntilKilled(s, cycle)
		s = dev(t, args...)
		c.verify(s)
	}
	s.Kill()
}

// crasher knows what the server has promised.
type crasher struct {
	t      *testing.T
	tokens map[string]string

	mu           sync.Mutex
	acknowledged map[string]map[string]string // by provider: event id to event name
	count        int
}

var statuses = []string{"pending", "enabled", "failed", "declined"}

// writeUntilKilled lets every writer post events until the server is gone, and
// kills it when enough were answered.
func (c *crasher) writeUntilKilled(s *drive.Server, cycle int) {
	client := drive.NewClient(s.BaseURL)
	enough := make(chan struct{})
	c.mu.Lock()
	goal := c.count + acknowledged
	c.mu.Unlock()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := 0; ; n++ {
				slug := slugs[(w+n)%len(slugs)]
				name := fmt.Sprintf("c%d-w%d-n%d", cycle, w, n)
				answer, err := client.Do(http.MethodPost,
					"/v1/accounts/"+s.Owner+"/management/accounts/"+s.SecondAccount+"/connections/"+slug+"/events",
					bearer(c.tokens["partner"]), []byte(`{"status":"`+statuses[n%4]+`","event":"`+name+`"}`))
				if err != nil {
					return // killed: nothing was promised
				}
				c.promised(slug, answer, name, goal, enough)
			}
		})
	}
	<-enough
	s.Kill()
	all.Wait()
}

// promised notes an answer, and says when there were enough.
func (c *crasher) promised(slug string, answer drive.Answer, name string, goal int, enough chan struct{}) {
	if answer.Status != http.StatusOK {
		c.t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		return
	}
	e := decode[event](c.t, answer)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.acknowledged[slug] == nil {
		c.acknowledged[slug] = map[string]string{}
	}
	c.acknowledged[slug][e.ID] = e.Event
	if c.count++; c.count == goal {
		close(enough)
	}
}

type event struct{ ID, Event, Status string }

// verify reads every connection and holds it against what was promised.
func (c *crasher) verify(s *drive.Server) {
	c.t.Helper()
	for _, slug := range slugs {
		got := c.read(s, slug)
		times, names := map[string]int{}, map[string]int{}
		for _, e := range got.Events {
			times[e.ID]++
			names[e.Event]++
			if names[e.Event] > 1 && e.Event != "signup_received" {
				c.t.Errorf("%s: event %s is there twice", slug, e.Event)
			}
		}
		for id, name := range c.acknowledged[slug] {
			if times[id] != 1 {
				c.t.Fatalf("%s: event %s was acknowledged and is there %d times", slug, name, times[id])
			}
		}
		if last := got.Events[len(got.Events)-1]; got.Status != last.Status {
			c.t.Fatalf("%s: the status is %s, that of the last event %s", slug, got.Status, last.Status)
		}
	}
}

// history is a connection with its events.
type history struct {
	Status string
	Events []event
}

func (c *crasher) read(s *drive.Server, slug string) history {
	c.t.Helper()
	if slug == "payex" {
		slug = "payex/payex.creditcard"
	}
	answer, err := drive.NewClient(s.BaseURL).Do(http.MethodGet,
		"/v1/accounts/"+s.SecondAccount+"/management/settings/connections/"+slug, bearer(c.tokens["second"]), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return decode[history](c.t, answer)
}
