package auth_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
)

func TestScopesAreComparedAsSpelled(t *testing.T) {
	granted := auth.ParseScopes("admin:accounts  write:accounts\tread:accounts ")
	if granted.String() != "admin:accounts write:accounts read:accounts" {
		t.Errorf("read as %q", granted)
	}
	for _, name := range []string{"read:account", "read:accounts:", "READ:ACCOUNTS", "accounts", "", " ", "admin:accounts write:accounts"} {
		if granted.Has(name) {
			t.Errorf("has %q", name)
		}
	}
	both := granted.And(auth.Scopes{"read:accounts", "operator:connections", "admin:accounts"})
	if diff := cmp.Diff(auth.Scopes{"admin:accounts", "read:accounts"}, both); diff != "" {
		t.Error(diff)
	}
}

func TestACallerCoversItselfAndThePlatformItsWorld(t *testing.T) {
	for _, c := range []struct {
		caller, named account.ID
		want          bool
	}{
		{"T11223351", "T11223351", true},
		{"T11223351", "T11223352", false},
		{"T11200000", "T11223351", false},
		{"T11223351", "T11200000", false},
		{"T00000000", "T11223351", true},
		{"T00000000", "P11223351", false},
		{"P00000000", "T11223351", false},
		{"T11223351", "P11223351", false},
		{"T11223351", "", false},
		{"T00000000", "", false},
		{"", "T11223351", false},
	} {
		if got := (auth.Caller{Account: c.caller}).Covers(c.named); got != c.want {
			t.Errorf("%s covers %s: %v", c.caller, c.named, got)
		}
	}
}

func TestAGrantIsForOneAccount(t *testing.T) {
	client := auth.Client{Grants: []auth.Grant{{ID: "a", Audience: "T11200000"}, {ID: "b", Audience: "T11223351"}}}
	if g, ok := client.GrantFor("T11223351"); !ok || g.ID != "b" {
		t.Errorf("found %v, %v", g, ok)
	}
	if g, ok := client.GrantFor("T11223352"); ok {
		t.Errorf("found %v", g)
	}
}
