package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Source is one state of a database, to be read whole. On either engine others
// may write meanwhile: nothing of that is seen. It must not be kept for longer
// than it is read, since the engine keeps the state for it.
type Source struct {
	engine engine
	db     *sql.DB
	tx     *sql.Tx
	mark   string
}

// OpenSource reads the state of a database now. It writes nothing, and needs
// no lock of a data directory. It refuses a database of another schema than
// this program's, and one that an import into it was not finished of.
func OpenSource(ctx context.Context, cfg Config) (*Source, error) {
	e, err := engineOf(cfg, standard.limit)
	if err != nil {
		return nil, err
	}
	s := &Source{engine: e}
	if s.db, err = e.reader(ctx); err != nil {
		return nil, err
	}
	if err = reach(ctx, e, s.db); err == nil {
		err = insistAtStart(ctx, e, func() error { return s.fix(ctx) })
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// fix takes hold of the state that there is now.
func (s *Source) fix(ctx context.Context) (err error) {
	if s.tx != nil {
		_ = s.tx.Rollback() // of a try before
	}
	s.mark = s.engine.mark(ctx, s.db) // before the state is fixed: what is written between makes it stale
	if s.tx, err = s.db.BeginTx(ctx, s.engine.snapshot()); err != nil {
		return s.engine.refusal(err)
	}
	if made, err := hasTables(ctx, s.engine, s.tx); err != nil || !made {
		return cmp.Or(err, errNotMade)
	}
	if err := wantSchema(ctx, s.tx); err != nil {
		return err
	}
	if whole, err := isWhole(ctx, s.tx); err != nil || !whole {
		return cmp.Or(err, errUnfinished)
	}
	return nil
}

// Close lets go of the state.
func (s *Source) Close() {
	if s.tx != nil {
		_ = s.tx.Rollback() // nothing was written
	}
	if s.db != nil {
		_ = s.db.Close()
	}
}

// Mark tells the state from every other of this database: as long as it comes
// again nothing was written, and what was read goes on with what is read now. It
// is "" when that can't be told, as of a database that somebody writes to.
func (s *Source) Mark() string { return s.mark }

// Count is how many rows of a table there are.
func (s *Source) Count(ctx context.Context, t Table) (int64, error) { return countOf(ctx, s.tx, t) }

// Rows hands the rows of a table to yield, in an order that is the same on both
// engines, after so many of them. The row is yield's only until it returns.
func (s *Source) Rows(ctx context.Context, t Table, after int64, yield func(values []any) error) error {
	return tableRows(ctx, s.tx, t, after, yield)
}

// querier is a transaction or a pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (p part) count(ctx context.Context, from querier) (n int64, err error) {
	if err = from.QueryRowContext(ctx, "SELECT count(*) FROM "+p.from).Scan(&n); err != nil {
		err = fmt.Errorf("count the rows of %s: %w", p.from, err)
	}
	return n, err
}

func countOf(ctx context.Context, from querier, t Table) (n int64, err error) {
	for _, p := range t.parts {
		more, err := p.count(ctx, from)
		if err != nil {
			return 0, err
		}
		n += more
	}
	return n, nil
}

func tableRows(ctx context.Context, from querier, t Table, after int64, yield func(values []any) error) error {
	for _, p := range t.parts {
		skipped := int64(0)
		if after > 0 {
			there, err := p.count(ctx, from)
			if err != nil {
				return err
			}
			skipped = min(after, there)
			after -= skipped
		}
		if err := p.rows(ctx, from, t, skipped, yield); err != nil {
			return err
		}
	}
	return nil
}

// rows reads what is behind so many rows. An offset is safe: nothing moves in
// the one state that is read.
func (p part) rows(ctx context.Context, from querier, t Table, after int64, yield func(values []any) error) error {
	values, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range into {
		into[i] = &values[i]
	}
	var refused error // by yield
	n := after
	rows, err := from.QueryContext(ctx, p.text+" LIMIT $1 OFFSET $2", int64(math.MaxInt64), after)
	err = each(rows, err, func(r row) error {
		n++
		if err := r.Scan(into...); err != nil {
			return err
		}
		for i, c := range t.Columns {
			value, err := c.value(values[i])
			if err != nil {
				return fmt.Errorf("row %d: %w", n, err)
			}
			values[i] = value
		}
		refused = yield(values)
		return refused
	})
	if err != nil && refused == nil {
		return fmt.Errorf("read %s: %w", p.from, err)
	}
	return err
}

var errNoDatabase = errors.New("there is no database")

// reader opens the file beside whoever has the directory: SQLite lets others
// read while one writes.
func (e *sqlite) reader(context.Context) (*sql.DB, error) {
	file := filepath.Join(e.dir, databaseFile)
	if _, err := os.Stat(file); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w in %s: name the right directory", errNoDatabase, e.dir)
		}
		return nil, fmt.Errorf("can't look at the database: %w", err)
	}
	reading, err := connector(file, "mode=ro", readingConnection)
	if err != nil {
		return nil, err
	}
	return fixed(sql.OpenDB(reading), 1), nil
}

func (e *postgres) reader(ctx context.Context) (*sql.DB, error) {
	write, read, err := e.open(ctx, func(c driver.Connector) driver.Connector { return c })
	if err != nil {
		return nil, err
	}
	return read, write.Close()
}

// markRests is for how long a file must have rested: times of files are coarse.
const markRests = time.Second

func (e *sqlite) mark(context.Context, *sql.DB) string {
	mark := ""
	for _, name := range []string{databaseFile, databaseFile + "-wal"} {
		info, err := os.Stat(filepath.Join(e.dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
			mark += "-/"
		case err != nil, time.Since(info.ModTime()) < markRests:
			return ""
		default:
			mark += fmt.Sprintf("%d,%d/", info.Size(), info.ModTime().UnixNano())
		}
	}
	return "sqlite/" + mark
}

// mark is the number of the next transaction that writes, when none is under way.
func (e *postgres) mark(ctx context.Context, db *sql.DB) string {
	var database, next string
	err := db.QueryRowContext(ctx, `SELECT oid::text, pg_snapshot_xmax(s)::text FROM pg_database, pg_current_snapshot() AS s
		WHERE datname = current_database() AND pg_snapshot_xmin(s) = pg_snapshot_xmax(s)`).Scan(&database, &next)
	if err != nil {
		return "" // somebody writes, or this server does not count so
	}
	return "postgres/" + database + "/" + next
}

// wantSchema refuses tables that are not of this program's schema.
func wantSchema(ctx context.Context, from querier) error {
	var have int64
	if err := from.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&have); err != nil {
		return fmt.Errorf("read the version of the schema: %w", err)
	}
	if want := Schema(); have != want {
		return fmt.Errorf("the database has schema %d and this program moves schema %d: use the release that runs on it, or let this one migrate it first", have, want)
	}
	return nil
}

// Schema is the version of the schema that this program works with.
func Schema() int64 {
	files, err := fs.Glob(migrations, "migrations/sqlite/*.sql") // sorted
	if err != nil {
		panic(err) // the pattern is constant
	}
	number, _, _ := strings.Cut(filepath.Base(files[len(files)-1]), "_")
	version, _ := strconv.ParseInt(number, 10, 64)
	return version
}

// hasTables says whether the first migration was made.
func hasTables(ctx context.Context, e engine, from querier) (bool, error) {
	var tables int
	if err := from.QueryRowContext(ctx, e.ourTables()).Scan(&tables); err != nil {
		return false, fmt.Errorf("look for tables: %w", err)
	}
	return tables > 0, nil
}

var errUnfinished = errors.New("an import into this database is not finished: run it again, or name another database")

// isWhole says whether a database is not one that an import has only begun
// with: then its epoch is missing.
func isWhole(ctx context.Context, from querier) (whole bool, err error) {
	if err = from.QueryRowContext(ctx, "SELECT count(*) > 0 FROM epoch").Scan(&whole); err != nil {
		err = fmt.Errorf("look for an unfinished import: %w", err)
	}
	return whole, err
}
