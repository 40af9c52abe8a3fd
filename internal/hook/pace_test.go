package hook_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring/internal/hook"
)

func TestMoreIsSentToWhoTakesIt(t *testing.T) {
	var p hook.Pace
	rooms := []int{p.Room(noon)}
	for range 200 {
		p = p.After(taken, noon)
		if room := p.Room(noon); room != rooms[len(rooms)-1] {
			rooms = append(rooms, room)
		}
	}
	for i, want := range []int{2, 4, 8, 16, 32, 64} {
		if len(rooms) != 6 || rooms[i] != want {
			t.Fatalf("%v", rooms)
		}
	}
	if p = p.After(refused, noon); p.Room(noon) != 32 {
		t.Errorf("a failure leaves %d", p.Room(noon))
	}
	for range 9 {
		p = p.After(unreached, noon)
	}
	if p.Room(noon) != 1 {
		t.Errorf("ten leave %d", p.Room(noon))
	}
}

func TestWhoHasTooMuchToDoIsLeftInPeace(t *testing.T) {
	var p hook.Pace
	for range 30 {
		p = p.After(taken, noon)
	}
	now := noon
	for i, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
		p = p.After(hook.Result{Status: 503}, now)
		if p.Room(now) != 0 || p.Room(now.Add(want-1)) != 0 || p.Room(now.Add(want)) != 1 {
			t.Errorf("pause %d is not %s", i+1, want)
		}
		now = now.Add(want)
	}
	p = p.After(hook.Result{Status: 429, RetryAfter: time.Hour}, now)
	if !p.Until().Equal(now.Add(time.Hour)) {
		t.Errorf("it asked for an hour, and is left in peace until %s", p.Until())
	}
	if p = p.After(taken, now); p.Room(now) != 0 {
		t.Error("what was on its way ends a pause")
	}
	p = p.After(taken, now.Add(time.Hour))
	p = p.After(hook.Result{Status: 503}, now.Add(time.Hour))
	if got := p.Until().Sub(now.Add(time.Hour)); got != 5*time.Second {
		t.Errorf("after a success a pause begins with %s", got)
	}
}

// TestAPaceStaysWithinItsLimits walks through any luck of an endpoint.
func TestAPaceStaysWithinItsLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, now := hook.Pace{}, noon
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "time")))
			r := result(rapid.Bool().Draw(t, "ok")).Draw(t, "result")
			was, until := p.Room(now), p.Until()
			p = p.After(r, now)
			room := p.Room(now)
			switch {
			case room < 0 || room > 64 || p.Until().Sub(now) > 24*time.Hour:
				t.Fatalf("room for %d, until %s", room, p.Until())
			case r.Slow() && p.Until().Sub(now) < max(5*time.Second, min(r.RetryAfter, 24*time.Hour)):
				t.Fatalf("%+v is left in peace until %s", r, p.Until())
			case now.Before(until) && p.Until().Before(until):
				t.Fatalf("%+v ends a pause", r)
			case r.OK() && room < was, !r.OK() && room > was:
				t.Fatalf("%+v makes room for %d out of %d", r, room, was)
			case p.Room(p.Until().Add(time.Nanosecond)) < 1:
				t.Fatal("it never is tried again")
			}
		}
	})
}

func TestAPauseIsEndedByOneMessage(t *testing.T) {
	var p hook.Pace
	if p.Resume() != p {
		t.Error("a pace without a pause changes")
	}
	p = p.After(hook.Result{Status: 429, RetryAfter: 12 * time.Hour}, noon)
	if n := p.Room(noon.Add(time.Hour)); n != 0 {
		t.Errorf("in the pause there is room for %d", n)
	}
	p = p.Resume()
	if n := p.Room(noon); n != 1 {
		t.Errorf("when it is ended there is room for %d", n)
	}
	if p = p.After(hook.Result{Status: 429, RetryAfter: time.Hour}, noon); p.Room(noon.Add(time.Minute)) != 0 {
		t.Error("it does not begin again")
	}
}
