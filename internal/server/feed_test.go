package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/auth"
)

const (
	merchantFeed = "/v1/accounts/T11223351/feed"
	partnerFeed  = "/v1/accounts/T11200000/feed"
	vippsEvents  = "/v1/accounts/T112/management/accounts/T11223351/connections/vipps/events"
)

// message is one of a stream; one without data moves the cursor, one without
// anything is a sign of life.
type message struct{ id, event, data string }

type listening struct {
	t      *testing.T
	status int
	header http.Header
	body   io.ReadCloser
	lines  *bufio.Scanner
}

func listen(t *testing.T, d dev, token, path string) *listening {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	r := d.request(t, token, http.MethodGet, path, "").WithContext(ctx)
	r.Header.Set("Accept", "text/event-stream")
	answer, err := d.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return &listening{t, answer.StatusCode, answer.Header, answer.Body, lines}
}

// next is the next message; not ok when the stream is over.
func (l *listening) next() (m message, ok bool) {
	for l.lines.Scan() {
		name, value, _ := strings.Cut(l.lines.Text(), ": ")
		switch name {
		case "":
			return m, true
		case "id":
			m.id = value
		case "event":
			m.event = value
		case "data":
			m.data = value
		}
	}
	return m, false
}

func (l *listening) until(ok func(message) bool) message {
	l.t.Helper()
	for {
		m, more := l.next()
		if !more {
			l.t.Fatalf("the stream is over: %v", l.lines.Err())
		}
		if ok(m) {
			return m
		}
	}
}

func ended(m message) bool { return m.event == "end" }

type feedPage struct {
	Items []struct {
		ID, Cursor string
		Data       struct {
			Event struct{ Seq int } `json:"connection_event"`
		}
	}
	Cursor string
	More   bool
}

// awaitFeeds waits until so many streams and waits are open.
func awaitFeeds(t *testing.T, d dev, n int) {
	t.Helper()
	want := fmt.Sprintf("\nmooring_feeds_open %d\n", n)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if strings.Contains(d.do(t, "", http.MethodGet, "/metrics", "").body, want) {
			return
		}
	}
	t.Fatalf("there are never %d open", n)
}

// Whoever listens, and whoever reads pages, gets each event once and in the
// order of its connection, whatever happens at the same time.
func TestAStreamTellsWhatAPageTells(t *testing.T) {
	onBothEngines(t, func(t *testing.T, d dev) {
		k := newDesk(t, d)
		begin := must[feedPage](t, d, k.merchant, http.MethodGet, merchantFeed+"?from=latest", "").Cursor
		k.signUp(t, "vipps", "")
		must[feedPage](t, d, k.merchant, http.MethodGet, merchantFeed+"?wait=20&after="+begin, "") // it has its place
		streams := []*listening{
			listen(t, d, k.merchant, merchantFeed+"?after="+begin),
			listen(t, d, k.partner, partnerFeed+"?from=latest&connection=vipps"),
		}
		const writers, each = 4, 10
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					d.send(t, d.request(t, k.partner, http.MethodPost, vippsEvents, `{"status":"pending","event":"step"}`))
				}
			})
		}
		wg.Wait()
		var page feedPage
		for cursor := begin; len(page.Items) < 1+writers*each; cursor = page.Cursor {
			more := must[feedPage](t, d, k.merchant, http.MethodGet, merchantFeed+"?wait=20&after="+cursor, "")
			more.Items = append(page.Items, more.Items...)
			page = more
		}
		for i, item := range page.Items {
			if item.Data.Event.Seq != i+1 {
				t.Fatalf("item %d of the pages is event %d", i+1, item.Data.Event.Seq)
			}
		}
		for i, s := range streams {
			for _, want := range page.Items[i:] { // the partner began to listen after the signup
				m := s.until(func(m message) bool { return m.data != "" })
				var item struct{ ID, Cursor string }
				if err := json.Unmarshal([]byte(m.data), &item); err != nil {
					t.Fatal(err)
				}
				if item.ID != want.ID || m.id != item.Cursor || m.event != "account_connection_update" {
					t.Fatalf("stream %d tells %s at %s as %s, want %s", i, item.ID, m.id, m.event, want.ID)
				}
			}
		}
	})
}

func TestAStreamEndsWhenItsCallerMayNotReadOn(t *testing.T) {
	t.Parallel()
	d := startDev(t, auth.EdDSA)
	k := newDesk(t, d)
	stays, ends := listen(t, d, k.partner, partnerFeed), listen(t, d, k.merchant, merchantFeed)
	must[any](t, d, k.merchant, http.MethodPost, "/v1/accounts/T11223351/auth/clients/"+d.world.Merchant.ID+"/disable", "")
	if m := ends.until(ended); m.data != `{"reason":"access"}` {
		t.Errorf("it ends with %s", m.data)
	}
	if _, more := ends.next(); more {
		t.Error("the stream goes on")
	}
	stays.until(func(m message) bool { return m == message{} }) // a sign of life
}

func TestStreamsAndWaitsEndWhenTheServerStops(t *testing.T) {
	d := startDev(t, auth.EdDSA)
	k := newDesk(t, d)
	end := must[feedPage](t, d, k.merchant, http.MethodGet, merchantFeed, "").Cursor
	stream := listen(t, d, k.partner, partnerFeed)
	var wait sync.WaitGroup
	wait.Go(func() {
		page := must[feedPage](t, d, k.merchant, http.MethodGet, merchantFeed+"?wait=25&after="+end, "")
		if len(page.Items) != 0 || page.Cursor != end {
			t.Errorf("the wait ends with %+v", page)
		}
	})
	awaitFeeds(t, d, 2)
	d.stop()
	wait.Wait()
	if m := stream.until(ended); m.data != `{"reason":"stopping"}` {
		t.Errorf("the stream ends with %s", m.data)
	}
}

func TestAnAccountHasSoManyStreamsOpen(t *testing.T) {
	d := startDev(t, auth.EdDSA)
	k := newDesk(t, d)
	var open []*listening
	for range 50 {
		open = append(open, listen(t, d, k.merchant, merchantFeed+"?from=latest"))
	}
	for _, query := range []string{"?wait=25&from=latest", "?wait=1"} {
		answer := d.do(t, k.merchant, http.MethodGet, merchantFeed+query, "")
		if answer.status != http.StatusTooManyRequests || answer.code() != "TOO_MANY_REQUESTS" || answer.header.Get("Retry-After") == "" {
			t.Errorf("one more is answered with %d %s", answer.status, answer.body)
		}
	}
	must[feedPage](t, d, k.merchant, http.MethodGet, merchantFeed, "") // waits for nothing
	if s := listen(t, d, k.partner, partnerFeed); s.status != http.StatusOK {
		t.Errorf("another account's is answered with %d", s.status)
	}
	open[0].body.Close()
	awaitFeeds(t, d, 50)
	if s := listen(t, d, k.merchant, merchantFeed); s.status != http.StatusOK {
		t.Errorf("after one was closed another is answered with %d", s.status)
	}
}

// A head has no body, and so no stream that would have to end.
func TestTheHeadOfAStreamComesToAnEnd(t *testing.T) {
	d := startDev(t, auth.EdDSA)
	r := d.request(t, newDesk(t, d).merchant, http.MethodHead, merchantFeed, "")
	r.Header.Set("Accept", "text/event-stream")
	d.send(t, r)
	awaitFeeds(t, d, 0)
}
