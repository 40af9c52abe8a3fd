package auth

import (
	"slices"
	"strings"

	"mooring/internal/account"
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
	"admin:hooks", "write:hooks", "read:hooks",
	"create:account", "create:applicant", "create:accounts:auth:refresh_token",
	"write:accounts:/auth/users", "write:accounts:/auth/users/no-mfa",
	"write:accounts:/auth/passwordless", "write:accounts:/auth/passwordless/code",
	"write:accounts:/auth/passwordless-sms", "write:accounts:/auth/passwordless-email",
	"write:accounts:/management/settings/approvals",
}

// connectionScope begins the scope to call back in the name of a provider; the
// slug follows.
const connectionScope = "write:accounts:/management/settings/connections/"

// Known says whether a scope can be granted to anybody. isProvider says which
// slugs there are.
func Known(scope string, isProvider func(slug string) bool) bool {
	for _, prefix := range []string{providerScope, connectionScope} {
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
func IsOperators(scope string) bool { return scope == ScopeOperator || scope == ScopeRelease }

// IsProviders says whether a scope is that of a provider's client.
func IsProviders(scope string) bool { return strings.HasPrefix(scope, providerScope) }
