package auth

import (
	"slices"
	"strconv"
	"strings"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// The types of grants that are taken.
const (
	GrantAny               = "any"
	GrantClientCredentials = "client_credentials"
)

// The most that there may be of.
const (
	MaxClients = 200 // of one account
	MaxGrants  = 100 // of one client
)

// documentedScopes are the names that the documentation lists, beside those
// that operations here ask for and those of providers.
var documentedScopes = []string{
	ScopeAdminAccounts, ScopeWriteAccounts, ScopeReadAccounts,
	ScopeAdminHooks, ScopeWriteHooks, ScopeReadHooks,
	"create:account", "create:applicant", "create:accounts:auth:refresh_token",
	"write:accounts:/auth/users", "write:accounts:/auth/users/no-mfa",
	"write:accounts:/auth/passwordless", "write:accounts:/auth/passwordless/code",
	"write:accounts:/auth/passwordless-sms", "write:accounts:/auth/passwordless-email",
	"write:accounts:/management/settings/approvals",
}

// connectionScope begins the scope to call back in the name of a provider; the
// slug follows.
const connectionScope = "write:accounts:/management/settings/connections/"

// releaseScope begins the scope to release the credentials of one provider; the
// slug follows.
const releaseScope = ScopeRelease + ":"

// Known says whether a scope can be granted to anybody. isProvider says which
// slugs there are.
func Known(scope string, isProvider func(slug string) bool) bool {
	for _, prefix := range []string{providerScope, connectionScope, releaseScope} {
		if slug, ok := strings.CutPrefix(scope, prefix); ok {
			return isProvider(slug)
		}
	}
	return scope == ScopeOperator || scope == ScopeRelease || slices.Contains(documentedScopes, scope)
}

// MayGrant says whether a caller who holds scopes may give one of them to a
// client: nobody gives what he does not have. admin:accounts has every scope of
// accounts and hooks. Who may both read and write the connections of an owner
// has what a provider's client gets. Only a platform lets somebody speak for a
// provider in callbacks, and has what is the operator's.
func MayGrant(kind account.Kind, held Scopes, scope string) bool {
	platform := kind == account.KindPlatform
	admin := held.Has(ScopeAdminAccounts)
	switch {
	case scope == ScopeOperator || scope == ScopeRelease:
		return platform && held.Has(scope)
	case strings.HasPrefix(scope, releaseScope):
		return platform && (held.Has(ScopeRelease) || held.Has(scope))
	case strings.HasPrefix(scope, connectionScope):
		return platform && (admin || held.Has(scope))
	case strings.HasPrefix(scope, providerScope):
		return admin || held.Has(ScopeReadAccounts) && held.Has(ScopeWriteAccounts)
	default:
		return admin || held.Has(scope)
	}
}

// IsOperators says whether a scope is good for nothing but the platform's own
// operations.
func IsOperators(scope string) bool {
	return scope == ScopeOperator || scope == ScopeRelease || strings.HasPrefix(scope, releaseScope)
}

// Administrated says whether of the clients of a platform that are left one
// administrates it and may grant each of the operator's scopes that clients had
// before.
func Administrated(before, after []Scopes) bool {
	return slices.ContainsFunc(after, func(held Scopes) bool {
		for _, scopes := range before {
			for _, name := range scopes {
				if IsOperators(name) && !MayGrant(account.KindPlatform, held, name) {
					return false
				}
			}
		}
		return held.Has(ScopeAdminAccounts)
	})
}

// IsProviders says whether a scope is that of a provider's client.
func IsProviders(scope string) bool { return strings.HasPrefix(scope, providerScope) }

// CodeUnknownScope is the code of a problem with a scope that can't be granted.
const CodeUnknownScope = "UNKNOWN_SCOPE"

// CheckScopes says whether scopes are ones that there are, for grants of this
// sort: that of a provider's client stands alone.
func CheckScopes(scopes Scopes, isProvider func(slug string) bool) error {
	var problems []fault.Problem
	for i, name := range scopes {
		switch {
		case !Known(name, isProvider):
			problems = append(problems, scopeProblem(i, CodeUnknownScope, "scope must be a list of scopes that there are, each by its exact name"))
		case IsProviders(name) && len(scopes) > 1:
			problems = append(problems, scopeProblem(i, CodeUnknownScope, "the scope of a provider's client must stand alone"))
		}
	}
	if problems != nil {
		return fault.Refused(problems...)
	}
	return nil
}

// CheckGrant says whether a caller who holds scopes, of an account of a kind, may
// give a client this grant for an account.
func CheckGrant(g Grant, audience account.Account, kind account.Kind, held Scopes) error {
	var problems []fault.Problem
	for i, name := range g.Scopes {
		switch {
		case IsOperators(name) && audience.Kind != account.KindPlatform:
			problems = append(problems, scopeProblem(i, CodeUnknownScope, "this scope is for the account of the platform alone"))
		case IsProviders(name) && audience.Kind == account.KindMerchant:
			problems = append(problems, scopeProblem(i, CodeUnknownScope, "a provider's client is for an account that owns others"))
		}
	}
	if problems != nil {
		return fault.Refused(problems...)
	}
	return MayHandOut(g.Scopes, kind, held)
}

// MayHandOut says whether a caller who holds scopes may let somebody else have
// others.
func MayHandOut(scopes Scopes, kind account.Kind, held Scopes) error {
	for _, name := range scopes {
		if !MayGrant(kind, held, name) {
			return fault.New(fault.Forbidden, fault.CodeForbidden, "the token lacks a scope that the client has or is to have")
		}
	}
	return nil
}

func scopeProblem(i int, code, message string) fault.Problem {
	return fault.Problem{In: "body", Name: "scope", Path: "#/scope/" + strconv.Itoa(i), Code: code, Message: message}
}
