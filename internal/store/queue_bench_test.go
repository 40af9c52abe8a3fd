package store

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// BenchmarkQueue is a page of 25 connections that wait, of one partner: the
// first page and one near the end, by age and by due date. A tenth waits in
// each of eight ways, the rest is settled. Run with -benchtime=200x.
func BenchmarkQueue(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, size := range []int{1_000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", engine, size), func(b *testing.B) { benchmarkQueue(b, doors[engine], size) })
		}
	}
}

func benchmarkQueue(b *testing.B, d door, size int) {
	s := inhabit(b, openStore(b, d(b)))
	queueUp(b, s, size)
	now := time.UnixMicro(int64(size) * 2_000_000).UTC()
	filters := []QueueFilter{
		{Now: now, Providers: []string{"vipps", "swish"}, Turns: []string{"merchant", "provider"}},
		{Now: now, Statuses: []string{"pending"}, Overdue: true},
	}
	var took [4]time.Duration
	for b.Loop() {
		for i, f := range filters {
			for j, at := range []int64{0, int64(size) * 9 / 10} {
				start := time.Now()
				after := QueuePosition{At: time.UnixMicro(at * 1_000_000)}
				page, err := s.Queue(context.Background(), other, otherID, f, after, 25)
				if err != nil || len(page) != 25 {
					b.Fatalf("a page has %d rows, %v", len(page), err)
				}
				took[2*i+j] += time.Since(start)
			}
		}
	}
	for i, name := range []string{"first", "last", "due-first", "due-last"} {
		b.ReportMetric(float64(took[i].Microseconds())/float64(b.N), name+"-us")
	}
	b.ReportMetric(0, "ns/op")
}

// queueUp gives a partner accounts with a connection each, straight into the
// tables. The texts are for both engines.
func queueUp(b *testing.B, s *Store, size int) {
	b.Helper()
	const every = `WITH RECURSIVE n (i) AS (SELECT $1 + 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2 + 0) `
	const id = `'T2' || substr(CAST(10000000 + i AS TEXT), 2)`
	const way = `CASE WHEN i % 5 > 3 THEN 'enabled' ELSE 'pending' END`
	for _, text := range []string{
		`INSERT INTO account (id, kind, owner, company, created_at, created_by, ahead)
			` + every + `SELECT ` + id + `, 'merchant', 'T11300000', '{"business_name":"Havn Kaffe"}', 0, 'bench', 0 FROM n`,
		`INSERT INTO connection (account, provider, schema, status, created_at, created_by, updated_at, last_seq, last_event_at,
				last_signup, history, owner, world, stands_at, since, turn, due_at, code)
			` + every + `SELECT ` + id + `, CASE WHEN i % 2 = 0 THEN 'vipps' ELSE 'swish' END, 1, ` + way + `, 0, 'bench', 0, 1, 0, 0, 0,
				'T11300000', 'T', 'asked', i * CAST(1000000 AS BIGINT),
				CASE WHEN i % 5 > 3 THEN '' WHEN i % 4 < 2 THEN 'merchant' ELSE 'provider' END, i * CAST(1000000 AS BIGINT) + 5,
				CASE WHEN i % 3 = 0 THEN 'documents_required' ELSE 'under_review' END FROM n`,
	} {
		for from := 0; from < size; from += 50_000 {
			if _, err := s.write.db.Exec(text, from, min(size, from+50_000)); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, owner := range []string{"owner", "world"} {
		rows, err := s.write.db.Query(`SELECT ` + owner + `, provider, status, turn, code, count(*) FROM connection GROUP BY ` + owner + `, provider, status, turn, code`)
		if err != nil {
			b.Fatal(err)
		}
		all := tally{}
		for rows.Next() {
			var g group
			var n int64
			if err := rows.Scan(&g.owner, &g.provider, &g.status, &g.turn, &g.code, &n); err != nil {
				b.Fatal(err)
			}
			all[g] = n
		}
		rows.Close()
		if err := s.transact(context.Background(), func(ctx context.Context, t *tx) error { return s.tally(ctx, t, all) }); err != nil {
			b.Fatal(err)
		}
	}
	if s.Engine() == "postgres" { // which does so by itself in time
		if _, err := s.write.db.Exec("ANALYZE"); err != nil {
			b.Fatal(err)
		}
	}
}
