package simulator

import (
	"context"
	"encoding/json"
	"time"

	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/store"
)

// Planned is a step that was not played yet, or the reminder of a certificate.
type Planned struct {
	At       time.Time // in the account's own time
	Provider string
	Signup   string // id; "" for a reminder
	Scenario string // likewise
	Event    string
	Lost     bool // it will never arrive
}

// planned says what will happen; nil when it is a step that the file has no more.
func (d *Driver) planned(ctx context.Context, what happening) (*Planned, error) {
	if r := what.reminder; r != nil {
		return &Planned{At: what.at, Provider: r.Place.Provider, Event: connection.CredentialExpiring}, nil
	}
	p, signup, step, _, err := d.step(ctx, what.task)
	if err != nil {
		if fault.From(err).Kind == fault.Internal {
			return nil, nil
		}
		return nil, err
	}
	one := plan(p, signup, what.task, step)
	return &one, nil
}

func plan(p *provider.Provider, signup connection.Signup, task store.Task, step provider.Step) Planned {
	return Planned{
		At: task.DueAt, Provider: p.Slug, Signup: signup.ID, Scenario: signup.Scenario, Event: eventOf(p, step, signup), Lost: step.Lost,
	}
}

// Wish is another scenario for a signup that is pending.
type Wish struct {
	Caller   auth.Caller // who wishes; zero for whoever has the signup's link
	Place    store.Place
	Signup   string // id; "" for the newest that is pending
	Scenario string
	Audit    *store.AuditRecord // what is remembered of it; nil for nothing
	Key      *store.Idempotency // under which it is done once; nil when that does not matter
	AtOnce   bool               // play what has not happened yet now, instead of at its times from now on
}

// Play lets the provider of a pending signup play another scenario from now on,
// in place of what was left of the one before, and plays what is due of it.
func (h *Hold) Play(ctx context.Context, wish Wish) ([]Planned, Move, error) {
	now := h.account.Now(h.driver.Now())
	planned, err := h.driver.rewrite(ctx, wish, now)
	if err != nil {
		return nil, Move{}, err
	}
	move, err := h.moveTo(ctx, now, 0)
	return planned, move, err
}

// rewrite replaces what is left to be played of a signup.
func (d *Driver) rewrite(ctx context.Context, wish Wish, now time.Time) ([]Planned, error) {
	p, ok := d.Provider(wish.Place.Provider)
	if !ok {
		return nil, fault.Missing()
	}
	at := func(step provider.Step) time.Time {
		if wish.AtOnce {
			return now
		}
		return now.Add(step.After)
	}
	var planned []Planned
	answer, err := d.Store.Change(ctx, store.Change{
		Caller: wish.Caller, Key: wish.Key, System: wish.Caller.Client == "", Audit: wish.Audit, Account: wish.Place.Account, Provider: p.Slug, Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			signup, err := pending(f.Connection, p, wish.Signup)
			if err != nil {
				return store.Decision{}, err
			}
			signup.Scenario = wish.Scenario
			planned = nil
			decision := store.Decision{Connection: f.Connection, Replaces: signup.ID}
			steps := scenarioOf(p, *signup).Steps
			for _, task := range tasks(f.Account.ID, p, *signup, at, d.NewID) {
				if step := steps[task.Step]; !wish.AtOnce || !happened(f.Connection, p, *signup, step) {
					decision.Tasks = append(decision.Tasks, task)
					planned = append(planned, plan(p, *signup, task, step))
				}
			}
			decision.Answer.Body, err = json.Marshal(planned)
			return decision, err
		},
	})
	if err == nil && answer.Replayed {
		err = json.Unmarshal(answer.Body, &planned)
	}
	return planned, err
}

// happened says whether an event like the one of a step was recorded of the
// signup already.
func happened(c *connection.Connection, p *provider.Provider, signup connection.Signup, step provider.Step) bool {
	name := eventOf(p, step, signup)
	for _, e := range c.Events {
		if e.Signup == signup.Seq && e.Name == name {
			return true
		}
	}
	return false
}

// pending finds the signup with an id, or the newest, if it is pending.
func pending(c *connection.Connection, p *provider.Provider, id string) (*connection.Signup, error) {
	if c == nil || id != "" && c.Find(id) == nil {
		return nil, fault.Missing()
	}
	standings := connection.Standings(c, p.Signup.Many)
	for i := len(standings) - 1; i >= 0; i-- {
		s := standings[i]
		open := s.Status == connection.Pending && (p.Signup.Many || s.Signup.Seq == c.LastSignup)
		if open && (id == "" || s.Signup.ID == id) {
			return c.Find(s.Signup.ID), nil
		}
	}
	return nil, fault.New(fault.Invalid, fault.CodeSignupSettled, "the signup is not pending any more; only a pending one plays a scenario")
}
