package auth

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"mooring/internal/fault"
)

// waitingPerSlot bounds the queue for signing. An RSA signature takes about a
// millisecond of a processor, so nobody waits much longer than 100 of them.
const waitingPerSlot = 100

// queue lets as many signatures run at once as there are processors, and
// bounds how many wait, so that a burst of token requests can neither starve
// other requests nor pile up.
type queue struct {
	slots   chan struct{}
	waiting atomic.Int64
	limit   int64
}

func newQueue() *queue {
	slots := runtime.GOMAXPROCS(0)
	return &queue{slots: make(chan struct{}, slots), limit: int64(slots) * waitingPerSlot}
}

func (q *queue) enter(ctx context.Context) error {
	defer q.waiting.Add(-1)
	if q.waiting.Add(1) > q.limit {
		f := fault.New(fault.Unavailable, fault.CodeUnavailable, "too many tokens are being signed, try again")
		f.RetryAfter = time.Second
		return f
	}
	select {
	case q.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (q *queue) leave() { <-q.slots }
