package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

// together makes changes share one batch: the committer of the merchant's
// account is held by a change of its own until all are queued.
func together(t *testing.T, s *Store, changes ...Change) ([]Answer, []error) {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	answers, errs := make([]Answer, len(changes)), make([]error, len(changes))
	var waiting sync.WaitGroup
	waiting.Go(func() {
		_, err := s.Change(context.Background(), Change{
			Caller: merchant, Account: merchantID, Provider: "none",
			Decide: func(Found) (Decision, error) {
				once.Do(func() { close(held); <-release })
				return Decision{}, nil
			},
		})
		if err != nil {
			t.Errorf("the holding change failed: %v", err)
		}
	})
	<-held
	queue := s.route(merchantID).queue
	for i, c := range changes {
		waiting.Go(func() { answers[i], errs[i] = s.Change(context.Background(), c) })
		awaitQueue(queue, i+1)
	}
	close(release)
	waiting.Wait()
	return answers, errs
}

// awaitQueue returns when n jobs wait.
func awaitQueue(queue chan *job, n int) {
	for len(queue) < n {
		runtime.Gosched()
	}
}

func allWell(t *testing.T, errs []error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func testWriteOwnership(t *testing.T, d door) {
	s := signed(t, d)
	for _, test := range []struct {
		name    string
		caller  auth.Caller
		owner   account.ID
		account account.ID
		want    bool
	}{
		{"the owner", partner, partnerID, merchantID, true},
		{"the platform for the owner", platform, partnerID, merchantID, true},
		{"the platform for itself", platform, platformID, merchantID, true},
		{"the merchant itself", merchant, "", merchantID, true},
		{"another partner in its own name", other, otherID, merchantID, false},
		{"another partner in the owner's name", other, partnerID, merchantID, false},
		{"a partner without naming itself", partner, "", merchantID, false},
		{"a merchant for its sibling", second, "", merchantID, false},
		{"a merchant in the owner's name", merchant, partnerID, merchantID, false},
		{"the owner for an unknown account", partner, partnerID, "T11299999", false},
		{"the owner for itself", partner, partnerID, partnerID, false},
		{"the platform in the other world's name", platform, "P00000000", merchantID, false},
	} {
		change := posting(enabled("step"))
		change.Caller, change.Owner, change.Account = test.caller, test.owner, test.account
		_, err := s.Change(context.Background(), change)
		if !test.want {
			wantMissing(t, test.name, err)
		} else if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func testWriteClient(t *testing.T, d door) {
	s := signed(t, d)
	disabled := clientOf(auth.Caller{Account: partnerID, Client: newID()})
	disabled.Disabled = true
	elsewhere := clientOf(auth.Caller{Account: partnerID, Client: newID()})
	elsewhere.Grants[0].Audience = otherID
	for _, c := range []auth.Client{disabled, elsewhere} {
		if err := s.CreateClient(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	for name, client := range map[string]string{
		"disabled": disabled.ID, "granted something else": elsewhere.ID, "unknown": newID(), "no id at all": "x", "empty": "",
	} {
		change := keyed(posting(enabled("step")), "", "same")
		change.Caller.Client = client
		_, err := s.Change(context.Background(), change)
		if err == nil || fault.From(err).Kind != fault.Unauthenticated {
			t.Errorf("%s: got %v, want denied", name, err)
		}
	}
	if c := whole(t, s); c.LastSeq != 1 {
		t.Errorf("a denied change wrote: last event is %d", c.LastSeq)
	}
}

func testFoldInBatch(t *testing.T, d door) {
	s := signed(t, d)
	var changes []Change
	for i := range 20 {
		in := connection.NewEvent{Status: connection.Statuses[i%4], Name: fmt.Sprint("step ", i)}
		changes = append(changes, posting(in))
	}
	before := s.commits.Load()
	_, errs := together(t, s, changes...)
	allWell(t, errs)
	// Where transactions run side by side, the one that gives positions counts too.
	if took := s.commits.Load() - before; s.engine.alone() && took != 2 {
		t.Fatalf("took %d transactions, want one for the holder and one for the batch", took)
	}
	c := whole(t, s)
	for i, e := range c.Events[1:] {
		if e.Name != fmt.Sprint("step ", i) || e.Seq != int64(i+2) {
			t.Errorf("event %d is %q with number %d", i, e.Name, e.Seq)
		}
	}
	if c.LastSeq != 21 || c.Status != connection.Statuses[19%4] {
		t.Errorf("the connection stands at %d %s, want 21 %s", c.LastSeq, c.Status, connection.Statuses[19%4])
	}
}

func testWholeInBatch(t *testing.T, d door) {
	s := fresh(t, d)
	_, errs := together(t, s, posting(enabled("too early")), signing(merchant), posting(enabled("one")), signing(merchant), posting(enabled("two")))
	if !errors.Is(errs[0], errNoSignup) {
		t.Errorf("an event before the signup gave %v", errs[0])
	}
	allWell(t, errs[1:])
	_, errs = together(t, s, posting(enabled("three")), signing(merchant))
	allWell(t, errs)
	c := whole(t, s)
	var names []string
	for _, e := range c.Events {
		names = append(names, e.Name)
	}
	want := []string{"signup_received", "one", "signup_received", "two", "three", "signup_received"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("the history is not in order (-want +got):\n%s", diff)
	}
	if len(c.Signups) != 3 || c.LastSignup != 3 {
		t.Errorf("got %d signups, the last is %d; want 3", len(c.Signups), c.LastSignup)
	}
}

func testRefusalAlone(t *testing.T, d door) {
	s := signed(t, d)
	refusal := fault.New(fault.Invalid, "TEST", "no")
	bad := keyed(posting(enabled("bad")), "", "f")
	bad.Decide = func(f Found) (Decision, error) {
		_, _ = connection.Append(f.Connection, vipps, enabled("bad"), act(partner))
		return Decision{Connection: f.Connection}, refusal
	}
	_, errs := together(t, s, posting(enabled("one")), bad, posting(enabled("two")))
	if errs[0] != nil || errs[2] != nil || !errors.Is(errs[1], refusal) {
		t.Fatalf("got %v, want only the second refused", errs)
	}
	wantNames(t, s, "signup_received", "one", "two")
}

func testPanicAlone(t *testing.T, d door) {
	s := signed(t, d)
	bad := posting(enabled("bad"))
	bad.Decide = func(Found) (Decision, error) { panic("secret-canary") }
	worse := posting(enabled("worse"))
	worse.Decide = func(f Found) (Decision, error) { return Decision{}, errors.New(f.Duplicate.ID) }
	_, errs := together(t, s, posting(enabled("one")), bad, worse, posting(enabled("two")))
	if errs[0] != nil || errs[3] != nil {
		t.Fatalf("got %v, want only the second and third failed", errs)
	}
	wantKind(t, errs[1], fault.Internal)
	wantKind(t, errs[2], fault.Internal)
	if strings.Contains(errs[1].Error(), "canary") {
		t.Errorf("the error tells what the panic said: %v", errs[1])
	}
	wantNames(t, s, "signup_received", "one", "two")
}

func testGuiltyAlone(t *testing.T, d door) {
	s := signed(t, d)
	taken := whole(t, s).Signups[0].Token
	bad := signing(merchant)
	decide := bad.Decide
	bad.Decide = func(f Found) (Decision, error) {
		decision, err := decide(f)
		decision.Connection.Signups[len(decision.Connection.Signups)-1].Token = taken
		return decision, err
	}
	_, errs := together(t, s, posting(enabled("one")), bad, posting(enabled("two")))
	if errs[0] != nil || errs[2] != nil {
		t.Fatalf("got %v, want only the second failed", errs)
	}
	wantKind(t, errs[1], fault.Internal)
	wantNames(t, s, "signup_received", "one", "two")
}

func testOwnCopy(t *testing.T, d door) {
	s := signed(t, d)
	vandal := signing(merchant)
	vandal.Decide = func(f Found) (Decision, error) {
		f.Connection.Events[0].Name = "forged"
		f.Connection.Signups[0].Key = "forged"
		f.Connection.Status, f.Connection.LastSeq = connection.Declined, 99
		_ = append(f.Connection.Events, connection.Event{Name: "forged"})
		return Decision{}, nil
	}
	var next *connection.Connection
	witness := signing(merchant)
	decide := witness.Decide
	witness.Decide = func(f Found) (Decision, error) {
		next = clone(f.Connection, f.Connection.Signups, f.Connection.Events)
		return decide(f)
	}
	_, errs := together(t, s, vandal, witness, posting(enabled("one")))
	allWell(t, errs)
	if next.Events[0].Name != connection.SignupReceived || next.Signups[0].Key != "1" || next.LastSeq != 1 {
		t.Errorf("the next decision found what the last one left lying: %+v", next)
	}
	wantNames(t, s, "signup_received", "signup_received", "one")
	if c := whole(t, s); c.Signups[0].Key != "1" {
		t.Errorf("a decision changed what it was shown: %+v", c.Signups[0])
	}
}

func testBadDecisions(t *testing.T, d door) {
	s := signed(t, d)
	for name, spoil := range map[string]func(*connection.Connection){
		"another account":       func(c *connection.Connection) { c.Account = secondID },
		"another provider":      func(c *connection.Connection) { c.Provider = "swish" },
		"a gap":                 func(c *connection.Connection) { c.Events[len(c.Events)-1].Seq++; c.LastSeq++ },
		"a missing event":       func(c *connection.Connection) { c.Events = nil },
		"an event id":           func(c *connection.Connection) { c.Events[len(c.Events)-1].ID = "e" },
		"an unasked id":         func(c *connection.Connection) { c.Events[len(c.Events)-1].ExternalID = "other" },
		"a lost history number": func(c *connection.Connection) { c.LastSeq-- },
		"a missing signup":      func(c *connection.Connection) { c.LastSignup++ },
		"a signup gap": func(c *connection.Connection) {
			c.LastSignup += 2
			c.Signups = append(c.Signups, connection.Signup{Seq: c.LastSignup, ID: newID()})
		},
		"a signup id": func(c *connection.Connection) {
			c.LastSignup++
			c.Signups = append(c.Signups, connection.Signup{Seq: c.LastSignup, ID: "s"})
		},
	} {
		bad := posting(enabled("bad"))
		decide := bad.Decide
		bad.Decide = func(f Found) (Decision, error) {
			decision, err := decide(f)
			spoil(decision.Connection)
			return decision, err
		}
		_, err := s.Change(context.Background(), bad)
		if err == nil || fault.From(err).Kind != fault.Internal {
			t.Errorf("%s: got %v, want an internal error", name, err)
		}
	}
	wantNames(t, s, "signup_received")
}

func testNothingWritten(t *testing.T, d door) {
	s := signed(t, d)
	before := whole(t, s)
	same := signing(merchant)
	same.Decide = func(f Found) (Decision, error) { return Decision{Connection: f.Connection}, nil }
	mustChange(t, s, same)
	if diff := cmp.Diff(before, whole(t, s)); diff != "" {
		t.Errorf("a decision that changed nothing changed (-before +after):\n%s", diff)
	}
}

func testDenseNumbers(t *testing.T, d door) {
	s := signed(t, d)
	const writers, each = 64, 5
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if _, err := s.Change(context.Background(), posting(enabled("step"))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	c := whole(t, s)
	if len(c.Events) != 1+writers*each || c.LastSeq != int64(len(c.Events)) {
		t.Fatalf("got %d events, the last is %d; want %d", len(c.Events), c.LastSeq, 1+writers*each)
	}
	for i, e := range c.Events {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
	}
}

func testExternalOnce(t *testing.T, d door) {
	s := signed(t, d)
	in := enabled("step")
	in.ExternalID = "once"
	var wg sync.WaitGroup
	answers := make([]Answer, 64)
	for i := range answers {
		wg.Go(func() {
			var err error
			if answers[i], err = s.Change(context.Background(), posting(in)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	effects := map[string]int{}
	for _, a := range answers {
		effects[a.Header["Mooring-Effect"]]++
		if string(a.Body) != string(answers[0].Body) {
			t.Errorf("one external id was answered with two events")
		}
	}
	if diff := cmp.Diff(map[string]int{"applied": 1, "duplicate": 63}, effects); diff != "" {
		t.Errorf("effects (-want +got):\n%s", diff)
	}
	wantNames(t, s, "signup_received", "step")
}

func testSnapshot(t *testing.T, d door) {
	s := signed(t, d)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				mustChange(t, s, posting(connection.NewEvent{Status: connection.Statuses[i%4], Name: "step"}))
			}
		}
	})
	for range 100 {
		c := whole(t, s)
		if last := c.Events[len(c.Events)-1]; int64(len(c.Events)) != c.LastSeq || last.Status != c.Status {
			t.Errorf("status %s at %d, but the last of %d events says %s", c.Status, c.LastSeq, len(c.Events), last.Status)
		}
	}
	close(stop)
	wg.Wait()
}

func testManyConnections(t *testing.T, d door) {
	s := fresh(t, d)
	const many = 300
	changes := make([]Change, 0, 2*many)
	for i := range many {
		for _, c := range []Change{signing(merchant), posting(enabled("step"))} {
			name := fmt.Sprint("key-of-", i, c.Owner)
			changes = append(changes, keyed(numbered(c, i), name, name))
		}
	}
	_, errs := together(t, s, changes...)
	allWell(t, errs)
	for i := range many {
		c, err := s.Connection(context.Background(), merchant, merchantID, fmt.Sprint("provider-", i))
		if err != nil || c.LastSeq != 2 || len(c.Events) != 2 || len(c.Signups) != 1 {
			t.Fatalf("connection %d came back as %+v, %v", i, c, err)
		}
	}
}

func wantNames(t *testing.T, s *Store, want ...string) {
	t.Helper()
	var got []string
	for _, e := range whole(t, s).Events {
		got = append(got, e.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the history (-want +got):\n%s", diff)
	}
}

func wantUnavailable(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Error("got no error, want Unavailable")
		return
	}
	if f := fault.From(err); f.Kind != fault.Unavailable || f.Code != fault.CodeUnavailable || f.RetryAfter != time.Second {
		t.Errorf("got %v (%s, retry after %v), want Unavailable with a second", err, f.Kind, f.RetryAfter)
	}
}

// count runs a query of a test's own on the writing pool.
func count(t *testing.T, s *Store, query string) int {
	t.Helper()
	var n sql.NullInt64
	must(t, s.readAgain(context.Background(), func() error { return s.write.db.QueryRow(query).Scan(&n) }))
	return int(n.Int64)
}

// run executes what no method of the store does.
func run(t *testing.T, s *Store, text string, args ...any) {
	t.Helper()
	must(t, s.readAgain(context.Background(), func() error {
		_, err := s.write.db.Exec(text, args...)
		return err
	}))
}
