package access

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/secret"
)

// Codes of refused token requests, after RFC 6749, section 5.2.
const (
	CodeUnsupportedGrantType = "UNSUPPORTED_GRANT_TYPE"
	CodeInvalidScope         = "INVALID_SCOPE"
)

const clientCredentials = "client_credentials"

// Ask is a request for a token. ClientID and Secret are the Basic credentials
// as sent, which may or may not be percent-encoded.
type Ask struct {
	Account          account.ID // from the path; zero where the path names none
	ClientID, Secret string
	Assertion        string // in place of the two: a proof signed by a key that the client's account publishes
	GrantType        string
	Audience         string // "" for the client's own account; the documented call requires one
	Scope            string // space-separated; "" for all that is granted; looked at only when Form
	Form             bool   // a form, as OAuth libraries send it, not JSON
	Remote           netip.Addr
}

// Token is an issued access token.
type Token struct {
	AccessToken secret.Plain
	ExpiresIn   int // seconds
	Scope       string
}

// Issue gives a token to a client that shows its secret (RFC 6749, section
// 4.4), or an assertion (RFC 7523). Whatever is wrong with the credentials, the work and the fault are the
// same: unknown client, wrong secret, disabled client, another account's
// client.
func (a *Access) Issue(ctx context.Context, ask Ask) (Token, error) {
	if ask.GrantType != clientCredentials {
		return Token{}, refuseMember("grant_type", CodeUnsupportedGrantType, "grant_type must be "+clientCredentials)
	}
	client, err := a.login(ctx, ask)
	if err != nil {
		return Token{}, err
	}
	target, err := a.target(ask, client)
	if err != nil {
		return Token{}, err
	}
	if !a.serves(client.Account) || !a.serves(target) {
		return Token{}, fault.New(fault.Forbidden, fault.CodeForbidden, "this process does not serve the world of the account")
	}
	grant, since, err := a.granted(ctx, client, target)
	if err != nil {
		return Token{}, err
	}
	scopes, err := askedScopes(ask, grant)
	if err != nil {
		return Token{}, err
	}
	return a.issue(ctx, auth.Claims{Client: client.ID, Account: target, Scopes: scopes}, since)
}

// granted is the grant of a client for an account, if that is its own account or
// one that it still owns, and since when it does.
func (a *Access) granted(ctx context.Context, client auth.Client, target account.ID) (auth.Grant, time.Time, error) {
	none := fault.New(fault.Forbidden, fault.CodeForbidden, "the client has no grant for this audience")
	grant, ok := client.GrantFor(target)
	if !ok {
		return auth.Grant{}, time.Time{}, none
	}
	if target == client.Account {
		return grant, time.Time{}, nil
	}
	acc, err := a.reached(ctx, client, grant)
	if err != nil && fault.From(err).Kind == fault.Unauthenticated {
		err = none.Because(err)
	}
	return grant, acc.OwnedSince, err
}

// refuseMember refuses one member of the body with a code that OAuth libraries
// know.
func refuseMember(name, code, message string) *fault.Fault {
	f := fault.Refused(fault.Problem{In: "body", Name: name, Path: "#/" + name, Code: code, Message: message})
	f.Code = code
	return f
}

// login finds the client behind the credentials.
func (a *Access) login(ctx context.Context, ask Ask) (auth.Client, error) {
	if ask.Assertion != "" {
		return a.loginByAssertion(ctx, ask)
	}
	now := a.now()
	id := Decoded(ask.ClientID)
	given := Decoded(ask.Secret)
	attempt := a.logins.attempt(ask.Remote, id, given)
	if err := attempt.allowed(now); err != nil {
		a.counts.throttled.Inc()
		return auth.Client{}, err
	}
	client, err := a.client(ctx, id)
	if err != nil {
		return auth.Client{}, err
	}
	secret, cause := wrong(client, ask.Account, given, now)
	if cause != nil {
		if err := attempt.failed(now); err != nil {
			a.counts.throttled.Inc()
			return auth.Client{}, err
		}
		a.counts.refused.Inc()
		return auth.Client{}, fault.Denied(cause)
	}
	attempt.succeeded()
	a.uses.saw(client, secret, now)
	return client, nil
}

// client is the zero Client when there is none, so that its secret is checked
// all the same. A text that can't be an id, and that a database might choke on,
// is looked up as an id that nobody has.
func (a *Access) client(ctx context.Context, id string) (auth.Client, error) {
	if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
		id = uuid.Nil.String()
	}
	client, home, err := a.store.Client(ctx, id)
	if err != nil && fault.From(err).Kind != fault.NotFound {
		return auth.Client{}, fmt.Errorf("look up a client: %w", err)
	}
	if home.Deleted() {
		return auth.Client{}, nil
	}
	return client, nil
}

// The causes of a refused login, for the log.
var (
	errUnknownClient = errors.New("unknown client")
	errWrongSecret   = errors.New("wrong client secret")
	errOtherAccount  = errors.New("client of another account")
)

// wrong does all the work before it looks at any result. It tells which secret
// was shown when nothing is wrong.
func wrong(client auth.Client, path account.ID, given string, now time.Time) (secret string, cause error) {
	secret, right := client.CheckSecret(given, now)
	switch {
	case client.ID == "":
		return "", errUnknownClient
	case !right:
		return "", errWrongSecret
	case client.Disabled:
		return "", errDisabled
	case path != "" && path != client.Account:
		return "", errOtherAccount
	}
	return secret, nil
}

// Decoded reads a Basic credential as RFC 6749, section 2.3.1 wants it:
// form-urlencoded. Many clients send it raw; nothing in our ids and secrets
// reads differently then.
func Decoded(sent string) string {
	if meant, err := url.QueryUnescape(sent); err == nil {
		return meant
	}
	return sent
}

// target is the account that the token is for: the client's own, unless an
// audience names another.
func (a *Access) target(ask Ask, client auth.Client) (account.ID, error) {
	if ask.Audience == "" {
		return client.Account, nil
	}
	return a.audiences.Parse(ask.Audience)
}

// askedScopes narrows the grant to what a form asks for. The documented JSON
// call has no scope member, and clients send odd things there.
func askedScopes(ask Ask, grant auth.Grant) (auth.Scopes, error) {
	if !ask.Form || ask.Scope == "" {
		return grant.Scopes, nil
	}
	asked := auth.Scopes(strings.Split(ask.Scope, " "))
	for _, name := range asked {
		if !grant.Scopes.Has(name) {
			return nil, refuseMember("scope", CodeInvalidScope, "scope must be a list of scopes that are granted to the client")
		}
	}
	return grant.Scopes.And(asked), nil
}

// issuedAt is the time of a new token, in whole seconds, and not before that of
// something which it must not seem to be older than.
func (a *Access) issuedAt(after time.Time) time.Time {
	at := a.now().UTC().Truncate(time.Second)
	if at.Before(after) {
		at = after.Add(time.Second - 1).Truncate(time.Second)
	}
	return at
}

// issue signs a fresh access token that seems no older than after; claims lacks
// its id and its times.
func (a *Access) issue(ctx context.Context, claims auth.Claims, after time.Time) (Token, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Token{}, err
	}
	claims.ID, claims.IssuedAt = id.String(), a.issuedAt(after)
	claims.ExpiresAt = claims.IssuedAt.Add(a.life)
	token, err := a.keyring.Load().Sign(ctx, claims)
	if err != nil {
		return Token{}, err
	}
	a.counts.issued.Inc()
	return Token{AccessToken: secret.NewPlain(token), ExpiresIn: int(a.life / time.Second), Scope: claims.Scopes.String()}, nil
}
