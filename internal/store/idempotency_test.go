package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/fault"
)

func testKeyStorm(t *testing.T, d door) {
	s := signed(t, d)
	change := keyed(posting(enabled("once")), "", "same")
	answers := make([]Answer, 64)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			var err error
			if answers[i], err = s.Change(context.Background(), change); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	first := 0
	for _, a := range answers {
		if !a.Replayed {
			first++
		}
		a.Replayed = false
		want := answers[0]
		want.Replayed = false
		if diff := cmp.Diff(want, a); diff != "" {
			t.Fatalf("two answers to one key (-one +other):\n%s", diff)
		}
	}
	if first != 1 {
		t.Errorf("%d answers were not marked as given before, want 1", first)
	}
	wantNames(t, s, "signup_received", "once")
}

func testKeyReused(t *testing.T, d door) {
	s := signed(t, d)
	mustChange(t, s, keyed(posting(enabled("one")), "k", "one"))
	_, err := s.Change(context.Background(), keyed(posting(enabled("two")), "k", "two"))
	if err == nil || fault.From(err).Code != fault.CodeKeyReused {
		t.Errorf("got %v, want the key refused", err)
	}
	_, errs := together(t, s, keyed(posting(enabled("three")), "l", "one"), keyed(posting(enabled("four")), "l", "two"))
	if errs[0] != nil || errs[1] == nil || fault.From(errs[1]).Code != fault.CodeKeyReused {
		t.Errorf("within a batch got %v, want the second refused", errs)
	}
	wantNames(t, s, "signup_received", "one", "three")
}

func testKeyScope(t *testing.T, d door) {
	s := signed(t, d)
	mustChange(t, s, keyed(posting(enabled("one")), "k", "f"))
	for _, vary := range []func(*Change){
		func(c *Change) { c.Key.Operation = "put" },
		func(c *Change) { c.Key.Path = "/v1/y" },
		func(c *Change) { c.Key.Key = "K" },
		func(c *Change) { c.Caller, c.Owner = platform, platformID },
	} {
		change := keyed(posting(enabled("step")), "k", "f")
		vary(&change)
		if answer := mustChange(t, s, change); answer.Replayed {
			t.Errorf("an answer was given to somebody else: %+v", change.Key)
		}
	}
	if c := whole(t, s); c.LastSeq != 6 {
		t.Errorf("the last event is %d, want 6", c.LastSeq)
	}
}

func testRefusalNotKept(t *testing.T, d door) {
	s := signed(t, d)
	refused := keyed(posting(enabled("no")), "k", "f")
	refused.Decide = func(Found) (Decision, error) { return Decision{}, errors.New("no") }
	if _, err := s.Change(context.Background(), refused); err == nil {
		t.Fatal("the refusal was lost")
	}
	if n := count(t, s, "SELECT count(*) FROM idempotency"); n != 0 {
		t.Errorf("%d answers were kept, want none", n)
	}
	if answer := mustChange(t, s, keyed(posting(enabled("yes")), "k", "f")); answer.Replayed {
		t.Error("a refusal was kept under the key")
	}
	wantNames(t, s, "signup_received", "yes")
}

// An answer is given again only to who may still do what it answered.
func testKeyAfterOwnership(t *testing.T, d door) {
	s := signed(t, d)
	change := keyed(posting(enabled("one")), "k", "f")
	mustChange(t, s, change)
	disable := "UPDATE client SET disabled = $1 WHERE id = $2"
	run(t, s, disable, true, partner.Client)
	_, err := s.Change(context.Background(), change)
	wantKind(t, err, fault.Unauthenticated)
	run(t, s, disable, false, partner.Client)
	run(t, s, "UPDATE account SET owner = $1 WHERE id = $2", string(otherID), string(merchantID))
	_, err = s.Change(context.Background(), change)
	wantMissing(t, "sold to another partner", err)
}

func testSweep(t *testing.T, d door) {
	cfg := d(t)
	now := noon
	var mu sync.Mutex
	cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	s := inhabit(t, openStore(t, cfg))
	mustChange(t, s, signing(merchant))
	for range 5 {
		mustChange(t, s, keyed(posting(enabled("old")), "", "f"))
	}
	mu.Lock()
	now = noon.Add(time.Hour)
	mu.Unlock()
	mustChange(t, s, keyed(posting(enabled("young")), "young", "f"))

	sweep := func(at time.Time) int {
		n, err := s.SweepIdempotency(context.Background(), at, 3)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var got []int
	for _, at := range []time.Time{
		noon.Add(IdempotencyLife - time.Microsecond), // nobody's time has come
		noon.Add(IdempotencyLife), noon.Add(IdempotencyLife), noon.Add(IdempotencyLife),
	} {
		got = append(got, sweep(at))
	}
	if diff := cmp.Diff([]int{0, 3, 2, 0}, got); diff != "" {
		t.Errorf("swept (-want +got):\n%s", diff)
	}
	if answer := mustChange(t, s, keyed(posting(enabled("young")), "young", "f")); !answer.Replayed {
		t.Error("a young answer was swept")
	}
}
