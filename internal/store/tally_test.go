package store

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/connection"
)

// stepped is an event at random, so that connections stand in many ways.
func stepped(rng *rand.Rand) connection.NewEvent {
	codes := []string{"", "manual_review", "documents_required", "rejected_by_provider"}
	return connection.NewEvent{
		Name: "step", Status: connection.Statuses[rng.IntN(len(connection.Statuses))], Code: codes[rng.IntN(len(codes))],
	}
}

func testTally(t *testing.T, d door) {
	s := fresh(t, d)
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for round := range 4 {
		var all sync.WaitGroup
		for i := range 24 {
			in := stepped(rng)
			all.Go(func() {
				mustChange(t, s, numbered(signing(merchant), i))
				mustChange(t, s, numbered(posting(in), i))
			})
		}
		all.Wait()
		wantTally(t, s, partnerID)
		if round == 1 {
			closing := numbered(posting(connection.NewEvent{}), 3)
			closing.Decide = func(f Found) (Decision, error) {
				connection.Close(f.Connection, act(partner))
				return Decision{Connection: f.Connection}, nil
			}
			mustChange(t, s, closing)
			wantTally(t, s, partnerID)
		}
		if err := s.fold(context.Background(), slices.Collect(maps.Keys(s.folding.rows))); err != nil {
			t.Fatal(err)
		}
		wantTally(t, s, partnerID)
	}
	if n := count(t, s, "SELECT count(*) FROM tally"); n > 2*len(countedOf(t, s, "owner", string(partnerID))) {
		t.Errorf("%d rows were left after folding", n)
	}
	rehomed(t, s, merchantID, partnerID, otherID)
	wantTally(t, s, partnerID)
	wantTally(t, s, otherID)
	if len(countedOf(t, s, "owner", string(partnerID))) > 0 || len(countedOf(t, s, "owner", string(otherID))) == 0 {
		t.Error("the connections did not move to the other owner")
	}
}

// rehomed moves an account to another owner, as far as connections go.
func rehomed(t *testing.T, s *Store, id, from, to account.ID) {
	t.Helper()
	if err := s.transact(context.Background(), func(ctx context.Context, tx *tx) error {
		return s.rehome(ctx, tx, id, from, to)
	}); err != nil {
		t.Fatal(err)
	}
}

func testFoldStorm(t *testing.T, d door) {
	cfg := d(t)
	s := inhabit(t, openStore(t, cfg))
	second := s
	if s.Engine() == "postgres" {
		second = openStore(t, cfg)
	}
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 7))
			mustChange(t, s, numbered(signing(merchant), w))
			for range 30 {
				mustChange(t, s, numbered(posting(stepped(rng)), w))
			}
		})
		all.Go(func() {
			for range 10 {
				for _, node := range []*Store{s, second} {
					if err := node.findLong(context.Background()); err != nil {
						t.Error(err)
					}
					if err := node.fold(context.Background(), node.folding.long(1)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	wantTally(t, s, partnerID)
}

// testFoldAway sees that a group in which nothing stands any more is not kept,
// however few rows say so, and costs no page of the queue a look.
func testFoldAway(t *testing.T, d door) {
	s := signed(t, d)
	mustChange(t, s, posting(connection.NewEvent{Status: connection.Enabled, Name: "agreed"}))
	must(t, s.findLong(context.Background()))
	must(t, s.fold(context.Background(), s.folding.long(foldAbove)))
	must(t, s.lookup(context.Background(), tallyOf, func(r row) error {
		c, err := scanCount(r)
		if c.N == 0 {
			t.Errorf("%+v is kept, in which nothing stands", c)
		}
		return err
	}, string(partnerID)))
	wantTally(t, s, partnerID)
}

// wantTally compares the tally of an owner, and of the world, with the
// connections themselves.
func wantTally(t *testing.T, s *Store, owner account.ID) {
	t.Helper()
	for column, value := range map[string]string{"owner": string(owner), "world": worldOf(owner)} {
		got := map[string]int{}
		if err := s.lookup(context.Background(), tallyOf, func(r row) error {
			var (
				g group
				n int
			)
			err := r.Scan(&g.provider, &g.status, &g.turn, &g.code, &n)
			if n != 0 {
				got[fmt.Sprint(g.provider, g.status, g.turn, g.code)] = n
			}
			return err
		}, value); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(countedOf(t, s, column, value), got); diff != "" {
			t.Errorf("the tally of %s is off (-counted +tally):\n%s", value, diff)
		}
	}
}

// countedOf counts the connections of an owner or a world.
func countedOf(t *testing.T, s *Store, column, value string) map[string]int {
	t.Helper()
	counted := map[string]int{}
	must(t, s.readAgain(context.Background(), func() error {
		rows, err := s.read.db.Query(`SELECT provider, status, turn, code, count(*) FROM connection
			WHERE stands_at <> '' AND `+column+` = $1 GROUP BY provider, status, turn, code`, value)
		return each(rows, err, func(r row) error {
			var (
				g group
				n int
			)
			err := r.Scan(&g.provider, &g.status, &g.turn, &g.code, &n)
			counted[fmt.Sprint(g.provider, g.status, g.turn, g.code)] = n
			return err
		})
	}))
	return counted
}
