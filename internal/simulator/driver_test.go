package simulator_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/simulator"
	"mooring/internal/store"
)

func TestStepsHappenInOrderAcrossConnectionsEachAtItsOwnTime(t *testing.T) {
	onBothEngines(t, func(w *world) {
		d := w.driver()
		w.sign("acme", "happy")
		w.sign("other", "declined")
		fired := w.advance(d, 96*time.Hour)
		equal(w.t, outcomes(fired),
			"2h0m0s acme signature_required applied", "3h0m0s other refused applied", "24h0m0s acme credentials_received applied")
		equal(w.t, w.events(), "2h0m0s signature_required", "3h0m0s refused", "24h0m0s ")
		if ahead := w.account().Ahead; ahead != 96*time.Hour {
			w.t.Errorf("the clock is %s ahead", ahead)
		}
		if again := w.advance(d, 96*time.Hour); len(again) != 0 {
			w.t.Errorf("steps happened twice: %v", again)
		}
	})
}

func TestCallsCarryWhatTheFileSaysOfThem(t *testing.T) {
	onBothEngines(t, func(w *world) {
		id := w.sign("acme", "declined")
		w.advance(w.driver(), 3*time.Hour)
		got := w.heard[0]
		if want := "/v1/accounts/T11223351/connections/acme/signups/" + id + "/events"; got.Path != want {
			w.t.Errorf("called %s, want %s", got.Path, want)
		}
		for _, part := range []string{`"occurred_at":"2026-05-12T11:00:00Z"`, `"provider_code":"X1"`, `"external_id":"simulated-`} {
			if !strings.Contains(got.Body, part) {
				w.t.Errorf("%s lacks %s", got.Body, part)
			}
		}
	})
}

func TestALostCallIsNeverMade(t *testing.T) {
	onBothEngines(t, func(w *world) {
		w.sign("acme", "callback_lost")
		equal(w.t, outcomes(w.advance(w.driver(), 24*time.Hour)),
			"2h0m0s acme signature_required applied", "24h0m0s acme credentials_received lost")
		equal(w.t, w.events(), "2h0m0s signature_required")
	})
}

func TestToNextStopsAtTheNextTime(t *testing.T) {
	onBothEngines(t, func(w *world) {
		d := w.driver()
		w.sign("acme", "happy")
		w.sign("other", "happy")
		for _, want := range []time.Duration{2 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
			err := d.Hold(w.t.Context(), merchant, func(h *simulator.Hold) error {
				_, err := toNext(w.t.Context(), h)
				return err
			})
			if ahead := w.account().Ahead; err != nil || ahead != want {
				w.t.Errorf("%s ahead, want %s: %v", ahead, want, err)
			}
		}
		if len(w.heard) != 4 {
			w.t.Errorf("%d calls", len(w.heard))
		}
	})
}

func TestARefusedCallIsDoneAndOneThatTheServiceCanNotTakeIsTriedAgain(t *testing.T) {
	onBothEngines(t, func(w *world) {
		w.sign("acme", "declined")
		w.answers = []int{503, 500, 400}
		fired := w.advance(w.driver(), 3*time.Hour)
		if len(fired) != 1 || fired[0].Outcome != "refused" || fired[0].Code != "SIGNUP_REPLACED" {
			w.t.Errorf("%+v", fired)
		}
		w.sign("other", "declined")
		w.answers = []int{500, 500, 500, 500, 500, 500}
		if fired := w.advance(w.driver(), 3*time.Hour); len(fired) != 0 {
			w.t.Errorf("%+v", fired)
		}
		if len(w.answers) != 1 {
			w.t.Errorf("a step that never can be played is tried %d times", 6-len(w.answers))
		}
	})
}

func TestMovesAtOnceFollowOneAnother(t *testing.T) {
	onBothEngines(t, func(w *world) {
		w.sign("acme", "happy")
		w.sign("other", "declined")
		drivers := []*simulator.Driver{w.driver(), w.driver()} // two nodes
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() { w.advance(drivers[i%2], 3*time.Hour) })
		}
		all.Wait()
		if ahead := w.account().Ahead; ahead != 24*time.Hour {
			w.t.Errorf("eight moves of three hours went %s", ahead)
		}
		equal(w.t, w.events(), "2h0m0s signature_required", "3h0m0s refused", "24h0m0s ")
	})
}

func TestAClockThatIsHeldIsNotWaitedForForever(t *testing.T) {
	onBothEngines(t, func(w *world) {
		if _, _, err := w.store.LockClock(w.t.Context(), merchant, w.now, time.Hour); err != nil {
			w.t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := w.driver().Hold(ctx, merchant, nil); !errors.Is(err, context.DeadlineExceeded) {
			w.t.Error(err)
		}
		w.now = w.now.Add(time.Hour) // the lease is over: whoever held it is gone
		w.sign("acme", "happy")
		if fired := w.advance(w.driver(), 2*time.Hour); len(fired) != 1 {
			w.t.Errorf("%+v", fired)
		}
	})
}

func TestAProductionAccountHasNoClock(t *testing.T) {
	onBothEngines(t, func(w *world) {
		err := w.driver().Hold(w.t.Context(), "P00000000", func(*simulator.Hold) error { return errors.New("it was held") })
		if fault.From(err).Kind != fault.NotFound {
			w.t.Error(err)
		}
		if _, _, err := w.driver().Clock(w.t.Context(), "P00000000"); fault.From(err).Kind != fault.NotFound {
			w.t.Error(err)
		}
	})
}

func TestTheClockSaysWhatComesNext(t *testing.T) {
	onBothEngines(t, func(w *world) {
		d := w.driver()
		if _, next, err := d.Clock(w.t.Context(), merchant); next != nil || err != nil {
			w.t.Errorf("%+v %v", next, err)
		}
		id := w.sign("acme", "callback_lost")
		w.advance(d, 2*time.Hour)
		acc, next, err := d.Clock(w.t.Context(), merchant)
		want := simulator.Planned{
			At: start.Add(24 * time.Hour), Provider: "acme", Signup: id, Scenario: "callback_lost", Event: "credentials_received", Lost: true,
		}
		if err != nil || next == nil || *next != want || acc.Ahead != 2*time.Hour {
			w.t.Errorf("%+v %v", next, err)
		}
	})
}

func TestAnotherScenarioReplacesWhatWasLeft(t *testing.T) {
	onBothEngines(t, func(w *world) {
		d := w.driver()
		id := w.sign("acme", "happy")
		w.sign("other", "happy")
		w.advance(d, 2*time.Hour)
		var planned []simulator.Planned
		play := func(wish simulator.Wish) error {
			return d.Hold(w.t.Context(), merchant, func(h *simulator.Hold) (err error) {
				planned, _, err = h.Play(w.t.Context(), wish)
				return err
			})
		}
		if err := play(simulator.Wish{Place: store.Place{Account: merchant, Provider: "acme"}, Scenario: "declined"}); err != nil {
			w.t.Fatal(err)
		}
		if len(planned) != 1 || planned[0].Signup != id || planned[0].At != start.Add(5*time.Hour) {
			w.t.Errorf("%+v", planned)
		}
		equal(w.t, outcomes(w.advance(d, 48*time.Hour)), "5h0m0s acme refused applied", "24h0m0s other credentials_received applied")

		if err := play(simulator.Wish{Place: store.Place{Account: merchant, Provider: "other"}, Signup: freshID(), Scenario: "declined"}); fault.From(err).Kind != fault.NotFound {
			w.t.Error(err)
		}
	})
}

// A node that stands still in the middle of a step loses the clock: another
// plays the step again, in the same words, so that the service knows it, and
// the first one moves nothing any more.
func TestAStepThatIsPlayedAgainSaysTheSame(t *testing.T) {
	onBothEngines(t, func(w *world) {
		w.sign("acme", "declined")
		w.sign("other", "declined")
		w.stall = func() {
			w.now = w.now.Add(time.Hour)
			w.advance(w.driver(), 10*time.Hour)
		}
		err := w.driver().Hold(w.t.Context(), merchant, func(h *simulator.Hold) error {
			move, err := advance(w.t.Context(), h, 100*time.Hour)
			if len(move.Fired) > 1 {
				w.t.Errorf("%+v", move.Fired)
			}
			return err
		})
		if err != nil && fault.From(err).Kind != fault.Unavailable {
			w.t.Error(err)
		}
		if len(w.heard) != 3 || w.heard[0].Body != w.heard[2].Body || w.heard[0].Path != w.heard[2].Path {
			w.t.Errorf("%+v", w.heard)
		}
		if ahead := w.account().Ahead; ahead >= 100*time.Hour {
			w.t.Errorf("the clock was moved by whoever had lost it: %s", ahead)
		}
	})
}

func TestNobodySaysOfADecidedSignupThatItIsOnItsWay(t *testing.T) {
	onBothEngines(t, func(w *world) {
		w.sign("acme", "happy")
		_, err := w.store.Change(w.t.Context(), store.Change{
			System: true, Account: merchant, Provider: "acme", Whole: true,
			Decide: func(f store.Found) (store.Decision, error) {
				_, err := connection.Append(f.Connection, nil, connection.NewEvent{Status: connection.Enabled, Name: "enrolled", Signup: 1},
					connection.Act{At: w.now, By: "test", NewID: freshID})
				return store.Decision{Connection: f.Connection}, err
			},
		})
		if err != nil {
			w.t.Fatal(err)
		}
		equal(w.t, outcomes(w.advance(w.driver(), 24*time.Hour)),
			"2h0m0s acme signature_required overtaken", "24h0m0s acme credentials_received applied")
		if len(w.heard) != 1 {
			w.t.Errorf("%+v", w.heard)
		}
	})
}
