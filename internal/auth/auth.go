// Package auth owns API clients, their grants and scopes, and the rules for
// issuing and checking access tokens.
//
// It promises that a token is accepted only when every byte of it is one that
// we would have written, and that a caller never has a scope its grant has
// not. It must never do I/O: what it needs from the database it is given.
package auth

import (
	"cmp"
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
	ScopeAdminHooks    = "admin:hooks"
	ScopeWriteHooks    = "write:hooks"
	ScopeReadHooks     = "read:hooks"
	ScopeOperator      = "operator:connections" // extension: events on any connection, with a reason
	ScopeRelease       = "release:credentials"  // extension: credentials of any provider, encrypted to a recipient
)

// providerScope begins the one scope that a client of a provider has
// (extension); the slug follows. It lists and reports on the connections of one
// provider, of every account of an owner, and sees nothing else.
const providerScope = "provider:connections:"

// Provider is the slug of the provider that the scopes are for; "" when they
// are not those of a provider's client.
func (s Scopes) Provider() string {
	if len(s) != 1 || !strings.HasPrefix(s[0], providerScope) {
		return ""
	}
	return s[0][len(providerScope):]
}

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

	Description string
	Callbacks   []string // addresses that its owner noted; nothing is sent there
	UpdatedAt   time.Time
	DeletedAt   time.Time // zero while it is there
	DeletedBy   string
	LastUsedAt  time.Time // when it last logged in, to within seconds; zero: never
}

// ClientKey names a client among all.
type ClientKey struct {
	Account account.ID
	ID      string
}

// Grant allows a client to ask for tokens for one account with some scopes.
type Grant struct {
	ID        string
	Client    string // "" where it stands among its client's own
	Audience  account.ID
	Scopes    Scopes
	Type      string // "any" or "client_credentials", which mean the same here
	CreatedAt time.Time
	CreatedBy string
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

// MadeAt is when a grant of the client was made: with the client, when nothing
// else is known.
func (c Client) MadeAt(g Grant) time.Time {
	if g.CreatedAt.IsZero() {
		return c.CreatedAt
	}
	return g.CreatedAt
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

	// Actor is the account that acts for Account: the partner that exchanged
	// its own token for one of a merchant; zero when nobody does. Such a token
	// can't be exchanged again.
	Actor account.ID

	// Home is the account whose client the caller is, when a grant or an exchange
	// lets it act for another; zero otherwise. IssuedAt is when its token was
	// made, as far as that matters: zero when Home is.
	Home     account.ID
	IssuedAt time.Time

	// Provider is the slug of the one provider that the caller works for,
	// about every account of the owner that its token is for; "" otherwise. The
	// gate lets such a caller into operations with the security scheme
	// "provider" and into no other.
	Provider string

	// Exchange is what an exchange token was made for; nil otherwise. The gate
	// lets such a caller into operations with the security scheme "exchange"
	// and into no other.
	Exchange *Exchange
}

// Exchange is what an exchange token says: its holder may ask, once, for a
// token of the caller's account.
type Exchange struct {
	Actor     account.ID // who exchanged its own token for it
	ID        string     // "jti", by which it is used up
	ExpiresAt time.Time
}

// Callback is the one signup that a callback token speaks of.
type Callback struct {
	Provider  string // slug
	Reference string // the signup's id
}

// Covers says whether the caller may name id as the first account of a path:
// its own account, or any account of its world for the platform's access
// tokens, but not for those of a provider's client.
func (c Caller) Covers(id account.ID) bool {
	ordinary := c.Callback == nil && c.Exchange == nil && c.Provider == ""
	return c.Account == id || ordinary && c.Account.IsPlatform() && c.Account.World() == id.World()
}

// Partner is the partner that speaks for the caller's account, which it must
// own; zero when the account speaks for itself, or the platform does.
func (c Caller) Partner() account.ID {
	if by := cmp.Or(c.Actor, c.Home); !by.IsPlatform() {
		return by
	}
	return ""
}

// Acting are the scopes that a partner's client may have for a merchant of the
// partner, if it has them for the partner.
var Acting = Scopes{ScopeAdminAccounts, ScopeWriteAccounts, ScopeReadAccounts}
