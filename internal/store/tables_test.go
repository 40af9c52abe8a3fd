package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/store/storetest"
)

// A table or a column that a migration adds is moved from one engine to the
// other, or is named among those that stay.
func TestEveryTableAndColumnIsMovedOrStays(t *testing.T) {
	var want []string
	for _, table := range Tables() {
		for _, c := range table.Columns {
			null := ""
			if c.Null {
				null = " null"
			}
			want = append(want, fmt.Sprintf("%s.%s %d%s", table.Name, c.Name, c.Kind, null))
		}
	}
	slices.Sort(want)
	var got []string
	s := openStore(t, newPostgres(t))
	rows, err := s.write.db.Query(`SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name NOT LIKE 'goose_%'`)
	if err := each(rows, err, func(r row) error {
		var table, column, kind, null string
		err := r.Scan(&table, &column, &kind, &null)
		if unmoved[table] != "" {
			return err
		}
		known, ok := map[string]Kind{"text": KindText, "uuid": KindID, "bigint": KindNumber, "boolean": KindFlag, "bytea": KindBytes}[kind]
		if !ok {
			t.Errorf("%s.%s is of type %s, which is not moved", table, column, kind)
		}
		got = append(got, fmt.Sprintf("%s.%s %d%s", table, column, known, map[string]string{"YES": " null"}[null]))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the tables of tables.go and those of the schema (-tables.go +schema):\n%s", diff)
	}
}

// The rows of a table refer to those of tables before it, or of itself.
func TestTablesAreMovedBehindThoseThatTheyReferTo(t *testing.T) {
	place := map[string]int{}
	for i, table := range Tables() {
		place[table.Name] = i
	}
	s := openStore(t, newSQLite(t))
	rows, err := s.write.db.Query(`SELECT t.name, f."table" FROM pragma_table_list AS t JOIN pragma_foreign_key_list(t.name) AS f WHERE t.schema = 'main'`)
	if err := each(rows, err, func(r row) error {
		var from, to string
		err := r.Scan(&from, &to)
		if place[from] < place[to] {
			t.Errorf("%s is moved before %s", from, to)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if last := Tables()[len(Tables())-1].Name; last != epochTable {
		t.Errorf("the last table is %s, and what is half there would be taken for a database", last)
	}
}

// testHalfMoved: nobody takes a database that an import has begun to fill for
// a whole one.
func testHalfMoved(t *testing.T, d door) {
	ctx, cfg := context.Background(), d(t)
	target, err := OpenTarget(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !target.Fresh() {
		t.Error("a new database is not fresh")
	}
	if err := target.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(ctx, cfg); err == nil {
		t.Error("it was opened")
		s.Close()
	} else if !strings.Contains(err.Error(), "an import into this database is not finished") {
		t.Error(err)
	}
	if source, err := OpenSource(ctx, cfg); err == nil {
		t.Error("it was read")
		source.Close()
	}
	looked, err := LookAtTarget(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if looked.Fresh() || !looked.Begun() {
		t.Error("an import that was begun is not seen")
	}
	if err := looked.Close(); err != nil {
		t.Fatal(err)
	}
}

// Of two imports into one database, the one that began last writes, and alone
// makes it whole.
func TestTwoImportsDoNotMix(t *testing.T) {
	ctx, cfg := context.Background(), newPostgres(t)
	targets := make([]*Target, 3)
	open := func(i int) {
		t.Helper()
		var err error
		if targets[i], err = OpenTarget(ctx, cfg); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { targets[i].Close() })
	}
	spent := Tables()[slices.IndexFunc(Tables(), func(t Table) bool { return t.Name == "spent_token" })]
	epoch := Tables()[len(Tables())-1]
	write := func(i int, table Table, row ...any) error { return targets[i].Write(ctx, table, [][]any{row}) }
	open(0)
	open(1)
	if err := targets[0].Begin(ctx); err != nil {
		t.Fatal(err)
	}
	if err := targets[1].Begin(ctx); !errors.Is(err, errTaken) {
		t.Errorf("two began with what was empty: %v", err)
	}
	open(2)
	if err := targets[2].Begin(ctx); err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{errTaken, errTaken, nil} {
		if err := write(i, spent, "T11200000", fmt.Sprint("token ", i), int64(0)); !errors.Is(err, want) {
			t.Errorf("a row of import %d: %v", i, err)
		}
	}
	for i, want := range []error{errTaken, errTaken, nil} {
		if err := write(i, epoch, int64(1), int64(7)); !errors.Is(err, want) {
			t.Errorf("the epoch of import %d: %v", i, err)
		}
	}
	for i := range targets {
		if err := targets[i].Begin(ctx); err == nil {
			t.Errorf("import %d begins with what is whole", i)
		}
	}
	s := openStore(t, cfg)
	if rows, leases := count(t, s, "SELECT count(*) FROM spent_token"), count(t, s, "SELECT count(*) FROM lease WHERE name = 'import'"); rows != 1 || leases != 0 {
		t.Errorf("%d rows and %d leases", rows, leases)
	}
}

// What is asked of a database before it is moved is asked again when another
// transaction was in the way.
func TestAMoveIsNotGivenUpForAConflict(t *testing.T) {
	proxy := storetest.StrictBefore(t, newPostgres(t).Database, storetest.Faults{Seed: 1, Conflicts: 0.02})
	ctx, cfg := t.Context(), Config{Database: proxy.URL}
	for proxy.Conflicts() < 5 {
		target, err := OpenTarget(ctx, cfg)
		must(t, err)
		must(t, target.Close())
		looked, err := LookAtTarget(ctx, cfg)
		must(t, err)
		must(t, looked.Close())
		source, err := OpenSource(ctx, cfg)
		must(t, err)
		source.Close()
	}
}

// testUsedIsNoTarget: what somebody uses is not filled.
func testUsedIsNoTarget(t *testing.T, d door) {
	ctx, cfg := context.Background(), d(t)
	if err := inhabit(t, openStore(t, cfg)).Close(); err != nil {
		t.Fatal(err)
	}
	target, err := OpenTarget(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if target.Fresh() || target.Begun() {
		t.Error("a database with accounts is taken for a fresh one")
	}
	if err := target.Begin(ctx); err == nil || !strings.Contains(err.Error(), "nothing was imported") {
		t.Errorf("it was begun with: %v", err)
	}
	var epochs int
	if err := target.db.QueryRow("SELECT count(*) FROM epoch").Scan(&epochs); err != nil || epochs != 1 {
		t.Errorf("%d epochs, %v", epochs, err)
	}
}

// What somebody uses with an older program is not even migrated.
func TestWhatAnOlderProgramUsesIsNoTarget(t *testing.T) {
	ctx := context.Background()
	for _, cfg := range []Config{newSQLite(t), {Database: storetest.Postgres(t)}} {
		writeFirstSchema(t, cfg)
		for range 2 {
			target, err := OpenTarget(ctx, cfg)
			if err == nil {
				target.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "the database has schema 1 and this program moves") {
				t.Errorf("it is refused by %v", err)
			}
		}
	}
}

// testSourceIsOneState: what is written while it is read is not seen.
func testSourceIsOneState(t *testing.T, d door) {
	ctx, cfg := context.Background(), d(t)
	s := inhabit(t, openStore(t, cfg))
	source, err := OpenSource(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	mustChange(t, s, signing(merchant))
	for name, want := range map[string]int64{"account": 5, "connection": 0, "event": 0, "feed": 0} {
		table := Tables()[slices.IndexFunc(Tables(), func(t Table) bool { return t.Name == name })]
		n, err := source.Count(ctx, table)
		if err != nil || n != want {
			t.Errorf("%d rows of %s, %v; want %d", n, name, err, want)
		}
		seen := int64(0)
		if err := source.Rows(ctx, table, 0, func([]any) error { seen++; return nil }); err != nil || seen != want {
			t.Errorf("%d rows of %s are read, %v; want %d", seen, name, err, want)
		}
	}
}

// What waits for its position is read as part of the feed, behind what has one.
func TestArrivalsAreMovedAsTheyWillBeNumbered(t *testing.T) {
	ctx, cfg := context.Background(), newPostgres(t)
	tune := standard
	tune.idle = true // so that nobody numbers them
	s := inhabit(t, openTuned(t, cfg, tune))
	mustChange(t, s, signing(merchant))
	leases, err := s.TakeLeases(ctx, "here", noon, noon.Add(time.Hour), sequencerLease)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.giveSequence(ctx, leases[0], sequencerBatch); err != nil {
		t.Fatal(err)
	}
	mustChange(t, s, signing(merchant))
	if count(t, s, "SELECT count(*) FROM feed") == 0 || count(t, s, "SELECT count(*) FROM feed_arrival") == 0 {
		t.Fatal("nothing is numbered, or nothing waits")
	}
	source, err := OpenSource(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	feed := Tables()[slices.IndexFunc(Tables(), func(t Table) bool { return t.Name == "feed" })]
	all, err := source.Count(ctx, feed)
	if err != nil {
		t.Fatal(err)
	}
	for after := range all {
		next := after
		if err := source.Rows(ctx, feed, after, func(values []any) error {
			if next++; values[0] != next {
				t.Errorf("after %d: position %v where %d was to come", after, values[0], next)
			}
			return nil
		}); err != nil || next != all {
			t.Errorf("after %d: up to %d of %d, %v", after, next, all, err)
		}
	}
}
