package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// aFeed plays a server whose feed says what a test gives it, one answer after
// the other.
type aFeed struct {
	answers []http.HandlerFunc
	asked   []string // after which cursor
	logins  int
}

func (f *aFeed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/oauth/token" {
		f.logins++
		io.WriteString(w, `{"access_token":"a.eyJhdWQiOiJodHRwczovL1QwMDAwMDAwMEBtLmV4YW1wbGUifQ.c"}`)
		return
	}
	query := r.URL.Query()
	f.asked = append(f.asked, query.Get("after")+query.Get("from")+query.Get("since"))
	next := f.answers[0]
	f.answers = f.answers[1:]
	next(w, r)
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

func refuses(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func entryBlock(n int) string {
	return fmt.Sprintf("id: c%d\nevent: account_update\ndata: {\"id\":\"e%d\"}\n\n", n, n)
}

// followed runs a follower over what a server answers, and gives the entries that
// were handed over.
func followed(t *testing.T, f *aFeed, from string, enough int) (items []string, waits []time.Duration, cursor string, err error) {
	t.Helper()
	server := httptest.NewServer(f)
	defer server.Close()
	t.Setenv("MOORING_CLIENT_SECRET", "hush")
	flags := followFlags{remoteFlags: remoteFlags{URL: server.URL, Client: "c"}, ReplayFrom: from}
	feed, err := flags.follower(t.Context(), io.Discard)
	if err != nil {
		return nil, nil, "", err
	}
	feed.pause = func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}
	err = feed.follow(t.Context(), func(e told) error {
		items = append(items, string(e.Item))
		if len(items) == enough {
			return errEnough
		}
		return nil
	})
	return items, waits, feed.cursor, err
}

func TestAFollowerGoesOnWhereTheConnectionBroke(t *testing.T) {
	feed := &aFeed{answers: []http.HandlerFunc{
		says(`{"items":[],"cursor":"c0","more":false}`), // asked from where the end is
		says(": nothing\n\nid: c1\n\n" + entryBlock(2) + "id: c3\ndata: {\"id\":"),
		refuses(http.StatusServiceUnavailable),
		refuses(http.StatusUnauthorized),
		says(entryBlock(3) + entryBlock(4) + "event: end\ndata: {\"reason\":\"stopping\"}\n\n"),
		says(entryBlock(5)),
	}}
	items, waits, cursor, err := followed(t, feed, "", 4)
	if err != nil || strings.Join(items, "") != `{"id":"e2"}{"id":"e3"}{"id":"e4"}{"id":"e5"}` {
		t.Errorf("%q, %v", items, err)
	}
	if asked := strings.Join(feed.asked, " "); asked != "latest c0 c2 c2 c2 c4" {
		t.Errorf("asked after %s", asked)
	}
	if feed.logins != 5 || len(waits) != 2 {
		t.Errorf("%d logins, waited %v", feed.logins, waits)
	}
	if cursor != "c5" {
		t.Errorf("stands at %s", cursor)
	}
}

func TestAFollowerEndsWhenToAskAgainIsNoUse(t *testing.T) {
	for status, says := range map[int]string{http.StatusForbidden: "Forbidden (403)", http.StatusNotFound: "there is no feed that this client can see (404)"} {
		_, waits, _, err := followed(t, &aFeed{answers: []http.HandlerFunc{refuses(status)}}, "start", 0)
		if err == nil || err.Error() != says || len(waits) != 0 {
			t.Errorf("%d: %v, waited %v", status, err, waits)
		}
	}
	if _, _, _, err := followed(t, &aFeed{answers: []http.HandlerFunc{refuses(http.StatusForbidden)}}, "", 0); err == nil {
		t.Error("a follower began where it may not read")
	}
}

// TestAFollowerMeetsTheNextDev: whoever listens to the mooring dev that runs
// need not begin again when it was started anew, with other data.
func TestAFollowerMeetsTheNextDev(t *testing.T) {
	first := &aFeed{answers: []http.HandlerFunc{says(`{"items":[],"cursor":"c0"}`), says(entryBlock(1))}}
	second := &aFeed{answers: []http.HandlerFunc{refuses(http.StatusBadRequest), says(entryBlock(1) + entryBlock(2))}}
	before, after := httptest.NewServer(first), httptest.NewServer(second)
	defer before.Close()
	defer after.Close()
	flags := followFlags{remoteFlags: remoteFlags{cacheFlags: cacheFlags{CacheDir: t.TempDir()}}}
	announce := func(url string) {
		_, err := flags.announce(discovery{url, "c", "hush"})
		must(t, err)
	}
	announce(before.URL)
	feed, err := flags.follower(t.Context(), io.Discard)
	must(t, err)
	feed.pause = func(context.Context, time.Duration) error { return nil }
	var items []string
	err = feed.follow(t.Context(), func(e told) error {
		items = append(items, e.Cursor)
		announce(after.URL)
		if len(items) == 3 {
			return errEnough
		}
		return nil
	})
	if err != nil || strings.Join(items, " ") != "c1 c1 c2" || strings.Join(second.asked, " ") != "c1 beginning" {
		t.Errorf("%q, asked %q, %v", items, second.asked, err)
	}
}

func TestAFollowerBeginsWhereItIsTold(t *testing.T) {
	for from, asked := range map[string]string{"start": "beginning", "c7": "c7", "2026-05-12T11:00:00+02:00": "2026-05-12T09:00:00Z", "": "latest c1"} {
		answers := []http.HandlerFunc{says(entryBlock(8))}
		if strings.Contains(asked, " ") {
			answers = append([]http.HandlerFunc{says(`{"cursor":"c1"}`)}, answers...)
		}
		feed := &aFeed{answers: answers}
		if items, _, _, err := followed(t, feed, from, 1); err != nil || len(items) != 1 || strings.Join(feed.asked, " ") != asked {
			t.Errorf("%s: %q, %q, %v", from, items, feed.asked, err)
		}
	}
}

func TestAStreamThatSaysNothingIsDead(t *testing.T) {
	ctx, end := context.WithCancelCause(t.Context())
	silent, writer := io.Pipe()
	context.AfterFunc(ctx, func() { writer.CloseWithError(context.Cause(ctx)) })
	err := readEvents(&attentive{silent, end, time.Millisecond}, func(serverEvent) error { return nil })
	if !errors.Is(err, errSilent) {
		t.Error(err)
	}
}

func TestPausesGrowUpToHalfAMinute(t *testing.T) {
	for failed, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 6: 30 * time.Second, 99: 30 * time.Second} {
		if most, least := backoff(failed, 0), backoff(failed, 1); most != want || least != want/2 {
			t.Errorf("after %d failures: %s to %s", failed, least, most)
		}
	}
}

func TestWhereToBeginIsATimeOrAWhileAgo(t *testing.T) {
	now := time.Date(2026, 5, 12, 9, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2h": now.Add(-2 * time.Hour), "2h ago": now.Add(-2 * time.Hour), "90m ago": now.Add(-90 * time.Minute),
		"2026-05-12T07:00:00Z": now.Add(-2 * time.Hour),
	} {
		if at, ok := timeOf(text, now); !ok || !at.Equal(want) {
			t.Errorf("%s: %s, %v", text, at, ok)
		}
	}
	for _, text := range []string{"", "start", "-2h", "ago", "c12"} {
		if at, ok := timeOf(text, now); ok {
			t.Errorf("%q is %s", text, at)
		}
	}
}
