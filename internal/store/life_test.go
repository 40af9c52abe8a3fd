package store

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// holdingUp has a change wait in its decision, and whoever writes with it, until
// release, which returns when it is done.
func holdingUp(t *testing.T, s *Store, c Change) (release func()) {
	t.Helper()
	held, let := make(chan struct{}), make(chan struct{})
	enter := sync.OnceFunc(func() { close(held) })
	decide := c.Decide
	c.Decide = func(f Found) (Decision, error) { enter(); <-let; return decide(f) }
	var writer sync.WaitGroup
	writer.Go(func() { mustChange(t, s, c) })
	<-held
	return func() {
		close(let)
		writer.Wait()
	}
}

func testQueueFull(t *testing.T, d door) {
	tune := standard
	tune.queue = 3
	s := inhabit(t, openTuned(t, d(t), tune))
	release := holdingUp(t, s, signing(merchant))
	var wg sync.WaitGroup
	for i := range tune.queue {
		wg.Go(func() { mustChange(t, s, posting(enabled("step"))) })
		awaitQueue(s.route(merchantID).queue, i+1)
	}
	_, err := s.Change(context.Background(), posting(enabled("one too many")))
	wantUnavailable(t, err)
	release()
	wg.Wait()
	wantNames(t, s, "signup_received", "step", "step", "step")
}

func testCloseDrains(t *testing.T, d door) {
	cfg := d(t)
	s := inhabit(t, openStore(t, cfg))
	mustChange(t, s, signing(merchant))
	release := holdingUp(t, s, posting(enabled("held")))
	var writers, closer sync.WaitGroup
	for i := range 10 {
		writers.Go(func() { mustChange(t, s, posting(enabled("step"))) })
		awaitQueue(s.route(merchantID).queue, i+1)
	}
	closer.Go(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for s.sound() == nil {
		runtime.Gosched()
	}
	_, err := s.Change(context.Background(), posting(enabled("too late")))
	wantUnavailable(t, err)
	wantUnavailable(t, s.Ping(context.Background()))
	wantUnavailable(t, s.AddKey(context.Background(), SealedKey{ID: "k", Purpose: "signing", CreatedAt: noon}))
	release()
	writers.Wait()
	closer.Wait()
	if c := whole(t, openStore(t, cfg)); c.LastSeq != 12 {
		t.Errorf("after closing the last event is %d, want 12", c.LastSeq)
	}
}

func testCallerLeaves(t *testing.T, d door) {
	s := signed(t, d)
	ctx, leave := context.WithCancel(context.Background())
	change := posting(enabled("left"))
	decide := change.Decide
	change.Decide = func(f Found) (Decision, error) { leave(); return decide(f) }
	if _, err := s.Change(ctx, change); err != nil {
		wantUnavailable(t, err)
	}
	mustChange(t, s, posting(enabled("after")))
	wantNames(t, s, "signup_received", "left", "after")
}

func testReopen(t *testing.T, d door) {
	cfg := d(t)
	s := inhabit(t, openStore(t, cfg))
	mustChange(t, s, signing(merchant))
	change := keyed(posting(enabled("one")), "kept", "f")
	answer := mustChange(t, s, change)
	before := whole(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, cfg)
	if diff := cmp.Diff(before, whole(t, s)); diff != "" {
		t.Errorf("the connection did not survive (-before +after):\n%s", diff)
	}
	again := mustChange(t, s, change)
	answer.Replayed = true
	if diff := cmp.Diff(answer, again); diff != "" {
		t.Errorf("the kept answer did not survive (-before +after):\n%s", diff)
	}
}

func testPing(t *testing.T, d door) {
	s := openStore(t, d(t))
	if err := s.Ping(context.Background()); err != nil {
		t.Errorf("an open store is not ready: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantUnavailable(t, s.Ping(context.Background()))
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

// Who asks whether a file of ours takes writes does not wait for those that
// are under way, and is told of one that does not end.
func TestReadinessWaitsForNoWriter(t *testing.T) {
	for name, test := range map[string]struct {
		slow  time.Duration
		ready bool
	}{"at work": {time.Hour, true}, "stuck": {0, false}} {
		t.Run(name, func(t *testing.T) {
			tune := standard
			tune.slow = test.slow
			s := inhabit(t, openTuned(t, newSQLite(t), tune))
			release := holdingUp(t, s, signing(merchant))
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			err := s.Ping(ctx)
			cancel()
			release()
			if test.ready {
				must(t, err)
			} else if wantUnavailable(t, err); !strings.Contains(err.Error(), "has been writing") {
				t.Errorf("it is not ready because of %v", err)
			}
		})
	}
}

func TestWhoGivesUpIsNotToldOfADatabaseThatDoesNotAnswer(t *testing.T) {
	s := openStore(t, newSQLite(t))
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Ping(gone); err == nil || !strings.Contains(err.Error(), "the request ended") {
		t.Errorf("told %v", err)
	}
}
