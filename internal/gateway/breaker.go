package gateway

import (
	"sync"
	"time"
)

// A gateway that failed breakAfter times in a row is left alone for restMin,
// and twice as long after each try that fails again, up to restMax.
const (
	breakAfter = 5
	restMin    = 10 * time.Second
	restMax    = 5 * time.Minute
)

// breaker keeps callers from a gateway that is down. The zero breaker lets
// everybody through. Once it has opened, it lets one through at a time, when the
// rest is over, until one succeeds.
type breaker struct {
	mu       sync.Mutex
	failures int
	rest     time.Duration
	until    time.Time
	trying   bool
}

// enter says whether the gateway may be called now, and if not how long to
// wait. Who is let in must leave.
func (b *breaker) enter(now time.Time) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.failures < breakAfter:
		return 0, true
	case now.Before(b.until):
		return b.until.Sub(now), false
	case b.trying:
		return restMin, false
	}
	b.trying = true
	return 0, true
}

// leave says how a call went.
func (b *breaker) leave(now time.Time, well bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if well {
		b.failures, b.rest, b.trying = 0, 0, false
		return
	}
	b.failures++
	if b.failures < breakAfter {
		return
	}
	if b.trying || b.rest == 0 {
		b.rest = min(max(2*b.rest, restMin), restMax)
		b.until = now.Add(b.rest)
	}
	b.trying = false
}
