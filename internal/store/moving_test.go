package store

import (
	"context"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// moveTo gives the merchant to a partner, and returns since when it has it.
func moveTo(t *testing.T, s *Store, to account.ID) time.Time {
	t.Helper()
	_, err := s.MoveAccount(context.Background(), Deed{Caller: platform, About: merchantID}, to, keptBlocks)
	must(t, err)
	acc, err := s.Account(context.Background(), platform, merchantID)
	must(t, err)
	for newID() < idAt(acc.OwnedSince) {
		continue // the millisecond in which it was moved is nobody's
	}
	return acc.OwnedSince
}

// What was noted and done under one partner is not the next one's to read, nor
// its own again when the account comes back.
func testOldPartnersNotes(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	said := func(by auth.Caller, owner account.ID) {
		t.Helper()
		text := "said"
		e := AccountEvent{ID: newID(), Type: "comment", Visibility: "private", Body: &text, CreatedAt: s.now(), CreatedBy: by.Client}
		record := AuditRecord{ID: newID(), Account: merchantID, At: s.now(), By: by.Client, Action: "account.event", Outcome: AuditDone}
		_, err := s.AddAccountEvent(ctx, Deed{Caller: by, Owner: owner, About: merchantID, Audit: []AuditRecord{record}}, e,
			func(AccountEvent) (Answer, error) { return Answer{}, nil })
		must(t, err)
	}
	sees := func(name string, by auth.Caller, owner account.ID, want int) {
		t.Helper()
		if owner != merchantID { // which has no comments
			events, err := s.AccountEvents(ctx, by, owner, merchantID, "", "", 10)
			if err != nil || len(events) != want {
				t.Errorf("%s sees %d comments, %v; want %d", name, len(events), err, want)
			}
		}
		records, err := s.AuditOf(ctx, by, owner, AuditQuery{Account: merchantID, Limit: 10})
		if err != nil || len(records) != want {
			t.Errorf("%s sees %d records, %v; want %d", name, len(records), err, want)
		}
	}
	said(partner, partnerID)
	sees("the partner that always had it", partner, partnerID, 1)
	moveTo(t, s, otherID)
	sees("the new partner", other, otherID, 0)
	said(other, otherID)
	sees("the new partner", other, otherID, 1)
	since := moveTo(t, s, partnerID)
	sees("the old partner that got it back", partner, partnerID, 0)
	said(partner, partnerID)
	sees("the old partner that got it back", partner, partnerID, 1)
	sees("the platform", platform, platformID, 3)
	sees("the platform in the partner's name", platform, partnerID, 3)
	sees("the account itself", merchant, merchantID, 3)
	acting := auth.Caller{Account: merchantID, Kind: account.KindMerchant, Client: partner.Client, Actor: partnerID, IssuedAt: since}
	sees("the partner that acts for it", acting, merchantID, 1)
	granted := auth.Caller{Account: merchantID, Kind: account.KindMerchant, Client: partner.Client, Home: partnerID, IssuedAt: since}
	sees("the partner that has a grant for it", granted, merchantID, 1)
}

// Nothing that a partner held of an account opens it after a move, and none of
// it again when the account comes back.
func testOldPartnersRights(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	grant := func(audience account.ID) auth.Grant {
		return auth.Grant{ID: newID(), Audience: audience, Scopes: auth.Scopes{auth.ScopeAdminAccounts}}
	}
	client := auth.Client{ID: newID(), Account: partnerID, CreatedAt: noon, Grants: []auth.Grant{grant(partnerID), grant(merchantID)}}
	must(t, s.CreateClient(ctx, client))
	acting := auth.Caller{Account: merchantID, Client: client.ID, Actor: partnerID, Home: partnerID, IssuedAt: s.now()}
	granted := auth.Caller{Account: merchantID, Client: client.ID, Home: partnerID, IssuedAt: s.now()}
	writes := func(name string, by auth.Caller, want bool) {
		t.Helper()
		err := s.Spend(ctx, Deed{Caller: by, About: merchantID}, Spent{Account: merchantID, ID: newID(), ExpiresAt: s.now().Add(time.Hour)})
		if kind := fault.From(err).Kind; want != (err == nil) || !want && kind != fault.NotFound && kind != fault.Unauthenticated {
			t.Errorf("%s: %v; want %t", name, err, want)
		}
	}
	writes("acting", acting, true)
	writes("granted", granted, true)
	moveTo(t, s, otherID)
	writes("acting, of the old partner", acting, false)
	writes("granted, of the old partner", granted, false)
	since := moveTo(t, s, partnerID)
	writes("acting, after it came back", acting, false)
	writes("granted, after it came back", granted, false)
	renewed := granted
	renewed.IssuedAt = since
	writes("by a new token of the old grant", renewed, false)
	acting.IssuedAt = since
	writes("acting anew", acting, true)

	by := client.Grants[1].ID
	show := func(auth.Grant) ([]byte, error) { return []byte("{}"), nil }
	_, err := s.EndGrant(ctx, Deed{Caller: holding(t, s, platform, auth.ScopeAdminAccounts), About: partnerID}, by, show)
	must(t, err)
	anew := grant(merchantID)
	anew.Client, anew.CreatedAt = client.ID, since.Add(-time.Millisecond) // by another node's clock
	admin := acting
	admin.Account, admin.Actor, admin.Home, admin.Scopes = partnerID, "", "", anew.Scopes
	_, err = s.AddGrant(ctx, Deed{Caller: admin, About: partnerID}, anew, show)
	must(t, err)
	writes("by a grant that was made again", renewed, true)
	writes("by a token from before, with that grant", granted, false)
}

// Who was at a connection, and until when it was put off, is not the next
// partner's to see or to work by.
func testOldPartnersHand(t *testing.T, d door) {
	s := signed(t, d)
	change := posting(enabled(""))
	change.Decide = func(f Found) (Decision, error) {
		if err := f.Connection.Assign("anna"); err != nil {
			return Decision{}, err
		}
		return Decision{Connection: f.Connection}, f.Connection.Snooze(noon.Add(100*time.Hour), noon)
	}
	mustChange(t, s, change)
	if c := whole(t, s); c.Stand.Assignee != "anna" || c.Stand.SnoozedUntil.IsZero() {
		t.Fatalf("before, %q is at it, until %s", c.Stand.Assignee, c.Stand.SnoozedUntil)
	}
	moveTo(t, s, otherID)
	if c := whole(t, s); c.Stand.Assignee != "" || !c.Stand.SnoozedUntil.IsZero() {
		t.Errorf("after, %q is at it, until %s", c.Stand.Assignee, c.Stand.SnoozedUntil)
	}
	wantTally(t, s, otherID)
}
