package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// strictly is a connection to a strict database with one table.
func strictly(t *testing.T) (*StrictProxy, *pgx.Conn) {
	t.Helper()
	s := StrictBefore(t, Postgres(t), Faults{})
	conn := connect(t, s.URL)
	must(t, conn, "CREATE TABLE said (n bigint PRIMARY KEY)")
	return s, conn
}

func must(t *testing.T, on interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
}, text string, args ...any,
) {
	t.Helper()
	if _, err := on.Exec(context.Background(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func began(t *testing.T, conn *pgx.Conn) pgx.Tx {
	t.Helper()
	tx, err := conn.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func said(t *testing.T, s *StrictProxy) []int64 {
	t.Helper()
	s.Set(Faults{})
	rows, err := connect(t, s.URL).Query(context.Background(), "SELECT n FROM said ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	failed, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || failed.Code != code {
		t.Errorf("got %v, want an error with code %s", err, code)
	}
}

func TestEveryTransactionIsSerializable(t *testing.T) {
	_, conn := strictly(t)
	ctx := context.Background()
	level := func(on interface {
		QueryRow(context.Context, string, ...any) pgx.Row
	},
	) (level string) {
		if err := on.QueryRow(ctx, "SELECT current_setting($1)", "transaction_isolation").Scan(&level); err != nil {
			t.Fatal(err)
		}
		return level
	}
	if got := level(conn); got != "serializable" {
		t.Errorf("a statement by itself is %s", got)
	}
	for _, asked := range []pgx.TxOptions{{}, {IsoLevel: pgx.ReadCommitted}, {IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}} {
		tx, err := conn.BeginTx(ctx, asked)
		if err != nil {
			t.Fatal(err)
		}
		if got := level(tx); got != "serializable" {
			t.Errorf("a transaction is %s", got)
		}
		if asked.AccessMode == pgx.ReadOnly {
			_, err := tx.Exec(ctx, "INSERT INTO said VALUES ($1)", 1)
			wantCode(t, err, "25006")
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStrictDatabaseRefusesWhatDistributedOnesLack(t *testing.T) {
	s, conn := strictly(t)
	ctx := context.Background()
	for _, text := range []string{
		"SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_xact_lock(1)", "LISTEN news", "notify news", "SELECT pg_notify('news', '')",
		"LOCK TABLE said", "CREATE TEMP TABLE mine (n bigint)", "SELECT ctid FROM said", "DECLARE c CURSOR FOR SELECT 1",
	} {
		_, err := conn.Exec(ctx, text)
		wantCode(t, err, "0A000")
		_, err = conn.Prepare(ctx, "", text)
		wantCode(t, err, "0A000")
	}
	_, err := conn.Exec(ctx, "INSERT INTO said VALUES (1); INSERT INTO said VALUES (2)")
	wantCode(t, err, "42601")
	tx := began(t, conn)
	must(t, tx, "INSERT INTO said VALUES ($1)", 3)
	_, err = tx.Exec(ctx, "LISTEN news")
	wantCode(t, err, "0A000")
	_, err = tx.Exec(ctx, "SELECT 1")
	wantCode(t, err, "25P02") // as after any error
	_ = tx.Rollback(ctx)
	if got := said(t, s); len(got) > 0 {
		t.Errorf("%v were written", got)
	}
}

func TestAConflictUndoesItsTransaction(t *testing.T) {
	s, conn := strictly(t)
	ctx := context.Background()
	for i := range int64(40) {
		s.Set(Faults{})
		tx := began(t, conn)
		must(t, tx, "INSERT INTO said VALUES ($1)", i)
		s.Set(Faults{Seed: uint64(i), Conflicts: 1})
		if i%2 == 0 {
			wantCode(t, tx.Commit(ctx), "40001")
			continue
		}
		_, err := tx.Exec(ctx, "INSERT INTO said VALUES ($1)", 1000+i)
		wantCode(t, err, "40001")
		s.Set(Faults{})
		_, err = tx.Exec(ctx, "SELECT 1")
		wantCode(t, err, "25P02")
		_ = tx.Rollback(ctx)
	}
	s.Set(Faults{Conflicts: 1})
	rows, err := conn.Query(ctx, "SELECT n FROM generate_series(1, $1::bigint) AS n", 3)
	if err == nil {
		_, err = pgx.CollectRows(rows, pgx.RowTo[int64])
	}
	wantCode(t, err, "40001")
	if got := said(t, s); len(got) > 0 {
		t.Errorf("%v were written", got)
	}
	if got := s.Conflicts(); got != 41 {
		t.Errorf("%d conflicts were counted", got)
	}
}

// A commit whose outcome is not told happened, or did not, and whoever looks a
// little later sees all of the transaction or nothing.
func TestACommitWhoseOutcomeIsNotTold(t *testing.T) {
	s, _ := strictly(t)
	ctx := context.Background()
	const many = 40
	for i := range int64(many) {
		s.Set(Faults{})
		conn := connect(t, s.URL)
		tx := began(t, conn)
		must(t, tx, "INSERT INTO said VALUES ($1)", i)
		must(t, tx, "INSERT INTO said VALUES ($1)", 1000+i)
		s.Set(Faults{Seed: uint64(i), Unknown: 1})
		err := tx.Commit(ctx)
		if _, told := errors.AsType[*pgconn.PgError](err); err == nil || told {
			t.Fatalf("got %v, want the end of the connection", err)
		}
		if !conn.IsClosed() {
			t.Fatal("the connection is still there")
		}
	}
	if got := s.Unknown(); got != many {
		t.Errorf("%d outcomes were not told", got)
	}
	// Whoever locks the table waits for those that are on their way.
	plain := began(t, connect(t, s.Plain))
	must(t, plain, "LOCK TABLE said IN EXCLUSIVE MODE")
	got := said(t, s)
	half := len(got) / 2
	if half == 0 || half == many {
		t.Errorf("%d of %d commits happened", half, many)
	}
	for i, n := range got[:half] {
		got[i] = n + 1000
	}
	if diff := cmp.Diff(got[:half], got[half:]); diff != "" {
		t.Errorf("transactions were torn:\n%s", diff)
	}
}

func TestAConnectionIsCutInsteadOfAnAnswer(t *testing.T) {
	s, conn := strictly(t)
	tx := began(t, conn)
	s.Set(Faults{Cuts: 1})
	_, err := tx.Exec(context.Background(), "INSERT INTO said VALUES ($1)", 1)
	if err == nil || !conn.IsClosed() {
		t.Errorf("got %v", err)
	}
	if got := said(t, s); len(got) > 0 {
		t.Errorf("%v were written", got)
	}
}

// What is sent in one go is answered in order, and one error undoes all of it.
func TestABatchOfStatementsIsOneRequest(t *testing.T) {
	s, conn := strictly(t)
	ctx := context.Background()
	write := func(n int64) error {
		var b pgx.Batch
		for i := range int64(3) {
			b.Queue("INSERT INTO said VALUES ($1)", n+i)
		}
		return conn.SendBatch(ctx, &b).Close()
	}
	if err := write(1); err != nil {
		t.Error(err)
	}
	for i := range uint64(6) {
		s.Set(Faults{Seed: i, Conflicts: 1})
		wantCode(t, write(100), "40001")
		s.Set(Faults{})
	}
	if diff := cmp.Diff([]int64{1, 2, 3}, said(t, s)); diff != "" {
		t.Error(diff)
	}
}

func TestAStrictDatabaseTellsTheSeedThatItRanWith(t *testing.T) {
	s := StrictBefore(t, Postgres(t), Faults{Seed: 1})
	s.Set(Faults{Seed: 7})
	if got := s.told(); !strings.Contains(got, "seed 7:") {
		t.Errorf("it tells %q", got)
	}
}
