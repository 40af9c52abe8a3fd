// Package auth owns API clients, their grants and scopes, and the rules for
// issuing and checking access tokens.
//
// It promises that a token is accepted only when every byte of it is one that
// we would have written, and that a caller never has a scope its grant has
// not. It must never do I/O: what it needs from the database it is given.
package auth

import (
	"slices"
	"strings"
	"time"

	"mooring/internal/account"
)

// The scopes that operations of this API ask for. Any one of an operation's
// scopes suffices.
const (
	ScopeAdminAccounts = "admin:accounts"
	ScopeWriteAccounts = "write:accounts"
	ScopeReadAccounts  = "read:accounts"
	ScopeOperator      = "operator:connections" // extension: events on any connection, with a reason
	ScopeRelease       = "release:credentials"  // extension: credentials of any provider, encrypted to a recipient
)

// Scopes is a set of scope names in the order they were granted.
type Scopes []string

// ParseScopes reads a space-separated list.
func ParseScopes(s string) Scopes { return strings.Fields(s) }

// String is the space-separated list, as tokens carry it.
func (s Scopes) String() string { return strings.Join(s, " ") }

// Has says whether name is among s, exactly as spelled.
func (s Scopes) Has(name string) bool { return slices.Contains(s, name) }

// And is the scopes that are in both, in the order of s.
func (s Scopes) And(other Scopes) Scopes {
	var both Scopes
	for _, name := range s {
		if other.Has(name) {
			both = append(both, name)
		}
	}
	return both
}

// Client is an API client: who may ask for tokens, and for which accounts.
type Client struct {
	ID        string // UUIDv4; also the client_id, the sub of its tokens and the created_by of what it makes
	Account   account.ID
	Name      string
	Secrets   []SecretHash // two while one replaces the other
	Grants    []Grant
	Disabled  bool
	CreatedAt time.Time
	CreatedBy string
}

// Grant allows a client to ask for tokens for one account with some scopes.
type Grant struct {
	ID       string
	Audience account.ID
	Scopes   Scopes
}

// GrantFor finds the grant for an account.
func (c Client) GrantFor(audience account.ID) (Grant, bool) {
	for _, g := range c.Grants {
		if g.Audience == audience {
			return g, true
		}
	}
	return Grant{}, false
}

// Caller is who makes a request, checked against current state. It is passed
// as an argument from the gate to the store; nothing hides in a context.
type Caller struct {
	Account account.ID // the account that the token is for
	Kind    account.Kind
	Client  string // the client's id; of a callback token its reference
	Scopes  Scopes
	Token   string // hash of the token's id, by which the audit knows it; "" when there is none

	// Callback is what a callback token was made for; nil for an access token.
	// The gate lets such a caller into operations with the security scheme
	// "callback" and into no other.
	Callback *Callback
}

// Callback is the one signup that a callback token speaks of.
type Callback struct {
	Provider  string // slug
	Reference string // the signup's id
}

// Covers says whether the caller may name id as the first account of a path:
// its own account, or any account of its world for the platform's access
// tokens.
func (c Caller) Covers(id account.ID) bool {
	return c.Account == id || c.Callback == nil && c.Account.IsPlatform() && c.Account.World() == id.World()
}
