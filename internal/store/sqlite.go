package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	driversqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqlite keeps everything in one file of a directory that belongs to one
// process: one connection writes, several read.
type sqlite struct {
	dir       string
	mustExist bool
	lock      *fileLock
	side      *sql.DB // copies the log into the file beside the writer; see checkpoint.go
}

func (e *sqlite) name() string             { return "sqlite" }
func (e *sqlite) arrays() bool             { return false }
func (e *sqlite) committers() int          { return 1 }
func (e *sqlite) deeds() int               { return 0 } // one connection writes, and whoever waits holds none
func (e *sqlite) alone() bool              { return true }
func (e *sqlite) snapshot() *sql.TxOptions { return &sql.TxOptions{ReadOnly: true} }
func (e *sqlite) deadline() time.Duration  { return 0 } // the disk is ours: nothing to wait for but itself

// pragma is a setting of a connection: how it is set, and the weakest value
// that may be read back.
type pragma struct {
	name, value string
	safe        func(got string) bool
}

type pragmas []pragma

func (ps pragmas) without(name string) pragmas {
	return slices.DeleteFunc(slices.Clone(ps), func(p pragma) bool { return p.name == name })
}

const (
	busyTimeout = 5_000       // milliseconds
	logPages    = 4 * longLog // of the write-ahead log before the writer copies all of it itself
	writerCache = 8_192       // KiB of pages in memory: a batch that touches more writes them twice. Twice as many made a lone write a fifth dearer
)

func is(want string) func(string) bool { return func(got string) bool { return got == want } }

func atLeast(want int) func(string) bool {
	return func(got string) bool {
		n, err := strconv.Atoi(got)
		return err == nil && n >= want
	}
}

var (
	everyConnection = pragmas{
		{"busy_timeout", strconv.Itoa(busyTimeout), atLeast(busyTimeout)},
		{"synchronous", "2", atLeast(2)}, // FULL: a commit is synced
		{"foreign_keys", "1", is("1")},
		{"trusted_schema", "0", is("0")},
		{"secure_delete", "1", is("1")}, // ON, not FAST: what is deleted is gone from the file
	}
	writingConnection = append(pragmas{
		{"journal_mode", "wal", is("wal")},
		{"wal_autocheckpoint", strconv.Itoa(logPages), atLeast(logPages)},
		{"cache_size", strconv.Itoa(-writerCache), is(strconv.Itoa(-writerCache))},
	}, everyConnection...)
	readingConnection = append(pragmas{
		{"query_only", "1", is("1")},
	}, everyConnection...)
)

func (e *sqlite) open(ctx context.Context, wrap func(driver.Connector) driver.Connector) (write, read *sql.DB, err error) {
	if err := checkSQLiteVersion(sqliteVersion()); err != nil {
		return nil, nil, err
	}
	file := filepath.Join(e.dir, databaseFile)
	if _, err := os.Stat(file); e.mustExist && errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no database in %s: make one with `mooring init --data %[1]s`, or name the right directory", e.dir)
	}
	if err := prepareDirectory(e.dir); err != nil {
		return nil, nil, err
	}
	if e.lock, err = lockDirectory(e.dir); err != nil {
		return nil, nil, err
	}
	if err := prepareFile(file); err != nil {
		return nil, nil, err
	}
	writing, err := connector(file, "_txlock=immediate", writingConnection)
	if err != nil {
		return nil, nil, err
	}
	reading, err := connector(file, "mode=ro", readingConnection)
	if err != nil {
		return nil, nil, err
	}
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	side, err := connector(file, "_txlock=immediate", sideConnection)
	if err != nil {
		return nil, nil, err
	}
	e.side = fixed(sql.OpenDB(side), 1)
	return fixed(sql.OpenDB(wrap(writing)), 1), fixed(sql.OpenDB(wrap(readingConnector{reading, e})), readers), nil
}

// fixed keeps n connections open for good: opening one costs more than most
// of what it would be used for.
func fixed(db *sql.DB, n int) *sql.DB {
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db
}

// sqliteConnector opens connections and checks each before it is used.
type sqliteConnector struct {
	driver.Connector
	pragmas pragmas
}

// connector opens file with the pragmas set. query is more of the driver's
// own settings.
func connector(file, query string, set pragmas) (driver.Connector, error) {
	settings := []string{query}
	for _, p := range set {
		settings = append(settings, "_pragma="+p.name+"%3d"+p.value)
	}
	name := (&url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: strings.Join(settings, "&")}).String()
	inner, err := driversqlite.NewConnector(name)
	if err != nil {
		return nil, err
	}
	return &sqliteConnector{inner, set}, nil
}

func (c *sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkPragmas(ctx, conn, c.pragmas); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return sqliteConn{conn.(fileConn)}, nil
}

// checkPragmas reads every setting back: one that the library did not know,
// or that the file overrides, would be ignored in silence.
func checkPragmas(ctx context.Context, conn driver.Conn, want pragmas) error {
	for _, p := range want {
		got, err := readPragma(ctx, conn, p.name)
		if err != nil {
			return fmt.Errorf("read back %s: %w", p.name, err)
		}
		if !p.safe(got) {
			return fmt.Errorf("SQLite runs with %s = %s where %s is needed: what is acknowledged would not be safe", p.name, got, p.value)
		}
	}
	return nil
}

func readPragma(ctx context.Context, conn driver.Conn, name string) (string, error) {
	rows, err := conn.(driver.QueryerContext).QueryContext(ctx, "PRAGMA "+name, nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	values := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(values); err != nil {
		return "", err
	}
	return fmt.Sprint(values[0]), nil
}

// sqliteVersion is the version of the library in this program, such as "3.53.4".
func sqliteVersion() string { return sqlite3.SQLITE_VERSION }

// checkSQLiteVersion refuses versions that can damage a file in WAL mode:
// those before 3.51.3 and 3.52.0.
func checkSQLiteVersion(version string) error {
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return fmt.Errorf("the SQLite library calls itself %q, which is no version", version)
	}
	number := major*1_000_000 + minor*1_000 + patch
	if number < 3_051_003 || number == 3_052_000 {
		return fmt.Errorf("SQLite %s can damage its file: 3.51.3 or newer is needed, and not 3.52.0", version)
	}
	return nil
}

func (e *sqlite) refusal(err error) error {
	file := filepath.Join(e.dir, databaseFile)
	failed, ok := errors.AsType[*driversqlite.Error](err)
	switch {
	case !ok:
		return err
	case e.trouble(err) == broken:
		return fmt.Errorf("%s is no SQLite database, or a damaged one: restore it from a backup, or name another directory", file)
	default:
		return fmt.Errorf("can't open %s: %w", file, failed)
	}
}

func (e *sqlite) trouble(err error) trouble {
	failed, ok := errors.AsType[*driversqlite.Error](err)
	if !ok {
		return guilty
	}
	switch failed.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return conflict
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return stuck
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return broken
	default:
		return guilty
	}
}

// troubleAtCommit trusts only the failures that SQLite reports before it
// writes the last page: busy, and out of room or memory. After any other, such as a failed sync,
// nobody knows what the disk holds.
func (e *sqlite) troubleAtCommit(err error) trouble {
	switch kind := e.trouble(err); kind {
	case conflict, stuck:
		return kind
	default:
		return broken
	}
}

// close leaves the directory. A sound store first copies the whole log into
// the file; a broken one writes nothing more, so that a restart finds what the
// disk really holds.
func (e *sqlite) close(read, write *pool, sound bool) error {
	var errs []error
	if read != nil {
		errs = append(errs, read.close())
	}
	if sound {
		if write != nil {
			_, err := checkpoint(context.Background(), write.db, "TRUNCATE")
			errs = append(errs, err, write.close())
		}
		if e.side != nil {
			errs = append(errs, e.side.Close())
		}
	}
	if e.lock != nil {
		errs = append(errs, e.lock.release())
	}
	return errors.Join(errs...)
}
