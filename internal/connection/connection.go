// Package connection is the heart: what ties one account to one provider, the
// signups and events of it, and the status that follows.
//
// It promises that the status is the fold of the events, that an event list
// only grows, that event numbers are dense from 1 and that created_at never
// goes backwards. It is pure: time, ids and the author come in as arguments.
// It must never do I/O, and must never know a provider by name.
package connection

import (
	"time"

	"mooring/internal/account"
)

// Status is where a connection stands.
type Status string

// The four statuses of the documented API.
const (
	Pending  Status = "pending"
	Enabled  Status = "enabled"
	Failed   Status = "failed"
	Declined Status = "declined"
)

// Statuses lists all of them in the documented order.
var Statuses = []Status{Pending, Enabled, Failed, Declined}

// Limits of one connection. Beyond them a write is refused with a fault that
// names the limit; the history is never shortened to make room.
const (
	MaxSignups = 1_000
	MaxEvents  = 10_000
	MaxHistory = 4 << 20 // bytes of what senders wrote into all events and signups
)

// SignupLife is how long the link of a signup lives.
const SignupLife = 30 * 24 * time.Hour

// Connection ties one account to one provider. Its identity is the pair.
type Connection struct {
	Account       account.ID
	Provider      string // slug
	Schema        int    // version of the provider file that the connection was written with
	Status        Status
	Configuration []byte // JSON object of what is in force; nil until there is one
	Metadata      []byte // JSON object; nil reads as {}
	CreatedAt     time.Time
	CreatedBy     string
	UpdatedAt     time.Time

	LastSeq     int64     // number of the newest event; 0 before the first
	LastEventAt time.Time // created_at of the newest event
	OccurredAt  time.Time // the newest occurred_at that was applied; zero when none
	LastSignup  int64     // number of the newest signup; 0 when none
	History     int64     // bytes of what senders wrote into all events and signups

	ConfiguredSeq int64 // number of the event that brought the configuration in force; 0 when there is none

	Stand Stand // follows from the events, but for who looks after it

	// Signups and Events are oldest first. They are complete only when the
	// connection was loaded whole; otherwise they hold what a decision added.
	Signups []Signup
	Events  []Event
}

// Signup is one application to the provider.
type Signup struct {
	Seq        int64  // dense from 1 within the connection
	ID         string // UUIDv7
	Key        string // what makes it unique within the connection; "" in the single model
	Data       []byte // JSON object: what may rest in clear of the request; {} when the provider takes none
	Digest     []byte // keyed digest of the whole request, to tell whether it was sent again; nil once erased
	Scenario   string // which scenario a test account's provider plays; "" for production
	Token      string // the secret part of the signup's link
	Schema     int    // version of the provider file that it was written with
	CreatedAt  time.Time
	CreatedBy  string
	CallbackAt time.Time // zero until the provider called back
	ExpiresAt  time.Time // when the link dies
	ErasedAt   time.Time // when the person behind it was erased; zero otherwise
}

// Event is one immutable fact in a connection's history.
type Event struct {
	Seq         int64  // dense from 1 within the connection
	ID          string // UUIDv7
	Status      Status
	Name        string  // the wire's "event"
	Description *string // nil when none was given
	Metadata    []byte  // JSON object; nil when none was given
	CreatedAt   time.Time
	CreatedBy   string

	// Extension members.
	ExternalID string    // the sender's own id; unique within the connection; "" when none
	OccurredAt time.Time // when it happened at the sender; zero when not said
	Stale      bool      // recorded, but it did not move the status
	Reason     string    // why an operator appended it; "" otherwise

	Signup       int64  // number of the signup it is about; 0 when it is about the whole connection
	Code         string // one of the reason codes; "" when none was given
	ProviderCode string // the provider's own code, passed through; "" when none
}

// Effect is what a write did, as the header Mooring-Effect says it.
type Effect string

// The effects of an event.
const (
	Applied   Effect = "applied"
	Stale     Effect = "stale"
	Duplicate Effect = "duplicate"
)

// Act is what a decision may not make up by itself: when, who, and fresh ids.
type Act struct {
	At       time.Time // in the account's own time (account.Account.Now), UTC, microseconds
	By       string    // the client's id
	NewID    func() string
	NewToken func() string
}
