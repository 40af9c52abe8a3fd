package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

func testSync(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	got, err := s.Sync(ctx, vippsPlace)
	wantSame(t, "what nobody asked", SyncState{Account: merchantID, Provider: vipps.Slug}, got, err)
	for _, want := range []SyncState{
		{LastAskedAt: noon, LastError: "no answer"},
		{LastAskedAt: noon.Add(time.Hour), LastSyncedAt: noon.Add(time.Hour), Drift: "declined", DriftSince: noon},
		{LastAskedAt: noon.Add(2 * time.Hour), LastSyncedAt: noon.Add(2 * time.Hour)},
	} {
		want.Account, want.Provider = merchantID, vipps.Slug
		if err := s.SaveSync(ctx, want); err != nil {
			t.Fatal(err)
		}
		got, err := s.Sync(ctx, vippsPlace)
		wantSame(t, "the state", want, got, err)
	}
	wantMissing(t, "no connection", s.SaveSync(ctx, SyncState{Account: secondID, Provider: vipps.Slug}))
}

func testDueForSync(t *testing.T, d door) {
	s := fresh(t, d)
	ctx := context.Background()
	for i := range 6 {
		mustChange(t, s, numbered(signing(merchant), i))
	}
	for i, status := range map[int]connection.Status{1: connection.Enabled, 2: connection.Enabled, 3: connection.Declined} {
		mustChange(t, s, numbered(posting(connection.NewEvent{Status: status, Name: "moved"}), i))
	}
	for i, ago := range map[int]time.Duration{0: 2 * time.Hour, 2: 3 * time.Hour, 4: time.Minute} {
		if err := s.SaveSync(ctx, SyncState{Account: merchantID, Provider: fmt.Sprint("provider-", i), LastAskedAt: noon.Add(-ago)}); err != nil {
			t.Fatal(err)
		}
	}
	due := func(world account.World, before time.Time, limit int, providers ...string) (names []string) {
		t.Helper()
		places, err := s.DueForSync(ctx, world, providers, before, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range places {
			names = append(names, p.Provider)
		}
		return names
	}
	all := []string{"provider-0", "provider-1", "provider-2", "provider-3", "provider-4"}
	for _, test := range []struct {
		name string
		want []string
		got  []string
	}{
		{"all", []string{"provider-0", "provider-1", "provider-2"}, due(account.Test, noon.Add(-time.Hour), 10, all...)},
		{"two", []string{"provider-0", "provider-1"}, due(account.Test, noon.Add(-time.Hour), 2, all...)},
		{"one provider", []string{"provider-2"}, due(account.Test, noon, 10, "provider-2", "provider-22")},
		{"nobody for hours", []string{"provider-1"}, due(account.Test, noon.Add(-3*time.Hour), 10, all...)},
		{"now", []string{"provider-0", "provider-4", "provider-1", "provider-2"}, due(account.Test, noon, 10, all[0], all[4], all[1], all[2])},
		{"the other world", nil, due(account.Production, noon, 10, all...)},
		{"no provider", nil, due(account.Test, noon, 10)},
		{"the end of a name", nil, due(account.Test, noon, 10, "2", "rovider-2")},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func testDrifting(t *testing.T, d door) {
	s := fresh(t, d)
	ctx := context.Background()
	for i, drift := range []string{"declined", "", "failed", "pending"} {
		mustChange(t, s, numbered(signing(merchant), i))
		if err := s.SaveSync(ctx, SyncState{Account: merchantID, Provider: fmt.Sprint("provider-", i), LastAskedAt: noon, Drift: drift}); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		caller auth.Caller
		after  Place
		limit  int
		want   string
	}{
		"the merchant":       {merchant, Place{}, 10, "[declined failed pending]"},
		"its owner":          {partner, Place{}, 10, "[declined failed pending]"},
		"the platform":       {platform, Place{}, 10, "[declined failed pending]"},
		"a page":             {platform, Place{}, 2, "[declined failed]"},
		"the next":           {platform, Place{merchantID, "provider-2"}, 2, "[pending]"},
		"a sibling":          {second, Place{}, 10, "[]"},
		"another partner":    {other, Place{}, 10, "[]"},
		"the other platform": {auth.Caller{Account: "P00000000"}, Place{}, 10, "[]"},
		"nobody":             {auth.Caller{}, Place{}, 10, "[]"},
	} {
		drifting, err := s.Drifting(ctx, test.caller, test.after, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, state := range drifting {
			got = append(got, state.Drift)
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s sees %v, want %s", name, got, test.want)
		}
	}
}

func testExpiring(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	key := ownKeyOf(t, s)
	ends := func(days int) time.Time { return noon.AddDate(0, 0, days) }
	certificates := func(days map[string]int) Change {
		return also(configuring(key, "/a", "/b", "/c"), func(_ Found, d *Decision) {
			for i, f := range d.Fields {
				if n, ok := days[f.Pointer]; ok {
					d.Fields[i].NotAfter = ends(n)
				}
			}
		})
	}
	mustChange(t, s, certificates(map[string]int{"/a": 1}))
	mustChange(t, s, certificates(map[string]int{"/a": 60, "/b": 30}))
	for name, test := range map[string]struct {
		caller auth.Caller
		days   int
		want   string
	}{
		"those in force":  {merchant, 60, "[/b /a]"},
		"those that end":  {partner, 30, "[/b]"},
		"one of them":     {platform, 59, "[/b]"},
		"none so soon":    {merchant, 29, "[]"},
		"none of another": {second, 90, "[]"},
		"nor of nobody":   {auth.Caller{}, 90, "[]"},
	} {
		fields, err := s.Expiring(ctx, test.caller, ends(test.days), 10)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, f := range fields {
			got = append(got, f.Pointer)
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: got %v, want %s", name, got, test.want)
		}
	}
	ending, err := s.Ending(ctx, merchant.Account)
	if err != nil || len(ending) != 2 || ending[0].Pointer != "/b" || ending[1].Pointer != "/a" {
		t.Errorf("%+v, %v", ending, err)
	}
	if others, err := s.Ending(ctx, second.Account); err != nil || len(others) != 0 {
		t.Errorf("another has %+v, %v", others, err)
	}
}

func testRecipients(t *testing.T, d door) {
	s := fresh(t, d)
	ctx := context.Background()
	first := Recipient{Platform: platformID, Name: "till", PublicKey: "age1a", CreatedAt: noon, CreatedBy: platform.Client}
	other := Recipient{Platform: platformID, Name: "Shop", PublicKey: "age1b", CreatedAt: noon, CreatedBy: platform.Client}
	for _, r := range []Recipient{first, other} {
		if err := s.AddRecipient(ctx, r, auditOf("recipient.add "+r.Name)); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, s.AddRecipient(ctx, first, auditOf("again")), fault.Conflict)
	stray := first
	stray.Platform = "T99999999"
	wantMissing(t, "no platform", s.AddRecipient(ctx, stray, auditOf("stray")))
	if err := s.EndRecipient(ctx, platformID, "till", noon.Add(time.Hour), auditOf("recipient.end till")); err != nil {
		t.Fatal(err)
	}
	if err := s.EndRecipient(ctx, platformID, "till", noon, auditOf("again")); err != nil {
		t.Errorf("one that has ended: %v", err)
	}
	wantMissing(t, "an unknown one", s.EndRecipient(ctx, platformID, "x", noon, auditOf("x")))
	wantKind(t, s.AddRecipient(ctx, first, auditOf("again")), fault.Conflict)
	first.EndedAt = noon.Add(time.Hour)
	got, err := s.Recipients(ctx, platformID)
	wantSame(t, "the recipients", []Recipient{other, first}, got, err)
	records, err := auditSince(s, "", 10)
	if err != nil || len(records) != 3 {
		t.Errorf("%d records were written, %v; want 3", len(records), err)
	}
}

func testRewrap(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	want := map[string]string{}
	for i := range 3 {
		k := SealedKey{ID: fmt.Sprint("k", i), Purpose: "signing", Sealed: []byte{byte(i)}, CreatedAt: noon}
		if err := s.AddKey(ctx, k); err != nil {
			t.Fatal(err)
		}
		want[k.Context()] = string(k.Sealed)
	}
	own := ownKeyOf(t, s)
	want[own.Context()] = string(own.Wrapped)
	for range 4 {
		key := keyOf(newID()) // not inside: a decision may be run again
		mustChange(t, s, also(posting(enabled("sealed")), func(_ Found, d *Decision) { d.Keys = []DataKey{key} }))
		want[key.Context()] = string(key.Wrapped)
	}
	for _, limit := range []int{1, 2, 3, 100} {
		seen := map[string]string{}
		for after, calls := "", 0; calls == 0 || after != ""; calls++ {
			var err error
			after, err = s.Rewrap(ctx, after, limit, func(context string, wrapped []byte) ([]byte, error) {
				if _, again := seen[context]; again {
					t.Errorf("%s was seen twice", context)
				}
				seen[context] = string(wrapped)
				return append([]byte("new "), wrapped...), nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("what was wrapped, %d at a time (-want +got):\n%s", limit, diff)
		}
		for context, wrapped := range want {
			want[context] = "new " + wrapped
		}
	}
	if _, err := s.Rewrap(ctx, "elsewhere", 1, nil); err == nil {
		t.Error("an odd position was taken")
	}
	broken := fault.New(fault.Internal, "TEST", "no")
	if _, err := s.Rewrap(ctx, "", 10, func(string, []byte) ([]byte, error) { return nil, broken }); err == nil {
		t.Error("a key that does not open was passed over")
	}
	// One that was destroyed while it was wrapped stays so.
	if _, err := s.Rewrap(ctx, "", 100, func(context string, wrapped []byte) ([]byte, error) {
		run(t, s, "DELETE FROM sealed_key WHERE id = 'k1'")
		return append([]byte("x"), wrapped...), nil
	}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, "SELECT count(*) FROM sealed_key"); n != 2 {
		t.Errorf("%d sealed keys, want 2", n)
	}
}
