package api

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/simulator"
	"mooring/internal/store"
)

type clockBody struct {
	Advance string `json:"advance,omitempty"`
	To      string `json:"to,omitempty"`
}

type simulateBody struct {
	Scenario string `json:"scenario"`
	SignupID string `json:"signup_id"`
}

type clockAnswer struct {
	AccountID    account.ID   `json:"account_id"`
	Now          string       `json:"now"`
	AheadSeconds int64        `json:"ahead_seconds"`
	Next         *plannedStep `json:"next,omitzero"`
}

type moveAnswer struct {
	AccountID    account.ID  `json:"account_id"`
	Now          string      `json:"now"`
	AheadSeconds int64       `json:"ahead_seconds"`
	More         bool        `json:"more"`
	Left         string      `json:"left,omitzero"`
	Fired        []firedStep `json:"fired"`
}

type simulatedAnswer struct {
	AccountID account.ID    `json:"account_id"`
	Now       string        `json:"now"`
	Steps     []plannedStep `json:"steps"`
	Fired     []firedStep   `json:"fired"`
}

type plannedStep struct {
	At         string `json:"at"`
	Connection string `json:"connection"`
	SignupID   string `json:"signup_id,omitzero"`
	Scenario   string `json:"scenario,omitzero"`
	Event      string `json:"event"`
	Lost       bool   `json:"lost,omitzero"`
}

type firedStep struct {
	At         string `json:"at"`
	Connection string `json:"connection"`
	SignupID   string `json:"signup_id,omitzero"`
	Scenario   string `json:"scenario,omitzero"`
	Event      string `json:"event"`
	Outcome    string `json:"outcome"`
	Code       string `json:"code,omitzero"`
}

// clock says what time it is for a test account, and what comes next.
func (o operations) clock(ctx context.Context, call *gate.Call, _ struct{}) (clockAnswer, error) {
	if err := o.simulated(ctx, call); err != nil {
		return clockAnswer{}, err
	}
	acc, next, err := o.Clocks.Clock(ctx, call.Account("aid"))
	if err != nil {
		return clockAnswer{}, err
	}
	answer := clockAnswer{AccountID: acc.ID, Now: onWire(acc.Now(o.Now())), AheadSeconds: seconds(acc.Ahead)}
	if next != nil {
		step := showPlanned(*next)
		answer.Next = &step
	}
	return answer, nil
}

// moveClock moves the clock of a test account ahead.
func (o operations) moveClock(ctx context.Context, call *gate.Call, in clockBody) (gate.Reply, error) {
	by, ok := parseSpan(in.Advance)
	if !ok {
		return gate.Reply{}, fault.Refused(fault.Problem{
			In: "body", Name: "advance", Path: "#/advance", Code: "OUT_OF_RANGE", Message: "advance must be at most a year",
		})
	}
	return o.holdClock(ctx, call, func(h *simulator.Hold) (any, error) {
		record := o.audited(call, h.Account(), call.Operation.Action, "clock", store.AuditDone, "")
		var err error
		if record.Detail, err = encode(in); err != nil {
			return nil, err
		}
		h.Remember(record)
		goal, err := o.goal(ctx, call, func() (simulator.Goal, error) {
			if in.To != "" {
				return h.Next(ctx)
			}
			return h.By(by)
		})
		if err != nil {
			return nil, err
		}
		move, err := h.Move(ctx, goal)
		return moveAnswer{
			AccountID: move.Account.ID, Now: onWire(move.Account.Now(o.Now())), AheadSeconds: seconds(move.Account.Ahead),
			More: move.More, Left: formatSpan(move.Left), Fired: showFired(move.Fired),
		}, err
	})
}

// simulate lets the provider of a pending signup play another scenario.
func (o operations) simulate(ctx context.Context, call *gate.Call, in simulateBody) (gate.Reply, error) {
	p, err := o.provider(call.Path("connection"))
	if err != nil {
		return gate.Reply{}, err
	}
	if _, ok := p.Scenarios[in.Scenario]; !ok {
		return gate.Reply{}, fault.Refused(fault.Problem{
			In: "body", Name: "scenario", Path: "#/scenario", Code: "ENUM_MISMATCH", Params: p.ScenarioNames(),
			Message: "scenario must be one of " + strings.Join(p.ScenarioNames(), ", "),
		})
	}
	return o.holdClock(ctx, call, func(h *simulator.Hold) (any, error) {
		record := o.recordOf(call)
		planned, move, err := h.Play(ctx, simulator.Wish{
			Caller: call.Caller, Place: place(call, p), Signup: in.SignupID, Scenario: in.Scenario, Audit: &record, Key: beginningOf(call),
		})
		answer := simulatedAnswer{
			AccountID: move.Account.ID, Now: onWire(move.Account.Now(o.Now())), Steps: []plannedStep{}, Fired: showFired(move.Fired),
		}
		for _, step := range planned {
			answer.Steps = append(answer.Steps, showPlanned(step))
		}
		return answer, err
	})
}

// holdClock answers what a function gives while nobody else moves the clock. A
// call that comes again under its key is answered as before; both are told
// apart while the clock is held.
func (o operations) holdClock(ctx context.Context, call *gate.Call, run func(*simulator.Hold) (any, error)) (gate.Reply, error) {
	if err := o.simulated(ctx, call); err != nil {
		return gate.Reply{}, err
	}
	var reply gate.Reply
	err := o.Clocks.Hold(ctx, call.Account("aid"), func(h *simulator.Hold) (err error) {
		if call.IdempotencyKey != "" {
			if reply, err = o.keep(ctx, call, nil); !errors.Is(err, errNew) {
				return err
			}
		}
		answer, err := run(h)
		if err != nil {
			return err
		}
		reply.Body, err = json.Marshal(answer, json.Deterministic(true))
		if err == nil && call.IdempotencyKey != "" {
			reply, err = o.keep(context.WithoutCancel(ctx), call, reply.Body)
		}
		return err
	})
	return reply, err
}

// goal is where a call moves a clock to. It is kept under the call's key before
// anything moves, since a move is many transactions: who comes again, after one
// of which nobody knows what became, goes on to the same place.
func (o operations) goal(ctx context.Context, call *gate.Call, find func() (simulator.Goal, error)) (simulator.Goal, error) {
	goal, failed := find()
	if call.IdempotencyKey == "" {
		return goal, failed
	}
	text, err := json.Marshal(goal)
	if err != nil {
		return goal, err
	}
	kept, err := o.Store.Change(ctx, store.Change{
		Caller: call.Caller, Key: beginningOf(call), Account: call.Account("aid"),
		Decide: func(store.Found) (store.Decision, error) {
			return store.Decision{Answer: store.Answer{Body: text}}, failed
		},
	})
	if err != nil {
		return goal, err
	}
	return goal, json.Unmarshal(kept.Body, &goal)
}

// beginningOf is the key under which is kept what a call has begun; nil when it
// has no key.
func beginningOf(call *gate.Call) *store.Idempotency {
	key := keyOf(call)
	if key != nil {
		key.Operation += " begun"
	}
	return key
}

var errNew = errors.New("the key was not used before")

// keep keeps an answer under the call's key. Without an answer it gives the one
// that was kept before, else errNew.
func (o operations) keep(ctx context.Context, call *gate.Call, answer []byte) (gate.Reply, error) {
	return o.change(ctx, call, store.Change{
		Account: call.Account("aid"),
		Decide: func(store.Found) (store.Decision, error) {
			if answer == nil {
				return store.Decision{}, errNew
			}
			return store.Decision{Answer: store.Answer{Body: answer}}, nil
		},
	})
}

// simulated refuses an account whose providers are real, or that the caller may
// not know of.
func (o operations) simulated(ctx context.Context, call *gate.Call) error {
	id := call.Account("aid")
	if o.Clocks == nil || id.World() != account.Test {
		return fault.Missing()
	}
	_, err := o.Store.Account(ctx, call.Caller, id)
	return err
}

func showPlanned(s simulator.Planned) plannedStep {
	return plannedStep{At: onWire(s.At), Connection: s.Provider, SignupID: s.Signup, Scenario: s.Scenario, Event: s.Event, Lost: s.Lost}
}

func showFired(all []simulator.Fired) []firedStep {
	steps := make([]firedStep, len(all))
	for i, s := range all {
		steps[i] = firedStep{
			At: onWire(s.At), Connection: s.Provider, SignupID: s.Signup, Scenario: s.Scenario, Event: s.Event, Outcome: s.Outcome, Code: s.Code,
		}
	}
	return steps
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// spanPattern is a duration as the contract has it; the groups are the numbers.
var spanPattern = regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$`)

var spanUnits = []struct {
	name string
	long time.Duration
}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}

// parseSpan reads a duration, unless it is longer than a clock moves at once.
func parseSpan(text string) (time.Duration, bool) {
	parts := spanPattern.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	var whole time.Duration
	for i, unit := range spanUnits {
		n, _ := strconv.ParseInt("0"+parts[i+1], 10, 64) // nine digits at most, as the contract has it
		if n > int64(simulator.MaxAdvance/unit.long) {
			return 0, false
		}
		whole += time.Duration(n) * unit.long
	}
	return whole, whole <= simulator.MaxAdvance
}

// formatSpan writes a duration the way that parseSpan reads it, a part of a
// second as a whole one; nothing for none.
func formatSpan(d time.Duration) string {
	d = (d + time.Second - 1).Truncate(time.Second)
	var text strings.Builder
	for _, unit := range spanUnits[1:] {
		if n := d / unit.long; n > 0 {
			fmt.Fprintf(&text, "%d%s", n, unit.name)
			d -= n * unit.long
		}
	}
	return text.String()
}
