package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/store/storetest"
)

// unsure asks for something once, and says how many of it there are.
type unsure struct {
	ask   func() error
	there func() int
}

// Whoever does not know what became of a write asks again, and then it was done
// once: because of a key, or of what was asked. What goes on by itself goes on.
func TestWhatNobodyHeardOfIsDoneOnceWhenItIsAskedForAgain(t *testing.T) {
	proxy := storetest.StrictBefore(t, newPostgres(t).Database, storetest.Faults{})
	s := inhabit(t, openStore(t, Config{Database: proxy.URL}))
	dues := make([]time.Time, 10)
	for i := range dues {
		dues[i] = noon
	}
	mustChange(t, s, also(signing(merchant), func(_ Found, d *Decision) {
		d.Tasks = submissions(dues...)(d.Connection.Signups[0].ID)
	}))
	for name, fresh := range unsures(t, s) {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				one := fresh()
				before := one.there()
				proxy.Set(storetest.Faults{Seed: seed, Unknown: 1})
				err := one.ask()
				proxy.Set(storetest.Faults{})
				wantUnavailable(t, err)
				if err := one.ask(); err != nil && fault.From(err).Kind != fault.Conflict {
					t.Errorf("asked again: %v", err)
				}
				if n := one.there() - before; n != 1 {
					t.Errorf("it was done %d times", n)
				}
			}
		})
	}
	must(t, s.findLong(context.Background()))
	proxy.Set(storetest.Faults{Unknown: 1})
	all := s.folding.long(0)
	wantUnavailable(t, s.fold(context.Background(), all))
	proxy.Set(storetest.Faults{})
	must(t, s.fold(context.Background(), all))
	wantTally(t, s, partnerID)
	fed(t, s, count(t, s, "SELECT (SELECT count(*) FROM feed) + (SELECT count(*) FROM feed_arrival)"))
	if proxy.Unknown() < 20 {
		t.Errorf("only %d outcomes were not told", proxy.Unknown())
	}
}

// Who asks again is told that his account is gone: what this process remembered
// of it must be forgotten by then, although nobody heard of the commit.
func TestACommitThatNobodyHeardOfIsFollowed(t *testing.T) {
	s, by, _ := spoiled(t, newPostgres)
	moved := 0
	s.WhenMoved(func() { moved++ })
	by.atCommit(heard)
	wantUnavailable(t, deleteAccount(s, partner, partnerID, merchantID))
	if moved != 1 {
		t.Errorf("the epoch moved, and that was followed %d times", moved)
	}
}

func unsures(t *testing.T, s *Store) map[string]func() unsure {
	ctx := context.Background()
	number := 0
	next := func() string { number++; return fmt.Sprint(number) }
	changed := func(c Change) func() error {
		return func() error { _, err := s.Change(ctx, c); return err }
	}
	counted := func(query string) func() int { return func() int { return count(t, s, query) } }
	events := counted("SELECT count(*) FROM event")
	return map[string]func() unsure{
		"a change under a key": func() unsure {
			return unsure{changed(keyed(posting(enabled("keyed")), "", "f")), events}
		},
		"an event with an id of its own": func() unsure {
			return unsure{changed(posting(connection.NewEvent{Status: connection.Enabled, Name: "known", ExternalID: next()})), events}
		},
		"a call that is judged": func() unsure {
			return unsure{changed(judging(received(t, s, whole(t, s).Signups[0].ID, ownKeyOf(t, s), next()))), events}
		},
		"a deed under a key": func() unsure {
			text := "said"
			e := AccountEvent{ID: newID(), Type: "comment", Visibility: "private", Body: &text, CreatedAt: noon, CreatedBy: partner.Client}
			d := Deed{Caller: partner, Owner: partnerID, About: merchantID, Key: keyed(Change{}, "", "f").Key}
			return unsure{func() error {
				_, err := s.AddAccountEvent(ctx, d, e, func(AccountEvent) (Answer, error) { return Answer{}, nil })
				return err
			}, counted("SELECT count(*) FROM account_event")}
		},
		"a record of the audit": func() unsure {
			r := auditOf("refuse")
			return unsure{func() error { return s.Audit(ctx, r) }, counted("SELECT count(*) FROM audit")}
		},
		"a task that is settled": func() unsure {
			task := claim(t, s, noon, 1)[0]
			task.State = TaskDone
			return unsure{func() error { return s.Settle(ctx, task) }, counted("SELECT count(*) FROM task WHERE state = 'done'")}
		},
		"a lease that is taken": func() unsure {
			name, holder := "work/"+next(), next()
			return unsure{func() error {
				got, err := s.TakeLeases(ctx, holder, noon, noon.Add(time.Minute), name)
				if err == nil && len(got) != 1 {
					err = errors.New("its own holder does not get it")
				}
				return err
			}, counted("SELECT count(*) FROM lease WHERE name LIKE 'work/%'")}
		},
		"a stall that is told": func() unsure {
			since := noon.Add(time.Duration(number) * time.Hour)
			next()
			waiting(t, s, "sent", since)
			return unsure{func() error {
				_, err := s.TellStalls(ctx, since.Add(2*time.Hour), 10)
				return err
			}, func() int { return len(stalls(t, s)) }}
		},
	}
}

// What is the same when it is done again needs nobody to ask again.
func TestARecordOfTheAuditIsWrittenThoughItsFirstOutcomeIsUnknown(t *testing.T) {
	proxy := storetest.StrictBefore(t, newPostgres(t).Database, storetest.Faults{})
	s := inhabit(t, openStore(t, Config{Database: proxy.URL}))
	proxy.Set(storetest.Faults{Seed: 1, Unknown: 0.08})
	for range 40 {
		must(t, s.Audit(context.Background(), auditOf("denied")))
	}
	proxy.Set(storetest.Faults{})
	if n := count(t, s, "SELECT count(*) FROM audit"); n != 40 {
		t.Errorf("%d records are written after %d unknown outcomes", n, proxy.Unknown())
	}
}

func TestAStartGoesOnWhereItMeetsAnother(t *testing.T) {
	by := &saboteur{met: map[string]int{"SELECT count(*) > 0 FROM epoch": 2}}
	tune := standard
	tune.wrap = by.wrap
	must(t, openTuned(t, newPostgres(t), tune).Ping(t.Context()))
	if left := by.met["SELECT count(*) > 0 FROM epoch"]; left != 0 {
		t.Errorf("%d conflicts were not met", left)
	}
}
