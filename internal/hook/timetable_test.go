package hook_test

import (
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring/internal/hook"
)

func TestWhenAMessageIsSentAgain(t *testing.T) {
	failed := hook.Result{Status: 500}
	for number, want := range []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour,
		24 * time.Hour,
	} {
		turn := hook.Next(number+1, false, failed, 0.5)
		if turn.Done || turn.Dead || turn.Wait != want {
			t.Errorf("after attempt %d: %+v, not %s", number+1, turn, want)
		}
	}
	if turn := hook.Next(hook.Attempts, false, failed, 0.5); !turn.Dead || turn.Wait != 0 {
		t.Errorf("after the last: %+v", turn)
	}
	if turn := hook.Next(hook.Attempts+5, true, failed, 0.5); turn.Dead || turn.Wait != 24*time.Hour {
		t.Errorf("while its endpoint is taken for dead: %+v", turn)
	}
}

func TestWhatAResultMeansForAMessage(t *testing.T) {
	for _, c := range []struct {
		result hook.Result
		want   hook.Turn
	}{
		{hook.Result{Status: 200}, hook.Turn{Done: true}},
		{hook.Result{Status: 204}, hook.Turn{Done: true}},
		{hook.Result{Status: 299}, hook.Turn{Done: true}},
		{hook.Result{Status: 199}, hook.Turn{Wait: 5 * time.Second}},
		{hook.Result{Status: 300}, hook.Turn{Wait: 5 * time.Second}},
		{hook.Result{Status: 301}, hook.Turn{Wait: 5 * time.Second}},
		{hook.Result{Status: 400}, hook.Turn{Wait: 5 * time.Second}},
		{hook.Result{Err: "timeout"}, hook.Turn{Wait: 5 * time.Second}},
		{hook.Result{Status: 429, RetryAfter: time.Minute}, hook.Turn{Wait: time.Minute}},
		{hook.Result{Status: 503, RetryAfter: time.Second}, hook.Turn{Wait: 5 * time.Second}},
		{hook.Result{Status: 503, RetryAfter: 100 * time.Hour}, hook.Turn{Wait: 24 * time.Hour}},
	} {
		if got := hook.Next(1, false, c.result, 0.5); got != c.want {
			t.Errorf("%+v: %+v", c.result, got)
		}
	}
}

func TestAResultSaysWhatCameOfIt(t *testing.T) {
	for want, r := range map[string]hook.Result{
		"": {Status: 202}, "it answered 500": {Status: 500}, "timeout": {Err: "timeout"},
	} {
		if got := r.Why(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	if !(hook.Result{Status: http.StatusGone}).Gone() || (hook.Result{Status: 404}).Gone() {
		t.Error("410 and nothing else is gone")
	}
}

// TestAMessageIsTriedForAboutThreeDays walks the timetable with any luck and
// any wishes of the receiver.
func TestAMessageIsTriedForAboutThreeDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var waited time.Duration
		asks := rapid.Bool().Draw(t, "asks to wait")
		for number := 1; ; number++ {
			r := result(false).Draw(t, "result")
			if !asks {
				r.RetryAfter = 0
			}
			turn := hook.Next(number, false, r, chance().Draw(t, "chance"))
			if turn.Dead {
				if number != hook.Attempts {
					t.Fatalf("it died after %d attempts", number)
				}
				break
			}
			if turn.Done || turn.Wait < min(r.RetryAfter, 24*time.Hour) || turn.Wait < 4*time.Second || turn.Wait > 29*time.Hour {
				t.Fatalf("%d: %+v of %+v", number, turn, r)
			}
			waited += turn.Wait
		}
		if waited < 60*time.Hour || !asks && waited > 92*time.Hour {
			t.Fatalf("it was tried for %s", waited)
		}
	})
}

func chance() *rapid.Generator[float64] { return rapid.Float64Range(0, 0.999999) }

// result draws what came of an attempt.
func result(taken bool) *rapid.Generator[hook.Result] {
	return rapid.Custom(func(t *rapid.T) hook.Result {
		if taken {
			return hook.Result{Status: rapid.IntRange(200, 299).Draw(t, "status")}
		}
		if rapid.Bool().Draw(t, "no answer") {
			return hook.Result{Err: "timeout", Unreached: rapid.Bool().Draw(t, "unreached")}
		}
		return hook.Result{
			Status:     rapid.SampledFrom([]int{301, 400, 404, 429, 500, 502, 503, 504}).Draw(t, "status"),
			RetryAfter: time.Duration(rapid.SampledFrom([]int{0, 1, 60, 3600, 1e6}).Draw(t, "retry after")) * time.Second,
		}
	})
}
