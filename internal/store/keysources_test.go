package store

import (
	"context"
	"fmt"
	"testing"

	"mooring/internal/account"
)

// What else a profile says makes nobody a source of keys, so that none of them
// can be crowded out.
func testKeySources(t *testing.T, d door) {
	s, ctx := fresh(t, d), context.Background()
	save := func(id, owner account.ID, p account.Profile) {
		t.Helper()
		must(t, s.transact(ctx, func(ctx context.Context, tx *tx) error {
			return tx.saveProfile(ctx, account.Account{ID: id, Owner: owner}, p)
		}))
	}
	keys := func(uri string) account.Profile {
		return account.Profile{account.MemberKeys: map[string]any{"name": "shop", "uri": uri}}
	}
	wantAt := func(id account.ID, want string) {
		t.Helper()
		if at, err := s.KeysAt(ctx, id); err != nil || at != want {
			t.Errorf("the keys of %s are at %q, %v; want %q", id, at, err, want)
		}
	}
	save(merchantID, partnerID, account.Profile{"services": map[string]any{"jwks": map[string]any{}}})
	save(secondID, partnerID, keys("https://second.example"))
	save(partnerID, platformID, keys("https://partner.example"))
	save(otherID, platformID, keys("https://other.example"))
	save(otherID, platformID, account.Profile{})
	wantAt(merchantID, "")
	wantAt(secondID, "https://second.example")
	wantAt(otherID, "")
	wantAt("T99900000", "")

	pages := func() (all []KeySource) {
		t.Helper()
		for after := account.ID(""); ; {
			page, err := s.KeySources(ctx, after, 1)
			must(t, err)
			if len(page) == 0 {
				return all
			}
			all, after = append(all, page...), page[0].Account
		}
	}
	want := []KeySource{{partnerID, platformID, "https://partner.example"}, {secondID, partnerID, "https://second.example"}}
	if got := pages(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("keys are published by %v, want %v", got, want)
	}
	deleteDirectly(t, s, secondID)
	wantAt(secondID, "")
	if got := pages(); fmt.Sprint(got) != fmt.Sprint(want[:1]) {
		t.Errorf("after a deletion keys are published by %v", got)
	}
}
