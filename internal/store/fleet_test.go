package store

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/auth"
	"mooring/internal/store/storetest"
)

func withClient(c auth.Caller, client string) auth.Caller {
	c.Client = client
	return c
}

// nodes are several stores on one database.
func nodes(t *testing.T, n int) []*Store {
	t.Helper()
	return nodesOf(t, newPostgres, n)
}

func nodesOf(t *testing.T, d door, n int) []*Store {
	t.Helper()
	cfg := d(t)
	all := make([]*Store, n)
	for i := range all {
		all[i] = openStore(t, cfg)
	}
	inhabit(t, all[0])
	return all
}

// fleets runs a test on several nodes. They get in each other's way so much that
// on a strict database it takes long.
func fleets(t *testing.T, n int, test func(t *testing.T, all []*Store)) {
	t.Run("postgres", func(t *testing.T) { test(t, nodes(t, n)) })
	if *wholeStrict {
		t.Run("strict", func(t *testing.T) { test(t, nodesOf(t, newStrict, n)) })
	}
}

func TestNodesThatWriteToOneConnectionLoseNothing(t *testing.T) {
	fleets(t, 3, testNodesThatWriteToOneConnectionLoseNothing)
}

func testNodesThatWriteToOneConnectionLoseNothing(t *testing.T, all []*Store) {
	var wg sync.WaitGroup
	for i := range 24 {
		s := all[i%len(all)]
		wg.Go(func() { mustChange(t, s, signing(merchant)) }) // the first of them makes the row, and they race for it
	}
	wg.Wait()
	for i := range 48 {
		s := all[i%len(all)]
		wg.Go(func() {
			for range 5 {
				mustChange(t, s, posting(enabled("step")))
			}
		})
	}
	wg.Wait()
	c := whole(t, all[0])
	if len(c.Events) != 24+240 || c.LastSeq != 24+240 || len(c.Signups) != 24 {
		t.Errorf("got %d events up to %d and %d signups, want 264 and 24", len(c.Events), c.LastSeq, len(c.Signups))
	}
}

// A connection that another node made since this one looked for it isn't seen
// by halves: its signups and events belong to a row that was not there.
func TestNodesRaceForNewConnections(t *testing.T) { fleets(t, 3, testNodesRaceForNewConnections) }

func testNodesRaceForNewConnections(t *testing.T, all []*Store) {
	for range 60 {
		first := signingElsewhere(merchant)
		var wg sync.WaitGroup
		for _, s := range all {
			for range 4 {
				wg.Go(func() { mustChange(t, s, first) })
			}
		}
		wg.Wait()
	}
}

// A change without an event has no number that could collide: only the lock on
// the row keeps two nodes from writing over each other.
func TestNodesDoNotOverwriteEachOther(t *testing.T) { fleets(t, 2, testNodesDoNotOverwriteEachOther) }

func testNodesDoNotOverwriteEachOther(t *testing.T, all []*Store) {
	mustChange(t, all[0], signing(merchant))
	counting := signing(merchant)
	counting.Decide = func(f Found) (Decision, error) {
		f.Connection.Metadata = append(f.Connection.Metadata, 'x')
		return Decision{Connection: f.Connection}, nil
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 10 {
				mustChange(t, all[i%2], counting)
			}
		})
	}
	wg.Wait()
	if got := len(whole(t, all[0]).Metadata); got != 160 {
		t.Errorf("%d of 160 writes are there", got)
	}
}

func TestNodesGiveOneAnswerPerKeyAndExternalID(t *testing.T) {
	fleets(t, 3, testNodesGiveOneAnswerPerKeyAndExternalID)
}

func testNodesGiveOneAnswerPerKeyAndExternalID(t *testing.T, all []*Store) {
	mustChange(t, all[0], signing(merchant))
	once := enabled("once")
	once.ExternalID = "e"
	change := keyed(posting(enabled("keyed")), "k", "f")
	var (
		mu             sync.Mutex
		keys, external = map[string]int{}, map[string]int{}
		wg             sync.WaitGroup
	)
	for i := range 48 {
		s := all[i%len(all)]
		wg.Go(func() {
			a, b := mustChange(t, s, change), mustChange(t, s, posting(once))
			mu.Lock()
			defer mu.Unlock()
			keys[string(a.Body)]++
			external[string(b.Body)]++
		})
	}
	wg.Wait()
	if len(keys) != 1 || len(external) != 1 {
		t.Errorf("got %d answers to one key and %d events with one external id, want one of each", len(keys), len(external))
	}
	if c := whole(t, all[1]); c.LastSeq != 3 {
		t.Errorf("the last event is %d, want 3", c.LastSeq)
	}
}

// Batches that name the same connections in different orders must not wait
// for each other in a circle.
func TestNodesDoNotDeadlock(t *testing.T) { fleets(t, 2, testNodesDoNotDeadlock) }

func testNodesDoNotDeadlock(t *testing.T, all []*Store) {
	const many = 20
	for i := range many {
		mustChange(t, all[0], numbered(signing(merchant), i))
	}
	var wg sync.WaitGroup
	for n, s := range all {
		for i := range many {
			i := i
			if n == 1 {
				i = many - 1 - i
			}
			wg.Go(func() {
				for range 10 {
					mustChange(t, s, numbered(posting(enabled("step")), i))
				}
			})
		}
	}
	wg.Wait()
	for i := range many {
		c, err := all[0].Connection(context.Background(), merchant, merchantID, fmt.Sprint("provider-", i))
		if err != nil || c.LastSeq != 21 {
			t.Errorf("connection %d stands at %+v, %v; want 21", i, c, err)
		}
	}
}

// A batch that meets a locked row has locked those before it and none behind.
func TestABatchLocksRowsInOrder(t *testing.T) {
	s := nodes(t, 1)[0]
	const many, taken = 10, 5
	var changes []Change
	for i := range many {
		mustChange(t, s, numbered(signing(merchant), i))
		changes = append(changes, numbered(posting(enabled("step")), many-1-i))
	}
	ctx := context.Background()
	holder, err := s.write.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback()
	if _, err := holder.Exec("SELECT 1 FROM connection WHERE provider = $1 FOR UPDATE", fmt.Sprint("provider-", taken)); err != nil {
		t.Fatal(err)
	}
	var batch sync.WaitGroup
	batch.Go(func() {
		_, errs := together(t, s, changes...)
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
	free := func() (names []string) {
		tx, err := s.write.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		rows, err := tx.QueryContext(ctx, "SELECT provider FROM connection ORDER BY provider FOR UPDATE SKIP LOCKED")
		if err := each(rows, err, func(r row) error {
			names = append(names, "")
			return r.Scan(&names[len(names)-1])
		}); err != nil {
			t.Fatal(err)
		}
		return names
	}
	want := []string{"provider-6", "provider-7", "provider-8", "provider-9"}
	got := free()
	for deadline := time.Now().Add(5 * time.Second); !slices.Equal(got, want) && time.Now().Before(deadline); {
		got = free()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows that are not locked (-want +got):\n%s", diff)
	}
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	batch.Wait()
}

// races is how often nodes race to migrate an empty database.
var races = flag.Int("races", 1, "how often nodes race to migrate")

func TestNodesThatStartTogetherMigrateOnce(t *testing.T) {
	for range *races {
		cfg := Config{Database: storetest.Postgres(t)}
		var wg sync.WaitGroup
		all := make([]*Store, 4)
		for i := range all {
			wg.Go(func() {
				s, err := Open(context.Background(), cfg)
				if err != nil {
					t.Error(err)
					return
				}
				all[i] = s
			})
		}
		wg.Wait()
		if !t.Failed() {
			inhabit(t, all[0])
			mustChange(t, all[3], signing(merchant))
		}
		for _, s := range all {
			if s != nil {
				s.Close()
			}
		}
	}
}

// A right that is taken away on one node is gone on the next write of another.
func TestANodeSeesADisabledClientAtOnce(t *testing.T) {
	all := nodes(t, 2)
	mustChange(t, all[1], signing(merchant))
	if _, err := all[0].write.db.Exec("UPDATE client SET disabled = true WHERE id = $1", merchant.Client); err != nil {
		t.Fatal(err)
	}
	if _, err := all[1].Change(context.Background(), signing(merchant)); err == nil {
		t.Error("a client that another node disabled wrote")
	}
}

// After a restart of the server every pooled connection is dead. Nobody must
// notice.
func TestDeadConnectionsAreReplacedUnseen(t *testing.T) {
	s := nodes(t, 1)[0]
	mustChange(t, s, signing(merchant))
	for range 3 {
		var wg sync.WaitGroup // so many connections are open
		for range 16 {
			wg.Go(func() { whole(t, s); mustChange(t, s, posting(enabled("step"))) })
		}
		wg.Wait()
		kill := "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
		if _, err := s.write.db.Exec(kill); err != nil {
			t.Fatal(err)
		}
		mustChange(t, s, posting(enabled("after")))
		whole(t, s)
		if err := s.CreateClient(context.Background(), clientOf(withClient(merchant, newID()))); err != nil {
			t.Error(err)
		}
	}
}
