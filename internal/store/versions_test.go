package store

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

// signingBy signs up with a version of the provider.
func signingBy(number int) Change {
	return also(signing(merchant), func(_ Found, d *Decision) {
		d.Connection.Schema = number
		d.Connection.Signups[len(d.Connection.Signups)-1].Schema = number
	})
}

// wantVersions compares what counts as in use with a list, and with the rows.
func wantVersions(t *testing.T, s *Store, want map[string][]int) {
	t.Helper()
	used, err := s.VersionsInUse(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, used); diff != "" {
		t.Errorf("what is in use (-want +got):\n%s", diff)
	}
	for _, lacking := range []string{
		"SELECT count(*) FROM (%s EXCEPT SELECT provider, schema FROM provider_version) AS missed",
		"SELECT count(*) FROM (SELECT provider, schema FROM provider_version EXCEPT %s) AS vain",
	} {
		rows := "SELECT provider, schema FROM (SELECT provider, schema FROM connection UNION SELECT provider, schema FROM signup) AS r"
		if n := count(t, s, fmt.Sprintf(lacking, rows)); n != 0 {
			t.Errorf("%s: %d", lacking, n)
		}
	}
}

func testVersionsInUse(t *testing.T, d door) {
	s := fresh(t, d)
	wantVersions(t, s, map[string][]int{})
	mustChange(t, s, signing(merchant))
	mustChange(t, s, posting(connection.NewEvent{Status: connection.Declined, Name: "no"}))
	mustChange(t, s, signingBy(vipps.Schema+1))
	// A signup that was replaced still counts.
	wantVersions(t, s, map[string][]int{"vipps": {vipps.Schema, vipps.Schema + 1}})
}

// What could not be written is not taken for noted.
func testVersionNotWritten(t *testing.T, d door) {
	s := signed(t, d)
	taken := whole(t, s).Signups[0].Token
	bad := also(signingBy(9), func(_ Found, d *Decision) {
		d.Connection.Signups[len(d.Connection.Signups)-1].Token = taken
	})
	_, err := s.Change(context.Background(), bad)
	wantKind(t, err, fault.Internal)
	wantVersions(t, s, map[string][]int{"vipps": {vipps.Schema}})
	mustChange(t, s, signingBy(9))
	wantVersions(t, s, map[string][]int{"vipps": {vipps.Schema, 9}})
}

// A program that notes nothing may have written a connection.
func testVersionNotNoted(t *testing.T, d door) {
	cfg := d(t)
	s := inhabit(t, openStore(t, cfg))
	mustChange(t, s, signingBy(2))
	mustChange(t, s, signing(merchant))
	if _, err := s.write.db.Exec("DELETE FROM provider_version"); err != nil {
		t.Fatal(err)
	}
	must(t, s.Close())
	s = openStore(t, cfg)
	used, err := s.VersionsInUse(context.Background())
	if diff := cmp.Diff(map[string][]int{"vipps": nil}, used); err != nil || diff != "" {
		t.Errorf("a provider without a version: %v (-want +got):\n%s", err, diff)
	}
	signup := hearing(1, func(s *connection.Signup) { s.CallbackAt = noon })
	signup.System = true
	mustChange(t, s, signup)
	wantVersions(t, s, map[string][]int{"vipps": {2, vipps.Schema}})
}

func testVersionsImported(t *testing.T, d door) {
	s := fresh(t, d)
	c := &connection.Connection{
		Account: "T11290001", Provider: "swish", Schema: 5, Status: connection.Pending, CreatedAt: noon, CreatedBy: "test",
		UpdatedAt: noon, LastSignup: 1, Signups: []connection.Signup{{
			Seq: 1, ID: newID(), Data: []byte("{}"), Token: newID(), Schema: 4, CreatedAt: noon, CreatedBy: "test", ExpiresAt: noon,
		}},
	}
	must(t, s.Import(context.Background(), Deed{Caller: platform, About: platformID}, []Import{{
		New: true,
		Whole: account.Whole{Account: account.Account{
			ID: c.Account, Kind: account.KindMerchant, Owner: partnerID, CreatedAt: noon, CreatedBy: "test",
		}},
		Connections: []ImportedConnection{{Connection: c}},
	}}))
	wantVersions(t, s, map[string][]int{"swish": {4, 5}})
}

func TestAVersionIsNotedWhoeverUsesItFirst(t *testing.T) {
	engines(t, func(t *testing.T, nodes []*Store) {
		atOnce(nodes, func(i int, s *Store) { mustChange(t, s, signingBy(1+i%4)) })
		wantVersions(t, nodes[0], map[string][]int{"vipps": {1, 2, 3, 4}})
	})
}
