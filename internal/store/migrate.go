package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// startPatience is how long a start goes on where others are in its way.
const startPatience = time.Minute

// insistAtStart does what a start needs of a database until nothing was in the
// way: another transaction, or a connection that ended.
func insistAtStart(ctx context.Context, e engine, do func() error) error {
	again := &retries{end: time.Now().Add(startPatience)}
	for {
		err := do()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if kind := e.trouble(err); kind == raced || !again.worth(kind) {
			return err
		}
		again.pause()
	}
}

// reach makes the first connection. A database that is not there is not waited
// for: whoever started us is to know.
func reach(ctx context.Context, e engine, db *sql.DB) (err error) {
	failed := insistAtStart(ctx, e, func() error {
		err = db.PingContext(ctx)
		if _, away := errors.AsType[*pgconn.ConnectError](err); away {
			return nil
		}
		return err
	})
	if err = cmp.Or(failed, err); err != nil {
		err = e.refusal(err)
	}
	return err
}

// migrate brings the schema up to date. It may be run again: each migration is
// there with its number, or is not there.
func (s *Store) migrate(ctx context.Context, mustExist bool) error {
	return insistAtStart(ctx, s.engine, func() (err error) {
		if s.known, err = migrate(ctx, s.engine, s.write.db, mustExist, s.log); err != nil {
			s.write.renew(s.engine.trouble(err))
		}
		return err
	})
}

// migrate brings the schema up to date, and refuses one that is too new for
// this program. Migrations only go forward. With mustExist
// it makes no first schema, so that a mistyped name leaves no tables behind.
// It returns the newest schema that this program knows.
func migrate(ctx context.Context, e engine, write *sql.DB, mustExist bool, log *slog.Logger) (known int64, err error) {
	if mustExist {
		if err := checkMade(ctx, e, write); err != nil {
			return 0, err
		}
	}
	provider, err := e.migrator(write, migrations)
	if err != nil {
		return 0, fmt.Errorf("read the migrations: %w", err)
	}
	have, known, err := provider.GetVersions(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the version of the schema: %w", err)
	}
	if have < known {
		if err := migrateUp(ctx, e, provider, have, log); err != nil {
			return 0, err
		}
	}
	return known, checkSchema(ctx, write, known, log)
}

// migrateUp runs the migrations that are missing. A node that was taken for
// dead while it did meets another that does; what one of them ran, the others
// need not.
func migrateUp(ctx context.Context, e engine, provider *goose.Provider, have int64, log *slog.Logger) error {
	for {
		done, failed := provider.Up(ctx)
		for _, m := range done {
			log.Info("migrated the schema", "to", m.Source.Version, "engine", e.name())
		}
		if failed == nil {
			return nil
		}
		now, _, err := provider.GetVersions(ctx)
		if err != nil || now <= have {
			return fmt.Errorf("migrate the schema: %w", failed)
		}
		have = now
	}
}

// checkMade refuses a database without our tables, before anything writes.
func checkMade(ctx context.Context, e engine, write *sql.DB) error {
	made, err := hasTables(ctx, e, write)
	if err == nil && !made {
		err = errNotMade
	}
	return err
}

var errNotMade = errors.New("this database was never initialised: do it with `mooring init`, or name the right one")

// ourTables counts the tables that the first migration makes.
func (e *sqlite) ourTables() string {
	return `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'sealed_key'`
}

// They are there for who may not read them, too: that is another trouble.
func (e *postgres) ourTables() string {
	return `SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = 'sealed_key'`
}

func (e *sqlite) migrator(write *sql.DB, files fs.FS) (*goose.Provider, error) {
	// The lock file keeps every other process out, so no lock is needed here.
	return migrator(goose.DialectSQLite3, write, files, "migrations/sqlite")
}

func (e *postgres) migrator(write *sql.DB, files fs.FS) (*goose.Provider, error) {
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableLockTimeout(200*time.Millisecond, 1500),
		// A node that is killed while it migrates holds back the others for so
		// long. One whose lock was taken has nothing to unlock.
		lock.WithTableLeaseDuration(10*time.Second),
		lock.WithTableHeartbeatInterval(2*time.Second),
		lock.WithTableUnlockTimeout(200*time.Millisecond, 5),
		lock.WithTableLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	return migrator(goose.DialectPostgres, write, files, "migrations/postgres", goose.WithLocker(locker))
}

func migrator(dialect goose.Dialect, db *sql.DB, all fs.FS, dir string, opts ...goose.ProviderOption) (*goose.Provider, error) {
	files, err := fs.Sub(all, dir)
	if err != nil {
		return nil, err
	}
	opts = append(opts, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	return goose.NewProvider(dialect, db, files, opts...)
}
