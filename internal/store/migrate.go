package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the schema up to date, and refuses one that is newer than
// this program. Migrations only go forward. With mustExist
// it makes no first schema, so that a mistyped name leaves no tables behind.
func migrate(ctx context.Context, e engine, write *sql.DB, mustExist bool, log *slog.Logger) error {
	if mustExist {
		if err := checkMade(ctx, e, write); err != nil {
			return err
		}
	}
	provider, err := e.migrator(write)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the version of the schema: %w", err)
	}
	if have > want {
		return newerSchema(have, want)
	}
	done, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate the schema: %w", err)
	}
	for _, m := range done {
		log.Info("migrated the schema", "to", m.Source.Version, "engine", e.name())
	}
	return nil
}

// checkMade refuses a database without our tables, before anything writes.
func checkMade(ctx context.Context, e engine, write *sql.DB) error {
	var tables int
	if err := write.QueryRowContext(ctx, e.ourTables()).Scan(&tables); err != nil {
		return fmt.Errorf("look for tables: %w", err)
	}
	if tables == 0 {
		return errors.New("this database was never initialised: do it with `mooring init`, or name the right one")
	}
	return nil
}

func newerSchema(have, want int64) error {
	return fmt.Errorf("the database has schema %d and this program knows only %d: run the newer release of mooring that wrote it", have, want)
}

// ourTables counts the tables that the first migration makes.
func (e *sqlite) ourTables() string {
	return `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'sealed_key'`
}

func (e *postgres) ourTables() string {
	return `SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'sealed_key'`
}

func (e *sqlite) migrator(write *sql.DB) (*goose.Provider, error) {
	// The lock file keeps every other process out, so no lock is needed here.
	return migrator(goose.DialectSQLite3, write, "migrations/sqlite")
}

func (e *postgres) migrator(write *sql.DB) (*goose.Provider, error) {
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableLockTimeout(200*time.Millisecond, 1500),
		lock.WithTableLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	return migrator(goose.DialectPostgres, write, "migrations/postgres", goose.WithLocker(locker))
}

func migrator(dialect goose.Dialect, db *sql.DB, dir string, opts ...goose.ProviderOption) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, dir)
	if err != nil {
		return nil, err
	}
	opts = append(opts, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	return goose.NewProvider(dialect, db, files, opts...)
}
