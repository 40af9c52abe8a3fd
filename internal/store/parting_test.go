package store

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/hook"
)

// Who owned an account can't get in any more by what he made in it, himself or
// by a client that he made.
func testParting(t *testing.T, d door) {
	s, ctx := fresh(t, d), context.Background()
	add := func(by string) string {
		t.Helper()
		c := auth.Client{
			ID: newID(), Account: merchantID, CreatedAt: noon, CreatedBy: by,
			Secrets: []auth.SecretHash{{ID: newID(), Hash: []byte(newID()), CreatedAt: noon}},
			Grants:  []auth.Grant{{ID: newID(), Audience: merchantID, Scopes: auth.Scopes{auth.ScopeAdminAccounts}}},
		}
		must(t, s.CreateClient(ctx, c))
		return c.ID
	}
	boss := auth.Client{
		ID: newID(), Account: partnerID, CreatedAt: noon, CreatedBy: "test",
		Grants: []auth.Grant{{ID: newID(), Audience: partnerID, Scopes: auth.Scopes{auth.ScopeAdminAccounts}}},
	}
	must(t, s.CreateClient(ctx, boss))
	direct := add(boss.ID)
	gone := add(direct)
	chained := add(gone)
	seeded, ownOne, closed := add("seed"), add(merchant.Client), add(boss.ID)
	rotated, again := add("seed"), add("seed")
	rotate := func(who auth.Caller, id string, overlap time.Duration) {
		t.Helper()
		who.Scopes = auth.Scopes{auth.ScopeAdminAccounts}
		_, err := s.RotateSecret(ctx, Deed{Caller: who, About: merchantID}, id,
			auth.SecretHash{ID: newID(), Hash: []byte(newID()), CreatedAt: noon}, noon.Add(overlap), shows)
		must(t, err)
	}
	acting := auth.Caller{Client: boss.ID, Account: merchantID, Kind: account.KindMerchant, Actor: partnerID}
	own := auth.Caller{Client: seeded, Account: merchantID, Kind: account.KindMerchant}
	rotate(acting, rotated, 0)
	rotate(own, rotated, time.Hour) // what the partner knows is good for an hour more
	rotate(acting, again, 0)
	rotate(own, again, 0) // and this no more
	subscribe := func(who auth.Caller) string {
		t.Helper()
		id := newID()
		_, err := s.AddSubscription(ctx, Deed{Caller: who, About: merchantID}, Subscription{Subscription: hook.Subscription{
			ID: id, Kind: hook.KindHook, Target: "https://example.com", Active: true, CreatedAt: noon,
		}}, "", noAnswer)
		must(t, err)
		return id
	}
	told := map[string]bool{
		subscribe(acting): true, subscribe(auth.Caller{Client: direct, Account: merchantID}): true, subscribe(own): false,
	}
	root := Deed{Caller: holding(t, s, platform, auth.ScopeAdminAccounts), About: merchantID}
	_, err := s.SwitchClient(ctx, root, closed, true, noon, shows)
	must(t, err)
	_, err = s.EndClient(ctx, root, gone, noon, shows)
	must(t, err)
	must(t, s.transact(ctx, func(ctx context.Context, tx *tx) error {
		return tx.saveProfile(ctx, account.Account{ID: merchantID, Owner: partnerID}, account.Profile{
			account.MemberKeys: map[string]any{"uri": "https://old.example"}, "company": map[string]any{"country_code": "NO"},
		})
	}))

	var moved Kept
	move := func(to account.ID) {
		t.Helper()
		_, err := s.MoveAccount(ctx, root, to, func(k Kept) (Answer, error) {
			moved = k
			return Answer{}, nil
		})
		must(t, err)
	}
	move(partnerID)
	if len(moved.Parted.Clients) > 0 || moved.Parted.KeysAt != "" {
		t.Errorf("a move to where it is ends %+v", moved.Parted)
	}
	move(otherID)
	want := []string{direct, chained, rotated}
	slices.Sort(want)
	if diff := cmp.Diff(Parted{want, "https://old.example"}, moved.Parted); diff != "" {
		t.Errorf("the move ends (-want +got):\n%s", diff)
	}
	for id, want := range map[string]bool{direct: true, chained: true, rotated: true, closed: true, seeded: false, ownOne: false, again: false} {
		if c, _, err := s.Client(ctx, id); err != nil || c.Disabled != want {
			t.Errorf("client %s is disabled: %t, %v; want %t", id, c.Disabled, err, want)
		}
	}
	for id, want := range told {
		if sub, err := s.SubscriptionByID(ctx, merchantID, id); err != nil || sub.DisabledAt.IsZero() == want {
			t.Errorf("subscription %s is %+v, %v; switched off %t", id, sub, err, want)
		}
	}
	if at, err := s.KeysAt(ctx, merchantID); err != nil || at != "" {
		t.Errorf("its keys are at %q, %v", at, err)
	}
	w, err := s.Shown(ctx, platform, otherID, merchantID)
	if err != nil || w.Profile[account.MemberKeys] != nil || w.Profile["company"] == nil {
		t.Errorf("its profile is %v, %v", w.Profile, err)
	}
	if c, _, err := s.Client(ctx, boss.ID); err != nil || c.Disabled {
		t.Errorf("the partner's own client is %+v, %v", c, err)
	}
}
