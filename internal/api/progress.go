package api

import (
	"context"
	"strings"
	"time"

	"mooring/internal/connection"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/wire"
)

// progress is the shape of ConnectionProgress.
type progress struct {
	Account      string            `json:"account_id"`
	Connection   string            `json:"connection"`
	Title        string            `json:"title"`
	Status       connection.Status `json:"status"`
	Schema       int               `json:"schema"`
	Since        string            `json:"since"`
	Event        string            `json:"event"`
	Turn         string            `json:"turn,omitempty"`
	Due          string            `json:"due,omitempty"`
	Overdue      bool              `json:"overdue"`
	Code         string            `json:"code,omitempty"`
	ProviderCode string            `json:"provider_code,omitempty"`
	Retryable    bool              `json:"retryable"`
	Meaning      string            `json:"meaning,omitempty"`
	NextStep     string            `json:"next_step,omitempty"`
	Signups      []signupProgress  `json:"signups"`
	Sync         *syncProgress     `json:"sync,omitempty"`
	Secrets      []secretProgress  `json:"secrets,omitempty"`
}

type signupProgress struct {
	ID         string            `json:"id"`
	Number     int64             `json:"number"`
	Status     connection.Status `json:"status"`
	Since      string            `json:"since"`
	Current    bool              `json:"current"`
	CreatedAt  string            `json:"created_at"`
	CallbackAt string            `json:"callback_at,omitempty"`
	ExpiresAt  string            `json:"expires_at"`
	ErasedAt   string            `json:"erased_at,omitempty"`
	Scenario   string            `json:"scenario,omitempty"`
	HandedOver *handedOver       `json:"handed_over,omitempty"`
}

type handedOver struct {
	State         string `json:"state"`
	Attempts      int64  `json:"attempts"`
	NextAttemptAt string `json:"next_attempt_at,omitempty"`
	LastError     string `json:"last_error,omitempty"`
}

type syncProgress struct {
	LastAskedAt  string `json:"last_asked_at"`
	LastSyncedAt string `json:"last_synced_at,omitempty"`
	LastError    string `json:"last_sync_error,omitempty"`
	Drift        string `json:"drift,omitempty"`
}

type secretProgress struct {
	Member   string `json:"member"`
	SetAt    string `json:"set_at"`
	NotAfter string `json:"not_after,omitempty"`
}

// progress says why a connection stands where it does.
func (o operations) progress(ctx context.Context, call *gate.Call, _ struct{}) (progress, error) {
	p, err := o.provider(call.Path("connection"))
	if err != nil {
		return progress{}, err
	}
	at := place(call, p)
	c, err := o.Store.Connection(ctx, call.Caller, at.Account, at.Provider)
	if err != nil {
		return progress{}, err
	}
	acc, err := o.Store.Account(ctx, call.Caller, at.Account)
	if err != nil {
		return progress{}, err
	}
	tasks, err := o.Store.Tasks(ctx, at)
	if err != nil {
		return progress{}, err
	}
	sync, err := o.Store.Sync(ctx, at)
	if err != nil {
		return progress{}, err
	}
	fields, err := o.Store.SealedFields(ctx, at, "")
	if err != nil {
		return progress{}, err
	}
	view := describe(c, p, acc.Now(o.Now()))
	view.Signups = describeSignups(c, p, tasks)
	view.Sync = describeSync(sync)
	view.Secrets = describeSecrets(fields, c)
	return view, nil
}

func describe(c *connection.Connection, p *provider.Provider, now time.Time) progress {
	t := connection.TurnOf(c, p, now)
	return progress{
		Account: string(c.Account), Connection: c.Provider, Title: p.Title, Status: c.Status, Schema: c.Schema,
		Since: onWire(t.Since), Event: t.Event, Turn: t.Who, Due: onWire(t.Due), Overdue: !t.Due.IsZero() && now.After(t.Due),
		Code: t.Code, ProviderCode: t.ProviderCode, Retryable: t.Retryable, Meaning: t.Meaning, NextStep: t.Next,
	}
}

func describeSignups(c *connection.Connection, p *provider.Provider, tasks []store.Task) []signupProgress {
	handed := map[string]*handedOver{}
	for _, t := range tasks {
		if t.Kind != store.TaskStep {
			handed[t.Signup] = describeTask(t)
		}
	}
	all := make([]signupProgress, 0, len(c.Signups))
	for _, s := range connection.Standings(c, p.Signup.Many) {
		all = append(all, signupProgress{
			ID: s.Signup.ID, Number: s.Signup.Seq, Status: s.Status, Since: onWire(c.Events[max(s.Since, 1)-1].CreatedAt),
			Current:   p.Signup.Many || s.Signup.Seq == c.LastSignup,
			CreatedAt: onWire(s.Signup.CreatedAt), CallbackAt: onWire(s.Signup.CallbackAt), ExpiresAt: onWire(s.Signup.ExpiresAt),
			ErasedAt: onWire(s.Signup.ErasedAt), Scenario: s.Signup.Scenario, HandedOver: handed[s.Signup.ID],
		})
	}
	return all
}

func describeTask(t store.Task) *handedOver {
	h := &handedOver{State: t.State, Attempts: t.Attempts, LastError: t.LastError}
	if t.State == "due" {
		h.NextAttemptAt = onWire(t.DueAt)
	}
	return h
}

func describeSync(s store.SyncState) *syncProgress {
	if s.LastAskedAt.IsZero() {
		return nil
	}
	return &syncProgress{
		LastAskedAt: onWire(s.LastAskedAt), LastSyncedAt: onWire(s.LastSyncedAt), LastError: s.LastError, Drift: s.Drift,
	}
}

// describeSecrets lists the sealed members of the configuration in force. They
// are as old as the event that brought it.
func describeSecrets(fields []store.SealedField, c *connection.Connection) []secretProgress {
	var all []secretProgress
	for _, f := range fields {
		if f.Version == c.ConfiguredSeq {
			all = append(all, secretProgress{
				Member: strings.TrimPrefix(f.Pointer, "/"), SetAt: onWire(c.Events[f.Version-1].CreatedAt), NotAfter: onWire(f.NotAfter),
			})
		}
	}
	return all
}

// onWire is how a time looks on the wire; "" when there is none.
func onWire(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(wire.TimeFormat)
}
