package inside

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite"

	"mooring/internal/store"
	"mooring/internal/store/storetest"
)

// journal is a file to which one writes what many bring, and syncs it before
// each is told: the least that a durable answer costs.
type journal struct {
	file *os.File
	in   chan chan error
}

func newJournal(b *testing.B) *journal {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "journal"))
	if err != nil {
		b.Fatal(err)
	}
	j := &journal{f, make(chan chan error, writers)}
	go j.run()
	b.Cleanup(func() { close(j.in); f.Close() })
	return j
}

func (j *journal) run() {
	const record = 512
	bytes := make([]byte, record*writers)
	var waiting []chan error
	for first := range j.in {
		waiting = append(waiting[:0], first)
		for more := len(j.in); more > 0 && len(waiting) < writers; more-- {
			waiting = append(waiting, <-j.in)
		}
		_, err := j.file.Write(bytes[:record*len(waiting)])
		if err == nil {
			err = syscall.Fdatasync(int(j.file.Fd()))
		}
		for _, w := range waiting {
			w <- err
		}
	}
}

func (j *journal) add(*rand.Rand) error {
	done := make(chan error, 1)
	j.in <- done
	return <-done
}

// BenchmarkLimit is what 256 writers get into a store that holds many events
// already, and what they get into a journal.
func BenchmarkLimit(b *testing.B) {
	w := newWorld(b, store.Config{DataDir: filepath.Join(b.TempDir(), "data")})
	for b.Loop() {
		var limit, ours []turn
		for range *rounds {
			limit = append(limit, keepBusy(b, writers, newJournal(b).add))
			ours = append(ours, keepBusy(b, writers, w.happen))
		}
		b.ReportMetric(median(limit, rate), "journal/s")
		b.ReportMetric(median(ours, rate), "events/s")
		b.ReportMetric(median(ours, rate)/median(limit, rate), "share")
	}
}

// plain is a database with three writes to each transaction, prepared once, on
// one connection: what one would write for one writer.
type plain struct {
	begin, event, connection, outbox, commit *sql.Stmt
	n                                        int
}

func newPlain(b *testing.B) *plain {
	b.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "plain.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	for _, text := range []string{
		`CREATE TABLE connection (account TEXT NOT NULL, provider TEXT NOT NULL, status TEXT NOT NULL, last_event TEXT NOT NULL, updated_at INTEGER NOT NULL,
			PRIMARY KEY (account, provider)) STRICT, WITHOUT ROWID`,
		`CREATE TABLE event (account TEXT NOT NULL, provider TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL, name TEXT NOT NULL,
			description TEXT, created_at INTEGER NOT NULL, created_by TEXT NOT NULL, PRIMARY KEY (account, provider, seq)) STRICT, WITHOUT ROWID`,
		`CREATE TABLE outbox (id INTEGER PRIMARY KEY, account TEXT NOT NULL, event TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT`,
	} {
		if _, err := db.Exec(text); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := db.Exec(`INSERT INTO connection WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
		SELECT printf('T2%07d', i), 'vipps', 'pending', '', 0 FROM n`, *connections); err != nil {
		b.Fatal(err)
	}
	prepare := func(text string) *sql.Stmt {
		st, err := db.Prepare(text)
		if err != nil {
			b.Fatal(err)
		}
		return st
	}
	return &plain{
		begin:      prepare(`BEGIN IMMEDIATE`),
		event:      prepare(`INSERT INTO event VALUES ($1, 'vipps', $2, $3, 'pending', 'signature_required', NULL, $4, 'bench')`),
		connection: prepare(`UPDATE connection SET status = 'pending', last_event = $2, updated_at = $3 WHERE account = $1 AND provider = 'vipps'`),
		outbox:     prepare(`INSERT INTO outbox (account, event, created_at) VALUES ($1, $2, $3)`),
		commit:     prepare(`COMMIT`),
	}
}

func (p *plain) add(r *rand.Rand) error {
	p.n++
	account, id, now := string(merchant(r.IntN(*connections))), newID(), time.Now().UnixMicro()
	for _, step := range []struct {
		st   *sql.Stmt
		args []any
	}{
		{p.begin, nil},
		{p.event, []any{account, p.n, id, now}},
		{p.connection, []any{account, id, now}},
		{p.outbox, []any{account, id, now}},
		{p.commit, nil},
	} {
		if _, err := step.st.Exec(step.args...); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkLone is what one writer waits for who has the store for himself.
func BenchmarkLone(b *testing.B) {
	w, p := newWorld(b, store.Config{DataDir: filepath.Join(b.TempDir(), "data")}), newPlain(b)
	half := func(t turn) float64 { return float64(t.p50.Nanoseconds()) / 1000 }
	for b.Loop() {
		var plain, ours []turn
		for range *rounds {
			plain = append(plain, keepBusy(b, 1, p.add))
			ours = append(ours, keepBusy(b, 1, w.happen))
		}
		b.ReportMetric(median(plain, half), "plain-us")
		b.ReportMetric(median(ours, half), "event-us")
		b.ReportMetric(median(ours, half)/median(plain, half), "ratio")
	}
}

// BenchmarkPostgres is what 256 writers get into PostgreSQL: with a transaction
// and its five round trips for each, with the store, and with the store when
// nothing waits for the disk.
func BenchmarkPostgres(b *testing.B) {
	synced, unsynced := storetest.Postgres(b), storetest.Postgres(b)
	contestants := []struct {
		name string
		do   func(*rand.Rand) error
	}{
		{"each", newEach(b, storetest.Postgres(b))},
		{"store", newWorld(b, store.Config{Database: synced}).happen},
		{"unsynced", newWorld(b, store.Config{Database: unsynced}).happen},
	}
	neverWait(b, unsynced)
	for b.Loop() {
		seen := map[string][]turn{}
		for range *rounds {
			for _, c := range contestants {
				seen[c.name] = append(seen[c.name], keepBusy(b, writers, c.do))
			}
		}
		for name, turns := range seen {
			b.ReportMetric(median(turns, rate), name+"/s")
			b.ReportMetric(median(turns, func(t turn) float64 { return float64(t.p99.Microseconds()) / 1000 }), name+"-p99-ms")
		}
	}
}

// neverWait has no transaction that adds an event wait for the disk. The store
// refuses a server that is set up so; a trigger it does not see.
func neverWait(b *testing.B, dsn string) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, text := range []string{
		`CREATE FUNCTION never_wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('synchronous_commit', 'off', true); RETURN NULL; END $$`,
		`CREATE TRIGGER never_wait AFTER INSERT ON event FOR EACH STATEMENT EXECUTE FUNCTION never_wait()`,
	} {
		if _, err := conn.Exec(b.Context(), text); err != nil {
			b.Fatal(err)
		}
	}
}

// newEach is a pool of 32 connections and a transaction for each request.
func newEach(b *testing.B, dsn string) func(*rand.Rand) error {
	b.Helper()
	ctx := context.Background()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		b.Fatal(err)
	}
	cfg.MaxConns = 32
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	for _, text := range []string{
		`CREATE TABLE connection (account TEXT NOT NULL, provider TEXT NOT NULL, status TEXT NOT NULL, last_event TEXT NOT NULL, updated_at TIMESTAMPTZ NOT NULL,
			PRIMARY KEY (account, provider))`,
		`CREATE TABLE event (account TEXT NOT NULL, provider TEXT NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
			created_at TIMESTAMPTZ NOT NULL, created_by TEXT NOT NULL, PRIMARY KEY (account, provider, id))`,
		`CREATE TABLE outbox (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account TEXT NOT NULL, event TEXT NOT NULL, created_at TIMESTAMPTZ NOT NULL)`,
	} {
		if _, err := pool.Exec(ctx, text); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := pool.Exec(ctx, `INSERT INTO connection SELECT 'T2' || lpad(i::text, 7, '0'), 'vipps', 'pending', '', now() FROM generate_series(0, $1::int - 1) AS i`, *connections); err != nil {
		b.Fatal(err)
	}
	return func(r *rand.Rand) error {
		tx, err := pool.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx)
		account, id, now := string(merchant(r.IntN(*connections))), newID(), time.Now()
		if _, err := tx.Exec(ctx, `INSERT INTO event VALUES ($1, 'vipps', $2, 'pending', 'signature_required', NULL, $3, 'bench')`, account, id, now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE connection SET status = 'pending', last_event = $2, updated_at = $3 WHERE account = $1 AND provider = 'vipps'`, account, id, now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO outbox (account, event, created_at) VALUES ($1, $2, $3)`, account, id, now); err != nil {
			return err
		}
		return tx.Commit(ctx)
	}
}
