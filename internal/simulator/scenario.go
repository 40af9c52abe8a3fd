package simulator

import (
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/store"
)

// Due is what a new signup makes due at the provider of a test account: one
// task for each step of its scenario, in the account's own time. A production
// account's provider plays nothing.
func Due(acc account.Account, p *provider.Provider, signup connection.Signup, newID func() string) []store.Task {
	if acc.ID.World() != account.Test {
		return nil
	}
	return tasks(acc.ID, p, signup, func(step provider.Step) time.Time { return signup.CreatedAt.Add(step.After) }, newID)
}

func tasks(
	id account.ID, p *provider.Provider, signup connection.Signup, at func(provider.Step) time.Time, newID func() string,
) []store.Task {
	var all []store.Task
	for i, step := range scenarioOf(p, signup).Steps {
		all = append(all, store.Task{
			Account: id, ID: newID(), Kind: store.TaskStep, Provider: p.Slug,
			Signup: signup.ID, Step: int64(i), DueAt: at(step), State: store.TaskDue,
		})
	}
	return all
}

// scenarioOf is what a signup's provider plays. One that was stored before
// there were scenarios, or whose scenario the file no longer has, is happy.
func scenarioOf(p *provider.Provider, signup connection.Signup) provider.Scenario {
	if played, ok := p.Scenarios[signup.Scenario]; ok {
		return played
	}
	return p.Scenarios[provider.Happy]
}

// fill fills in what a step's body repeats of the signup.
func fill(body []byte, signup connection.Signup) []byte { return provider.Fill(body, signed(signup)) }

func signed(signup connection.Signup) provider.Signed {
	return provider.Signed{ID: signup.ID, Data: signup.Data, At: signup.CreatedAt}
}

// eventOf is the name of the event that a step records.
func eventOf(p *provider.Provider, step provider.Step, signup connection.Signup) string {
	return p.Says(step, signed(signup)).Event
}
