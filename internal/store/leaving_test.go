package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

// shop is what a new account says of itself.
var shop = account.Profile{"company": map[string]any{"business_name": "Havn Kaffe AS", "address": map[string]any{"country": "NO"}}}

func shownID(p Profiled) (Answer, error) { return Answer{Body: []byte(p.ID)}, nil }

func keptBlocks(k Kept) (Answer, error) {
	var all []string
	for _, b := range k.Blocks {
		all = append(all, fmt.Sprintf("%s:%d", b.Block, b.Left()))
	}
	return Answer{Body: []byte(strings.Join(all, " "))}, nil
}

// make makes an account under an owner and returns its id.
func makeAccount(s *Store, who auth.Caller, owner account.ID) (account.ID, error) {
	answer, err := s.MakeAccount(context.Background(), Deed{Caller: who, About: owner}, shop, shownID)
	return account.ID(answer.Body), err
}

func deleteAccount(s *Store, who auth.Caller, owner, id account.ID) error {
	_, err := s.DeleteAccount(context.Background(), Deed{Caller: who, Owner: owner, About: id},
		Leaving{Retention: 5 * 365 * 24 * time.Hour, NewID: newID}, shownID)
	return err
}

func wantFault(t *testing.T, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if f := fault.From(err); err == nil || f.Kind != kind || f.Code != code {
		t.Errorf("%s: %v, want %s %s", what, err, kind, code)
	}
}

func testIDsNeverReused(t *testing.T, d door) {
	s := fresh(t, d)
	seen := map[account.ID]bool{}
	for range 40 {
		id, err := makeAccount(s, partner, partnerID)
		if err != nil || seen[id] || id.PartnerID() != "T112" {
			t.Fatalf("got id %s, %v", id, err)
		}
		seen[id] = true
		if err := deleteAccount(s, partner, partnerID, id); err != nil {
			t.Fatal(err)
		}
	}
	now := s.now().Add(6 * 365 * 24 * time.Hour)
	if n, err := s.EraseAccounts(context.Background(), now, 100); n != 40 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	if id, err := makeAccount(s, partner, partnerID); err != nil || seen[id] {
		t.Errorf("after the erasure %s was given again: %v", id, err)
	}
}

// Ids that came with accounts of another system are passed over, however many.
func testTakenIDs(t *testing.T, d door) {
	s := fresh(t, d)
	err := s.transact(context.Background(), func(ctx context.Context, tx *tx) error {
		for n := 1; n <= 2*idsAtOnce+3; n++ {
			if n == idsAtOnce+1 {
				continue
			}
			w := account.Whole{Account: account.Account{
				ID: idIn("T113", n), Kind: account.KindMerchant, Owner: partnerID, CreatedAt: noon, CreatedBy: "test",
			}}
			if err := tx.addAccount(ctx, w); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []account.ID{idIn("T113", idsAtOnce+1), idIn("T113", 2*idsAtOnce+4)} {
		if id, err := makeAccount(s, other, otherID); id != want || err != nil {
			t.Errorf("got id %s, want %s: %v", id, want, err)
		}
	}
}

func testRangeExhausted(t *testing.T, d door) {
	s := fresh(t, d)
	nearly := func(block string, next int) {
		t.Helper()
		if err := s.transact(context.Background(), func(ctx context.Context, tx *tx) error {
			_, err := tx.change(ctx, blockMoved, string(otherID), block, next)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	nearly("T113", lastNumber)
	if id, err := makeAccount(s, other, otherID); id != "T11399999" || err != nil {
		t.Fatalf("the last id is %s, %v", id, err)
	}
	_, err := makeAccount(s, other, otherID)
	wantFault(t, "one more", err, fault.Conflict, fault.CodeRangeExhausted)
	if !strings.Contains(err.Error(), "/v1/operator/accounts/T11300000/ranges") {
		t.Errorf("the error does not say what to do: %v", err)
	}
	answer, err := s.AddBlock(context.Background(), Deed{Caller: platform, About: otherID}, "", keptBlocks)
	if err != nil || string(answer.Body) != "T113:0 T001:99999" {
		t.Fatalf("ranges %s, %v", answer.Body, err)
	}
	if id, err := makeAccount(s, other, otherID); id != "T00100001" || err != nil {
		t.Errorf("the first id of the new range is %s, %v", id, err)
	}
	_, err = s.AddBlock(context.Background(), Deed{Caller: platform, About: partnerID}, "T001", keptBlocks)
	wantFault(t, "the same range for another", err, fault.Conflict, fault.CodeConflict)
	if id, err := makeAccount(s, platform, platformID); id != "T00200000" || err != nil {
		t.Errorf("the next partner is %s, %v", id, err)
	}
}

func TestNodesGiveEachIDOnce(t *testing.T) {
	all := nodes(t, 2)
	var (
		wg    sync.WaitGroup
		mutex sync.Mutex
		seen  = map[account.ID]bool{}
	)
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				id, err := makeAccount(all[i%2], partner, partnerID)
				mutex.Lock()
				if err != nil || seen[id] {
					t.Errorf("id %s, %v", id, err)
				}
				seen[id] = true
				mutex.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 80 {
		t.Errorf("%d ids for 80 accounts", len(seen))
	}
}

// Who deletes on one node while others write on another either finds what they
// wrote, and closes it, or keeps them from writing.
func TestNodesCloseEveryConnectionOfADeletedAccount(t *testing.T) {
	all := nodes(t, 2)
	var wg sync.WaitGroup
	written := make(chan struct{}, 10_000)
	for range 8 {
		wg.Go(func() {
			for {
				if _, err := all[1].Change(context.Background(), signingElsewhere(merchant)); err != nil {
					return // it is gone
				}
				written <- struct{}{}
			}
		})
	}
	for range 40 {
		<-written
	}
	if err := deleteAccount(all[0], partner, partnerID, merchantID); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	var open int
	err := all[0].read.db.QueryRow(`SELECT count(*) FROM connection AS c WHERE account = 'T11223351' AND NOT EXISTS (
		SELECT 1 FROM event AS e WHERE e.account = c.account AND e.provider = c.provider AND e.name = 'account_closed')`).Scan(&open)
	if err != nil || open != 0 {
		t.Errorf("%d connections of a deleted account are open, %v", open, err)
	}
}

// signingElsewhere is a change that starts a connection with a provider that
// nobody has.
func signingElsewhere(who auth.Caller) Change {
	c := signing(who)
	c.Provider = "p" + newID()
	decide := c.Decide
	c.Decide = func(f Found) (Decision, error) {
		d, err := decide(f)
		if d.Connection != nil {
			d.Connection.Provider = c.Provider
		}
		return d, err
	}
	return c
}

func testDeleteAccount(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	signup := whole(t, s).Signups[0].ID
	task := taskOf(TaskSubmit, signup, noon)
	mustChange(t, s, also(posting(enabled("agreed")), func(_ Found, d *Decision) { d.Tasks = []Task{task} }))
	wantFault(t, "the platform", deleteAccount(s, platform, platformID, platformID), fault.Invalid, fault.CodePlatformStays)
	wantFault(t, "a partner with accounts", deleteAccount(s, platform, platformID, partnerID), fault.Invalid, fault.CodeAccountsRemain)
	wantFault(t, "another's account", deleteAccount(s, other, otherID, merchantID), fault.NotFound, fault.CodeNotFound)

	// When its answer can't be made nothing of it is done.
	broken := errors.New("broken")
	_, err := s.DeleteAccount(ctx, Deed{Caller: partner, Owner: partnerID, About: merchantID},
		Leaving{Retention: time.Hour, NewID: newID}, func(Profiled) (Answer, error) { return Answer{}, broken })
	if !errors.Is(err, broken) || len(whole(t, s).Events) != 2 {
		t.Fatalf("a deletion that failed with %v left %d events", err, len(whole(t, s).Events))
	}

	before, _ := s.Epoch(ctx)
	if err := deleteAccount(s, partner, partnerID, merchantID); err != nil {
		t.Fatal(err)
	}
	if after, _ := s.Epoch(ctx); after == before {
		t.Error("the epoch did not move")
	}
	wantFault(t, "deleting again", deleteAccount(s, partner, partnerID, merchantID), fault.NotFound, fault.CodeNotFound)
	_, err = s.Account(ctx, partner, merchantID)
	wantFault(t, "reading it", err, fault.NotFound, fault.CodeNotFound)
	_, err = s.Shown(ctx, platform, platformID, merchantID)
	wantFault(t, "the platform reading it", err, fault.NotFound, fault.CodeNotFound)
	_, err = s.Connection(ctx, merchant, merchantID, "vipps")
	wantFault(t, "reading its connection", err, fault.NotFound, fault.CodeNotFound)
	if _, err := s.Change(ctx, posting(enabled("late"))); err == nil {
		t.Error("an event was added after the deletion")
	}
	if _, err := s.Change(ctx, signing(merchant)); err == nil {
		t.Error("a signup was taken after the deletion")
	}
	events, err := s.Events(ctx, platform, merchantID, "vipps", 0, 10)
	if err != nil || len(events) != 3 || events[2].Name != connection.AccountClosed || events[2].Status != connection.Enabled {
		t.Errorf("the history is %v, %v", events, err)
	}
	tasks, err := s.Tasks(ctx, Place{merchantID, "vipps"})
	if err != nil || len(tasks) != 1 || tasks[0].State != TaskGaveUp {
		t.Errorf("the tasks are %v, %v", tasks, err)
	}
	kept, err := s.Kept(ctx, platform, merchantID)
	if err != nil || !kept.Deleted() || kept.DeletedBy != partner.Client || kept.EraseAt.Before(s.now().Add(4*365*24*time.Hour)) {
		t.Errorf("kept as %+v, %v", kept, err)
	}
}

func testMoveAccount(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	move := func(id, to account.ID) error {
		_, err := s.MoveAccount(ctx, Deed{Caller: platform, About: id}, to, keptBlocks)
		return err
	}
	wantFault(t, "to a merchant", move(merchantID, secondID), fault.Invalid, fault.CodeInvalidParameter)
	wantFault(t, "to nobody", move(merchantID, "T99900000"), fault.Invalid, fault.CodeInvalidParameter)
	wantFault(t, "to the platform", move(merchantID, platformID), fault.Invalid, fault.CodeInvalidParameter)
	wantFault(t, "a partner", move(partnerID, otherID), fault.Invalid, fault.CodeInvalidParameter)
	if err := move(merchantID, otherID); err != nil {
		t.Fatal(err)
	}
	_, err := s.Shown(ctx, partner, partnerID, merchantID)
	_, never := s.Shown(ctx, partner, partnerID, "T99999999")
	if err == nil || err.Error() != never.Error() {
		t.Errorf("the old partner is told %v, and of an account that never was %v", err, never)
	}
	_, err = s.Change(ctx, posting(enabled("late")))
	wantFault(t, "an event of the old partner", err, fault.NotFound, fault.CodeNotFound)
	if _, err := s.Connection(ctx, other, merchantID, "vipps"); err != nil {
		t.Errorf("the new partner can't read the connection: %v", err)
	}
	in := AccountFilter{}
	for owner, want := range map[account.ID]bool{partnerID: false, otherID: true} {
		page, err := s.Accounts(ctx, platform, owner, in, "", 10)
		found := false
		for _, p := range page {
			found = found || p.ID == merchantID
		}
		if err != nil || found != want {
			t.Errorf("the list of %s has it: %t, %v", owner, found, err)
		}
	}
}

func testHoldAccount(t *testing.T, d door) {
	s := fresh(t, d)
	ctx := context.Background()
	hold := Deed{Caller: platform, About: merchantID}
	if _, err := s.Hold(ctx, hold, "case 17", keptBlocks); err != nil {
		t.Fatal(err)
	}
	if err := deleteAccount(s, partner, partnerID, merchantID); err != nil {
		t.Fatal(err)
	}
	late := s.now().Add(20 * 365 * 24 * time.Hour)
	if n, err := s.EraseAccounts(ctx, late, 10); n != 0 || err != nil {
		t.Errorf("%d held accounts were erased, %v", n, err)
	}
	if _, err := s.Retain(ctx, hold, 3653*2, time.Hour, keptBlocks); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Hold(ctx, hold, "", keptBlocks); err != nil {
		t.Fatal(err)
	}
	if n, err := s.EraseAccounts(ctx, s.now().Add(19*365*24*time.Hour), 10); n != 0 || err != nil {
		t.Errorf("%d accounts were erased before their day, %v", n, err)
	}
	if n, err := s.EraseAccounts(ctx, late.Add(30*24*time.Hour), 10); n != 1 || err != nil {
		t.Errorf("%d accounts were erased on their day, %v", n, err)
	}
	kept, err := s.Kept(ctx, platform, merchantID)
	if err != nil || kept.ErasedAt.IsZero() || kept.Company.BusinessName != "" {
		t.Errorf("what is left is %+v, %v", kept, err)
	}
	audit, err := s.AuditOf(ctx, platform, platformID, AuditQuery{Account: merchantID, Limit: 5})
	if err != nil || len(audit) == 0 || audit[0].Action != actionErase {
		t.Errorf("the audit says %v, %v", audit, err)
	}
}

// After an account was erased no file holds anything that it said, that was
// said of it, or that opens what was sealed.
func TestAnErasedAccountIsGoneFromTheFiles(t *testing.T) {
	for name, value := range map[string]string{
		"profile": "canary-of-the-profile", "company": "canary-of-the-company", "configuration": "canary-of-the-configuration",
		"metadata": "canary-of-the-metadata", "description": "canary-of-the-description", "reason": "canary-of-the-reason",
		"comment": "canary-of-the-comment", "case": "canary-of-the-case", "client": "canary-of-the-client", "made": "canary-of-the-answer-to-its-making",
	} {
		canaries[name] = value
		t.Cleanup(func() { delete(canaries, name) })
	}
	cfg := newSQLite(t)
	s, _ := planted(t, cfg)
	ctx := context.Background()
	_, err := s.UpdateAccount(ctx, Deed{Caller: partner, Owner: partnerID, About: merchantID, Key: &Idempotency{
		Operation: "put", Path: "/v1/accounts/T11200000/management/accounts/T11223351", Key: "k", Fingerprint: []byte("f"),
	}}, func(w account.Whole) (account.Profile, error) {
		return w.Profile.Merge(account.Profile{
			"applicant": map[string]any{"email": canaries["profile"]}, "company": map[string]any{"business_name": canaries["company"]},
		}), nil
	}, func(Profiled) (Answer, error) { return Answer{Body: []byte(canaries["made"])}, nil })
	if err != nil {
		t.Fatal(err)
	}
	description := canaries["description"]
	in := connection.NewEvent{
		Status: connection.Enabled, Name: "agreed", Description: &description,
		Metadata: []byte(`{"a":"` + canaries["metadata"] + `"}`), Reason: canaries["reason"],
	}
	mustChange(t, s, also(posting(in), func(_ Found, d *Decision) {
		d.Connection.Configuration = []byte(`{"a":"` + canaries["configuration"] + `"}`)
	}))
	for _, text := range []string{
		`INSERT INTO account_event (account, id, type, provider, visibility, body, created_at, created_by)
			VALUES ('T11223351', 'x', 'comment', '', 'private', 'canary-of-the-comment', 1, 'x')`,
		`INSERT INTO cdd_case (account, id, request, events, created_at, created_by, updated_at)
			VALUES ('T11223351', 'x', '{"a":"canary-of-the-case"}', '[]', 1, 'x', 1)`,
		`UPDATE client SET description = 'canary-of-the-client' WHERE account = 'T11223351'`,
	} {
		run(t, s, text)
	}
	if err := deleteAccount(s, partner, partnerID, merchantID); err != nil {
		t.Fatal(err)
	}
	cut(t, s)
	if in := found(t, cfg.DataDir); len(in) < len(canaries) {
		t.Fatalf("before the erasure the files hold only %v", in)
	}
	later := s.now().Add(6 * 365 * 24 * time.Hour)
	if _, err := s.SweepIdempotency(ctx, later, 100); err != nil {
		t.Fatal(err)
	}
	if n, err := s.EraseAccounts(ctx, later, 10); n != 1 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	cut(t, s)
	if in := found(t, cfg.DataDir); in != nil {
		t.Errorf("after the erasure the files hold %v", in)
	}
	events, err := s.Events(ctx, platform, merchantID, "vipps", 0, 10)
	if err != nil || len(events) != 3 || events[1].Name != "agreed" || events[1].Status != connection.Enabled {
		t.Errorf("what is left of the history is %v, %v", events, err)
	}
}
