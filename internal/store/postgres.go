package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres keeps everything in a database that any number of nodes share.
type postgres struct {
	url string
}

func (e *postgres) name() string    { return "postgres" }
func (e *postgres) arrays() bool    { return true }
func (e *postgres) committers() int { return 2 }
func (e *postgres) deeds() int      { return 2 }
func (e *postgres) alone() bool     { return false }

func (e *postgres) snapshot() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

// deadline ends a wait for a database that has gone silent.
func (e *postgres) deadline() time.Duration { return 15 * time.Second }

func (e *postgres) open(ctx context.Context, wrap func(driver.Connector) driver.Connector) (write, read *sql.DB, err error) {
	config, err := pgx.ParseConfig(e.url)
	if err != nil {
		// The parser's error can quote the URL, and with it the password.
		return nil, nil, errors.New("the database URL can't be read: it must look like postgres://user@host:5432/name")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	pool := func() *sql.DB {
		return sql.OpenDB(wrap(stdlib.GetConnector(*config, stdlib.OptionAfterConnect(checkConnection))))
	}
	// Writers: the committers, some for writes that do not queue, and the sequencer.
	return fixed(pool(), e.committers()+e.deeds()+1), fixed(pool(), max(8, 4*runtime.GOMAXPROCS(0))), nil
}

// serverSettings are what makes a commit safe, by the server's own names.
var serverSettings = []string{"server_version_num", "server_encoding", "fsync", "full_page_writes", "synchronous_commit"}

// checkConnection refuses a connection on which a commit would not be safe.
func checkConnection(ctx context.Context, conn *pgx.Conn) error {
	got, err := readServerSettings(ctx, conn)
	if err == nil {
		err = checkServerSettings(got)
	}
	if err == nil {
		// Every statement looks rows up by a key. While a table is young the
		// planner would rather read all of it, and remember that plan.
		_, err = conn.Exec(ctx, "SET enable_seqscan = off")
	}
	if err != nil {
		_ = conn.Close(ctx) // nobody else would
	}
	return err
}

func readServerSettings(ctx context.Context, conn *pgx.Conn) (map[string]string, error) {
	got := map[string]string{}
	for _, name := range serverSettings {
		var value string
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return nil, fmt.Errorf("read the setting %s: %w", name, err)
		}
		got[name] = value
	}
	return got, nil
}

func checkServerSettings(got map[string]string) error {
	version, err := strconv.Atoi(got["server_version_num"])
	if err != nil || version < 150_000 {
		return fmt.Errorf("PostgreSQL 15 or newer is needed, and this server is %s", got["server_version_num"])
	}
	if got["server_encoding"] != "UTF8" {
		return fmt.Errorf("PostgreSQL keeps this database in %s: make one with encoding UTF8", got["server_encoding"])
	}
	for _, name := range []string{"fsync", "full_page_writes"} {
		if got[name] != "on" {
			return fmt.Errorf("PostgreSQL runs with %s = %s: turn it on, or a crash loses what was acknowledged", name, got[name])
		}
	}
	if got["synchronous_commit"] == "off" {
		return errors.New("PostgreSQL runs with synchronous_commit = off: turn it on, or a crash loses what was acknowledged")
	}
	return nil
}

func (e *postgres) refusal(err error) error {
	if failed, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		// One line per host that was tried.
		return fmt.Errorf("PostgreSQL can't be reached: %s", strings.Join(strings.Fields(failed.Error()), " "))
	}
	return err
}

func (e *postgres) trouble(err error) trouble {
	if failed, ok := errors.AsType[*pgconn.PgError](err); ok {
		return troubleOf(failed.Code)
	}
	if silent(err) {
		return down
	}
	return guilty
}

// troubleOf reads a SQLSTATE.
func troubleOf(code string) trouble {
	switch {
	case code == "40001" || code == "40P01": // serialization failure, deadlock
		return conflict
	case code == "23505": // unique violation
		return raced
	case code == "53100" || code == "53200": // no room on disk, no memory
		return stuck
	case strings.HasPrefix(code, "08"), // connection
		strings.HasPrefix(code, "53"),    // out of something else, such as connections
		strings.HasPrefix(code, "57"),    // operator: shutdown, starting up, cancelled
		strings.HasPrefix(code, "58"),    // system: I/O
		code == "25006", code == "55P03": // no longer the primary; lock not available
		return down
	default:
		return guilty
	}
}

// silent says whether err means that the server was not heard, rather than
// that it refused.
func silent(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	for _, known := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// troubleAtCommit trusts only the server's own word that it rolled back.
func (e *postgres) troubleAtCommit(err error) trouble {
	if failed, ok := errors.AsType[*pgconn.PgError](err); ok {
		if kind := troubleOf(failed.Code); kind == conflict || kind == raced {
			return kind
		}
	}
	return unknown
}

// chores give positions to what is told; the rest the server does itself.
func (e *postgres) chores(ctx context.Context, s *Store) { s.sequence(ctx) }

func (e *postgres) close(read, write *pool, _ bool) error {
	var errs []error
	for _, p := range []*pool{read, write} {
		if p != nil {
			errs = append(errs, p.close())
		}
	}
	return errors.Join(errs...)
}
