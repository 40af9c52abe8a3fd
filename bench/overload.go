package main

import (
	"fmt"
	"syscall"
	"time"

	"mooring/bench/load"
)

// overload asks for more than can be done, whatever is answered: what is taken
// in should be as quick as ever, and what is refused be refused at once.
func (b *bench) overload() error {
	const clients, crowd = 64, 1024
	c := b.writing("", clients, b.size)
	dir, err := b.directory()
	if err != nil {
		return err
	}
	p, next, err := c.start(dir)
	if err != nil {
		return err
	}
	defer p.kill()
	syscall.Sync() // what was made for this is not written to disk meanwhile
	most, err := b.sample(p, clients, next)
	if err != nil {
		return err
	}
	fmt.Printf("\n## More than can be done\n\n%d clients that wait for each answer get %.0f/s. Asked at a rate, over %d connections; times count from when a question was due.\n\n", clients, most.rate, crowd)
	fmt.Println("| asked | taken in | p50 | p99 | refused | p50 | p99 | given up before it was sent |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
	found := map[float64]load.Result{}
	for _, share := range []float64{0.5, 1.5, 3} {
		r, err := load.Open(b.ctx, p.addr, share*most.rate, crowd, b.span, next)
		if err != nil {
			return err
		}
		found[share] = r
		fmt.Printf("| %.0f/s (%.1f x) | %.0f/s | %s | %s | %d | %s | %s | %d |\n", share*most.rate, share, r.Rate(),
			shown(r.Good, 0.5), shown(r.Good, 0.99), len(r.Refused), shown(r.Refused, 0.5), shown(r.Refused, 0.99), r.Dropped)
	}
	normal, busy, refused := load.Quantile(found[0.5].Good, 0.99), load.Quantile(found[1.5].Good, 0.99), load.Quantile(found[1.5].Refused, 0.99)
	b.judge("overload", "past capacity: 503 in under 5 ms, p99 of what is taken in <= 2 x normal", refused < 5*time.Millisecond && busy <= 2*normal && len(found[1.5].Refused) > 0,
		"at 1.5 x: %d refused, p99 %.1f ms; taken in p99 %.1f ms against %.1f", len(found[1.5].Refused), milliseconds(refused), milliseconds(busy), milliseconds(normal))
	return nil
}

func shown(sorted []time.Duration, q float64) string {
	if len(sorted) == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f ms", milliseconds(load.Quantile(sorted, q)))
}
