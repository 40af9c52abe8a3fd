package store

import (
	"fmt"
	"sync/atomic"
	"time"
)

// writer is what is known of the one connection that writes to a file of ours
// without waiting for it.
type writer struct {
	since atomic.Pointer[time.Time] // when its transaction began; nil while it has none
}

func (w *writer) begin() *time.Time {
	now := time.Now()
	w.since.Store(&now)
	return &now
}

// end ends a transaction, unless the next has begun by now.
func (w *writer) end(since *time.Time) { w.since.CompareAndSwap(since, nil) }

// stuck is why nothing can be written: a transaction that does not end.
func (w *writer) stuck(slow time.Duration) error {
	if since := w.since.Load(); since != nil && time.Since(*since) > slow {
		return fmt.Errorf("a transaction has been writing for more than %v", slow)
	}
	return nil
}
