package store

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/provider"
)

// waited is what the providers of the queue's tests know of events.
var waited = map[string]provider.Known{
	"sent":   {Turn: "provider", Wait: 48 * time.Hour},
	"asked":  {Turn: "merchant", Reason: "documents_required", Wait: 24 * time.Hour},
	"silent": {},
}

// scatter makes connections that stand in many ways, for accounts of two
// owners, and lets people look after some.
func scatter(t *testing.T, s *Store, rng *rand.Rand) {
	t.Helper()
	callers := []auth.Caller{merchant, second, {Account: "T11323351", Kind: account.KindMerchant, Client: newID()}, other}
	addAccount(t, s, callers[2], otherID)
	var all sync.WaitGroup
	for i := range 60 {
		who, slug := callers[i%len(callers)], fmt.Sprint("provider-", i/len(callers)%12)
		start := Change{Caller: who, Account: who.Account, Provider: slug, Whole: true}
		events := make([]connection.NewEvent, 1+rng.IntN(3))
		for j := range events {
			events[j] = stepped(rng)
			events[j].Name = []string{"sent", "asked", "silent"}[rng.IntN(3)]
		}
		at := noon.Add(time.Duration(rng.IntN(100)) * time.Hour)
		hand := rng.IntN(6)
		start.Decide = func(f Found) (Decision, error) {
			if f.Connection != nil { // of a batch that ran again
				return Decision{}, nil
			}
			p := &provider.Provider{Slug: slug, Schema: 1, Events: waited}
			act := connection.Act{At: at, By: "test", NewID: newID, NewToken: newID}
			c, err := connection.Apply(nil, f.Account, p, connection.Application{ID: newID(), Data: []byte(`{}`)}, act)
			for _, in := range events {
				if err == nil {
					_, err = connection.Append(c, p, in, act)
				}
			}
			if err == nil && c.Open() && hand == 0 {
				err = c.Assign("anna")
			}
			if err == nil && c.Open() && hand == 1 {
				err = c.Snooze(at.Add(100*time.Hour), at)
			}
			return Decision{Connection: c}, err
		}
		all.Go(func() { mustChange(t, s, start) })
	}
	all.Wait()
}

func testQueue(t *testing.T, d door) {
	s := fresh(t, d)
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	scatter(t, s, rng)
	stored, err := s.Queue(context.Background(), platform, platformID, QueueFilter{Now: noon, Snoozed: SnoozedShown}, QueuePosition{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, "SELECT count(*) FROM connection WHERE status <> 'enabled' OR turn <> ''"); len(stored) != n || n < 20 {
		t.Fatalf("the queue has %d, %d wait", len(stored), n)
	}
	some := func(values ...string) []string {
		if rng.IntN(2) == 0 {
			return nil
		}
		return values[:1+rng.IntN(len(values))]
	}
	for range 150 {
		who := []auth.Caller{partner, other, platform}[rng.IntN(3)]
		f := QueueFilter{
			Providers: some("provider-1", "provider-4", "provider-9"), Statuses: some("pending", "declined"),
			Turns: some("merchant", "", "provider"), Codes: some("documents_required", "", "manual_review"),
			Now: noon.Add(time.Duration(rng.IntN(150)) * time.Hour), Snoozed: Snoozed(rng.IntN(3)),
		}
		if rng.IntN(3) == 0 {
			f.OlderThan = time.Duration(1+rng.IntN(60)) * time.Hour
		}
		if rng.IntN(3) == 0 {
			f.DueBefore = noon.Add(time.Duration(rng.IntN(150)) * time.Hour)
		}
		if rng.IntN(4) == 0 {
			name := []string{"", "anna", "nobody here"}[rng.IntN(3)]
			f.Assignee = &name
		}
		f.Overdue = rng.IntN(4) == 0
		wantPages(t, s, who, f, expected(stored, who, f), 1+rng.IntN(7))
	}
}

// expected filters and sorts in the plainest way.
func expected(stored []QueueRow, who auth.Caller, f QueueFilter) []string {
	var rows []QueueRow
	for _, r := range stored {
		if (who.Account == platformID || r.Account.Owner == who.Account) && f.keeps(&r) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b QueueRow) int {
		return cmp.Or(f.Position(a).At.Compare(f.Position(b).At), strings.Compare(string(a.Account.ID), string(b.Account.ID)), strings.Compare(a.Provider, b.Provider))
	})
	return namesOf(rows)
}

func namesOf(rows []QueueRow) []string {
	var names []string
	for _, r := range rows {
		names = append(names, fmt.Sprint(r.Account.ID, "/", r.Provider))
	}
	return names
}

func wantPages(t *testing.T, s *Store, who auth.Caller, f QueueFilter, want []string, size int) {
	t.Helper()
	var got []string
	for after := (QueuePosition{}); ; {
		page, err := s.Queue(context.Background(), who, who.Account, f, after, size)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, namesOf(page)...)
		if len(page) < size {
			break
		}
		var ok bool
		if after, ok = ParseQueuePosition(f.Position(page[len(page)-1]).String()); !ok {
			t.Fatal("a position is not read back")
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s, pages of %d, %+v:\n got %v\nwant %v", who.Account, size, f, got, want)
	}
}

func testQueueVisibility(t *testing.T, d door) {
	s := fresh(t, d)
	mustChange(t, s, signing(merchant))
	for _, step := range []struct {
		who   auth.Caller
		owner account.ID
		rows  int
	}{{partner, partnerID, 1}, {other, otherID, 0}, {platform, partnerID, 1}, {platform, platformID, 1}, {platform, otherID, 0}} {
		rows, err := s.Queue(context.Background(), step.who, step.owner, QueueFilter{Now: noon}, QueuePosition{}, 10)
		if err != nil || len(rows) != step.rows {
			t.Errorf("%s asks for %s: %d rows, %v", step.who.Account, step.owner, len(rows), err)
		}
		counts, err := s.QueueCounts(context.Background(), step.who, step.owner, QueueFilter{})
		if err != nil || len(counts) != step.rows {
			t.Errorf("%s counts for %s: %v, %v", step.who.Account, step.owner, counts, err)
		}
	}
	for _, who := range []auth.Caller{other, merchant} {
		_, err := s.Queue(context.Background(), who, partnerID, QueueFilter{Now: noon}, QueuePosition{}, 10)
		_, counting := s.QueueCounts(context.Background(), who, partnerID, QueueFilter{})
		if fault.From(err).Kind != fault.NotFound || fault.From(counting).Kind != fault.NotFound {
			t.Errorf("%s asks for another's queue: %v, %v", who.Account, err, counting)
		}
	}
}

// Each range must be found by its index, in its order, with nothing to sort but
// the few rows that were taken. SQLite says which index it reads; PostgreSQL
// chooses by its statistics, and the benchmark of the queue measures it.
func TestTheQueueIsReadOffItsIndexes(t *testing.T) {
	s := fresh(t, newSQLite)
	group := []any{"T11200000", "vipps", "pending", "merchant", "", 0, "", 1, 10}
	hand := []any{"T11200000", "anna", 0, "", 1, 10}
	for want, st := range map[string]struct {
		st   *statement
		args []any
	}{
		"connection_queue (owner=? AND provider=? AND status=? AND turn=? AND code=? AND (since,account)>(?,?) AND since<?)":       {groupsByAge[false], group},
		"connection_queue_world (world=? AND provider=? AND status=? AND turn=? AND code=? AND (since,account)>(?,?) AND since<?)": {groupsByAge[true], group},
		"connection_due (owner=? AND provider=? AND status=? AND turn=? AND code=? AND (due_at,account)>(?,?) AND due_at<?)":       {groupsByDue[false], group},
		"connection_due_world (world=? AND provider=? AND status=? AND turn=? AND code=? AND (due_at,account)>(?,?) AND due_at<?)": {groupsByDue[true], group},
		"connection_assignee (owner=? AND assignee=? AND (since,account)>(?,?) AND since<?)":                                       {assigned[false], hand},
		"connection_assignee_world (world=? AND assignee=? AND (since,account)>(?,?) AND since<?)":                                 {assigned[true], hand},
		"connection_snoozed (owner=? AND (since,account)>(?,?) AND since<?)":                                                       {snoozed[false], hand},
		"connection_snoozed_world (world=? AND (since,account)>(?,?) AND since<?)":                                                 {snoozed[true], hand},
	} {
		if plan := planOf(t, s, st.st.one, st.args...); !strings.Contains(plan, want) {
			t.Errorf("no %s in\n%s", want, plan)
		}
	}
}

func planOf(t *testing.T, s *Store, text string, args ...any) string {
	t.Helper()
	rows, err := s.read.db.Query("EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	return strings.Join(plan, "\n")
}
