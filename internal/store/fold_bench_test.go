package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/hook"
)

// BenchmarkFold asks what it would bring to write events one behind the other
// and to sort them into their tables later: docs/adr/0013. Each batch is 256
// events for random ones of many connections, committed as always; only the
// statements that write are run, nothing is loaded or decided.
//
//   - rows: each event's rows in their tables, as the store writes them
//   - tail: all of an event as one row of a table that only grows
//   - folded: the tail, and every so many events the rows of all of them,
//     sorted, in one more transaction
//
// Run with -benchtime=131072x, so that each tail is folded at least twice.
func BenchmarkFold(b *testing.B) {
	for _, size := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			filled := newSQLite(b).DataDir
			s := inhabit(b, openStore(b, Config{DataDir: filled}))
			spread(b, s, size)
			if _, err := s.write.db.Exec(`CREATE TABLE tail (position INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT`); err != nil {
				b.Fatal(err)
			}
			must(b, s.Close())
			for _, way := range []struct {
				name  string
				every int // how many events are folded at once; 0 writes rows, -1 never folds
			}{{"rows", 0}, {"tail", -1}, {"folded=4096", 4_096}, {"folded=65536", 65_536}} {
				b.Run(way.name, func(b *testing.B) {
					cfg := newSQLite(b)
					must(b, copyDatabase(filled, cfg.DataDir))
					f := folder{store: openStore(b, cfg), seen: make([]int64, size)}
					f.run(b, way.every)
				})
			}
		})
	}
}

// folder makes events for connections that spread made.
type folder struct {
	store *Store
	seen  []int64 // how many events each connection got
}

// change is what one event writes.
type change struct {
	Account account.ID
	Head    connection.Connection
	Event   connection.Event
	Told    hook.Entry
	Audit   AuditRecord
}

func (f *folder) next() change {
	n := rand.IntN(len(f.seen))
	f.seen[n]++
	id, seq := benchID(n), spreadEvents+f.seen[n]
	now := time.Now().UTC().Truncate(time.Microsecond)
	c := change{
		Account: id,
		Head: connection.Connection{
			Account: id, Provider: "vipps", Schema: 3, Status: connection.Enabled, Configuration: []byte(`{"merchant_serial_number":"123456"}`),
			UpdatedAt: now, LastSeq: seq, LastEventAt: now, Stand: connection.Stand{Event: "step", Since: now},
		},
		Event: connection.Event{Seq: seq, ID: newID(), Status: connection.Enabled, Name: "step", CreatedAt: now, CreatedBy: partner.Client},
		Audit: recorded(Change{}).Audit.of(account.Account{ID: id}, "vipps"),
	}
	c.Audit.ID = newID()
	c.Told = hook.OfEvent(partnerID, nil, &c.Head, c.Event, now)
	return c
}

func (f *folder) run(b *testing.B, every int) {
	const batch = 256
	ctx := context.Background()
	written, spent := bytesWritten(b), processTime(b)
	var took []time.Duration
	var waiting []change
	var longest time.Duration // of the folds, while nothing else is written
	b.ResetTimer()
	for done := 0; done < b.N; done += batch {
		changes := make([]change, batch)
		for i := range changes {
			changes[i] = f.next()
		}
		start := time.Now()
		if every == 0 {
			f.rows(b, changes)
		} else {
			must(b, f.store.transact(ctx, func(ctx context.Context, t *tx) error {
				for _, c := range changes {
					body, err := json.Marshal(c)
					if err != nil {
						return err
					}
					if _, err := t.ExecContext(ctx, `INSERT INTO tail (body) VALUES ($1)`, string(body)); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		took = append(took, time.Since(start))
		if waiting = append(waiting, changes...); every > 0 && len(waiting) >= every {
			start = time.Now()
			f.rows(b, waiting)
			longest, waiting = max(longest, time.Since(start)), waiting[:0]
		}
	}
	b.StopTimer()
	slices.Sort(took)
	n := float64(len(took) * batch)
	b.ReportMetric(n/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((processTime(b)-spent).Microseconds())/n, "cpu-us/event")
	b.ReportMetric(float64(bytesWritten(b)-written)/1024/n, "written-kB/event")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms/batch")
	b.ReportMetric(float64(longest.Milliseconds()), "fold-ms")
	b.ReportMetric(0, "ns/op")
}

// rows writes changes to their tables: what is folded, each connection once.
func (f *folder) rows(b *testing.B, changes []change) {
	b.Helper()
	slices.SortStableFunc(changes, func(x, y change) int { return cmp.Compare(x.Account, y.Account) })
	must(b, f.store.transact(context.Background(), func(ctx context.Context, t *tx) error {
		var heads, events, entries, audit [][]any
		for i, c := range changes {
			if i+1 == len(changes) || changes[i+1].Account != c.Account {
				heads = append(heads, advanced(&c.Head))
			}
			events = append(events, eventValues(place{c.Account, c.Head.Provider}, c.Event))
			entries = append(entries, entryValues(c.Told))
			audit = append(audit, auditValues(c.Audit))
		}
		for _, part := range []struct {
			st   *statement
			rows [][]any
		}{{connectionAdvanced, heads}, {eventAdded, events}, {told, entries}, {auditAdded, audit}} {
			if err := t.changeMany(ctx, part.st, part.rows); err != nil {
				return err
			}
		}
		return nil
	}))
}

// copyDatabase copies the file of a store that is closed.
func copyDatabase(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	source, err := os.Open(filepath.Join(from, databaseFile))
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(filepath.Join(to, databaseFile), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
