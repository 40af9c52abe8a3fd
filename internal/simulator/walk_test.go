package simulator_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring/internal/provider"
	"mooring/internal/simulator"
	"mooring/internal/store"
)

// Each walk opens a database, so there are fewer than rapid's hundred unless
// the command line asks for more.
func init() {
	if err := flag.Set("rapid.checks", "25"); err != nil {
		panic(err)
	}
}

// TestAWalkOfMovesFollowsTheFile signs up and moves the clock at random, and
// compares what happens with the plainest model: a list of times.
func TestAWalkOfMovesFollowsTheFile(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, store.Config{DataDir: filepath.Join(t.TempDir(), "data")})
		defer w.store.Close()
		m := &model{w: w, driver: w.driver()}
		for range rapid.IntRange(1, 12).Draw(rt, "moves") {
			if len(m.planned) == 0 || rapid.Bool().Draw(rt, "sign up") {
				m.signUp(rapid.SampledFrom([]string{"happy", "never_signs", "callback_lost", "declined"}).Draw(rt, "scenario"))
			}
			m.advance(rt, time.Duration(rapid.IntRange(0, 30).Draw(rt, "hours"))*time.Hour)
		}
	})
}

// model is what should happen, and when.
type model struct {
	w       *world
	driver  *simulator.Driver
	signups int
	ahead   time.Duration
	planned []happening
}

type happening struct {
	at   time.Duration // after the start
	what string
}

func (m *model) signUp(scenario string) {
	m.signups++
	slug := fmt.Sprintf("p%d", m.signups)
	m.w.sign(slug, scenario)
	p := acme()
	for _, step := range p.Scenarios[scenario].Steps {
		outcome := "applied"
		if step.Lost {
			outcome = "lost"
		}
		at := m.ahead + step.After
		m.planned = append(m.planned, happening{at, at.String() + " " + slug + " " + p.Says(step, provider.Signed{}).Event + " " + outcome})
	}
	slices.SortStableFunc(m.planned, func(a, b happening) int { return int(a.at - b.at) })
}

func (m *model) advance(t *rapid.T, by time.Duration) {
	m.ahead += by
	var want []string
	for len(m.planned) > 0 && m.planned[0].at <= m.ahead {
		want = append(want, m.planned[0].what)
		m.planned = m.planned[1:]
	}
	if got := outcomes(m.w.advance(m.driver, by)); !slices.Equal(got, want) {
		t.Fatalf("got\n  %q\nwant\n  %q", got, want)
	}
	if ahead := m.w.account().Ahead; ahead != m.ahead {
		t.Fatalf("the clock is %s ahead, not %s", ahead, m.ahead)
	}
}
