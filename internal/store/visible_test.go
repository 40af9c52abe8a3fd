package store

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
)

func testAccountVisibility(t *testing.T, d door) {
	s := fresh(t, d)
	for _, test := range []struct {
		name   string
		caller auth.Caller
		want   bool
	}{
		{"itself", merchant, true},
		{"its owner", partner, true},
		{"the platform", platform, true},
		{"another partner", other, false},
		{"a sibling", second, false},
		{"the platform of the other world", auth.Caller{Account: "P00000000"}, false},
	} {
		got, err := s.Account(context.Background(), test.caller, merchantID)
		if !test.want {
			wantMissing(t, test.name, err)
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		want := account.Account{
			ID: merchantID, Kind: account.KindMerchant, Owner: partnerID,
			Company:   account.Company{BusinessName: "Fjord & Sønner", OrganizationNumber: "923456783"},
			CreatedAt: noon, CreatedBy: "test",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the account came back different (-want +got):\n%s", test.name, diff)
		}
	}
	_, err := s.Account(context.Background(), platform, "T99999999")
	wantMissing(t, "unknown", err)
}

func testConnectionVisibility(t *testing.T, d door) {
	s := signed(t, d)
	for _, test := range []struct {
		name   string
		caller auth.Caller
		want   bool
	}{
		{"itself", merchant, true},
		{"its owner", partner, true},
		{"the platform", platform, true},
		{"another partner", other, false},
		{"a sibling", second, false},
		{"the platform of the other world", auth.Caller{Account: "P00000000"}, false},
		{"nobody", auth.Caller{}, false},
	} {
		_, err := s.Connection(context.Background(), test.caller, merchantID, "vipps")
		_, errEvents := s.Events(context.Background(), test.caller, merchantID, "vipps", 0, 10)
		if !test.want {
			wantMissing(t, test.name, err)
			wantMissing(t, test.name, errEvents)
			continue
		}
		if err != nil || errEvents != nil {
			t.Errorf("%s: %v, %v", test.name, err, errEvents)
		}
	}
	deleteDirectly(t, s, merchantID)
	for _, caller := range []auth.Caller{merchant, partner, platform} {
		_, err := s.Connection(context.Background(), caller, merchantID, "vipps")
		wantMissing(t, "the connection of a deleted account", err)
		if caller.Account == platformID {
			continue // reads the history for as long as it is kept
		}
		_, err = s.Events(context.Background(), caller, merchantID, "vipps", 0, 10)
		wantMissing(t, "the events of a deleted account", err)
	}
}
