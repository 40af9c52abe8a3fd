package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"mooring/internal/fault"
	"mooring/internal/store/storetest"
)

// until tries again until it works, for a minute.
func until(t *testing.T, what string, try func() error) {
	t.Helper()
	end := time.NewTimer(time.Minute)
	defer end.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("waited a minute until %s: %v", what, err)
		}
	}
}

// on runs a statement of a test's own on one server, and returns its number.
func on(t *testing.T, dsn, statement string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), statement).Scan(&n); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatalf("%s: %v", statement, err)
	}
	return n
}

const eventsThere = "SELECT count(*) FROM event"

// A pair takes seconds to start, so its tests share it, in this order.
func TestASynchronousPair(t *testing.T) {
	pair := storetest.NewPair(t)
	tune := standard
	tune.limit = 30 * time.Second
	s := inhabit(t, openTuned(t, Config{Database: pair.URL()}, tune))
	t.Run("nothing is acknowledged without the standby", func(t *testing.T) { testWithoutStandby(t, s, pair) })
	t.Run("a server that takes no writes any more is left", func(t *testing.T) { testTakenFromUs(t, s, pair) })
	t.Run("nothing is lost when the standby takes over", func(t *testing.T) { testTakeover(t, s, pair) })
}

// What is on one disk only is not acknowledged: neither when the wait for the
// standby is cancelled, of which the server tells by a warning beside a success,
// nor when the write is sent again while the standby is still away.
func testWithoutStandby(t *testing.T, s *Store, pair *storetest.Pair) {
	tune := standard
	tune.limit, tune.idle = 300*time.Millisecond, true
	hasty := openTuned(t, Config{Database: pair.URL()}, tune)
	mustChange(t, s, signing(merchant))
	wantRefusal(t, Config{Database: pair.Standby()}, "takes no writes", "URL of the primary")

	change := keyed(posting(enabled("one")), "", "f")
	pair.PauseStandby()
	told := make(chan error, 1)
	go func() {
		_, err := s.Change(context.Background(), change)
		told <- err
	}()
	var err error
	until(t, "the commit waits for the standby, and is told not to", func() error {
		on(t, pair.Primary(), "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		select {
		case err = <-told:
			return nil
		default:
			return errors.New("it waits")
		}
	})
	wantUnavailable(t, err)
	if !errors.Is(err, errNoStandby) {
		t.Errorf("the commit failed with %v, want the server's warning", err)
	}
	if on(t, pair.Primary(), eventsThere) != 2 {
		t.Error("the event is not on the primary, so this shows nothing")
	}
	for range 2 {
		_, err := hasty.Change(context.Background(), change)
		wantUnavailable(t, err)
	}
	testFoundWithoutStandby(t, s, hasty, pair)
	pair.ResumeStandby()
	first := mustChange(t, s, change)
	again := mustChange(t, s, change)
	if string(first.Body) != string(again.Body) {
		t.Errorf("one key has the answers %q and %q", first.Body, again.Body)
	}
	wantNames(t, s, "signup_received", "one")
}

// testFoundWithoutStandby sends what was written again while the standby is
// away: what is answered from rows that are there, and touches no other, is not
// acknowledged either.
func testFoundWithoutStandby(t *testing.T, s, hasty *Store, pair *storetest.Pair) {
	ctx := context.Background()
	till := Recipient{Platform: platformID, Name: "till", PublicKey: "age1a", CreatedAt: noon, CreatedBy: platform.Client}
	bare := keyed(Change{
		Caller: platform, Account: platformID,
		Decide: func(Found) (Decision, error) { return Decision{Answer: Answer{Body: []byte("kept")}}, nil },
	}, "", "f")
	for _, write := range []struct {
		name, there string
		do          func(*Store) error
	}{
		{"an answer", "SELECT count(*) FROM idempotency WHERE account = '" + string(platformID) + "'", func(s *Store) error {
			_, err := s.Change(ctx, bare)
			return err
		}},
		{"a recipient", "SELECT count(*) FROM recipient", func(s *Store) error {
			return s.AddRecipient(ctx, till, auditOf("recipient.add"))
		}},
		{"the end of a recipient", "SELECT count(*) FROM recipient WHERE ended_at IS NOT NULL", func(s *Store) error {
			return s.EndRecipient(ctx, platformID, till.Name, noon, auditOf("recipient.end"))
		}},
	} {
		told := make(chan error, 1)
		go func() { told <- write.do(s) }()
		until(t, write.name+" is on the primary", func() error {
			on(t, pair.Primary(), "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
			select {
			case err := <-told:
				wantUnavailable(t, err)
				return nil
			default:
				return errors.New("it waits")
			}
		})
		if on(t, pair.Primary(), write.there) != 1 {
			t.Errorf("%s is not on the primary, so this shows nothing", write.name)
		}
		wantUnavailable(t, write.do(hasty))
	}
}

// testTakenFromUs makes a server read-only under our feet: it is used no more,
// for reading as little as for writing, and is used again when it takes writes.
func testTakenFromUs(t *testing.T, s *Store, pair *storetest.Pair) {
	read := func() error {
		_, err := s.Connection(context.Background(), merchant, merchantID, vipps.Slug)
		return err
	}
	write := func() error {
		_, err := s.Change(context.Background(), posting(enabled("more")))
		return err
	}
	ping := func() error { return s.Ping(context.Background()) }
	turn := func(to string) {
		on(t, pair.Primary(), "ALTER SYSTEM SET default_transaction_read_only = "+to)
		on(t, pair.Primary(), "SELECT count(*) FROM (SELECT pg_reload_conf()) AS r")
	}
	turn("on")
	for name, try := range map[string]func() error{"read": read, "write": write, "ping": ping} {
		// One refusal is all that is certain: each connection of the pool finds
		// out for itself, up to recheckAfter later.
		var refused error
		until(t, name+" is refused", func() error {
			if refused = try(); refused == nil {
				return errors.New("it is not")
			}
			return nil
		})
		wantUnavailable(t, refused)
	}
	turn("off")
	for name, try := range map[string]func() error{"read": read, "write": write, "ping": ping} {
		until(t, name+" works again", try)
	}
}

// The primary is killed under writers, and its standby promoted: nothing that
// was acknowledged is lost, what was not is sent again and happens once. The old
// primary comes back, and nobody writes to it.
func testTakeover(t *testing.T, s *Store, pair *storetest.Pair) {
	const writers, enough = 16, 60
	for w := range writers {
		mustChange(t, s, numbered(signing(merchant), w))
	}
	var (
		acknowledged, unknown atomic.Int64
		stop                  = make(chan struct{})
		running               sync.WaitGroup
		names                 [writers][]string
		answers               [writers][]string
	)
	for w := range writers {
		running.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("event-%d-%d", w, i)
				change := keyed(numbered(posting(enabled(name)), w), "", name)
				until(t, name+" is acknowledged", func() error {
					a, err := s.Change(context.Background(), change)
					if err == nil {
						names[w], answers[w] = append(names[w], name), append(answers[w], string(a.Body))
						acknowledged.Add(1)
					} else if fault.From(err).Kind != fault.Unavailable {
						t.Errorf("%s: %v", name, err)
					} else {
						unknown.Add(1)
					}
					return err
				})
			}
		})
	}
	reaches := func(n int64) {
		until(t, "writes are acknowledged", func() error {
			if acknowledged.Load() < n {
				return errors.New("not enough of them")
			}
			return nil
		})
	}
	reaches(enough)
	pair.KillPrimary()
	killed, before := time.Now(), acknowledged.Load()
	pair.Promote()
	promoted := time.Now()
	reaches(before + 1)
	t.Logf("%d acknowledged when the primary was killed; the standby was promoted after %v; the first new acknowledgement came %v after the promotion",
		before, promoted.Sub(killed), time.Since(promoted))
	reaches(before + enough)
	close(stop)
	running.Wait()
	t.Logf("%d acknowledged, %d tries were not", acknowledged.Load(), unknown.Load())
	for w := range writers {
		c, err := s.Connection(context.Background(), merchant, merchantID, fmt.Sprint("provider-", w))
		if err != nil {
			t.Fatal(err)
		}
		var got, ids []string
		for _, e := range c.Events[1:] {
			got, ids = append(got, e.Name), append(ids, e.ID)
		}
		if !slices.Equal(got, names[w]) || !slices.Equal(ids, answers[w]) {
			t.Errorf("writer %d: %d events are there, %d were acknowledged, and they are not the same", w, len(got), len(names[w]))
		}
	}

	pair.RestartPrimary()
	old := on(t, pair.Primary(), eventsThere)
	s.write.renew(down)
	s.read.renew(down)
	for name, node := range map[string]*Store{"a node from before": s, "a node that starts now": openStore(t, Config{Database: pair.URL()})} {
		mustChange(t, node, numbered(posting(enabled("after")), 0))
		if now := on(t, pair.Primary(), eventsThere); now != old {
			t.Errorf("%s wrote to the old primary", name)
		}
		c, err := node.Connection(context.Background(), merchant, merchantID, "provider-0")
		if err != nil || len(c.Events) < len(names[0])+2 {
			t.Errorf("%s reads what the old primary has: %v", name, err)
		}
	}
}

// A node that is stopped in the middle of a write must not keep others from
// writing; a long read, such as an export, keeps nobody.
func TestAWriterThatStopsLosesItsLocks(t *testing.T) {
	s := openStore(t, newPostgres(t))
	for p, want := range map[*pool]int64{s.write: idlePatience.Milliseconds(), s.read: 0} {
		var got int64
		if err := p.db.QueryRow("SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'").Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("a session may stop for %d ms in a transaction, want %d", got, want)
		}
	}
}
