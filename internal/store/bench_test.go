package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mooring/internal/connection"
)

// BenchmarkChange is one event per operation with its audit record, durable when it is answered,
// spread over many connections: in groups, and beside it with one transaction
// per request. Run with -benchtime=3s or so; the figures are writes/s, p99 and
// processor time.
func BenchmarkChange(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, mode := range []struct {
			name  string
			batch int
		}{{"group", standard.batch}, {"single", 1}} {
			for _, writers := range []int{1, 16, 64, 256} {
				b.Run(fmt.Sprintf("%s/%s/%d", engine, mode.name, writers), func(b *testing.B) {
					tune := standard
					tune.batch = mode.batch
					benchmarkChange(b, doors[engine], tune, writers)
				})
			}
		}
	}
}

const benchConnections = 2_000

func benchmarkChange(b *testing.B, d door, tune tuning, writers int) {
	s := inhabit(b, openTuned(b, d(b), tune))
	var wg sync.WaitGroup
	for i := range benchConnections {
		wg.Go(func() { mustChange(b, s, numbered(signing(merchant), i)) })
		if i%256 == 255 {
			wg.Wait()
		}
	}
	wg.Wait()
	took := make([][]time.Duration, writers)
	var next atomic.Int64
	before := processTime(b)
	b.ResetTimer()
	for w := range writers {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				start := time.Now()
				change := recorded(numbered(posting(enabled("step")), int(i*7919%benchConnections)))
				if _, err := s.Change(context.Background(), change); err != nil {
					b.Error(err)
					return
				}
				took[w] = append(took[w], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	spent := processTime(b) - before
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "writes/s")
	b.ReportMetric(float64(spent.Microseconds())/float64(len(all)), "cpu-us/write")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}

// processTime is the processor time that this process has used; a server's is
// not in it.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// numbered moves a change to one of many connections.
func numbered(c Change, i int) Change {
	provider := fmt.Sprint("provider-", i)
	decide := c.Decide
	c.Provider = provider
	c.Decide = func(f Found) (Decision, error) {
		d, err := decide(f)
		if d.Connection != nil {
			d.Connection.Provider = provider
		}
		return d, err
	}
	return c
}

// BenchmarkConnectionRead is one connection with its signup and 20 events, all
// of one moment.
func BenchmarkConnectionRead(b *testing.B) {
	for engine, d := range doors {
		b.Run(engine, func(b *testing.B) {
			s := inhabit(b, openStore(b, d(b)))
			mustChange(b, s, signing(merchant))
			for range 19 {
				mustChange(b, s, posting(connection.NewEvent{Status: connection.Enabled, Name: "step", Metadata: []byte(`{"a":1}`)}))
			}
			for b.Loop() {
				if c := whole(b, s); len(c.Events) != 20 {
					b.Fatalf("read %d events, want 20", len(c.Events))
				}
			}
		})
	}
}
