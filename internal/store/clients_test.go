package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// admin is the partner with every scope that its client has.
func admin(scopes ...string) auth.Caller {
	caller := partner
	caller.Scopes = scopes
	return caller
}

func shows(auth.Client) ([]byte, error)     { return []byte(`{}`), nil }
func showsGrant(auth.Grant) ([]byte, error) { return []byte(`{}`), nil }

// added makes a client of the partner by a deed.
func added(t *testing.T, s *Store) auth.Client {
	t.Helper()
	c := auth.Client{
		ID: newID(), Account: partnerID, Name: "shop", CreatedAt: noon, CreatedBy: partner.Client,
		Secrets: []auth.SecretHash{{ID: newID(), Hash: []byte{1}, CreatedAt: noon}},
	}
	if err := s.AddClient(context.Background(), Deed{Caller: partner, About: partnerID}, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func testClientDeeds(t *testing.T, d door) {
	s, ctx := fresh(t, d), context.Background()
	_, _, err := s.Client(ctx, firstID)
	wantMissing(t, "the id that nobody has", err)
	c := added(t, s)
	mine := Deed{Caller: admin("read:accounts", "write:accounts"), About: partnerID}

	all, err := s.Clients(ctx, partner, partnerID)
	if err != nil || len(all) != 2 || all[1].ID != c.ID || all[1].Secrets[0].Hash != nil {
		t.Errorf("listed %+v, %v", all, err)
	}
	for name, caller := range map[string]auth.Caller{"its merchant": merchant, "another partner": other} {
		if all, err := s.Clients(ctx, caller, partnerID); err != nil || all != nil {
			t.Errorf("%s sees %v, %v", name, all, err)
		}
		_, err := s.ClientOf(ctx, caller, partnerID, c.ID)
		wantMissing(t, name, err)
		_, err = s.EndClient(ctx, Deed{Caller: caller, About: partnerID}, c.ID, noon, shows)
		wantMissing(t, name, err)
		_, err = s.EndClient(ctx, Deed{Caller: caller, About: caller.Account}, c.ID, noon, shows)
		wantMissing(t, name, err)
	}

	// Of three secrets the newest two are good, the older of them for a while.
	secrets := []string{c.Secrets[0].ID}
	for i := range 2 {
		fresh := auth.SecretHash{ID: newID(), Hash: []byte{byte(i)}, CreatedAt: noon.Add(time.Duration(i+1) * time.Minute)}
		if _, err := s.RotateSecret(ctx, mine, c.ID, fresh, fresh.CreatedAt.Add(time.Hour), shows); err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, fresh.ID)
	}
	got, err := s.ClientOf(ctx, partner, partnerID, c.ID)
	want := []auth.SecretHash{
		{ID: secrets[1], CreatedAt: noon.Add(time.Minute), ExpiresAt: noon.Add(62 * time.Minute)},
		{ID: secrets[2], CreatedAt: noon.Add(2 * time.Minute)},
	}
	if diff := cmp.Diff(want, got.Secrets); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	last := auth.SecretHash{ID: newID(), Hash: []byte{9}, CreatedAt: noon.Add(time.Hour)}
	if _, err := s.RotateSecret(ctx, mine, c.ID, last, last.CreatedAt, shows); err != nil {
		t.Fatal(err)
	}
	if got, err = s.ClientOf(ctx, partner, partnerID, c.ID); err != nil || len(got.Secrets) != 1 || got.Secrets[0].ID != last.ID {
		t.Errorf("without overlap there are %+v, %v", got.Secrets, err)
	}

	// A use is written down, and an older one does not take its place.
	before, err := s.Epoch(ctx)
	for _, at := range []time.Time{noon.Add(2 * time.Hour), noon} {
		if err := s.ClientsUsed(ctx, []Use{{auth.ClientKey{Account: partnerID, ID: c.ID}, last.ID, at}}); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ = s.ClientOf(ctx, partner, partnerID, c.ID); !got.LastUsedAt.Equal(noon.Add(2*time.Hour)) || !got.Secrets[0].LastUsedAt.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("last used %v and %v", got.LastUsedAt, got.Secrets[0].LastUsedAt)
	}
	if after, _ := s.Epoch(ctx); after != before || err != nil {
		t.Error("a use moves the epoch")
	}

	if _, _, err := s.Client(ctx, c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.EndClient(ctx, mine, c.ID, noon, shows); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{c.ID, newID(), firstID} { // although the last one that was found stands in for others
		got, _, err := s.Client(ctx, id)
		wantMissing(t, "a client that is not there", err)
		if diff := cmp.Diff(auth.Client{}, got); diff != "" {
			t.Error(diff)
		}
	}
	_, err = s.EndClient(ctx, mine, c.ID, noon, shows)
	wantMissing(t, "a deleted client", err)
	if after, _ := s.Epoch(ctx); after == before {
		t.Error("a deletion does not move the epoch")
	}
}

func testClientLimit(t *testing.T, d door) {
	s, ctx := fresh(t, d), context.Background()
	for i := 1; i < auth.MaxClients; i++ { // it has one
		c := auth.Client{ID: newID(), Account: partnerID, Name: fmt.Sprint(i), CreatedAt: noon, CreatedBy: "test"}
		if err := s.CreateClient(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	c := auth.Client{ID: newID(), CreatedAt: noon}
	err := s.AddClient(ctx, Deed{Caller: partner, About: partnerID}, c)
	if f := fault.From(err); f.Code != fault.CodeLimitReached {
		t.Errorf("one too many: %v", err)
	}
}

func testGrantDeeds(t *testing.T, d door) {
	s, ctx := fresh(t, d), context.Background()
	c := added(t, s)
	may := Deed{Caller: admin("read:accounts", "write:accounts"), About: partnerID}
	add := func(deed Deed, audience account.ID, scopes ...string) error {
		_, err := s.AddGrant(ctx, deed, auth.Grant{
			ID: newID(), Client: c.ID, Audience: audience, Scopes: scopes, Type: auth.GrantAny, CreatedAt: noon, CreatedBy: "test",
		}, showsGrant)
		return err
	}
	for name, test := range map[string]struct {
		deed     Deed
		audience account.ID
		scopes   []string
		want     fault.Kind
	}{
		"another partner's merchant":      {may, otherID, []string{"read:accounts"}, fault.NotFound},
		"its owner":                       {may, platformID, []string{"read:accounts"}, fault.NotFound},
		"nobody":                          {may, "T99999999", []string{"read:accounts"}, fault.NotFound},
		"a scope that it has not":         {may, partnerID, []string{"admin:accounts"}, fault.Forbidden},
		"one that its grant has not":      {Deed{Caller: admin("admin:accounts"), About: partnerID}, partnerID, []string{"admin:accounts"}, fault.Forbidden},
		"one that its token has not":      {Deed{Caller: admin("write:accounts"), About: partnerID}, partnerID, []string{"read:accounts"}, fault.Forbidden},
		"the operator's":                  {may, partnerID, []string{"operator:connections"}, fault.Invalid},
		"a provider's for a merchant":     {may, merchantID, []string{"provider:connections:swish"}, fault.Invalid},
		"a provider's, by half the right": {Deed{Caller: admin("write:accounts"), About: partnerID}, partnerID, []string{"provider:connections:swish"}, fault.Forbidden},
		"speaking for a provider":         {may, partnerID, []string{"write:accounts:/management/settings/connections/vipps"}, fault.Forbidden},
		"somebody else's deed":            {Deed{Caller: other, About: partnerID}, partnerID, []string{"read:accounts"}, fault.NotFound},
	} {
		if f := fault.From(add(test.deed, test.audience, test.scopes...)); f.Kind != test.want {
			t.Errorf("%s: %v, want %v", name, f, test.want)
		}
	}
	for _, audience := range []account.ID{partnerID, merchantID} {
		if err := add(may, audience, "read:accounts"); err != nil {
			t.Errorf("%s: %v", audience, err)
		}
		wantKind(t, add(may, audience, "write:accounts"), fault.Conflict)
	}
	grants, err := s.Grants(ctx, partner, partnerID, GrantFilter{Client: c.ID, Audience: merchantID})
	if err != nil || len(grants) != 1 || grants[0].Audience != merchantID || !grants[0].CreatedAt.Equal(noon) {
		t.Fatalf("listed %+v, %v", grants, err)
	}
	if all, err := s.Grants(ctx, other, partnerID, GrantFilter{}); err != nil || all != nil {
		t.Errorf("another partner sees %v, %v", all, err)
	}
	_, err = s.EndGrant(ctx, Deed{Caller: other, About: otherID}, grants[0].ID, showsGrant)
	wantMissing(t, "another's grant", err)
	if _, err := s.EndGrant(ctx, may, grants[0].ID, showsGrant); err != nil {
		t.Fatal(err)
	}
	_, err = s.EndGrant(ctx, may, grants[0].ID, showsGrant)
	wantMissing(t, "a grant that is gone", err)

	// Who holds less than a client may not take it over by its secret.
	secret := auth.SecretHash{ID: newID(), Hash: []byte{1}, CreatedAt: noon}
	_, err = s.RotateSecret(ctx, Deed{Caller: admin("write:accounts"), About: partnerID}, c.ID, secret, noon, shows)
	wantKind(t, err, fault.Forbidden)
}

func testLastClient(t *testing.T, d door) {
	s, ctx := fresh(t, d), context.Background()
	root := auth.Client{
		ID: newID(), Account: platformID, CreatedAt: noon, CreatedBy: "test",
		Grants: []auth.Grant{{ID: newID(), Audience: platformID, Scopes: auth.Scopes{"admin:accounts"}}},
	}
	if err := s.CreateClient(ctx, root); err != nil {
		t.Fatal(err)
	}
	deed := Deed{Caller: platform, About: platformID}
	_, ended := s.EndClient(ctx, deed, root.ID, noon, shows)
	_, disabled := s.SwitchClient(ctx, deed, root.ID, true, noon, shows)
	_, ungranted := s.EndGrant(ctx, deed, root.Grants[0].ID, showsGrant)
	for name, err := range map[string]error{"deleted": ended, "disabled": disabled, "without its grant": ungranted} {
		if fault.From(err).Code != fault.CodeLastClient {
			t.Errorf("%s: %v", name, err)
		}
	}
	if client, _, err := s.Client(ctx, root.ID); err != nil || client.Disabled || len(client.Grants) != 1 {
		t.Errorf("it is %+v, %v", client, err)
	}
}
