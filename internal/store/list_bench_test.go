package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
)

// BenchmarkAccountList is one page of ten accounts behind three filters: a
// country (two fifths of all), a progression (a third) and a connection that
// is pending (three sevenths). The first page and the last are read in turn;
// last/first is the ratio of the times that they took.
func BenchmarkAccountList(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, size := range []int{1_000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", engine, size), func(b *testing.B) { benchmarkAccountList(b, doors[engine], size) })
		}
	}
}

func benchmarkAccountList(b *testing.B, d door, size int) {
	s := inhabit(b, openStore(b, d(b)))
	fill(b, s, size)
	filter := AccountFilter{
		Labels:      [][]string{{"country=no"}, {"progression=live"}},
		Connections: []ConnectionsIn{{[]string{"vipps"}, []connection.Status{connection.Pending}}},
	}
	// Of each hundred accounts in a row five or more pass, so that the last
	// thousand hold the last page.
	tail := pageAfter(b, s, filter, benchID(max(size-1_000, 0)), 100)
	last := tail[len(tail)-11].ID
	var took [2]time.Duration
	for b.Loop() {
		for i, after := range []account.ID{"", last} {
			start := time.Now()
			if page := pageAfter(b, s, filter, after, 10); len(page) != 10 {
				b.Fatalf("a page has %d accounts", len(page))
			}
			took[i] += time.Since(start)
		}
	}
	b.ReportMetric(float64(took[0].Microseconds())/float64(b.N), "first-us")
	b.ReportMetric(float64(took[1].Microseconds())/float64(b.N), "last-us")
	b.ReportMetric(float64(took[1])/float64(took[0]), "last/first")
	b.ReportMetric(0, "ns/op")
}

func pageAfter(b *testing.B, s *Store, f AccountFilter, after account.ID, limit int) []Profiled {
	b.Helper()
	page, err := s.Accounts(context.Background(), other, otherID, f, after, limit)
	if err != nil {
		b.Fatal(err)
	}
	return page
}

// benchID is the nth account that fill makes.
func benchID(n int) account.ID { return account.ID(fmt.Sprintf("T2%07d", n)) }

// fill gives a partner accounts with labels and two connections each, straight
// into the tables: what it takes to write them is measured elsewhere. The
// texts are for both engines.
func fill(b *testing.B, s *Store, size int) {
	b.Helper()
	const every = `WITH RECURSIVE n (i) AS (SELECT $1 + 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2 + 0) `
	const id = `'T2' || substr(CAST(10000000 + i AS TEXT), 2)`
	for _, text := range []string{
		`INSERT INTO account (id, kind, owner, company, created_at, created_by, ahead)
			` + every + `SELECT ` + id + `, 'merchant', 'T11300000', '{"business_name":"Havn Kaffe"}', 0, 'bench', 0 FROM n`,
		`INSERT INTO account_profile (account, profile) ` + every + `SELECT ` + id + `, '{"company":{"business_name":"Havn Kaffe"}}' FROM n`,
		labelling(every, id, `'country=no'`, `i % 5 < 2`),
		labelling(every, id, `'country=se'`, `i % 5 > 1`),
		labelling(every, id, `'progression=live'`, `i % 3 = 0`),
		labelling(every, id, `'progression=applied'`, `i % 3 > 0`),
		labelling(every, id, `'services=checkout.status.enabled'`, `i % 11 > 3`),
		connected(every, id, "vipps", `CASE WHEN i % 7 < 3 THEN 'pending' WHEN i % 7 < 6 THEN 'enabled' ELSE 'failed' END`),
		connected(every, id, "swish", `CASE WHEN i % 13 < 3 THEN 'pending' ELSE 'enabled' END`),
	} {
		for from := 0; from < size; from += 100_000 {
			if _, err := s.write.db.Exec(text, from, min(from+100_000, size)); err != nil {
				b.Fatalf("%s: %v", text, err)
			}
		}
	}
	if _, err := s.write.db.Exec(`ANALYZE`); err != nil {
		b.Fatal(err)
	}
}

func labelling(every, id, label, where string) string {
	return `INSERT INTO account_label (owner, label, account) ` + every + `SELECT 'T11300000', ` + label + `, ` + id + ` FROM n WHERE ` + where
}

func connected(every, id, provider, status string) string {
	return `INSERT INTO connection (account, provider, created_at, created_by, schema, status, updated_at, last_seq, last_event_at,
			last_signup, history, configured_seq, owner, world, stands_at)
		` + every + `SELECT ` + id + `, '` + provider + `', 0, 'bench', 1, ` + status + `, 0, 0, 0, 0, 0, 0, 'T11300000', 'T', '' FROM n`
}
