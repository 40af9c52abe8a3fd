package store

import (
	"context"
	"sync/atomic"
)

// maxWaiting is how many deeds wait for their turn at most.
const maxWaiting = 256

// crowd lets so many deeds be under way at once: each holds a connection while
// it waits for its account, and some must be left for the committers. The zero
// crowd lets all in.
type crowd struct {
	places  chan struct{}
	waiting atomic.Int64
}

// enter waits for a place, which done gives back. It is Unavailable when too
// many wait, or the request ends first.
func (c *crowd) enter(ctx context.Context) (done func(), err error) {
	if c.places == nil {
		return func() {}, nil
	}
	defer c.waiting.Add(-1)
	if c.waiting.Add(1) > maxWaiting {
		return nil, unavailable("too many writes are waiting", nil)
	}
	select {
	case c.places <- struct{}{}:
		return func() { <-c.places }, nil
	case <-ctx.Done():
		return nil, unavailable("the request ended before its turn came; nothing was written", ctx.Err())
	}
}
