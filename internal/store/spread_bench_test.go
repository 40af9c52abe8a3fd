package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/connection"
)

// spreadEvents is how many events each connection has when BenchmarkSpread
// begins.
const spreadEvents = 10

// BenchmarkSpread is one event with its audit record, durable when it is
// answered, for a random one of many accounts with one connection each: what a
// write costs whose rows stand nowhere near each other. BenchmarkChange writes
// to few. Run with -benchtime=50000x or so; written-kB is what the process
// handed to the kernel, copying the log included.
func BenchmarkSpread(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, size := range []int{1_000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", engine, size), func(b *testing.B) {
				s := inhabit(b, openStore(b, doors[engine](b)))
				spread(b, s, size)
				for _, writers := range []int{1, 64, 256} {
					b.Run(fmt.Sprint(writers), func(b *testing.B) { benchmarkSpread(b, s, size, writers) })
				}
			})
		}
	}
}

func benchmarkSpread(b *testing.B, s *Store, size, writers int) {
	var left atomic.Int64
	left.Store(int64(b.N))
	took := make([][]time.Duration, writers)
	before, written := processTime(b), bytesWritten(b)
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				start := time.Now()
				if _, err := s.Change(context.Background(), recorded(spreadPosting(rand.IntN(size)))); err != nil {
					b.Error(err)
					return
				}
				took[w] = append(took[w], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	n := float64(len(all))
	b.ReportMetric(n/b.Elapsed().Seconds(), "writes/s")
	b.ReportMetric(float64((processTime(b)-before).Microseconds())/n, "cpu-us/write")
	b.ReportMetric(float64(bytesWritten(b)-written)/1024/n, "written-kB/write")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// spreadPosting posts to the nth account that spread made.
func spreadPosting(n int) Change {
	c := posting(connection.NewEvent{Status: connection.Enabled, Name: "step"})
	c.Account = benchID(n)
	return c
}

// spread gives the partner accounts with a settled connection each, and a
// history, straight into the tables.
func spread(b *testing.B, s *Store, size int) {
	b.Helper()
	const every = `WITH RECURSIVE n (i) AS (SELECT $1 + 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2 + 0) `
	const id = `'T2' || substr(CAST(10000000 + i AS TEXT), 2)`
	const epoch = `CAST(1700000000000000 AS BIGINT)`
	uuid := `'01990f29-0c11-7b3a-9d20-' || substr(CAST(1000000000000 + i * CAST(100 AS BIGINT) + k AS TEXT), 2)`
	if s.Engine() == "postgres" {
		uuid = "CAST(" + uuid + " AS UUID)"
	}
	texts := []string{
		`INSERT INTO account (id, kind, owner, company, created_at, created_by, ahead)
			` + every + `SELECT ` + id + `, 'merchant', '` + string(partnerID) + `', '{"business_name":"Havn Kaffe"}', 0, 'bench', 0 FROM n`,
		`INSERT INTO connection (account, provider, schema, status, created_at, created_by, updated_at, last_seq, last_event_at,
				last_signup, history, owner, world, stands_at, since, turn, code, configuration)
			` + every + `SELECT ` + id + `, 'vipps', 3, 'enabled', 0, 'bench', ` + epoch + `, ` + fmt.Sprint(spreadEvents) + `, ` + epoch + `, 0, 0,
				'` + string(partnerID) + `', 'T', 'step', ` + epoch + `, '', '', '{"merchant_serial_number":"123456"}' FROM n`,
	}
	for k := range spreadEvents {
		nth := fmt.Sprint(k)
		shifted := every[:len(every)-1] + `, m (i, k) AS (SELECT i, ` + nth + ` FROM n) `
		texts = append(texts,
			`INSERT INTO event (account, provider, seq, id, status, name, created_at, created_by, stale)
				`+shifted+`SELECT `+id+`, 'vipps', k + 1, `+uuid+`, 'enabled', 'step', `+epoch+`, 'bench', k < 0 FROM m`,
			`INSERT INTO audit (account, id, at, author, caller, token, remote, request, action, target, outcome, reason)
				`+shifted+`SELECT `+id+`, `+uuid+`, `+epoch+`, 'bench', '`+string(partnerID)+`', 't', '192.0.2.1', 'r-1', 'connection.event', 'vipps', 'done', '' FROM m`,
			`INSERT INTO feed (position, id, owner, account, type, provider, status, at, told_at, seq, body)
				`+shifted+`SELECT i + k * CAST(`+fmt.Sprint(size)+` AS BIGINT) + 1, `+uuid+`, '`+string(partnerID)+`', `+id+`, 'account_connection_update', 'vipps', 'enabled', `+epoch+`, `+epoch+`, k + 1,
				'{"connection":{"status":"enabled"},"connection_event":{"seq":2,"name":"step","status":"enabled"}}' FROM m`)
	}
	for _, text := range texts {
		for from := 0; from < size; from += 50_000 {
			if _, err := s.write.db.Exec(text, from, min(size, from+50_000)); err != nil {
				b.Fatalf("%s: %v", text, err)
			}
		}
	}
	if s.Engine() == "postgres" { // which does so by itself in time
		if _, err := s.write.db.Exec("ANALYZE"); err != nil {
			b.Fatal(err)
		}
	}
}

// bytesWritten is what this process has handed to the kernel.
func bytesWritten(b *testing.B) (n int64) {
	b.Helper()
	all, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(all)) {
		if count, ok := strings.CutPrefix(line, "wchar: "); ok {
			if n, err = strconv.ParseInt(strings.TrimSpace(count), 10, 64); err != nil {
				b.Fatal(err)
			}
		}
	}
	return n
}
