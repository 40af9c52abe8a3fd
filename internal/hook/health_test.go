package hook_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mooring/internal/hook"
)

var (
	taken     = hook.Result{Status: 200}
	refused   = hook.Result{Status: 500}
	unreached = hook.Result{Err: "connect", Unreached: true}
)

func TestFiveFailuresInARowOpenTheCircuit(t *testing.T) {
	var h hook.Health
	for i := range 5 {
		if h.Open() {
			t.Fatalf("it is open after %d", i)
		}
		h, _ = h.After(refused, noon, 0.5)
	}
	want := hook.Health{Failures: 5, FailingSince: noon, ProbeAt: noon.Add(5 * time.Second)}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
}

func TestASuccessBetweenFailuresKeepsItClosed(t *testing.T) {
	var h hook.Health
	for i := range 40 {
		r := refused
		if i%5 == 4 {
			r = taken
		}
		if h, _ = h.After(r, noon, 0.5); h.Open() {
			t.Fatalf("it is open after %d", i)
		}
	}
}

func TestWhoCannotBeReachedIsTakenForDeadAtOnce(t *testing.T) {
	h, change := hook.Health{}.After(unreached, noon, 0.5)
	if !h.Open() || change != (hook.Change{}) || h.Failures != 5 {
		t.Errorf("%+v %+v", h, change)
	}
}

func TestADeadEndpointIsProbedMoreAndMoreSeldom(t *testing.T) {
	h, now := hook.Health{}, noon
	for i, want := range []time.Duration{
		5 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 10 * time.Minute,
	} {
		h, _ = h.After(unreached, now, 0.5)
		if got := h.ProbeAt.Sub(now); got != want {
			t.Errorf("probe %d comes after %s, not %s", i+1, got, want)
		}
		if h.ProbeDue(h.ProbeAt.Add(-1)) || !h.ProbeDue(h.ProbeAt) {
			t.Errorf("probe %d is due at another time than it says", i+1)
		}
		now = h.ProbeAt
	}
	h, change := h.After(taken, now, 0.5)
	if diff := cmp.Diff(hook.Health{SucceededAt: now}, h); diff != "" || change != (hook.Change{Closed: true}) {
		t.Errorf("%s %+v", diff, change)
	}
}

func TestWhatWasOnItsWayIsNoProbe(t *testing.T) {
	open, _ := hook.Health{}.After(unreached, noon, 0.5)
	for range 60 {
		after, _ := open.After(refused, noon.Add(time.Second), 0.5)
		if diff := cmp.Diff(open, after); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestAReceiverMayPutOffItsProbe(t *testing.T) {
	open, _ := hook.Health{}.After(unreached, noon, 0.5)
	open, _ = open.After(hook.Result{Status: 503, RetryAfter: time.Hour}, noon.Add(time.Minute), 0.5)
	if got := open.ProbeAt.Sub(noon.Add(time.Minute)); got != time.Hour {
		t.Error(got)
	}
}

func TestWhoWantsNothingMoreIsSwitchedOffAtOnce(t *testing.T) {
	if _, change := (hook.Health{}).After(hook.Result{Status: 410}, noon, 0.5); change != (hook.Change{Disabled: hook.WhyGone}) {
		t.Errorf("%+v", change)
	}
}

func TestItsOwnerIsWarnedBeforeItIsSwitchedOff(t *testing.T) {
	h, _ := hook.Health{}.After(unreached, noon, 0.5)
	var got []hook.Change
	for at := noon; at.Before(noon.Add(80 * time.Hour)); at = at.Add(15 * time.Minute) {
		var change hook.Change
		h, change = h.After(unreached, at, 0.5)
		if change != (hook.Change{}) {
			got = append(got, change)
		}
		if change.Disabled != "" {
			if at.Sub(noon) != 75*time.Hour {
				t.Errorf("after %s", at.Sub(noon))
			}
			break
		}
	}
	want := []hook.Change{{Warn: 50}, {Warn: 70}, {Warn: 90}, {Disabled: hook.WhyFailing}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNobodyIsSwitchedOffUnwarnedBecauseWeWereAway(t *testing.T) {
	h, _ := hook.Health{}.After(unreached, noon, 0.5)
	h, change := h.After(unreached, noon.Add(1000*time.Hour), 0.5)
	if change != (hook.Change{Warn: 90}) {
		t.Errorf("first %+v", change)
	}
	if _, change = h.After(unreached, noon.Add(1001*time.Hour), 0.5); change != (hook.Change{Disabled: hook.WhyFailing}) {
		t.Errorf("then %+v", change)
	}
}

// TestTheCircuitKeepsItsPromises walks through any luck of an endpoint.
func TestTheCircuitKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, now := hook.Health{}, noon
		row, warned := 0, 0
		reached := true
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(8*time.Hour)).Draw(t, "time")))
			ok := rapid.IntRange(0, 9).Draw(t, "luck") == 0
			r := result(ok).Draw(t, "result")
			was := h
			var change hook.Change
			h, change = was.After(r, now, chance().Draw(t, "chance"))

			if ok {
				row, warned, reached = 0, 0, true
				if change != (hook.Change{Closed: was.Open()}) || h != (hook.Health{SucceededAt: now}) {
					t.Fatalf("a success: %+v %+v", h, change)
				}
				continue
			}
			row++
			reached = reached && !r.Unreached
			if h.Open() != (was.Open() || row >= 5 || !reached) {
				t.Fatalf("open %v after %d failures in a row", h.Open(), row)
			}
			if h.Open() && (h.ProbeAt.Sub(now) > 24*time.Hour || was.ProbeDue(now) && h.ProbeAt.Sub(now) < 4*time.Second) {
				t.Fatalf("the next probe is at %s, it is %s", h.ProbeAt, now)
			}
			used := now.Sub(h.FailingSince)
			switch {
			case change.Disabled != "":
				if used < 75*time.Hour || warned != 90 {
					t.Fatalf("switched off after %s, warned at %d", used, warned)
				}
				return
			case change.Warn != 0:
				if change.Warn <= warned || used*100 < 75*time.Hour*time.Duration(change.Warn) {
					t.Fatalf("warned at %d after %d and %s", change.Warn, warned, used)
				}
				warned = change.Warn
			}
			if h.FailingSince.After(now) || !was.FailingSince.IsZero() && !h.FailingSince.Equal(was.FailingSince) {
				t.Fatalf("it fails since %s", h.FailingSince)
			}
		}
	})
}

func TestAWayThatIsNotOpenIsHeldAgainstNobody(t *testing.T) {
	start := time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC)
	closed := hook.Result{Err: "connect", Ours: true}
	for _, before := range []hook.Health{{}, {Failures: 1, FailingSince: start, Warned: 70}} {
		h, at := before, start
		for n := range 100 {
			var change hook.Change
			if h, change = h.After(closed, at, 0.5); change != (hook.Change{}) {
				t.Fatalf("after %d of them: %+v", n, change)
			}
			if !h.Open() || h.FailingSince != before.FailingSince || h.Warned != before.Warned {
				t.Fatalf("after %d of them: %+v", n, h)
			}
			at = h.ProbeAt
		}
		if took := at.Sub(start); took < 8*time.Hour || took > 20*time.Hour {
			t.Errorf("a hundred probes took %s", took)
		}
		h, change := h.After(hook.Result{Status: 250}, at, 0.5)
		if h.Open() || h.Failures != 0 || !change.Closed {
			t.Errorf("then one that is taken: %+v, %+v", h, change)
		}
	}
}
