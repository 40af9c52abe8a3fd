package main

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mooring/bench/load"
)

// overload asks for more than can be done, whatever is answered: what is taken
// in should be as quick as ever, and what is refused be refused at once.
func (b *bench) overload() error {
	const clients, crowd = 64, 1024
	c := b.writing("", clients, b.size, anEvent)
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
	fmt.Printf("\n## More than can be done\n\n%d clients that wait for each answer get %.0f/s. Asked at a rate, over %d connections. Times count from when a question was due, "+
		"so whoever asks, who shares the processors, is in them too; *by itself* is 99 %% by the server's own clock, from when it has read the head of a request.\n\n", clients, most.rate, crowd)
	fmt.Println("| asked | taken in | p50 | p99 | by itself | refused | p50 | p99 | by itself | given up before it was sent |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	found := map[float64]load.Result{}
	for _, share := range []float64{0.5, 1.5, 3} {
		before, err := b.clocked(p)
		if err != nil {
			return err
		}
		r, err := load.Open(b.ctx, p.addr, share*most.rate, crowd, b.span, next)
		if err != nil {
			return err
		}
		after, err := b.clocked(p)
		if err != nil {
			return err
		}
		found[share] = r
		fmt.Printf("| %.0f/s (%.1f x) | %.0f/s | %s | %s | %s | %d | %s | %s | %s | %d |\n", share*most.rate, share,
			r.Rate(), shown(r.Good, 0.5), shown(r.Good, 0.99), within(before["200"], after["200"], 0.99),
			len(r.Refused), shown(r.Refused, 0.5), shown(r.Refused, 0.99), within(before["503"], after["503"], 0.99), r.Dropped)
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

// below is how many took at most so many seconds.
type below struct{ seconds, count float64 }

// clocked is how long events took by the server's own clock, by status.
func (b *bench) clocked(p *process) (map[string][]below, error) {
	text, err := fetch(b.ctx, "http://"+p.addr+"/metrics", "")
	if err != nil {
		return nil, err
	}
	found := map[string][]below{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), `mooring_request_seconds_bucket{operation="aid_accounts_aid_connections_events_post",status="`)
		if !ok {
			continue
		}
		status, rest, _ := strings.Cut(rest, `",le="`)
		edge, count, _ := strings.Cut(rest, `"} `)
		seconds, err := strconv.ParseFloat(edge, 64)
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseFloat(count, 64)
		if err != nil {
			return nil, err
		}
		found[status] = append(found[status], below{seconds, n})
	}
	return found, lines.Err()
}

// within is the first edge below which the share q is of what came between
// two looks.
func within(before, after []below, q float64) string {
	if len(after) == 0 {
		return ""
	}
	since := func(i int) float64 {
		if i < len(before) {
			return after[i].count - before[i].count
		}
		return after[i].count
	}
	for i, edge := range after {
		if all := since(len(after) - 1); all > 0 && since(i) >= q*all {
			return fmt.Sprintf("%.1f ms at most", 1000*edge.seconds)
		}
	}
	return ""
}
