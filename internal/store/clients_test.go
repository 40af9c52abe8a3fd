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

// holding is a caller by a new client of an account with these scopes.
func holding(t *testing.T, s *Store, who auth.Caller, scopes ...string) auth.Caller {
	t.Helper()
	c := auth.Client{
		ID: newID(), Account: who.Account, CreatedAt: noon, CreatedBy: "test",
		Grants: []auth.Grant{{ID: newID(), Audience: who.Account, Scopes: scopes}},
	}
	if err := s.CreateClient(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	who.Client, who.Scopes = c.ID, scopes
	return who
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

	// Who holds less than a client may not take it over by its secret, let it in
	// again, or end it.
	secret := auth.SecretHash{ID: newID(), Hash: []byte{1}, CreatedAt: noon}
	less := Deed{Caller: admin("write:accounts"), About: partnerID}
	grants, err = s.Grants(ctx, partner, partnerID, GrantFilter{Client: c.ID})
	if err != nil || len(grants) == 0 {
		t.Fatal(grants, err)
	}
	_, rotated := s.RotateSecret(ctx, less, c.ID, secret, noon, shows)
	_, disabled := s.SwitchClient(ctx, less, c.ID, true, noon, shows)
	_, enabled := s.SwitchClient(ctx, less, c.ID, false, noon, shows)
	_, ended := s.EndClient(ctx, less, c.ID, noon, shows)
	_, ungranted := s.EndGrant(ctx, less, grants[0].ID, showsGrant)
	for _, err := range []error{rotated, disabled, enabled, ended, ungranted} {
		wantKind(t, err, fault.Forbidden)
	}
	// What the platform gave it beside, an admin of its account may take, and not give.
	speaks := auth.Client{ID: newID(), Account: partnerID, CreatedAt: noon, CreatedBy: "test", Grants: []auth.Grant{
		{ID: newID(), Audience: partnerID, Scopes: auth.Scopes{"write:accounts:/management/settings/connections/vipps"}},
	}}
	if err := s.CreateClient(ctx, speaks); err != nil {
		t.Fatal(err)
	}
	boss := Deed{Caller: holding(t, s, partner, "admin:accounts"), About: partnerID}
	if _, err := s.SwitchClient(ctx, boss, speaks.ID, true, noon, shows); err != nil {
		t.Error(err)
	}
	_, err = s.SwitchClient(ctx, boss, speaks.ID, false, noon, shows)
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
	deed := Deed{Caller: auth.Caller{Account: platformID, Kind: account.KindPlatform, Client: root.ID, Scopes: auth.Scopes{"admin:accounts"}}, About: platformID}
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

	// Nor does it lose what only its own clients can give.
	by := func(c auth.Caller) Deed { return Deed{Caller: c, About: platformID} }
	boss := holding(t, s, platform, "admin:accounts", "operator:connections", "release:credentials")
	_, err := s.EndClient(ctx, deed, boss.Client, noon, shows)
	wantKind(t, err, fault.Forbidden)
	if _, err := s.EndClient(ctx, by(boss), boss.Client, noon, shows); fault.From(err).Code != fault.CodeLastClient {
		t.Errorf("the last operator: %v", err)
	}
	if _, err := s.EndClient(ctx, by(boss), root.ID, noon, shows); err != nil {
		t.Errorf("an admin beside the last operator: %v", err)
	}
	holding(t, s, platform, "admin:accounts", "operator:connections", "release:credentials")
	if _, err := s.EndClient(ctx, by(boss), boss.Client, noon, shows); err != nil {
		t.Errorf("an operator beside another: %v", err)
	}
}

// publishing is an update that says where an account's keys are; nil for
// nowhere.
func publishing(s *Store, d Deed, keys any) error {
	_, err := s.UpdateAccount(context.Background(), d, func(w account.Whole) (account.Profile, error) {
		return w.Profile.Merge(account.Profile{account.MemberKeys: keys}), nil
	}, shownID)
	return err
}

// With a key of his own at that address one could log in as every client.
func testPublishedKeys(t *testing.T, d door) {
	s, ctx := fresh(t, d), context.Background()
	keys := func(uri string) any { return map[string]any{"uri": uri} }
	grant := func(who auth.Caller, scopes ...string) auth.Caller {
		c := auth.Client{
			ID: newID(), Account: who.Account, CreatedAt: noon, CreatedBy: "test",
			Grants: []auth.Grant{{ID: newID(), Audience: who.Account, Scopes: scopes}},
		}
		if err := s.CreateClient(ctx, c); err != nil {
			t.Fatal(err)
		}
		who.Client, who.Scopes = c.ID, scopes
		return who
	}
	writer := grant(partner, "write:accounts")
	boss := grant(partner, "admin:accounts")
	less := boss
	less.Scopes = auth.Scopes{"write:accounts"}
	of := func(c auth.Caller) Deed { return Deed{Caller: c, Owner: partnerID, About: merchantID} }

	wantKind(t, publishing(s, of(writer), keys("https://evil.example")), fault.Forbidden)
	wantKind(t, publishing(s, of(less), keys("https://evil.example")), fault.Forbidden)
	if err := publishing(s, of(boss), keys("https://shop.example")); err != nil {
		t.Fatal(err)
	}
	if err := publishing(s, of(writer), keys("https://shop.example")); err != nil {
		t.Errorf("what stays as it is: %v", err)
	}
	wantKind(t, publishing(s, of(writer), keys("https://evil.example")), fault.Forbidden)
	wantKind(t, publishing(s, of(writer), nil), fault.Forbidden)

	// What only the platform grants, the owner may not take over.
	speaks := "write:accounts:/management/settings/connections/vipps"
	client := grant(merchant, speaks)
	wantKind(t, publishing(s, of(boss), keys("https://evil.example")), fault.Forbidden)
	wantKind(t, publishing(s, Deed{Caller: grant(merchant, "admin:accounts"), About: merchantID}, nil), fault.Forbidden)
	root := grant(platform, "admin:accounts")
	if err := publishing(s, Deed{Caller: root, Owner: platformID, About: merchantID}, keys("https://other.example")); err != nil {
		t.Errorf("the platform, which grants that: %v", err)
	}
	if _, err := s.EndClient(ctx, Deed{Caller: root, About: merchantID}, client.Client, noon, shows); err != nil {
		t.Fatal(err)
	}
	if err := publishing(s, of(boss), nil); err != nil {
		t.Errorf("once that client is gone: %v", err)
	}

	// The platform's own: whatever its clients have.
	own := func(c auth.Caller) Deed { return Deed{Caller: c, About: platformID} }
	operator := grant(platform, "admin:accounts", "operator:connections", "release:credentials")
	wantKind(t, publishing(s, own(root), keys("https://evil.example")), fault.Forbidden)
	if err := publishing(s, own(operator), keys("https://platform.example")); err != nil {
		t.Error(err)
	}

	// An account that begins with keys.
	make := func(c auth.Caller) error {
		_, err := s.MakeAccount(ctx, Deed{Caller: c, About: partnerID}, account.Profile{account.MemberKeys: keys("https://new.example")}, shownID)
		return err
	}
	wantKind(t, make(writer), fault.Forbidden)
	if err := make(boss); err != nil {
		t.Error(err)
	}
	imported := func(c auth.Caller, id account.ID) error {
		return s.Import(ctx, Deed{Caller: c, About: platformID}, []Import{{New: true, Whole: account.Whole{
			Account: account.Account{ID: id, Kind: account.KindMerchant, Owner: partnerID, CreatedAt: noon, CreatedBy: "test"},
			Profile: account.Profile{account.MemberKeys: keys("https://old.example")},
		}}})
	}
	wantKind(t, imported(grant(platform, "operator:connections"), "T11290001"), fault.Forbidden)
	if err := imported(operator, "T11290002"); err != nil {
		t.Error(err)
	}
}
