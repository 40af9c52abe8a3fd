package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/hook"
)

// fed reads the feed of everybody until it has so many entries.
func fed(t *testing.T, s *Store, want int) []hook.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		moved := s.FeedMoved()
		got, err := s.FeedOfAll(ctx, 0, want+1)
		must(t, err)
		if len(got) >= want {
			return got
		}
		select {
		case <-moved:
		case <-ctx.Done():
			t.Fatalf("%d of %d entries got their positions", len(got), want)
		}
	}
}

// wantOrder checks that positions are dense, and that each connection's entries
// are in the order of its events, none missing and none twice.
func wantOrder(t *testing.T, entries []hook.Entry) {
	t.Helper()
	seqs := map[string]int64{}
	for i, e := range entries {
		if e.Position != int64(i)+1 {
			t.Fatalf("entry %d has the position %d", i+1, e.Position)
		}
		of := string(e.Account) + "/" + e.Provider
		if seqs[of]++; e.Seq != seqs[of] {
			t.Fatalf("event %d of %s is told where %d is due", e.Seq, of, seqs[of])
		}
	}
}

func testFeedOrder(t *testing.T, d door) {
	s := fresh(t, d)
	const many, each = 8, 12
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			mustChange(t, s, numbered(signing(merchant), i))
			for range each - 1 {
				mustChange(t, s, numbered(posting(enabled("step")), i))
			}
		})
	}
	wg.Wait()
	got := fed(t, s, many*each)
	if len(got) != many*each {
		t.Errorf("%d entries of %d events", len(got), many*each)
	}
	wantOrder(t, got)
}

// A transaction that began before others and is committed after them is told
// after them, and of nobody who read meanwhile is it hidden.
func TestASlowTransactionIsNeverJumpedOver(t *testing.T) {
	s := nodes(t, 1)[0]
	ctx := context.Background()
	begun, commit := make(chan struct{}), make(chan struct{})
	slow := hook.Entry{ID: newID(), Owner: partnerID, Account: merchantID, Type: hook.AccountUpdate, At: noon, ToldAt: noon}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.transact(ctx, func(ctx context.Context, tx *tx) error {
			if err := tx.tell(ctx, []hook.Entry{slow}); err != nil {
				return err
			}
			close(begun)
			<-commit
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-begun
	mustChange(t, s, signing(merchant))
	before := fed(t, s, 1)
	if len(before) != 1 || before[0].ID == slow.ID {
		t.Fatalf("before the slow one is committed: %+v", before)
	}
	moved := s.FeedMoved()
	close(commit)
	wg.Wait()
	<-moved
	after := fed(t, s, 2)
	if after[0].ID != before[0].ID || after[1].ID != slow.ID || after[1].Position != before[0].Position+1 {
		t.Errorf("after it is committed: %+v", after)
	}
}

// arrive puts entries where those without positions are.
func arrive(t *testing.T, s *Store, n int) (ids []string) {
	t.Helper()
	var entries []hook.Entry
	for range n {
		e := hook.Entry{ID: newID(), Owner: partnerID, Account: merchantID, Type: hook.AccountUpdate, At: noon, ToldAt: noon}
		entries, ids = append(entries, e), append(ids, e.ID)
	}
	must(t, s.transact(context.Background(), func(ctx context.Context, tx *tx) error { return tx.tell(ctx, entries) }))
	return ids
}

func idle(t *testing.T, cfg Config) *Store {
	tune := standard
	tune.idle = true
	return openTuned(t, cfg, tune)
}

// Of two nodes that both take themselves for the one that gives positions, only
// the one who took the lease last does.
func TestASequencerOfAnOldFenceIsRefused(t *testing.T) {
	cfg := newPostgres(t)
	a, b := idle(t, cfg), idle(t, cfg)
	inhabit(t, a)
	arrive(t, a, 3)
	old := take(t, a, "a", noon, sequencerLease)[0]
	moved, err := a.giveSequence(context.Background(), old, 2)
	if moved != 2 || err != nil {
		t.Fatalf("under its lease: %d, %v", moved, err)
	}
	newer := take(t, b, "b", noon.Add(term), sequencerLease)[0]
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if moved, err := a.giveSequence(context.Background(), old, 2); moved != 0 || fault.From(err).Kind != fault.Conflict {
				t.Errorf("under a lost lease: %d, %v", moved, err)
			}
		})
		wg.Go(func() {
			if _, err := b.giveSequence(context.Background(), newer, 2); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := fed(t, a, 3); len(got) != 3 || got[2].Position != 3 {
		t.Errorf("the feed is %+v", got)
	}
}

// A node that is killed amid giving positions leaves nothing half done: its
// transaction ends with it, and another goes on when its lease is over.
func TestAKilledSequencerIsTakenOver(t *testing.T) {
	cfg := newPostgres(t)
	dying := idle(t, cfg)
	inhabit(t, dying)
	ids := arrive(t, dying, 5)
	ctx := context.Background()
	now := time.Now()
	l, err := dying.TakeLeases(ctx, "dying", now, now.Add(sequencerTerm), sequencerLease)
	must(t, err)
	half, err := dying.begin(ctx, dying.write, nil)
	must(t, err)
	must(t, half.holds(ctx, l...))
	if moved, err := half.change(ctx, sequenced, 3); err != nil || moved != 3 {
		t.Fatalf("%d, %v", moved, err)
	}
	var pid int
	must(t, half.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid))
	next := openStore(t, cfg)
	_, err = next.write.db.ExecContext(ctx, "SELECT pg_terminate_backend($1)", pid)
	must(t, err)
	_ = half.Rollback()
	got := fed(t, next, len(ids))
	for i, e := range got {
		if e.ID != ids[i] || e.Position != int64(i)+1 {
			t.Errorf("entry %d is %s at %d, want %s", i, e.ID, e.Position, ids[i])
		}
	}
}

// entryOf is an entry in the feed of an owner about an account.
func entryOf(owner, about account.ID, provider, status string, toldAt time.Time) hook.Entry {
	return hook.Entry{
		ID: newID(), Owner: owner, Account: about, Type: hook.ConnectionUpdate, Provider: provider, Status: status,
		At: noon, ToldAt: toldAt, Seq: 1, Body: []byte(`{"connection":{}}`),
	}
}

func tellAll(t *testing.T, s *Store, entries ...hook.Entry) {
	t.Helper()
	before := feedLength(t, s)
	must(t, s.transact(context.Background(), func(ctx context.Context, tx *tx) error { return tx.tell(ctx, entries) }))
	fed(t, s, before+len(entries))
}

func feedLength(t *testing.T, s *Store) int {
	t.Helper()
	end, err := s.FeedEnd(context.Background())
	must(t, err)
	return int(end)
}

// wholeFeed reads a feed page by page, as a consumer would.
func wholeFeed(t *testing.T, s *Store, caller auth.Caller, q FeedQuery) (positions []int64) {
	t.Helper()
	acc := account.Account{ID: caller.Account, Kind: caller.Kind}
	for {
		page, err := s.Feed(context.Background(), caller, acc, q)
		must(t, err)
		for _, e := range page.Entries {
			positions = append(positions, e.Position)
		}
		if q.After = page.Next; !page.More {
			return positions
		}
	}
}

func testFeedScopes(t *testing.T, d door) {
	s := fresh(t, d)
	ofMerchant := account.Account{ID: merchantID, Kind: account.KindMerchant}
	tellAll(t, s,
		entryOf(partnerID, merchantID, "vipps", "pending", noon),
		entryOf(partnerID, secondID, "swish", "pending", noon),
		entryOf(otherID, merchantID, "vipps", "enabled", noon), // after it was moved
		entryOf(otherID, otherID, "", "", noon),
		entryOf("P11200000", "P11223351", "vipps", "enabled", noon),
	)
	for name, test := range map[string]struct {
		caller auth.Caller
		query  FeedQuery
		want   []int64
	}{
		"a merchant's":                     {merchant, FeedQuery{Limit: 2}, []int64{1, 3}},
		"a partner's":                      {partner, FeedQuery{Limit: 1}, []int64{1, 2}},
		"another partner's":                {other, FeedQuery{Limit: 9}, []int64{3, 4}},
		"the world's":                      {platform, FeedQuery{Limit: 3}, []int64{1, 2, 3, 4}},
		"after a position":                 {platform, FeedQuery{Limit: 3, After: 2}, []int64{3, 4}},
		"of providers":                     {platform, FeedQuery{Limit: 1, Providers: []string{"swish", "vipps"}}, []int64{1, 2, 3}},
		"of a provider":                    {partner, FeedQuery{Limit: 1, Providers: []string{"swish"}}, []int64{2}},
		"of a part of a provider's name":   {partner, FeedQuery{Limit: 1, Providers: []string{"swis", "wish"}}, nil},
		"of a status":                      {platform, FeedQuery{Limit: 9, Statuses: []string{"enabled"}}, []int64{3}},
		"of an event":                      {merchant, FeedQuery{Limit: 9, Types: []string{hook.AccountUpdate}}, nil},
		"of one account, for its partner":  {partner, FeedQuery{Limit: 9, Accounts: []account.ID{merchantID}}, []int64{1}},
		"of accounts, for their partner":   {partner, FeedQuery{Limit: 9, Accounts: []account.ID{merchantID, secondID, otherID}}, []int64{1, 2}},
		"of one account, for the platform": {platform, FeedQuery{Limit: 9, Accounts: []account.ID{merchantID}}, []int64{1, 3}},
		"of an account of the other world": {platform, FeedQuery{Limit: 9, Accounts: []account.ID{"P11223351"}}, nil},
		"all filters at once": {platform, FeedQuery{
			Limit: 9, Providers: []string{"vipps"}, Statuses: []string{"pending"}, Types: []string{hook.ConnectionUpdate}, Accounts: []account.ID{merchantID},
		}, []int64{1}},
	} {
		if diff := cmp.Diff(test.want, wholeFeed(t, s, test.caller, test.query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := s.Feed(context.Background(), partner, ofMerchant, FeedQuery{Limit: 1}); fault.From(err).Kind != fault.NotFound {
		t.Errorf("who does not speak for an account reads its feed: %v", err)
	}
}

// However few entries pass the filters, one page looks at so many and no more,
// and the next goes on behind them.
func testFeedReach(t *testing.T, d door) {
	s := fresh(t, d)
	entries := make([]hook.Entry, feedReach+1)
	for i := range entries {
		entries[i] = entryOf(partnerID, secondID, "swish", "pending", noon)
	}
	entries[feedReach] = entryOf(partnerID, merchantID, "vipps", "pending", noon)
	tellAll(t, s, entries...)
	for _, who := range []auth.Caller{partner, platform} {
		acc := account.Account{ID: who.Account, Kind: who.Kind}
		q := FeedQuery{Limit: 10, Providers: []string{"vipps"}}
		first, err := s.Feed(context.Background(), who, acc, q)
		must(t, err)
		if len(first.Entries) != 0 || !first.More || first.Next != feedReach {
			t.Errorf("the first page is %d entries, to %d, more %t", len(first.Entries), first.Next, first.More)
		}
		q.After = first.Next
		second, err := s.Feed(context.Background(), who, acc, q)
		must(t, err)
		if len(second.Entries) != 1 || second.More || second.Next != feedReach+1 {
			t.Errorf("the second page is %d entries, to %d, more %t", len(second.Entries), second.Next, second.More)
		}
	}
}

func testFeedPageSize(t *testing.T, d door) {
	s := fresh(t, d)
	heavy := entryOf(partnerID, merchantID, "vipps", "pending", noon)
	heavy.Body = fmt.Appendf(nil, `{"x":"%s"}`, strings.Repeat("y", feedPageSize/4))
	for range 6 {
		heavy.ID = newID()
		tellAll(t, s, heavy)
	}
	page, err := s.Feed(context.Background(), partner, account.Account{ID: partnerID, Kind: account.KindPartner}, FeedQuery{Limit: 100})
	must(t, err)
	if len(page.Entries) != 4 || page.Next != 4 || !page.More {
		t.Errorf("a page has %d entries of a quarter of its size, to %d, more %t", len(page.Entries), page.Next, page.More)
	}
}

func testFeedAt(t *testing.T, d door) {
	s := fresh(t, d)
	var entries []hook.Entry
	for _, tenths := range []int{0, 10, 9, 20, 20, 30} { // one was told late
		entries = append(entries, entryOf(partnerID, merchantID, "vipps", "pending", noon.Add(time.Duration(tenths)*time.Minute/10)))
	}
	if at, err := s.FeedAt(context.Background(), noon); at != 0 || err != nil {
		t.Errorf("in an empty feed: %d, %v", at, err)
	}
	tellAll(t, s, entries...)
	for tenths, want := range map[int]int64{-5: 0, 0: 0, 1: 1, 9: 1, 10: 1, 11: 3, 20: 3, 21: 5, 30: 5, 31: 6, 900: 6} {
		at, err := s.FeedAt(context.Background(), noon.Add(time.Duration(tenths)*time.Minute/10))
		must(t, err)
		if at != want {
			t.Errorf("%d tenths of a minute after noon is after %d, want %d", tenths, at, want)
		}
	}
}

// Readers on every node follow the feed while writers write on all of them and
// the right to give positions is taken from one hand into another all the
// time. Each reader gets each entry once, and none before one that it got.
func TestNodesThatRaceForTheFeedKeepItsOrder(t *testing.T) {
	all := nodes(t, 2)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	const many, each = 4, 12
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			mustChange(t, all[0], numbered(signing(merchant), i))
			for n := range each - 1 {
				mustChange(t, all[n%2], numbered(posting(enabled("step")), i))
			}
		})
	}
	done := make(chan struct{})
	var thief sync.WaitGroup
	thief.Go(func() { // its clock is far ahead, so that every lease is over for it
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			now := time.Now().Add(time.Duration(n+1) * time.Hour)
			got, err := all[0].TakeLeases(ctx, "thief", now, now, sequencerLease)
			for _, l := range got {
				if _, err := all[0].giveSequence(ctx, l, 3); err != nil && fault.From(err).Kind != fault.Conflict {
					t.Error(err)
				}
				err = all[0].LetGo(ctx, l)
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	read := make([][]hook.Entry, 2*len(all))
	for i := range read {
		s := all[i%len(all)]
		wg.Go(func() {
			for len(read[i]) < many*each {
				moved := s.FeedMoved()
				more, err := s.FeedOfAll(ctx, int64(len(read[i])), 7)
				if err != nil {
					t.Error(err)
					return
				}
				if read[i] = append(read[i], more...); len(more) > 0 {
					continue
				}
				select {
				case <-moved:
				case <-ctx.Done():
					t.Errorf("reader %d has %d of %d entries", i, len(read[i]), many*each)
					return
				}
			}
		})
	}
	wg.Wait()
	close(done)
	thief.Wait()
	for i, entries := range read {
		wantOrder(t, entries)
		if diff := cmp.Diff(read[0], entries); diff != "" {
			t.Errorf("reader %d got another feed than the first:\n%s", i, diff)
		}
	}
}

// What one node writes wakes those who wait on another.
func TestANodeIsWokenByWhatAnotherWrites(t *testing.T) {
	all := nodes(t, 2)
	for i, s := range all {
		end := int64(feedLength(t, s))
		moved := s.FeedMoved()
		arrive(t, all[1-i], 1)
		<-moved
		for moved = s.FeedMoved(); int64(feedLength(t, s)) == end; moved = s.FeedMoved() {
			<-moved
		}
	}
}

func TestANodeThatStopsLetsGoOfTheFeed(t *testing.T) {
	cfg := newPostgres(t)
	first := openStore(t, cfg)
	inhabit(t, first)
	arrive(t, first, 1)
	fed(t, first, 1)
	held, err := first.Leases(context.Background(), sequencerLease)
	must(t, err)
	must(t, first.Close())
	if until := on(t, cfg.Database, "SELECT until FROM lease WHERE name = '"+sequencerLease+"'"); len(held) != 1 || until != 0 {
		t.Errorf("held as %+v, left until %d", held, until)
	}
	second := openStore(t, cfg)
	arrive(t, second, 1)
	fed(t, second, 2)
}
