// Package hook owns what is told of what happens, and to whom: the entries of
// the feed, subscriptions and what they match, the body of each message and
// its signatures, and when a message that failed is tried again.
//
// It is pure: functions of an entry, a subscription, a result and a time. It
// promises that a message has the same id and the same bytes at each attempt,
// as long as its subscription is not changed. It must never put a secret, or
// what was stored and is not to be exposed, into a message.
package hook

import (
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/wire"
)

// The events that are told. The first three are documented, the others ours.
const (
	AccountAdd        = "account_add"
	AccountUpdate     = "account_update"
	CaseUpdate        = "cdd_case_update"
	ConnectionUpdate  = "account_connection_update"
	ConnectionStalled = "account_connection_stalled"
	EndpointFailing   = "hooks_subscription_failing"
	EndpointDisabled  = "hooks_subscription_disabled"
	Ping              = "ping" // of one subscription; never in the feed
)

// Entry is one thing that happened, as the feed keeps it.
type Entry struct {
	Position int64      // in the order of everything that is told; 0 until it has one
	ID       string     // UUIDv7; that of the connection's event where it tells of one
	Owner    account.ID // in whose feed it is: the owner of a merchant, a partner or platform itself
	Account  account.ID // what it is about
	Type     string
	Provider string // slug; "" when it is about no connection
	Status   string // of the connection after it; "" likewise
	At       time.Time
	ToldAt   time.Time // real time at which it was written
	Seq      int64     // number of the connection's event; 0 when it is about none
	Body     []byte    // JSON object of the members that its type brings, frozen; nil once the account was erased
}

// OfEvent is the entry of one event of a connection, which stood as before, or
// was not there when that is nil, and stands as it is given after.
func OfEvent(owner account.ID, before, c *connection.Connection, e connection.Event, now time.Time) Entry {
	return Entry{
		ID: e.ID, Owner: owner, Account: c.Account, Type: ConnectionUpdate, Provider: c.Provider,
		Status: string(c.Status), At: e.CreatedAt, ToldAt: now, Seq: e.Seq, Body: wire.Told(before, c, e),
	}
}
