package store

import (
	"context"
	"runtime"
)

// committer turns waiting changes into transactions, one after the other. It
// is what makes a durable write cheap: all changes that arrive while one
// transaction is synced share the next.
type committer struct {
	store *Store
	queue chan *job
	batch int // how many changes share a transaction at most
}

// run commits until the queue is closed and empty.
func (c *committer) run() {
	for first := range c.queue {
		// Those who were just answered get to queue their next change, else the
		// batch would be the first of them alone.
		runtime.Gosched()
		c.commit(c.drain(first))
	}
}

// drain takes what is waiting, without waiting for more.
func (c *committer) drain(first *job) []*job {
	jobs := append(make([]*job, 0, min(c.batch, 1+len(c.queue))), first)
	for len(jobs) < c.batch {
		select {
		case j, open := <-c.queue:
			if !open {
				return jobs
			}
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// commit writes a batch and answers everybody in it. When the batch can't be
// written because of one of its changes, each is tried alone, so that only the
// guilty one fails.
func (c *committer) commit(jobs []*job) {
	kind, err := c.persist(jobs)
	if (kind == guilty || kind == raced) && err != nil && len(jobs) > 1 {
		for i := range jobs {
			c.commit(jobs[i : i+1])
		}
		return
	}
	if err == nil {
		return
	}
	err = c.store.explain(kind, err)
	for _, j := range jobs {
		j.done <- outcome{err: err}
	}
}

// persist writes a batch, again and again while other transactions are in the
// way. When it returns nil everybody was answered, else nobody.
func (c *committer) persist(jobs []*job) (trouble, error) {
	again := newRetries()
	for {
		if failed := c.store.failure.Load(); failed != nil {
			return broken, failed.cause
		}
		b := &batch{store: c.store, jobs: jobs}
		kind, err := c.store.attempt(context.Background(), b.write)
		if err == nil {
			if b.erased {
				c.store.erased.Add(1)
			}
			b.answer()
			return 0, nil
		}
		if !again.worth(kind) {
			return kind, err
		}
		c.store.write.renew(kind)
		again.pause()
	}
}
