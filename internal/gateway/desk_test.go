package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/gateway"
	"mooring/internal/provider"
)

var (
	acme    = &provider.Provider{Slug: "acme", Title: "Acme"}
	enabled = provider.Report{Status: "enabled", Event: "enrolled", Configuration: []byte(`{"status":"enabled"}`)}
)

// upstream is a gateway that counts how often it is asked.
type upstream struct {
	calls  atomic.Int64
	answer func(context.Context, gateway.Question) (provider.Report, error)
}

func (u *upstream) Status(ctx context.Context, q gateway.Question) (provider.Report, error) {
	u.calls.Add(1)
	return u.answer(ctx, q)
}

func (u *upstream) Submit(context.Context, gateway.Submission) (*connection.Message, error) {
	return nil, gateway.ErrUnavailable
}

func after(d time.Duration, r provider.Report) *upstream {
	return &upstream{answer: func(ctx context.Context, _ gateway.Question) (provider.Report, error) {
		select {
		case <-time.After(d):
			return r, nil
		case <-ctx.Done():
			return provider.Report{}, ctx.Err()
		}
	}}
}

func desk(u gateway.Gateway) *gateway.Desk {
	return gateway.New(map[account.World]gateway.Gateway{account.Test: u})
}

func about(id account.ID) gateway.Question {
	return gateway.Question{Account: id, Provider: acme, Connection: &connection.Connection{
		Account: id, Provider: acme.Slug, Status: connection.Pending, LastSeq: 1,
	}}
}

const merchant account.ID = "T11223351"

func TestAThousandCallersAtOnceCauseOneQuestionAndShareItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := after(time.Second, enabled)
		d := desk(u)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				report, outcome, err := d.Ask(t.Context(), about(merchant))
				if diff := cmp.Diff(enabled, report); diff != "" || outcome != gateway.Done || err != nil {
					t.Error(outcome, err, diff)
				}
			})
		}
		all.Wait()
		if n := u.calls.Load(); n != 1 {
			t.Errorf("the provider was asked %d times", n)
		}
	})
}

func TestAConnectionIsAskedAboutOnceInAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := after(0, enabled)
		d := desk(u)
		for _, step := range []struct {
			wait    time.Duration
			outcome gateway.Outcome
			calls   int64
		}{
			{0, gateway.Done, 1},
			{0, gateway.Recent, 1},
			{gateway.Interval - time.Nanosecond, gateway.Recent, 1},
			{time.Nanosecond, gateway.Done, 2},
			{time.Second, gateway.Recent, 2},
			{time.Hour, gateway.Done, 3},
		} {
			<-time.After(step.wait)
			report, outcome, err := d.Ask(t.Context(), about(merchant))
			if outcome != step.outcome || err != nil || u.calls.Load() != step.calls {
				t.Errorf("%+v: %s after %d calls, %v", step, outcome, u.calls.Load(), err)
			}
			if outcome != gateway.Done && report.Status != "" {
				t.Error("a report without a question")
			}
		}
	})
}

func TestAFailureCountsAsAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{answer: func(context.Context, gateway.Question) (provider.Report, error) {
			return provider.Report{}, errors.New("connection refused")
		}}
		d := desk(u)
		for _, want := range []gateway.Outcome{gateway.Failed, gateway.Recent, gateway.Recent} {
			if _, outcome, _ := d.Ask(t.Context(), about(merchant)); outcome != want {
				t.Errorf("%s instead of %s", outcome, want)
			}
		}
		if n := u.calls.Load(); n != 1 {
			t.Errorf("the provider was asked %d times", n)
		}
	})
}

func TestConnectionsAreAskedAboutIndependently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := after(0, enabled)
		d := desk(u)
		other := about(merchant)
		other.Provider = &provider.Provider{Slug: "other"}
		for _, q := range []gateway.Question{about(merchant), about("T11223352"), other} {
			if _, outcome, err := d.Ask(t.Context(), q); outcome != gateway.Done {
				t.Error(outcome, err)
			}
		}
		if n := u.calls.Load(); n != 3 {
			t.Errorf("three connections were asked about %d times", n)
		}
	})
}

func TestAWorldWithoutAGatewayHasNobodyToAsk(t *testing.T) {
	u := after(0, enabled)
	if _, outcome, err := desk(u).Ask(t.Context(), about("P11223351")); outcome != gateway.Unavailable || err != nil {
		t.Error(outcome, err)
	}
	if n := u.calls.Load(); n != 0 {
		t.Errorf("the test world was asked %d times about a production account", n)
	}
	if _, outcome, _ := gateway.New(nil).Ask(t.Context(), about(merchant)); outcome != gateway.Unavailable {
		t.Error(outcome)
	}
}

func TestAGatewayMaySayThatNobodyCanBeAsked(t *testing.T) {
	u := &upstream{answer: func(context.Context, gateway.Question) (provider.Report, error) {
		return provider.Report{}, fmt.Errorf("no address: %w", gateway.ErrUnavailable)
	}}
	if _, outcome, err := desk(u).Ask(t.Context(), about(merchant)); outcome != gateway.Unavailable || err != nil {
		t.Error(outcome, err)
	}
}

func TestABrokenProviderIsAFailureAndNothingElse(t *testing.T) {
	answers := func(r provider.Report) func(context.Context, gateway.Question) (provider.Report, error) {
		return func(context.Context, gateway.Question) (provider.Report, error) { return r, nil }
	}
	hung := make(chan struct{})
	for name, test := range map[string]struct {
		answer func(context.Context, gateway.Question) (provider.Report, error)
		reason string
	}{
		"an error": {func(context.Context, gateway.Question) (provider.Report, error) {
			return enabled, errors.New("500 from the provider")
		}, "500 from the provider"},
		"a panic": {func(context.Context, gateway.Question) (provider.Report, error) {
			panic("index out of range")
		}, "the gateway panicked: index out of range"},
		"a provider that is too slow": {after(gateway.Timeout+time.Second, enabled).answer, "deadline exceeded"},
		"a gateway that does not heed the end": {func(context.Context, gateway.Question) (provider.Report, error) {
			<-hung
			return enabled, nil
		}, "deadline exceeded"},
		"a status that does not exist": {answers(provider.Report{Status: "ENABLED", Event: "enrolled"}), "a status that does not exist"},
		"no status":                    {answers(provider.Report{Event: "enrolled"}), "a status that does not exist"},
		"a change without a name":      {answers(provider.Report{Status: "enabled"}), "without a name"},
		"a configuration without a name": {answers(provider.Report{
			Status: "pending", Configuration: []byte(`{}`),
		}), "without a name"},
		"a name that is too long": {answers(provider.Report{Status: "enabled", Event: strings.Repeat("å", 129)}), "without a name"},
		"a configuration that is a list": {answers(provider.Report{
			Status: "enabled", Event: "enrolled", Configuration: []byte(`[]`),
		}), "not a JSON object"},
		"a configuration that ends early": {answers(provider.Report{
			Status: "enabled", Event: "enrolled", Configuration: []byte(`{"status":`),
		}), "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hung = make(chan struct{})
				defer close(hung)
				start := time.Now()
				report, outcome, err := desk(&upstream{answer: test.answer}).Ask(t.Context(), about(merchant))
				if diff := cmp.Diff(provider.Report{}, report); diff != "" || outcome != gateway.Failed {
					t.Error(outcome, diff)
				}
				if err == nil || !strings.Contains(err.Error(), test.reason) {
					t.Error(err)
				}
				if took := time.Since(start); took > gateway.Timeout {
					t.Errorf("the caller waited %s", took)
				}
			})
		})
	}
}

func TestAReportThatChangesNothingNeedsNoName(t *testing.T) {
	u := after(0, provider.Report{Status: "pending"})
	if _, outcome, err := desk(u).Ask(t.Context(), about(merchant)); outcome != gateway.Done {
		t.Error(outcome, err)
	}
}

func TestACallerThatGivesUpLeavesTheQuestionToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := after(2*time.Second, enabled)
		d := desk(u)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var both sync.WaitGroup
		both.Go(func() {
			start := time.Now()
			_, outcome, err := d.Ask(impatient, about(merchant))
			if outcome != gateway.Failed || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Error(outcome, err, time.Since(start))
			}
		})
		synctest.Wait() // the impatient one is the one that asks
		both.Go(func() {
			if report, outcome, err := d.Ask(t.Context(), about(merchant)); outcome != gateway.Done || report.Status != "enabled" {
				t.Error(outcome, err)
			}
		})
		both.Wait()
		if n := u.calls.Load(); n != 1 {
			t.Errorf("the provider was asked %d times", n)
		}
	})
}

func TestAnAnswerAboutAnOlderStateIsNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := desk(after(time.Second, enabled))
		var first sync.WaitGroup
		first.Go(func() {
			if _, outcome, _ := d.Ask(t.Context(), about(merchant)); outcome != gateway.Done {
				t.Error(outcome)
			}
		})
		synctest.Wait()
		newer := about(merchant)
		newer.Connection.LastSeq = 2
		if _, outcome, _ := d.Ask(t.Context(), newer); outcome != gateway.Recent {
			t.Errorf("a caller who knows of a newer event was answered %s", outcome)
		}
		first.Wait()
	})
}

func TestTheMemoryOfADeskIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{answer: func(context.Context, gateway.Question) (provider.Report, error) { return enabled, nil }}
		d := desk(u)
		id := func(i int) account.ID { return account.ID(fmt.Sprintf("T%08d", i)) }
		for i := range gateway.MaxRecent {
			if _, outcome, err := d.Ask(t.Context(), about(id(i))); outcome != gateway.Done {
				t.Fatal(i, outcome, err)
			}
		}
		if _, outcome, err := d.Ask(t.Context(), about(id(gateway.MaxRecent))); outcome != gateway.Failed || err == nil {
			t.Error("a full desk asked", outcome, err)
		}
		if n := u.calls.Load(); n != gateway.MaxRecent {
			t.Errorf("the provider was asked %d times", n)
		}
		<-time.After(gateway.Interval)
		if _, outcome, err := d.Ask(t.Context(), about(id(gateway.MaxRecent))); outcome != gateway.Done {
			t.Error("a desk stays full", outcome, err)
		}
	})
}
