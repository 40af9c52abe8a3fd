package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
)

func testEpoch(t *testing.T, d door) {
	s := fresh(t, d)
	ctx := context.Background()
	moved := func(do string, by int64, fn func() error) {
		t.Helper()
		before, err := s.RecentEpoch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := fn(); err != nil {
			t.Fatal(err)
		}
		after, err := s.Epoch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if after-before != by {
			t.Errorf("%s moved the epoch by %d, want %d", do, after-before, by)
		}
		if recent, err := s.RecentEpoch(ctx); recent != after || err != nil {
			t.Errorf("after %s, which was answered, the recent epoch is %d, want %d: %v", do, recent, after, err)
		}
	}
	key := SealedKey{ID: "k", Purpose: "signing", Sealed: []byte("s"), CreatedAt: noon}
	moved("an account", 1, func() error {
		return s.CreateAccount(ctx, account.Account{ID: "T11223353", Kind: account.KindMerchant, Owner: partnerID, CreatedAt: noon})
	})
	moved("a client", 1, func() error {
		return s.CreateClient(ctx, clientOf(auth.Caller{Account: merchantID, Client: newID()}))
	})
	moved("a key", 1, func() error { return s.AddKey(ctx, key) })
	moved("the same key", 0, func() error { return s.AddKey(ctx, key) })
	moved("an event", 0, func() error { _, err := s.Change(ctx, signing(merchant)); return err })
}

func testKeys(t *testing.T, d door) {
	s := fresh(t, d)
	ctx := context.Background()
	first := SealedKey{ID: "b", Purpose: "signing", Sealed: []byte{0, 1}, CreatedAt: noon}
	later := SealedKey{ID: "a", Purpose: "signing", Sealed: []byte{2}, CreatedAt: noon.Add(time.Second)}
	for _, k := range []SealedKey{
		first, later,
		{ID: "b", Purpose: "signing", Sealed: []byte("another"), CreatedAt: noon.Add(time.Hour)},
		{ID: "b", Purpose: "canary", Sealed: []byte("other"), CreatedAt: noon},
	} {
		if err := s.AddKey(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Keys(ctx, "signing")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]SealedKey{first, later}, got); diff != "" {
		t.Errorf("the keys came back different (-want +got):\n%s", diff)
	}
	if none, err := s.Keys(ctx, "fingerprint"); err != nil || none != nil {
		t.Errorf("a purpose without keys gave %v, %v", none, err)
	}
}
