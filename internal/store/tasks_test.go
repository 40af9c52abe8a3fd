package store

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// tasked is a store whose merchant has a signup with the tasks that make gives.
func tasked(t *testing.T, d door, make func(signup string) []Task) *Store {
	t.Helper()
	s := fresh(t, d)
	mustChange(t, s, also(signing(merchant), func(_ Found, d *Decision) { d.Tasks = make(d.Connection.Signups[0].ID) }))
	return s
}

func submissions(dues ...time.Time) func(string) []Task {
	return func(signup string) (all []Task) {
		for _, due := range dues {
			all = append(all, taskOf(TaskSubmit, signup, due))
		}
		return all
	}
}

// claim takes submissions at a time, for a minute.
func claim(t *testing.T, s *Store, at time.Time, limit int) []Task {
	t.Helper()
	claimed, err := s.Claim(context.Background(), at, time.Minute, limit)
	if err != nil {
		t.Fatal(err)
	}
	return claimed
}

func testClaim(t *testing.T, d door) {
	s := tasked(t, d, submissions(noon.Add(time.Second), noon, noon.Add(time.Hour)))
	ctx := context.Background()
	if early := claim(t, s, noon.Add(-time.Microsecond), 10); early != nil {
		t.Errorf("claimed before it was due: %+v", early)
	}
	first := claim(t, s, noon.Add(time.Second), 1)
	if len(first) != 1 || !first[0].DueAt.Equal(noon) || first[0].Attempts != 1 || first[0].Fence != 1 {
		t.Fatalf("the first claim got %+v", first)
	}
	if rest := claim(t, s, noon.Add(time.Second), 10); len(rest) != 1 || rest[0].ID == first[0].ID {
		t.Errorf("the second claim got %+v", rest)
	}
	if none := claim(t, s, noon.Add(time.Minute), 10); none != nil {
		t.Errorf("claimed under somebody's lease: %+v", none)
	}
	// The lease of the first ends a minute after its claim.
	again := claim(t, s, noon.Add(time.Second+time.Minute), 1)
	if len(again) != 1 || again[0].ID != first[0].ID || again[0].Attempts != 2 || again[0].Fence != 2 {
		t.Fatalf("after the lease the claim got %+v", again)
	}
	late := first[0]
	late.State = TaskDone
	wantKind(t, s.Settle(ctx, late), fault.Conflict)

	later := again[0]
	later.DueAt, later.LastError = noon.Add(2*time.Minute), "no answer"
	if err := s.Settle(ctx, later); err != nil {
		t.Fatal(err)
	}
	if none := claim(t, s, noon.Add(2*time.Minute-time.Microsecond), 1); len(none) == 1 && none[0].ID == later.ID {
		t.Error("claimed before its next time")
	}
	got := claim(t, s, noon.Add(2*time.Minute), 10)
	i := 0
	for ; i < len(got) && got[i].ID != later.ID; i++ {
	}
	if i == len(got) || got[i].LastError != "no answer" || got[i].Fence != 3 {
		t.Fatalf("at its next time the claim got %+v", got)
	}
	done := got[i]
	done.State, done.LastError = TaskDone, ""
	if err := s.Settle(ctx, done); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.Settle(ctx, done), fault.Conflict)
	for _, task := range claim(t, s, noon.Add(24*time.Hour), 10) {
		if task.ID == done.ID {
			t.Error("claimed what was done")
		}
	}
	done.ID = "x"
	wantMissing(t, "no task", s.Settle(ctx, done))
}

func testClaimStorm(t *testing.T, d door) {
	dues := make([]time.Time, 40)
	for i := range dues {
		dues[i] = noon
	}
	wantClaimedOnce(t, []*Store{tasked(t, d, submissions(dues...))}, len(dues))
}

// wantClaimedOnce holds that claims on several nodes at once find every
// submission, and each once.
func wantClaimedOnce(t *testing.T, nodes []*Store, want int) {
	t.Helper()
	var (
		mu      sync.Mutex
		claimed = map[string]int{}
		wg      sync.WaitGroup
	)
	for i := range 8 {
		wg.Go(func() {
			for range 3 * want { // a claim may return fewer than there are
				for _, task := range claim(t, nodes[i%len(nodes)], noon, 3) {
					mu.Lock()
					claimed[task.ID]++
					mu.Unlock()
				}
				mu.Lock()
				all := len(claimed) == want
				mu.Unlock()
				if all {
					return
				}
			}
		})
	}
	wg.Wait()
	if len(claimed) != want {
		t.Errorf("claimed %d of %d submissions", len(claimed), want)
	}
	for id, times := range claimed {
		if times != 1 {
			t.Errorf("%s was claimed %d times under one lease", id, times)
		}
	}
}

func testSteps(t *testing.T, d door) {
	var steps []Task
	s := tasked(t, d, func(signup string) []Task {
		steps = nil
		for i, after := range []time.Duration{2 * time.Hour, time.Hour, time.Hour} {
			step := taskOf(TaskStep, signup, noon.Add(after))
			step.Step = int64(i + 1)
			steps = append(steps, step)
		}
		return append([]Task{taskOf(TaskSubmit, signup, noon)}, steps...)
	})
	ctx := context.Background()
	wantDue := func(at time.Time, want ...account.ID) {
		t.Helper()
		got, err := s.AccountsWithSteps(ctx, at, 10)
		wantSame(t, "the accounts with steps", want, got, err)
	}
	wantDue(noon.Add(time.Hour - time.Microsecond))
	wantDue(noon.Add(time.Hour), merchantID)
	_, fence, err := s.LockClock(ctx, merchantID, noon, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.MoveClock(ctx, merchantID, fence, time.Hour, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	wantDue(noon.Add(-time.Microsecond))
	wantDue(noon, merchantID)
	if claimed := claim(t, s, noon.Add(24*time.Hour), 10); len(claimed) != 1 || claimed[0].Kind != TaskSubmit {
		t.Errorf("a claim took %+v", claimed)
	}
	// By due time, then in the order in which they were made.
	for _, want := range []Task{steps[1], steps[2], steps[0]} {
		got, err := s.NextStep(ctx, merchantID)
		wantSame(t, "the next step", want, got, err)
		got.State, got.Attempts = TaskDone, 1
		if err := s.Settle(ctx, got); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.Settle(ctx, got), fault.Conflict)
	}
	_, err = s.NextStep(ctx, merchantID)
	wantMissing(t, "a step after the last", err)
	wantDue(noon.Add(24 * time.Hour))
}

func testClock(t *testing.T, d door) {
	s := fresh(t, d)
	ctx := context.Background()
	ahead := func() time.Duration {
		t.Helper()
		a, err := s.Account(ctx, merchant, merchantID)
		if err != nil {
			t.Fatal(err)
		}
		return a.Ahead
	}
	a, fence, err := s.LockClock(ctx, merchantID, noon, time.Minute)
	if err != nil || a.ID != merchantID || a.Ahead != 0 || fence != 1 {
		t.Fatalf("locked %+v with %d, %v", a, fence, err)
	}
	_, _, err = s.LockClock(ctx, merchantID, noon.Add(time.Minute-time.Microsecond), time.Minute)
	wantKind(t, err, fault.Conflict)
	for _, to := range []time.Duration{time.Hour, time.Hour, time.Minute} {
		if err := s.MoveClock(ctx, merchantID, fence, to, noon.Add(time.Minute), auditOf("clock.move")); err != nil {
			t.Fatal(err)
		}
	}
	if ahead() != time.Hour {
		t.Errorf("the clock is %v ahead, want an hour: it never goes back", ahead())
	}
	// The lease ends, somebody else locks, and the first is too late.
	a, newer, err := s.LockClock(ctx, merchantID, noon.Add(time.Minute), time.Minute)
	if err != nil || newer <= fence || a.Ahead != time.Hour {
		t.Fatalf("locked %+v with %d, %v", a, newer, err)
	}
	wantKind(t, s.MoveClock(ctx, merchantID, fence, 2*time.Hour, noon.Add(time.Minute), auditOf("clock.move")), fault.Conflict)
	if records, err := auditSince(s, "", 10); err != nil || len(records) != 3 {
		t.Errorf("%d moves are remembered, %v; want the three that were made", len(records), err)
	}
	wantKind(t, s.UnlockClock(ctx, merchantID, fence), fault.Conflict)
	if err := s.UnlockClock(ctx, merchantID, newer); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.MoveClock(ctx, merchantID, newer, 2*time.Hour, noon.Add(time.Minute)), fault.Conflict)
	if _, _, err := s.LockClock(ctx, merchantID, noon, time.Minute); err != nil {
		t.Errorf("an unlocked clock: %v", err)
	}
	if ahead() != time.Hour {
		t.Errorf("the clock is %v ahead, want an hour", ahead())
	}
	for _, id := range []account.ID{"T99999999", "P00000000", ""} {
		_, _, err = s.LockClock(ctx, id, noon, time.Minute)
		wantMissing(t, string(id), err)
	}
	var seen time.Duration
	look := signing(merchant)
	decide := look.Decide
	look.Decide = func(f Found) (Decision, error) { seen = f.Account.Ahead; return decide(f) }
	mustChange(t, s, look)
	if seen != time.Hour {
		t.Errorf("a decision saw the clock %v ahead", seen)
	}
}

// The loop looks for steps every second, while some wait for weeks and most
// accounts have none.
func TestLookingForStepsReadsNoneOfThoseThatWait(t *testing.T) {
	s := openStore(t, doors["sqlite"](t))
	rows, err := s.read.db.Query("EXPLAIN QUERY PLAN "+accountsWithSteps.one, 0, 10, firstOf(account.Test), lastOf(account.Test))
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
	text := strings.Join(plan, "\n")
	if scanned := strings.ReplaceAll(text, "SCAN has", ""); !strings.Contains(text, "task_step (account=? AND due_at<?)") || strings.Contains(scanned, "SCAN") {
		t.Error(text)
	}
}
