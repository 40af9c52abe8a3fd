package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// Task is a thing to be done later, written with the decision that makes it
// due, and done at least once.
type Task struct {
	Account   account.ID
	ID        string // UUIDv7
	Kind      string // TaskSubmit, TaskStep or TaskBatch
	Provider  string
	Signup    string    // id
	Step      int64     // of a simulated scenario
	DueAt     time.Time // real time of a submission; the account's own of a step
	Attempts  int64
	LastError string
	State     string // TaskDue, TaskDone or TaskGaveUp
	Fence     int64  // grows with each claim; a write with an older one is refused
}

// The kinds of task.
const (
	TaskSubmit = "submit" // hand a signup to the provider's gateway
	TaskStep   = "step"   // play a step of a test account's scenario
)

// The states of a task.
const (
	TaskDue    = "due"
	TaskDone   = "done"
	TaskGaveUp = "gave_up"
)

const taskColumns = `account, id, kind, provider, signup, step, due_at, attempts, last_error, state, fence`

var (
	taskAdded = batches(
		`INSERT INTO task (`+taskColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		`INSERT INTO task (`+taskColumns+`)
		SELECT account, id::uuid, kind, provider, signup::uuid, step, due_at, attempts, last_error, state, fence
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
			$9::text[], $10::text[], $11::bigint[]) AS u (`+taskColumns+`)`)

	// One conditional update moves the leases. Where rows are locked one by one,
	// a claim passes over those that another has in hand; it may so return fewer
	// than there are, and the next one finds the rest.
	tasksClaimed = batches(
		`UPDATE task SET lease = $2, fence = fence + 1, attempts = attempts + 1
		WHERE (account, id) IN (
			SELECT account, id FROM task
			WHERE state = 'due' AND kind = 'submit' AND due_at <= $1 AND (lease IS NULL OR lease <= $1)
			ORDER BY due_at, account, id LIMIT $3)
		RETURNING `+taskColumns,
		`WITH free AS MATERIALIZED (
			SELECT account, id FROM task
			WHERE state = 'due' AND kind = 'submit' AND due_at <= $1 AND (lease IS NULL OR lease <= $1)
			ORDER BY due_at, account, id LIMIT $3 FOR UPDATE SKIP LOCKED)
		UPDATE task AS t SET lease = $2, fence = t.fence + 1, attempts = t.attempts + 1
		FROM free WHERE t.account = free.account AND t.id = free.id
		RETURNING t.account, t.id, t.kind, t.provider, t.signup, t.step, t.due_at, t.attempts, t.last_error, t.state, t.fence`)

	// A task is settled by whoever claimed it last, and once.
	taskSettled = writes(`UPDATE task SET state = $3, due_at = $4, last_error = $5, attempts = $6, lease = NULL
		WHERE account = $1 AND id = $2 AND fence = $7 AND state = 'due'`)

	// The provider plays a new scenario for the signup.
	stepsReplaced = writes(`UPDATE task SET state = 'gave_up'
		WHERE account = $1 AND provider = $2 AND signup = $3 AND state = 'due' AND kind = 'step'`)

	// Nobody is told any more of a person that was erased.
	submissionsErased = writes(`UPDATE task SET state = 'gave_up', lease = NULL, fence = fence + 1
		WHERE account = $1 AND provider = $2 AND signup = $3 AND state = 'due' AND kind IN ('submit', 'batch')`)

	tasksOfConnection = reads(`SELECT ` + taskColumns + ` FROM task
		WHERE account = $1 AND provider = $2 ORDER BY id`)

	stepNext = reads(`SELECT ` + taskColumns + ` FROM task
		WHERE account = $1 AND state = 'due' AND kind = 'step' ORDER BY due_at, id LIMIT 1`)

	// A step is due by the clock of its account, which may be ahead of the real
	// one. It is one look for the next account with steps and one into these,
	// however many wait, and none at accounts without.
	accountsWithSteps = reads(`WITH RECURSIVE has (account) AS (
			SELECT min(account) FROM task WHERE state = 'due' AND kind = 'step' AND account BETWEEN $3 AND $4
			UNION ALL
			SELECT (SELECT min(t.account) FROM task AS t
				WHERE t.state = 'due' AND t.kind = 'step' AND t.account > has.account AND t.account <= $4)
			FROM has WHERE has.account IS NOT NULL)
		SELECT a.id FROM has JOIN account AS a ON a.id = has.account
		WHERE EXISTS (SELECT 1 FROM task AS t
			WHERE t.account = a.id AND t.state = 'due' AND t.kind = 'step' AND t.due_at <= a.ahead + $1)
		ORDER BY a.id LIMIT $2`)
)

// Claim takes at most limit submissions that are due at now for whoever calls,
// until the lease ends, and counts an attempt for each. Fewer than limit does
// not mean that no more are due.
func (s *Store) Claim(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Task, error) {
	var claimed []Task
	err := s.transact(ctx, func(ctx context.Context, t *tx) error {
		claimed = nil
		return t.load(ctx, tasksClaimed, func(r row) error {
			task, err := scanTask(r)
			claimed = append(claimed, task)
			return err
		}, micros(now), micros(now.Add(lease)), limit)
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(claimed, func(a, b Task) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) })
	return claimed, nil
}

// Settle writes how a task went: its State, DueAt, LastError and Attempts. It
// is refused with Conflict when somebody else has claimed it since, or settled
// it for good. A step is never claimed: it is settled as NextStep gave it.
func (s *Store) Settle(ctx context.Context, t Task) error {
	if !isID(t.ID) {
		return fault.Missing()
	}
	return s.transact(ctx, func(ctx context.Context, tx *tx) error {
		settled, err := tx.change(ctx, taskSettled, string(t.Account), t.ID, t.State, micros(t.DueAt), t.LastError, t.Attempts, t.Fence)
		if err == nil && settled == 0 {
			err = conflicting("somebody else has the task by now")
		}
		return err
	})
}

// Tasks lists the tasks about a connection, oldest first.
func (s *Store) Tasks(ctx context.Context, at Place) ([]Task, error) {
	return list(ctx, s, tasksOfConnection, scanTask, string(at.Account), at.Provider)
}

// NextStep finds the step of a test account that is due first; Missing when
// there is none.
func (s *Store) NextStep(ctx context.Context, id account.ID) (Task, error) {
	return one(ctx, s, stepNext, scanTask, string(id))
}

// AccountsWithSteps lists test accounts that have a step due at a real time by
// their own clocks.
func (s *Store) AccountsWithSteps(ctx context.Context, now time.Time, limit int) ([]account.ID, error) {
	return list(ctx, s, accountsWithSteps, func(r row) (id account.ID, err error) {
		err = r.Scan(&id)
		return id, err
	}, micros(now), limit, firstOf(account.Test), lastOf(account.Test))
}

func taskValues(t Task) []any {
	return []any{
		string(t.Account), t.ID, t.Kind, t.Provider, t.Signup, t.Step, micros(t.DueAt), t.Attempts, t.LastError,
		t.State, t.Fence,
	}
}

func scanTask(r row) (Task, error) {
	var (
		t   Task
		due sql.NullInt64
	)
	err := r.Scan(&t.Account, &t.ID, &t.Kind, &t.Provider, &t.Signup, &t.Step, &due, &t.Attempts, &t.LastError,
		&t.State, &t.Fence)
	t.DueAt = instant(due)
	return t, err
}
