package store

import (
	"time"

	"mooring/internal/account"
)

// Attempt is one try to tell a subscription of an entry, and what came of it.
type Attempt struct {
	Account      account.ID
	Subscription string
	ID           string // UUIDv7: they are in the order of time
	Delivery     string // the same for all attempts of an entry at a subscription
	Position     int64
	Entry        string
	Type         string
	Target       string // where to, as it was then
	Number       int64  // of the attempts of the delivery, from 1
	At           time.Time
	Took         time.Duration
	Status       int64  // 0 when nothing was answered
	Error        string // the category of what went wrong; "" when there was an answer
	Answer       []byte // JSON object of headers and the beginning of the body; nil when nothing was answered
}

// Delivery is an entry that a subscription could not be told of at once, or is
// told of again.
type Delivery struct {
	Account      account.ID
	Subscription string
	ID           string
	Position     int64 // 0 for a ping
	Entry        string
	Type         string
	Lane         string
	State        string
	Attempts     int64
	FirstAt      time.Time // of the first attempt; zero when there was none
	DueAt        time.Time
	LastError    string
	CreatedAt    time.Time
}

// The states of a delivery. What was told has no row any more.
const (
	DeliveryFailed  = "failed"  // to be tried again; its lane waits for it
	DeliveryWaiting = "waiting" // for one that failed before it in its lane
	DeliveryAgain   = "again"   // sent by request, beside the order of its lane
	DeliveryDead    = "dead"    // given up; LastError says why
)

// Progress is how far a subscription is.
type Progress struct {
	Account      account.ID
	Subscription string
	Position     int64   // all entries up to it are told, or are deliveries
	Ahead        []int64 // so are these after it, ascending
	Rewind       *int64  // where it is to go back to; nil when it is not
	FailingSince time.Time
	Failures     int64 // in a row
	ProbeAt      time.Time
	Warned       int64 // how many hundredths of the time until it is switched off it was told of
	SucceededAt  time.Time
}
