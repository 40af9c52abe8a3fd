package store

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"mooring/internal/store/storetest"
)

// later is the number of a migration that this program does not know.
func later(t *testing.T) int64 {
	t.Helper()
	return int64(len(migrationNames(t, "sqlite"))) + 1
}

// nextRelease is what migrates a database further than this program would.
// oldest is what it states: nothing when it is zero.
func nextRelease(t *testing.T, cfg Config, oldest int64) {
	t.Helper()
	text := "-- +goose Up\nALTER TABLE account ADD COLUMN later text;\n"
	if oldest > 0 {
		text += fmt.Sprintf("INSERT INTO schema_floor (schema, oldest) VALUES (%d, %d);\n", later(t), oldest)
	}
	withEngine(t, cfg, func(e engine, write *sql.DB) {
		dir := "migrations/" + e.name()
		files := fstest.MapFS{fmt.Sprintf("%s/%04d_later.sql", dir, later(t)): {Data: []byte(text)}}
		for _, name := range migrationNames(t, e.name()) {
			known, err := fs.ReadFile(migrations, dir+"/"+name)
			if err != nil {
				t.Fatal(err)
			}
			files[dir+"/"+name] = &fstest.MapFile{Data: known}
		}
		provider, err := e.migrator(write, files)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := provider.Up(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

// withEngine opens a database without looking at its schema.
func withEngine(t *testing.T, cfg Config, do func(e engine, write *sql.DB)) {
	t.Helper()
	e, err := engineOf(cfg, standard.limit)
	if err != nil {
		t.Fatal(err)
	}
	write, read, err := e.open(context.Background(), func(c driver.Connector) driver.Connector { return c })
	if err != nil {
		t.Fatal(err)
	}
	do(e, write)
	if err := e.close(&pool{db: read}, &pool{db: write}, true); err != nil {
		t.Fatal(err)
	}
}

func TestEveryMigrationSaysWhichProgramsCanWorkBesideIt(t *testing.T) {
	for name, d := range doors {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, d(t))
			for schema := int64(5); schema < later(t); schema++ {
				var oldest int64
				if err := s.write.db.QueryRow("SELECT oldest FROM schema_floor WHERE schema = $1", schema).Scan(&oldest); err != nil || oldest < 1 || oldest > schema {
					t.Errorf("schema %d is for programs from %d on, %v", schema, oldest, err)
				}
			}
		})
	}
}

func TestAnOlderProgramWorksBesideASchemaThatAllowsIt(t *testing.T) {
	for name, d := range doors {
		t.Run(name, func(t *testing.T) {
			cfg := d(t)
			inhabit(t, openStore(t, cfg)).Close()
			nextRelease(t, cfg, later(t)-1)
			var log bytes.Buffer
			cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
			s := openStore(t, cfg)
			mustChange(t, s, signing(merchant))
			wantNames(t, s, "signup_received")
			if !strings.Contains(log.String(), "newer release") || !strings.Contains(log.String(), "level=WARN") {
				t.Errorf("nobody was told:\n%s", &log)
			}
		})
	}
}

func TestAnOlderProgramIsRefusedByASchemaThatDoesNotAllowIt(t *testing.T) {
	for name, d := range doors {
		for what, oldest := range map[string]func() int64{
			"that is for itself": func() int64 { return later(t) },
			"that says nothing":  func() int64 { return 0 },
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				cfg := d(t)
				openStore(t, cfg).Close()
				nextRelease(t, cfg, oldest())
				wantRefusal(t, cfg, fmt.Sprint("schema ", later(t)), "newer release")
			})
		}
	}
}

// A node that runs while another migrates is not asked at its start.
func TestARunningNodeStopsWritingWhenTheSchemaIsTooNew(t *testing.T) {
	cfg := newPostgres(t)
	beside, stopped := openStore(t, cfg), openStore(t, cfg)
	inhabit(t, beside)
	mustChange(t, beside, signing(merchant))
	nextRelease(t, cfg, later(t)-1)
	beside.lookAtSchema(context.Background())
	mustChange(t, beside, posting(enabled("beside")))

	if _, err := beside.write.db.Exec("UPDATE schema_floor SET oldest = schema WHERE schema = $1", later(t)); err != nil {
		t.Fatal(err)
	}
	stopped.lookAtSchema(context.Background())
	wantUnavailable(t, stopped.Ping(context.Background()))
	_, err := stopped.Change(context.Background(), posting(enabled("too late")))
	wantUnavailable(t, err)
	wantNames(t, beside, "signup_received", "beside")
}

// A node that stood still while it migrated was taken for dead, and goes on
// while another migrates: the schema is as if one had.
func TestTwoNodesThatBothMigrateEndWithOneSchema(t *testing.T) {
	cfg := Config{Database: storetest.Postgres(t)}
	writeFirstSchema(t, cfg)
	withEngine(t, cfg, func(_ engine, db *sql.DB) {
		var both sync.WaitGroup
		defer both.Wait()
		still, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer still.Rollback()
		if _, err := still.Exec("LOCK TABLE account, connection, event, signup, client IN ACCESS EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			both.Go(func() {
				s, err := Open(context.Background(), cfg)
				if err != nil {
					t.Error(err)
					return
				}
				s.Close()
			})
		}
		awaitMigrators(t, db, 2)
		if err := still.Rollback(); err != nil {
			t.Error(err)
		}
		both.Wait()
		var twice int
		if err := db.QueryRow("SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version").Scan(&twice); err != nil || twice != 0 {
			t.Errorf("%d migrations ran twice, %v", twice, err)
		}
	})
}

// awaitMigrators takes the lock away from whoever migrates until so many do.
func awaitMigrators(t *testing.T, db *sql.DB, want int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		if _, err := db.Exec("UPDATE goose_lock SET lease_expires_at = '2000-01-01'"); err != nil && !strings.Contains(err.Error(), "goose_lock") {
			t.Fatal(err)
		}
		var waiting int
		if err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		if waiting >= want {
			return
		}
	}
	t.Error("they never met")
}
