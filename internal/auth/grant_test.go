package auth

import (
	"testing"

	"mooring/internal/account"
)

func TestTheScopesOfOneProviderAreThereAndGivenByWhoHoldsThem(t *testing.T) {
	isProvider := func(slug string) bool { return slug == "vipps" }
	for scope, want := range map[string]bool{
		"release:credentials": true, "release:credentials:vipps": true, "release:credentials:nobody": false, "release:credentials:": false,
		"provider:connections:vipps": true, "operator:connections:vipps": false,
	} {
		if Known(scope, isProvider) != want {
			t.Errorf("%s is known: %v", scope, !want)
		}
	}
	for _, test := range []struct {
		kind account.Kind
		held Scopes
		want bool
	}{
		{account.KindPlatform, Scopes{"release:credentials"}, true},
		{account.KindPlatform, Scopes{"release:credentials:vipps"}, true},
		{account.KindPlatform, Scopes{"release:credentials:swish"}, false},
		{account.KindPlatform, Scopes{"admin:accounts", "operator:connections"}, false},
		{account.KindPartner, Scopes{"release:credentials"}, false},
	} {
		if got := MayGrant(test.kind, test.held, "release:credentials:vipps"); got != test.want {
			t.Errorf("a %s with %s may grant it: %v", test.kind, test.held, got)
		}
	}
}

func TestAPlatformKeepsWhoMayGrantAllThatItsClientsHad(t *testing.T) {
	whole, admin, operator := Scopes{"admin:accounts", "operator:connections", "release:credentials"}, Scopes{"admin:accounts"}, Scopes{"operator:connections"}
	for _, test := range []struct {
		before, after []Scopes
		want          bool
	}{
		{[]Scopes{whole, admin}, []Scopes{whole}, true},
		{[]Scopes{whole, admin}, []Scopes{admin}, false},
		{[]Scopes{admin, admin}, []Scopes{admin}, true},
		{[]Scopes{admin}, nil, false},
		{[]Scopes{whole, {"release:credentials:vipps"}}, []Scopes{whole}, true},
		{[]Scopes{whole, admin, operator}, []Scopes{admin, operator}, false},
	} {
		if got := Administrated(test.before, test.after); got != test.want {
			t.Errorf("%v left of %v: %v", test.after, test.before, got)
		}
	}
}
