package store

import (
	"context"
	"database/sql"
	"embed"
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
// this program. Migrations only go forward.
func migrate(ctx context.Context, e engine, write *sql.DB, log *slog.Logger) error {
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

func newerSchema(have, want int64) error {
	return fmt.Errorf("the database has schema %d and this program knows only %d: run the newer release of mooring that wrote it", have, want)
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
