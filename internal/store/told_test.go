package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/cdd"
	"mooring/internal/connection"
	"mooring/internal/hook"
	"mooring/internal/provider"
)

// toldOf lists what was told of an account, whether it has its position yet or
// not, in the order in which it happened.
func toldOf(t *testing.T, s *Store, id account.ID) []hook.Entry {
	t.Helper()
	var all []hook.Entry
	must(t, s.readAgain(context.Background(), func() error {
		all = nil
		rows, err := s.write.db.Query(`SELECT 0, ` + entryColumns + ` FROM (SELECT ` + entryColumns + ` FROM feed
			UNION ALL SELECT ` + entryColumns + ` FROM feed_arrival) AS u WHERE account = '` + string(id) + `'`)
		return each(rows, err, func(r row) error {
			e, err := scanEntry(r)
			all = append(all, e)
			return err
		})
	}))
	slices.SortStableFunc(all, func(a, b hook.Entry) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// wantTold holds that the last entries of an account are of such types, and in
// whose feeds they are.
func wantTold(t *testing.T, s *Store, id account.ID, want ...string) []hook.Entry {
	t.Helper()
	var got []string
	all := toldOf(t, s, id)
	for _, e := range all {
		got = append(got, e.Type+" to "+string(e.Owner))
	}
	if !slices.Equal(got, want) {
		t.Errorf("of %s it is told %q, want %q", id, got, want)
	}
	return all
}

func testAccountsTold(t *testing.T, d door) {
	s := fresh(t, d)
	ctx := context.Background()
	var made account.ID
	making := Deed{Caller: partner, About: partnerID, Key: &Idempotency{Operation: "post", Path: "/v1/x", Key: "k", Fingerprint: []byte("f")}}
	for range 2 { // the second is answered as before
		_, err := s.MakeAccount(ctx, making, account.Profile{"company": map[string]any{"business_name": "Havn"}, "progression": "secret stage"},
			func(p Profiled) (Answer, error) { made = p.ID; return Answer{}, nil })
		must(t, err)
	}
	all := wantTold(t, s, made, "account_add to T11200000")
	if body := string(all[0].Body); !strings.HasPrefix(body, `{"account":{"id":`) || !strings.Contains(body, `"business_name":"Havn"`) ||
		!strings.Contains(body, "secret stage") || strings.Contains(body, `"connections"`) {
		t.Errorf("its owner is told %s", body)
	}
	own, err := all[0].SeenBy(made)
	if err != nil || bytes.Contains(own.Body, []byte("progression")) || !bytes.Contains(own.Body, []byte("Havn")) {
		t.Errorf("the account itself is told %s, %v", own.Body, err)
	}
	if theirs, _ := all[0].SeenBy(partnerID); !bytes.Equal(theirs.Body, all[0].Body) {
		t.Errorf("its owner sees %s", theirs.Body)
	}

	update := func(text string, spoil error) error {
		_, err := s.UpdateAccount(ctx, Deed{Caller: partner, Owner: partnerID, About: made}, func(w account.Whole) (account.Profile, error) {
			return w.Profile.Merge(account.Profile{"reseller_id": text}), nil
		}, func(Profiled) (Answer, error) { return Answer{}, spoil })
		return err
	}
	must(t, update("r", nil))
	must(t, update("r", nil)) // changes nothing
	if update("q", errNoSignup) == nil {
		t.Error("an update whose answer could not be made was done")
	}
	_, err = s.MoveAccount(ctx, Deed{Caller: platform, About: made}, otherID, keptBlocks)
	must(t, err)
	must(t, deleteAccount(s, other, otherID, made))
	all = wantTold(t, s, made, "account_add to T11200000", "account_update to T11200000", "account_update to T11300000", "account_update to T11300000")
	for i, want := range []string{`"partner_id":"T112"`, `"reseller_id":"r"`, `"partner_id":"T113"`, `"active":false`} {
		if !bytes.Contains(all[i].Body, []byte(want)) {
			t.Errorf("entry %d has no %s: %s", i, want, all[i].Body)
		}
	}

	var newcomer account.ID
	_, err = s.MakeAccount(ctx, Deed{Caller: platform, About: platformID}, account.Profile{}, func(p Profiled) (Answer, error) {
		newcomer = p.ID
		return Answer{}, nil
	})
	must(t, err)
	wantTold(t, s, newcomer, "account_add to "+string(newcomer))
}

// testToldErased sees what is left of what was told of somebody who is erased:
// that something happened, and when.
func testToldErased(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	said := "said of a person"
	mustChange(t, s, signing(merchant))
	for _, signup := range []int64{2, 1} {
		in := enabled("agreed")
		in.Signup, in.Description = signup, &said
		mustChange(t, s, posting(in))
	}
	mustChange(t, s, signing(second))
	attempted(t, s, fed(t, s, 5))
	gone := whole(t, s).Signups[1].ID
	c := hearing(2, nil)
	c.Decide = func(f Found) (Decision, error) {
		_, err := connection.Append(f.Connection, vipps, connection.NewEvent{Status: connection.Enabled, Name: connection.SignupErased, Signup: 2}, act(merchant))
		return Decision{Connection: f.Connection, Erased: gone}, err
	}
	mustChange(t, s, c)
	fed(t, s, 6)
	silent := func(e hook.Entry) bool { return e.Account == merchantID && e.Seq != 4 && e.Seq < 5 }
	wantSilent(t, s, silent)
	answeredLate(t, s)
	wantSilent(t, s, silent)
	must(t, deleteAccount(s, partner, partnerID, merchantID))
	fed(t, s, 8)
	if n, err := s.EraseAccounts(ctx, s.now().Add(20*365*24*time.Hour), 10); n != 1 || err != nil {
		t.Fatalf("erased %d, %v", n, err)
	}
	wantSilent(t, s, func(e hook.Entry) bool { return e.Account == merchantID })
	for query, want := range map[string]int{
		"SELECT count(*) FROM attempt WHERE account = 'T11223351'":                            0,
		"SELECT count(*) FROM attempt WHERE account = 'T11200000'":                            10,
		"SELECT count(*) FROM delivery":                                                       0,
		"SELECT count(*) FROM subscription_secret":                                            0,
		"SELECT count(*) FROM subscription WHERE target <> '' AND account = 'T11223351'":      0,
		"SELECT count(*) FROM subscription WHERE target <> '' AND account = 'T11200000'":      1,
		"SELECT count(*) FROM feed WHERE account = 'T11223351' AND at > 0 AND type LIKE 'a%'": 7,
	} {
		if n := count(t, s, query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
}

// attempted makes subscriptions of the merchant and of its owner, which were
// told of entries and said them again.
func attempted(t *testing.T, s *Store, entries []hook.Entry) {
	t.Helper()
	for _, id := range []account.ID{merchantID, partnerID} {
		sub := newID()
		run(t, s, fmt.Sprintf(`INSERT INTO subscription (account, id, kind, shard, target, target_by, events, settings, active, created_at, created_by, touched_at)
			VALUES ('%s', '%s', 'hook', 0, 'https://x.example', 'x', '[]', '{}', %s, 1, 'x', 1)`, id, sub, map[string]string{"sqlite": "1", "postgres": "true"}[s.Engine()]))
		for _, e := range entries {
			run(t, s, fmt.Sprintf(`INSERT INTO attempt (account, subscription, id, delivery, position, entry, type, target, number, at, took, status, error, answer)
				VALUES ('%s', '%s', '%s', '%s', %d, '%s', 'x', 'x', 1, 1, 1, 200, '', 'said again')`, id, sub, newID(), newID(), e.Position, e.ID))
		}
	}
}

// answeredLate writes down what the owner's receiver answered to entries, in
// calls that were on their way for some time.
func answeredLate(t *testing.T, s *Store) {
	t.Helper()
	var sub Subscription
	sub.Account = partnerID
	must(t, s.write.db.QueryRow(fmt.Sprintf("SELECT id FROM subscription WHERE account = '%s'", partnerID)).Scan(&sub.ID))
	o := Outcome{Account: sub.Account, Subscription: sub.ID}
	for _, e := range fed(t, s, 5)[:5] {
		a := attemptAt(deliveryOf(sub, e.Position, "", DeliveryFailed), noon)
		a.Answer = []byte("said again")
		o.Attempts = append(o.Attempts, a)
	}
	recordedAll(t, s, o)
}

// wantSilent holds that just what is told of some entries has lost its words,
// and what receivers answered to it.
func wantSilent(t *testing.T, s *Store, silent func(hook.Entry) bool) {
	t.Helper()
	for _, e := range fed(t, s, 5) {
		if (e.Body == nil) != silent(e) {
			t.Errorf("of %s it is told of %s number %d: %q", e.Account, e.Type, e.Seq, e.Body)
		}
		left := count(t, s, fmt.Sprintf("SELECT count(answer) FROM attempt WHERE account = 'T11200000' AND position = %d", e.Position))
		if e.Position <= 5 && (left == 0) != silent(e) {
			t.Errorf("of entry %d %d answers are left", e.Position, left)
		}
	}
}

func testCasesTold(t *testing.T, d door) {
	s := fresh(t, d)
	made, err := opening(t, s, []byte(`{"products":["payout"],"case_request":{"details":{"owner":"a person"}}}`))
	must(t, err)
	e := wantTold(t, s, merchantID, "cdd_case_update to T11200000")[0]
	if body := string(e.Body); !strings.Contains(body, `"payout_destination_case":{"id":"`+made.ID+`","account_id":"T11223351","case_status":"UNDER_MANUAL_REVIEW"`) ||
		!strings.Contains(body, `"account":{"id":`) || strings.Contains(body, "a person") {
		t.Errorf("it is told %s", body)
	}
	for _, refused := range []error{nil, errNoSignup} {
		_, err := s.MoveCase(context.Background(), Deed{Caller: platform, About: merchantID}, made.ID, func(_ account.Account, c *cdd.Case) (Answer, error) {
			return Answer{}, errors.Join(refused, c.Move(cdd.Event{Status: cdd.Active}, noon.Add(time.Hour)))
		})
		if (err != nil) != (refused != nil) {
			t.Errorf("a move that comes to %v: %v", refused, err)
		}
	}
	all := wantTold(t, s, merchantID, "cdd_case_update to T11200000", "cdd_case_update to T11200000")
	if !bytes.Contains(all[1].Body, []byte(`"case_status":"ACTIVE"`)) {
		t.Errorf("it is told %s", all[1].Body)
	}
}

// stalling is what the provider of the tests of stalls knows of events.
var stalling = &provider.Provider{Slug: "vipps", Schema: 3, Events: map[string]provider.Known{
	"sent": {Turn: "provider", Wait: time.Hour}, "asked": {Turn: "merchant", Wait: 2 * time.Hour}, "agreed": {},
}}

// waiting makes the merchant's connection wait since a time for what an event
// says.
func waiting(t *testing.T, s *Store, event string, since time.Time) {
	t.Helper()
	c := posting(connection.NewEvent{})
	c.Decide = func(f Found) (Decision, error) {
		a := act(partner)
		a.At = since
		_, err := connection.Append(f.Connection, stalling, connection.NewEvent{Status: connection.Pending, Name: event}, a)
		return Decision{Connection: f.Connection}, err
	}
	mustChange(t, s, c)
}

func stalls(t *testing.T, s *Store) (told []hook.Entry) {
	t.Helper()
	for _, e := range toldOf(t, s, merchantID) {
		if e.Type == hook.ConnectionStalled {
			told = append(told, e)
		}
	}
	return told
}

func tellStalls(t *testing.T, s *Store, now time.Time, want int) {
	t.Helper()
	if n, err := s.TellStalls(context.Background(), now, 10); n != want || err != nil {
		t.Errorf("at %s %d connections were found, %v; want %d", now, n, err, want)
	}
}

func testStalls(t *testing.T, d door) {
	s := signed(t, d)
	tellStalls(t, s, noon.Add(1000*time.Hour), 0) // nobody knows for how long it waits
	waiting(t, s, "sent", noon)
	tellStalls(t, s, noon.Add(time.Hour), 0)
	tellStalls(t, s, noon.Add(time.Hour+time.Microsecond), 1)
	tellStalls(t, s, noon.Add(100*time.Hour), 0)
	e := stalls(t, s)[0]
	if want := `{"connection":{"connection":"vipps","status":"pending","turn":"provider","since":"2026-03-04T12:00:00Z","due":"2026-03-04T13:00:00Z",`; !strings.HasPrefix(string(e.Body), want) ||
		e.Owner != partnerID || e.Provider != "vipps" || e.Status != "pending" || !e.At.Equal(noon.Add(time.Hour+time.Microsecond)) {
		t.Errorf("it is told %+v with %s", e, e.Body)
	}
	mustChange(t, s, posting(connection.NewEvent{Status: connection.Pending, Name: "a remark"})) // says nothing of whose turn it is
	waiting(t, s, "asked", noon.Add(time.Hour))
	tellStalls(t, s, noon.Add(3*time.Hour), 0)
	tellStalls(t, s, noon.Add(4*time.Hour), 1)
	waiting(t, s, "sent", noon.Add(5*time.Hour))
	waiting(t, s, "agreed", noon.Add(5*time.Hour))
	tellStalls(t, s, noon.Add(100*time.Hour), 0)
	waiting(t, s, "sent", noon.Add(6*time.Hour))
	must(t, deleteAccount(s, partner, partnerID, merchantID))
	tellStalls(t, s, noon.Add(100*time.Hour), 0)
	if n := len(stalls(t, s)); n != 2 {
		t.Errorf("it was told %d times, want 2", n)
	}
}

// testStallStorm lets many look for the same at once, on both nodes.
func testStallStorm(t *testing.T, d door) {
	cfg := d(t)
	s := inhabit(t, openStore(t, cfg))
	nodes := []*Store{s, s}
	if s.Engine() == "postgres" {
		nodes[1] = openStore(t, cfg)
	}
	mustChange(t, s, signing(merchant))
	waiting(t, s, "sent", noon)
	for i := range 5 {
		c := numbered(signing(second), i)
		decide := c.Decide
		c.Decide = func(f Found) (Decision, error) {
			d, err := decide(f)
			if err == nil {
				_, err = connection.Append(d.Connection, stalling, connection.NewEvent{Status: connection.Pending, Name: "sent"}, act(second))
			}
			return d, err
		}
		mustChange(t, s, c)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 4 {
				if _, err := nodes[i%2].TellStalls(context.Background(), noon.Add(2*time.Hour), 3); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	told := map[string]int{}
	for _, id := range []account.ID{merchantID, secondID} {
		for _, e := range toldOf(t, s, id) {
			if e.Type == hook.ConnectionStalled {
				told[fmt.Sprint(id, e.Provider)]++
			}
		}
	}
	if len(told) != 6 {
		t.Errorf("of %d connections it was told, want 6", len(told))
	}
	for at, n := range told {
		if n != 1 {
			t.Errorf("of %s it was told %d times", at, n)
		}
	}
}

// By the account's own clock: at once when that is moved, and as real time
// passes.
func testStallsByClock(t *testing.T, d door) {
	s := signed(t, d)
	ctx := context.Background()
	ahead := time.Since(noon) + time.Hour // the clock of the store is real
	begun := noon.Add(ahead)
	waiting(t, s, "sent", begun)
	_, fence, err := s.LockClock(ctx, merchantID, s.now(), time.Minute)
	must(t, err)
	must(t, s.MoveClock(ctx, merchantID, fence, 30*time.Minute, s.now().Add(time.Minute)))
	if n := len(stalls(t, s)); n != 0 {
		t.Errorf("before its time it was told %d times", n)
	}
	must(t, s.MoveClock(ctx, merchantID, fence, 3*time.Hour, s.now().Add(time.Minute)))
	must(t, s.MoveClock(ctx, merchantID, fence, 4*time.Hour, s.now().Add(time.Minute)))
	if all := stalls(t, s); len(all) != 1 || all[0].At.Before(begun.Add(time.Hour)) {
		t.Errorf("after its time it was told %+v", all)
	}
	at := s.now().Add(10 * time.Hour)
	waiting(t, s, "sent", at)
	tellStalls(t, s, at.Add(-3*time.Hour), 0)
	tellStalls(t, s, at.Add(-3*time.Hour+time.Microsecond), 1)
	tellStalls(t, s, at.Add(time.Hour+time.Microsecond), 0)
}

// TestStallsAreReadOffTheirIndexes: what was told, and what is not due, costs
// nothing, however much there is.
func TestStallsAreReadOffTheirIndexes(t *testing.T) {
	s := fresh(t, newSQLite)
	for want, st := range map[string]*statement{
		"SEARCH connection USING INDEX connection_stall (due_at>? AND due_at<?)": stalled,
		"SCAN a USING INDEX account_ahead":                                       stalledAhead,
		"SEARCH connection USING PRIMARY KEY (account=? AND provider=?)":         stalledAhead,
	} {
		if plan := planOf(t, s, st.one, 1, 1); !strings.Contains(plan, want) {
			t.Errorf("no %s in\n%s", want, plan)
		}
	}
}
