package hook

import (
	"encoding/json"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
)

// Kind is in which form a subscription is told.
type Kind string

// The kinds: an endpoint of its own, or people.
const (
	KindHook  Kind = "hook"
	KindEmail Kind = "email"
	KindSlack Kind = "slack"
	KindTeams Kind = "teams"
)

// Cause is why people are told in words.
type Cause string

// The causes that a rule may name.
const (
	TurnChanged        Cause = "turn_changed"        // somebody else must act now
	Stalled            Cause = "stalled"             // the next step is overdue
	Enabled            Cause = "enabled"             // a connection came into use
	Declined           Cause = "declined"            // the provider said no
	Failed             Cause = "failed"              // it did not work
	CredentialExpiring Cause = "credential_expiring" // of a configuration in force
	FailingEndpoint    Cause = "endpoint_failing"    // a subscription is about to be switched off
	DisabledEndpoint   Cause = "endpoint_disabled"   // it was
)

// Causes lists all of them.
var Causes = []Cause{TurnChanged, Stalled, Enabled, Declined, Failed, CredentialExpiring, FailingEndpoint, DisabledEndpoint}

// NoticeTypes are the types of entries that a cause may come of.
var NoticeTypes = []string{ConnectionUpdate, ConnectionStalled, EndpointFailing, EndpointDisabled}

// NoticeSettings are what a rule for notices says beside where they go. An
// empty filter lets everything pass.
type NoticeSettings struct {
	Name      string       `json:",omitempty"` // what its owner calls it; never in a notice
	When      []Cause      // at least one
	Turns     []string     `json:",omitempty"` // of turn_changed: who must act now; "" is nobody
	Providers []string     `json:",omitempty"` // slugs; what is about no connection passes
	Partners  []account.ID `json:",omitempty"` // owners of the accounts; for a platform
	Digest    *Digest      `json:",omitempty"` // nil tells at once

	ConfirmedAt time.Time `json:",omitzero"` // of an address: when its reader agreed; zero when not yet
	StoppedAt   time.Time `json:",omitzero"` // when its reader wanted no more of it; only the reader can start it again
	TriedAt     time.Time `json:",omitzero"` // when its owner last asked for a test
}

// Digest says when what has come together is told: once on each business day.
type Digest struct {
	Hour    int    // of the day there, from 0 to 23
	Zone    string // IANA name, such as Europe/Oslo
	Country string `json:",omitempty"` // NO, SE, DK or FI, whose holidays are no business days; "" has none
}

// told is what of an entry decides whether a rule wants it, and which words
// tell of it.
type told struct {
	Connection struct {
		Status connection.Status
		Turn   string
		Code   string
		Before *struct {
			Status connection.Status
			Turn   string
		}
	}
	Event struct {
		Event string
	} `json:"connection_event"`
}

// CausesOf says what an entry is a cause of; of none when it is nothing that
// people are told of, or its account was erased.
func CausesOf(e Entry) []Cause {
	switch e.Type {
	case ConnectionStalled:
		return []Cause{Stalled}
	case EndpointFailing:
		return []Cause{FailingEndpoint}
	case EndpointDisabled:
		return []Cause{DisabledEndpoint}
	case ConnectionUpdate:
		var t told
		if json.Unmarshal(e.Body, &t) == nil {
			return t.causes()
		}
	}
	return nil
}

// reached are the statuses that are a cause when a connection comes to them.
var reached = map[connection.Status]Cause{
	connection.Enabled: Enabled, connection.Declined: Declined, connection.Failed: Failed,
}

func (t told) causes() []Cause {
	var all []Cause
	before := t.Connection.Before
	if before != nil && before.Turn != t.Connection.Turn || before == nil && t.Connection.Turn != "" {
		all = append(all, TurnChanged)
	}
	if cause, ok := reached[t.Connection.Status]; ok && (before == nil || before.Status != t.Connection.Status) {
		all = append(all, cause)
	}
	if t.Event.Event == connection.CredentialExpiring {
		all = append(all, CredentialExpiring)
	}
	return all
}

// TurnAfter is who must act after an entry of a connection; "" when nobody
// must, or it is about none.
func TurnAfter(e Entry) string {
	var t told
	_ = json.Unmarshal(e.Body, &t) // an erased entry says nothing
	return t.Connection.Turn
}

// Running says whether notices may go out: not before the reader of an address
// agreed, and not after it wanted no more.
func (n NoticeSettings) Running(kind Kind) bool {
	return n.StoppedAt.IsZero() && (kind != KindEmail || !n.ConfirmedAt.IsZero())
}

// wants says whether a rule of a kind tells of an entry. Whose the entry is has
// been looked at.
func (n NoticeSettings) wants(kind Kind, e Entry) bool {
	switch {
	case !n.Running(kind) || e.ToldAt.Before(n.ConfirmedAt):
		return false
	case len(n.Providers) > 0 && e.Provider != "" && !slices.Contains(n.Providers, e.Provider):
		return false
	case len(n.Partners) > 0 && !slices.Contains(n.Partners, e.Owner):
		return false
	}
	return len(n.Of(e)) > 0
}

// Of gives the causes of an entry that a rule names.
func (n NoticeSettings) Of(e Entry) []Cause {
	return slices.DeleteFunc(CausesOf(e), func(c Cause) bool {
		return !slices.Contains(n.When, c) ||
			c == TurnChanged && len(n.Turns) > 0 && !slices.Contains(n.Turns, TurnAfter(e))
	})
}
