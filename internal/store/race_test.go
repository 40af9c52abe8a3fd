package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"mooring/internal/fault"
)

// engines runs a test on one node of SQLite and on three on one database.
func engines(t *testing.T, test func(t *testing.T, nodes []*Store)) {
	t.Run("sqlite", func(t *testing.T) { test(t, []*Store{fresh(t, newSQLite)}) })
	fleets(t, 3, test)
}

// atOnce runs do 24 times at the same moment, each on the next node.
func atOnce(nodes []*Store, do func(i int, s *Store)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 24 {
		wg.Go(func() { <-start; do(i, nodes[i%len(nodes)]) })
	}
	close(start)
	wg.Wait()
}

func TestAnAccountHasOneKeyWhoeverMakesItFirst(t *testing.T) {
	engines(t, func(t *testing.T, nodes []*Store) {
		keys := make([]DataKey, 24)
		atOnce(nodes, func(i int, s *Store) {
			k, err := s.AddDataKey(context.Background(), keyOf(""))
			if err != nil {
				t.Error(err)
			}
			keys[i] = k
		})
		for _, k := range keys {
			if k.ID != keys[0].ID {
				t.Fatalf("two keys: %s and %s", k.ID, keys[0].ID)
			}
		}
	})
}

func TestANameOfARecipientIsTakenOnce(t *testing.T) {
	engines(t, func(t *testing.T, nodes []*Store) {
		var taken [24]bool
		atOnce(nodes, func(i int, s *Store) {
			err := s.AddRecipient(context.Background(),
				Recipient{Platform: platformID, Name: "till", PublicKey: fmt.Sprint(i), CreatedAt: noon}, auditOf("add"))
			if taken[i] = err == nil; err != nil {
				wantKind(t, err, fault.Conflict)
			}
		})
		if n := len(slices.DeleteFunc(taken[:], func(ok bool) bool { return !ok })); n != 1 {
			t.Errorf("the name was taken %d times", n)
		}
		if n := count(t, nodes[0], "SELECT count(*) FROM audit"); n != 1 {
			t.Errorf("%d audit records, want 1", n)
		}
	})
}

func TestAClockIsLockedByOne(t *testing.T) {
	engines(t, func(t *testing.T, nodes []*Store) {
		var locked [24]bool
		atOnce(nodes, func(i int, s *Store) {
			_, _, err := s.LockClock(context.Background(), merchantID, noon, time.Minute)
			if locked[i] = err == nil; err != nil {
				wantKind(t, err, fault.Conflict)
			}
		})
		if n := len(slices.DeleteFunc(locked[:], func(ok bool) bool { return !ok })); n != 1 {
			t.Errorf("the clock was locked %d times", n)
		}
	})
}

func TestATaskIsSettledByOne(t *testing.T) {
	engines(t, func(t *testing.T, nodes []*Store) {
		mustChange(t, nodes[0], also(signing(merchant), func(_ Found, d *Decision) {
			d.Tasks = submissions(noon)(d.Connection.Signups[0].ID)
		}))
		task := claim(t, nodes[0], noon, 1)[0]
		task.State = TaskDone
		var settled [24]bool
		atOnce(nodes, func(i int, s *Store) {
			err := s.Settle(context.Background(), task)
			if settled[i] = err == nil; err != nil {
				wantKind(t, err, fault.Conflict)
			}
		})
		if n := len(slices.DeleteFunc(settled[:], func(ok bool) bool { return !ok })); n != 1 {
			t.Errorf("the task was settled %d times", n)
		}
	})
}

func TestWhatWasAskedIsSavedByAll(t *testing.T) {
	engines(t, func(t *testing.T, nodes []*Store) {
		mustChange(t, nodes[0], signing(merchant))
		atOnce(nodes, func(i int, s *Store) {
			state := SyncState{Account: merchantID, Provider: vipps.Slug, LastAskedAt: noon.Add(time.Duration(i))}
			if err := s.SaveSync(context.Background(), state); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestNodesClaimEachSubmissionOnce(t *testing.T) {
	all := nodes(t, 3)
	dues := slices.Repeat([]time.Time{noon}, 40)
	mustChange(t, all[0], also(signing(merchant), func(_ Found, d *Decision) {
		d.Tasks = submissions(dues...)(d.Connection.Signups[0].ID)
	}))
	wantClaimedOnce(t, all, len(dues))
}

func TestNodesApplyACallOnce(t *testing.T) {
	for name, same := range map[string]bool{"one call": true, "calls that say the same": false} {
		t.Run(name, func(t *testing.T) {
			all := nodes(t, 2)
			mustChange(t, all[0], signing(merchant))
			signup, key := whole(t, all[0]).Signups[0].ID, ownKeyOf(t, all[0])
			calls := slices.Repeat([]Received{received(t, all[0], signup, key, "said")}, 64)
			for i := 1; i < len(calls) && !same; i++ {
				calls[i] = received(t, all[i%2], signup, key, "said")
			}
			wantOneApplied(t, all, calls)
		})
	}
}

// An erasure and other writes meet: whichever comes first, no key and no field
// of the person is left, and all of the others succeed.
func TestAnErasureMeetsOtherWrites(t *testing.T) {
	engines(t, func(t *testing.T, nodes []*Store) {
		var signup string
		mustChange(t, nodes[0], also(signing(merchant), func(_ Found, d *Decision) {
			signup = d.Connection.Signups[0].ID
			key := keyOf(signup)
			d.Keys, d.Fields = []DataKey{key}, []SealedField{fieldOf(signup, "/ssn", 0, key)}
		}))
		own := ownKeyOf(t, nodes[0])
		atOnce(nodes, func(i int, s *Store) {
			switch i % 3 {
			case 0:
				mustChange(t, s, also(posting(enabled("erased")), func(_ Found, d *Decision) { d.Erased = signup }))
			case 1:
				mustChange(t, s, configuring(own, "/a"))
			default:
				if err := s.Receive(context.Background(), receivedOf(signup, own, fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			}
		})
		for what, query := range map[string]string{
			"keys":   "SELECT count(*) FROM data_key WHERE subject <> ''",
			"fields": "SELECT count(*) FROM sealed_field WHERE holder <> ''",
		} {
			if n := count(t, nodes[0], query); n != 0 {
				t.Errorf("%d %s of the person are left", n, what)
			}
		}
		if kept := versions(t, nodes[0]); len(kept) != 2 {
			t.Errorf("configurations %v are kept, want the newest two", kept)
		}
	})
}
