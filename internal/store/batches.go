package store

import (
	"context"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// TaskBatch is a signup that waits to be answered in a file.
const TaskBatch = "batch"

var (
	tasksInBatches = reads(`SELECT ` + taskColumns + ` FROM task
		WHERE provider = $1 AND kind = 'batch' AND state = 'due' AND account BETWEEN $2 AND $3 AND signup > $4
		ORDER BY signup LIMIT $5`)

	taskInBatch = reads(`SELECT ` + taskColumns + ` FROM task
		WHERE provider = $1 AND kind = 'batch' AND account BETWEEN $2 AND $3 AND signup = $4`)
)

// Waiting lists the signups of a world that wait to be answered in a file of a
// provider, in the order in which they were made, beginning after the one with
// the id after.
func (s *Store) Waiting(ctx context.Context, world account.World, provider, after string, limit int) ([]Task, error) {
	if after == "" {
		after = firstID
	}
	if !isID(after) {
		return nil, nil
	}
	return list(ctx, s, tasksInBatches, scanTask, provider, firstOf(world), lastOf(world), after, limit)
}

// InBatch finds the task of a signup that went, or is to go, into a file;
// Missing when the world has none.
func (s *Store) InBatch(ctx context.Context, world account.World, provider, signup string) (Task, error) {
	if !isID(signup) {
		return Task{}, fault.Missing()
	}
	return one(ctx, s, taskInBatch, scanTask, provider, firstOf(world), lastOf(world), signup)
}
