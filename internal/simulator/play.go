package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// happen does what is due. It fails when the service can't take it: then it
// stays due.
func (h *Hold) happen(ctx context.Context, what happening) ([]Fired, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	if what.reminder != nil {
		return h.remind(ctx, *what.reminder)
	}
	return h.play(ctx, what.task)
}

// remind records that a certificate ends soon.
func (h *Hold) remind(ctx context.Context, r vault.Reminder) ([]Fired, error) {
	as := Fired{At: r.Due, Provider: r.Place.Provider, Event: connection.CredentialExpiring, Outcome: string(connection.Applied)}
	if r.Now.After(r.Due) {
		as.At = r.Now
	}
	recorded, err := h.driver.Vault.Record(ctx, r)
	if refusal := fault.From(err); err != nil && refusal.Kind == fault.Invalid {
		as.Outcome, as.Code = "refused", refusal.Code
		return []Fired{as}, nil
	}
	if err != nil || !recorded {
		return nil, err
	}
	return []Fired{as}, nil
}

// play makes the calls of a step, the way that its provider would, and settles
// it. It fails when the service could not take a call: then the step stays due.
func (h *Hold) play(ctx context.Context, task store.Task) ([]Fired, error) {
	p, signup, step, status, err := h.driver.step(ctx, task)
	if err != nil {
		return nil, h.settle(ctx, task, err)
	}
	as := Fired{
		At: task.DueAt, Provider: p.Slug, Signup: signup.ID, Scenario: signup.Scenario, Event: eventOf(p, step, signup),
	}
	switch {
	case step.Lost:
		as.Outcome = "lost"
	case status != connection.Pending && isProgress(step):
		as.Outcome = "overtaken"
	}
	if as.Outcome != "" {
		return []Fired{as}, h.settle(ctx, task, nil)
	}
	token, err := h.driver.Token(ctx, task.Account, p.Slug, signup.ID, h.driver.Now().Add(stepTime))
	if err != nil {
		return nil, h.settle(ctx, task, err)
	}
	var fired []Fired
	for range max(1, step.Times) {
		if as.Outcome, as.Code, err = h.driver.call(ctx, token, task, p, signup, step); err != nil {
			break
		}
		fired = append(fired, as)
	}
	return fired, h.settle(ctx, task, err)
}

// isProgress says whether a step reports that a signup is still on its way,
// without a word of when. Nobody says so of one that was decided meanwhile.
func isProgress(step provider.Step) bool {
	var said struct {
		Status     string
		OccurredAt string `json:"occurred_at"`
	}
	_ = json.Unmarshal(step.Report, &said) // it was checked with its file; a callback has none
	return said.Status == string(connection.Pending) && said.OccurredAt == ""
}

// step finds what a task is to play, and how its signup stands.
func (d *Driver) step(ctx context.Context, task store.Task) (*provider.Provider, connection.Signup, provider.Step, connection.Status, error) {
	none := func(err error) (*provider.Provider, connection.Signup, provider.Step, connection.Status, error) {
		return nil, connection.Signup{}, provider.Step{}, "", err
	}
	p, ok := d.Provider(task.Provider)
	if !ok {
		return none(fmt.Errorf("there is no provider %s any more", task.Provider))
	}
	c, err := d.Store.Connection(ctx, Platform, task.Account, task.Provider)
	if err != nil {
		return none(err)
	}
	signup := c.Find(task.Signup)
	if signup == nil {
		return none(errors.New("there is no such signup"))
	}
	steps := scenarioOf(p, *signup).Steps
	if task.Step < 0 || task.Step >= int64(len(steps)) {
		return none(errors.New("the provider's file has no such step any more"))
	}
	standing := connection.Standings(c, p.Signup.Many)[signup.Seq-1]
	return p, *signup, steps[task.Step], standing.Status, nil
}

// call makes one call of a step, with a token that is good for its signup alone.
func (d *Driver) call(
	ctx context.Context, token secret.Plain, task store.Task, p *provider.Provider, signup connection.Signup, step provider.Step,
) (outcome, code string, err error) {
	path, body := p.CallbackPath(task.Account, signup.ID), fill(step.Callback, signup)
	if step.Callback == nil {
		path = "/v1/accounts/" + string(task.Account) + "/connections/" + p.Slug + "/signups/" + signup.ID + "/events"
		if body, err = named(fill(step.Report, signup), "simulated-"+task.ID); err != nil {
			return "", "", err
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return "", "", err
	}
	r.RequestURI = path // as a server sets it
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	r.Header.Set("Content-Type", "application/json")
	a := answer{header: http.Header{}}
	d.Handler.ServeHTTP(&a, r)
	return a.outcome()
}

// named gives a report a name of its own, unless it has one, so that it is
// recorded once however often it is sent.
func named(report []byte, name string) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(report, &members); err != nil {
		return nil, err
	}
	if members["external_id"] != nil {
		return report, nil
	}
	members["external_id"], _ = json.Marshal(name) // a string always can be
	return json.Marshal(members)
}

// answer keeps what the gate answers to a call in process.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header            { return a.header }
func (a *answer) Write(text []byte) (int, error) { return a.body.Write(text) }
func (a *answer) WriteHeader(status int)         { a.status = status }

// outcome says what the call did. It is an error when the service could not
// take it, which is no answer that a provider would leave it at.
func (a *answer) outcome() (outcome, code string, err error) {
	if a.status < http.StatusMultipleChoices {
		outcome = a.header.Get("Mooring-Effect")
		if outcome == "" {
			outcome = string(connection.Applied)
		}
		return outcome, "", nil
	}
	var refusal struct {
		Error struct{ Code string }
	}
	_ = json.Unmarshal(a.body.Bytes(), &refusal) // a refusal without a body has no code
	if a.status >= http.StatusInternalServerError || a.status == http.StatusTooManyRequests {
		return "", "", fmt.Errorf("the call was answered with %d %s", a.status, strings.ToLower(refusal.Error.Code))
	}
	return "refused", refusal.Error.Code, nil
}
