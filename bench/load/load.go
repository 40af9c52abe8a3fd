// Package load asks a server for answers and tells how that went.
//
// Closed keeps so many clients busy, each asking again once it is answered: it
// finds what a server can do. Open asks at a rate that the server has no say
// in, and counts the time of each answer from the moment at which the question
// was due, whether or not a connection was free: it finds what people wait.
//
// It promises that an answer which is neither a success nor a plain refusal
// (429, 503) is an error. It must never retry.
package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Result is what came back.
type Result struct {
	Took    time.Duration
	Good    []time.Duration // of successes, sorted
	Refused []time.Duration // of 429 and 503, sorted
	Dropped int             // due while too many were waiting already: never sent
}

// Rate is how many successes a second came back.
func (r Result) Rate() float64 { return float64(len(r.Good)) / r.Took.Seconds() }

// Quantile is the time within which the share q of sorted was answered.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// part is what one client saw.
type part struct{ good, refused []time.Duration }

func (p *part) add(status int, took time.Duration) {
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		p.refused = append(p.refused, took)
		return
	}
	p.good = append(p.good, took)
}

// Closed has clients ask for so long.
func Closed(ctx context.Context, addr string, clients int, d time.Duration, next Next) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return closed(ctx, cancel, addr, clients, next, func() bool { return true })
}

// Times has clients ask so often, all together.
func Times(ctx context.Context, addr string, clients int, n int64, next Next) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var asked atomic.Int64
	return closed(ctx, cancel, addr, clients, next, func() bool { return asked.Add(1) <= n })
}

func closed(ctx context.Context, cancel func(), addr string, clients int, next Next, more func() bool) (Result, error) {
	return together(clients, func(p *part) error {
		c := newClient(addr, next)
		defer c.close()
		for ctx.Err() == nil && more() {
			begun := time.Now()
			status, err := c.ask()
			if err != nil {
				cancel()
				return err
			}
			p.add(status, time.Since(begun))
		}
		return nil
	})
}

// waiting is how many questions may be due and without a connection.
const waiting = 100_000

// Open asks at a rate for so long, over as many connections.
func Open(ctx context.Context, addr string, rate float64, connections int, d time.Duration, next Next) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	due := make(chan time.Time, waiting)
	dropped := 0
	var schedule sync.WaitGroup
	schedule.Go(func() {
		defer close(due)
		dropped = arrive(ctx, due, rate, d)
	})
	result, err := together(connections, func(p *part) error {
		c := newClient(addr, next)
		defer c.close()
		for at := range due {
			status, err := c.ask()
			if err != nil {
				cancel()
				return err
			}
			p.add(status, time.Since(at))
		}
		return nil
	})
	schedule.Wait()
	result.Dropped = dropped
	return result, err
}

// arrive says when questions are due: each by itself, so that some come
// together, and never later because answers are.
func arrive(ctx context.Context, due chan<- time.Time, rate float64, d time.Duration) (dropped int) {
	random := rand.New(rand.NewPCG(2, uint64(rate)))
	begun := time.Now()
	at := begun
	for {
		at = at.Add(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
		if at.Sub(begun) > d {
			return dropped
		}
		if wait := time.Until(at); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return dropped
			}
		}
		select {
		case due <- at:
		default:
			dropped++
		}
	}
}

func together(clients int, run func(*part) error) (Result, error) {
	parts := make([]part, clients)
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	begun := time.Now()
	for i := range parts {
		all.Go(func() {
			if err := run(&parts[i]); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	all.Wait()
	result := Result{Took: time.Since(begun)}
	for _, p := range parts {
		result.Good = append(result.Good, p.good...)
		result.Refused = append(result.Refused, p.refused...)
	}
	slices.Sort(result.Good)
	slices.Sort(result.Refused)
	if err := failed.Load(); err != nil {
		return result, fmt.Errorf("after %d answers: %w", len(result.Good)+len(result.Refused), *err)
	}
	return result, nil
}
