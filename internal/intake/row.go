// Package intake takes in accounts with their histories, as another system
// kept them.
//
// It promises that the same row brings nothing twice: what is there already is
// left as it is, and a row that contradicts it is refused whole, with every
// reason that was found. What must not rest in clear is sealed before the store
// sees it. It must never tell anybody of what it brings, nor hand an imported
// signup to its provider: both happened elsewhere.
package intake

import (
	"encoding/json"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
)

// Row is one account as another system kept it, in the words of the contract.
type Row struct {
	ID          account.ID      `json:"id"`
	Owner       string          `json:"owner"`
	CreatedAt   time.Time       `json:"created_at"`
	Profile     json.RawMessage `json:"profile"`
	Connections []Connection    `json:"connections"`
}

// Connection is one of its connections.
type Connection struct {
	Name          string            `json:"connection"`
	Status        connection.Status `json:"status"`
	CreatedAt     time.Time         `json:"created_at"`
	CreatedBy     string            `json:"created_by"`
	UpdatedAt     time.Time         `json:"updated_at"`
	Metadata      json.RawMessage   `json:"metadata"`
	Configuration json.RawMessage   `json:"configuration"`
	Signups       []Signup          `json:"signups"`
	Events        []Event           `json:"events"`
}

// Signup is one of its applications.
type Signup struct {
	ID         string          `json:"id"`
	Reference  string          `json:"callback_reference"`
	Data       json.RawMessage `json:"data"`
	Shown      json.RawMessage `json:"as_shown"` // the whole signup as an answer shows it, in the place of the others
	CreatedAt  time.Time       `json:"created_at"`
	CallbackAt time.Time       `json:"callback_at"`
	ExpiresAt  time.Time       `json:"expires_at"`
}

// Event is one of its events.
type Event struct {
	ID           string            `json:"id"`
	Status       connection.Status `json:"status"`
	Name         string            `json:"event"`
	Description  *string           `json:"description"`
	Metadata     json.RawMessage   `json:"metadata"`
	CreatedAt    time.Time         `json:"created_at"`
	CreatedBy    string            `json:"created_by"`
	ExternalID   string            `json:"external_id"`
	OccurredAt   time.Time         `json:"occurred_at"`
	Signup       int64             `json:"signup"`
	Code         string            `json:"code"`
	ProviderCode string            `json:"provider_code"`
}

// Outcome is what became of a row.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "created"   // the account is new
	Updated   Outcome = "updated"   // the account was there, and got connections
	Unchanged Outcome = "unchanged" // all of it was there
	Refused   Outcome = "refused"   // nothing of it was taken
)

// settled is the row with its times as they are kept: UTC and microseconds.
func (r Row) settled() Row {
	r.CreatedAt = kept(r.CreatedAt)
	r.Connections = slices.Clone(r.Connections)
	for i := range r.Connections {
		c := &r.Connections[i]
		c.CreatedAt, c.UpdatedAt = kept(c.CreatedAt), kept(c.UpdatedAt)
		c.Signups, c.Events = slices.Clone(c.Signups), slices.Clone(c.Events)
		for j := range c.Signups {
			s := &c.Signups[j]
			s.CreatedAt, s.CallbackAt, s.ExpiresAt = kept(s.CreatedAt), kept(s.CallbackAt), kept(s.ExpiresAt)
		}
		for j := range c.Events {
			e := &c.Events[j]
			e.CreatedAt, e.OccurredAt = kept(e.CreatedAt), kept(e.OccurredAt)
		}
	}
	return r
}

func kept(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
