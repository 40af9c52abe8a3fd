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

	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

// received puts a call about a signup into the inbox.
func received(t *testing.T, s *Store, signup string, key DataKey, says string) Received {
	t.Helper()
	r := receivedOf(signup, key, says)
	if err := s.Receive(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func receivedOf(signup string, key DataKey, says string) Received {
	return Received{
		Account: merchantID, Provider: vipps.Slug, ID: newID(), Signup: signup, Operation: "vipps_callback_post",
		By: signup, Remote: "192.0.2.7", Header: []byte(`{"User-Agent":"x"}`), Key: key.ID, Body: []byte("sealed " + says),
		Digest: []byte(says), ReceivedAt: noon,
	}
}

// callingBack is the caller of a callback token.
func callingBack(reference string) auth.Caller {
	return auth.Caller{
		Account: merchantID, Client: reference, Callback: &auth.Callback{Provider: vipps.Slug, Reference: reference},
	}
}

// judging is a change that judges a call: applied unless the same was applied
// before.
func judging(r Received) Change {
	return Change{
		Caller: callingBack(r.Signup), Account: r.Account, Provider: r.Provider, Whole: true,
		Inbox: &Inbox{ID: r.ID, Signup: r.Signup, Digest: r.Digest},
		Decide: func(f Found) (Decision, error) {
			if f.Replayed {
				return Decision{Verdict: &Verdict{State: VerdictApplied, Effect: "duplicate"}, Answer: Answer{Body: []byte("duplicate")}}, nil
			}
			e, err := connection.Append(f.Connection, vipps, enabled("called back"), act(merchant))
			return Decision{
				Connection: f.Connection, Answer: Answer{Body: []byte("applied")},
				Verdict: &Verdict{State: VerdictApplied, Effect: "applied", Event: e.Seq},
			}, err
		},
	}
}

// refusing is a change that judges a call and finds it wanting.
func refusing(r Received) Change {
	c := judging(r)
	c.Decide = func(Found) (Decision, error) {
		return Decision{Verdict: &Verdict{State: VerdictRefused, Code: "INVALID", Reason: "no"}}, nil
	}
	return c
}

func theCall(t *testing.T, s *Store, id string) Received {
	t.Helper()
	r, err := s.ReceivedByID(context.Background(), vippsPlace, id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func testCallbackCaller(t *testing.T, d door) {
	s := signed(t, d)
	signup := whole(t, s).Signups[0].ID
	mustChange(t, s, numbered(signing(merchant), 1))
	for name, test := range map[string]struct {
		spoil func(*Change)
		want  bool
	}{
		"its own":                     {func(*Change) {}, true},
		"another signup":              {func(c *Change) { c.Caller.Callback.Reference = newID() }, false},
		"no id":                       {func(c *Change) { c.Caller.Callback.Reference = "x" }, false},
		"a token of another provider": {func(c *Change) { c.Caller.Callback.Provider = "provider-1" }, false},
		"another provider":            {func(c *Change) { c.Provider = "provider-1" }, false},
		"another provider throughout": {func(c *Change) { c.Provider, c.Caller.Callback.Provider = "provider-1", "provider-1" }, false},
		"another account":             {func(c *Change) { c.Account = secondID }, false},
		"a token of another account":  {func(c *Change) { c.Caller.Account = secondID }, false},
		"in a partner's name":         {func(c *Change) { c.Owner = partnerID }, false},
	} {
		c := posting(enabled("called back"))
		c.Caller, c.Owner = callingBack(signup), ""
		test.spoil(&c)
		_, err := s.Change(context.Background(), c)
		if !test.want {
			wantMissing(t, name, err)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantNames(t, s, "signup_received", "called back")
	for reference, want := range map[string]bool{signup: true, newID(): false, "x": false, "": false} {
		if got, err := s.SignupExists(context.Background(), vippsPlace, reference); err != nil || got != want {
			t.Errorf("%q names a signup: %v, %v", reference, got, err)
		}
	}
}

func testInbox(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	key := ownKeyOf(t, s)
	signup := whole(t, s).Signups[0].ID
	r := received(t, s, signup, key, "one")
	want := r
	want.Verdict.State = VerdictReceived
	wantSame(t, "a received call", want, theCall(t, s, r.ID), nil)
	waiting, err := s.Unjudged(ctx, noon, 10)
	wantSame(t, "the calls to be judged", []Received{want}, waiting, err)
	if early, err := s.Unjudged(ctx, noon.Add(-time.Second), 10); err != nil || early != nil {
		t.Errorf("before a call came it was to be judged: %v, %v", early, err)
	}

	s.now = func() time.Time { return noon.Add(time.Minute) }
	mustChange(t, s, judging(r))
	want.JudgedAt, want.Attempts = noon.Add(time.Minute), 1
	want.Verdict = Verdict{State: VerdictApplied, Effect: "applied", Event: 2}
	wantSame(t, "a judged call", want, theCall(t, s, r.ID), nil)
	if left, err := s.Unjudged(ctx, noon, 10); err != nil || left != nil {
		t.Errorf("a judged call is still to be judged: %v, %v", left, err)
	}

	other := received(t, s, signup, key, "two")
	mustChange(t, s, refusing(other))
	page, err := s.Inbox(ctx, partner, vippsPlace, "", 1)
	if err != nil || len(page) != 1 || page[0].ID != other.ID || page[0].Verdict != (Verdict{State: VerdictRefused, Code: "INVALID", Reason: "no"}) {
		t.Errorf("the newest call is %+v, %v", page, err)
	}
	page, err = s.Inbox(ctx, merchant, vippsPlace, other.ID, 5)
	want.Body = want.Body[:1] // a list only says that there is one
	wantSame(t, "the next page", []Received{want}, page, err)
	_, err = s.Inbox(ctx, second, vippsPlace, "", 5)
	wantMissing(t, "a sibling's look at the inbox", err)
	for _, id := range []string{"", "x", newID()} {
		_, err := s.ReceivedByID(ctx, vippsPlace, id)
		wantMissing(t, id, err)
	}
	_, err = s.ReceivedByID(ctx, Place{secondID, vipps.Slug}, r.ID)
	wantMissing(t, "a call of another account", err)

	stray := r
	stray.ID, stray.Signup = newID(), newID()
	wantMissing(t, "a call about an unknown signup", s.Receive(ctx, stray))
	stray.Signup, stray.Account = signup, secondID
	wantMissing(t, "a call about another account's signup", s.Receive(ctx, stray))
}

func testJudgeStorm(t *testing.T, d door) {
	s := signed(t, d)
	r := received(t, s, whole(t, s).Signups[0].ID, ownKeyOf(t, s), "one")
	wantOneApplied(t, []*Store{s}, slices.Repeat([]Received{r}, 64))
	if got := theCall(t, s, r.ID); got.Attempts != 64 || got.Verdict != (Verdict{State: VerdictApplied, Effect: "applied", Event: 2}) {
		t.Errorf("after 64 judgements: %d attempts, %+v", got.Attempts, got.Verdict)
	}
}

func testReplayStorm(t *testing.T, d door) {
	s := signed(t, d)
	signup, key := whole(t, s).Signups[0].ID, ownKeyOf(t, s)
	calls := make([]Received, 64)
	for i := range calls {
		calls[i] = received(t, s, signup, key, "the same")
	}
	wantOneApplied(t, []*Store{s}, calls)
	calls[0] = received(t, s, signup, key, "something else")
	if a := mustChange(t, s, judging(calls[0])); string(a.Body) != "applied" {
		t.Errorf("another call was %s", a.Body)
	}
}

// wantOneApplied judges all calls at once, each on the next node, and holds
// that one of them applied.
func wantOneApplied(t *testing.T, nodes []*Store, calls []Received) {
	t.Helper()
	var (
		wg      sync.WaitGroup
		applied atomic.Int64
	)
	for i, r := range calls {
		wg.Go(func() {
			a, err := nodes[i%len(nodes)].Change(context.Background(), judging(r))
			if err != nil {
				t.Error(err)
			}
			if string(a.Body) == "applied" {
				applied.Add(1)
			}
		})
	}
	wg.Wait()
	if applied.Load() != 1 {
		t.Errorf("%d of %d judgements applied", applied.Load(), len(calls))
	}
	if c := whole(t, nodes[0]); c.LastSeq != 2 || c.Status != connection.Enabled {
		t.Errorf("the connection stands at %d %s", c.LastSeq, c.Status)
	}
}

func testJudgeAgain(t *testing.T, d door) {
	s := signed(t, d)
	signup, key := whole(t, s).Signups[0].ID, ownKeyOf(t, s)
	r := received(t, s, signup, key, "one")
	mustChange(t, s, refusing(r))
	if a := mustChange(t, s, judging(r)); string(a.Body) != "applied" {
		t.Errorf("a refused call that is judged again was %s", a.Body)
	}
	mustChange(t, s, refusing(r))
	if got := theCall(t, s, r.ID); got.Attempts != 3 || got.Verdict.State != VerdictApplied || got.Verdict.Event != 2 {
		t.Errorf("a later look changed what was applied: %+v", got)
	}

	for name, spoil := range map[string]func(*Change){
		"another signup": func(c *Change) { c.Inbox.Signup = newID() },
		"another digest": func(c *Change) { c.Inbox.Digest = []byte("other") },
		"a key":          func(c *Change) { *c = keyed(*c, "", "f") },
		"no verdict":     func(c *Change) { c.Decide = func(Found) (Decision, error) { return Decision{}, nil } },
		"an odd verdict": func(c *Change) {
			c.Decide = func(Found) (Decision, error) { return Decision{Verdict: &Verdict{State: "maybe"}}, nil }
		},
	} {
		c := judging(received(t, s, signup, key, name))
		spoil(&c)
		_, err := s.Change(context.Background(), c)
		if err == nil || fault.From(err).Kind != fault.Internal {
			t.Errorf("a judgement with %s: %v", name, err)
		}
	}
	for _, id := range []string{"x", newID()} {
		c := judging(r)
		c.Inbox.ID = id
		_, err := s.Change(context.Background(), c)
		wantMissing(t, "a judgement of "+id, err)
	}
	c := judging(received(t, s, signup, key, "failing"))
	c.Decide = func(Found) (Decision, error) { return Decision{}, errors.New("no") }
	if _, err := s.Change(context.Background(), c); err == nil {
		t.Error("a failed judgement succeeded")
	}
	if got := theCall(t, s, c.Inbox.ID); got.Verdict.State != VerdictReceived || got.Attempts != 0 {
		t.Errorf("a failed judgement left %+v", got)
	}
}

func testSweepInbox(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	signup, key := whole(t, s).Signups[0].ID, ownKeyOf(t, s)
	for i := range 5 {
		r := received(t, s, signup, key, fmt.Sprint(i))
		if i == 0 {
			mustChange(t, s, judging(r))
		}
	}
	for _, want := range []int{2, 2, 1, 0} {
		if n, err := s.SweepInbox(ctx, noon, 2); err != nil || n != want {
			t.Errorf("swept %d, %v; want %d", n, err, want)
		}
	}
	calls, err := s.Inbox(ctx, merchant, vippsPlace, "", 10)
	if err != nil || len(calls) != 5 {
		t.Fatalf("%d calls are left, %v", len(calls), err)
	}
	for _, c := range calls {
		if c.Body != nil || c.Key != "" || c.Digest == nil {
			t.Errorf("a swept call came back as %+v", c)
		}
	}
	if left, err := s.Unjudged(ctx, noon, 10); err != nil || left != nil {
		t.Errorf("a call without a body is to be judged: %v, %v", left, err)
	}
	if n, err := s.SweepInbox(ctx, noon.Add(-time.Hour), 2); err != nil || n != 0 {
		t.Errorf("swept %d, %v", n, err)
	}
}
