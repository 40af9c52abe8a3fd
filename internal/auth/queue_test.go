package auth

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"mooring/internal/fault"
)

func TestSignaturesWaitForAProcessorInABoundedQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{slots: make(chan struct{}, 2), limit: 3}
		enter := func() error { return q.enter(t.Context()) }
		if err := errors.Join(enter(), enter()); err != nil {
			t.Fatal(err)
		}
		var done sync.WaitGroup
		for range 3 {
			done.Go(func() {
				if err := enter(); err != nil {
					t.Error(err)
				}
				q.leave()
			})
		}
		synctest.Wait()
		f := fault.From(enter())
		if f.Kind != fault.Unavailable || f.RetryAfter <= 0 {
			t.Errorf("the sixth: %v", f)
		}
		q.leave()
		done.Wait()
		if err := enter(); err != nil {
			t.Errorf("after the burst: %v", err)
		}
	})
}

func TestASignatureIsNotMadeForACallerThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{slots: make(chan struct{}, 1), limit: 1}
		if err := q.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() {
			if err := q.enter(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("entered: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		done.Wait()
		if q.waiting.Load() != 0 {
			t.Error("it still counts as waiting")
		}
	})
}
