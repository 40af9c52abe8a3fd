package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgres keeps everything in a database that any number of nodes share.
type postgres struct {
	url   string
	log   *slog.Logger
	limit time.Duration

	several bool          // hosts are in the URL
	leader  atomic.Int64  // which of the URL's hosts answered last, by the first way to it
	newest  atomic.Uint32 // the highest timeline that a server of this database was seen on; 0 when none was
	warned  warnings      // what the server warned of
}

func (e *postgres) name() string    { return "postgres" }
func (e *postgres) arrays() bool    { return true }
func (e *postgres) committers() int { return 2 }
func (e *postgres) deeds() int      { return 2 }
func (e *postgres) alone() bool     { return false }

func (e *postgres) snapshot() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

// deadline ends a wait for a database that has gone silent, or for a standby.
func (e *postgres) deadline() time.Duration { return e.limit }

// How long one host of the URL may take to let us in. With several, the next
// may be the one that a standby took over.
const (
	oneHostPatience  = 10 * time.Second
	eachHostPatience = 3 * time.Second
)

func (e *postgres) open(ctx context.Context, wrap func(driver.Connector) driver.Connector) (write, read *sql.DB, err error) {
	config, err := pgx.ParseConfig(e.url)
	if err != nil {
		// The parser's error can quote the URL, and with it the password.
		return nil, nil, errors.New("the database URL can't be read: it must look like postgres://user@host:5432/name")
	}
	var hosts []*pgx.ConnConfig
	hosts, e.several = hostsOf(config)
	pool := func(writes bool) *sql.DB {
		return sql.OpenDB(wrap(&connectorOfHosts{engine: e, hosts: hosts, writes: writes}))
	}
	if e.several {
		e.survey(ctx, hosts)
	}
	// Writers: the committers, some for writes that do not queue, and the sequencer.
	return fixed(pool(true), e.committers()+e.deeds()+1), fixed(pool(false), max(8, 4*runtime.GOMAXPROCS(0))), nil
}

func (e *postgres) refusal(err error) error {
	if one, ok := errors.AsType[unfit](err); ok {
		return one
	}
	if silent(err) {
		return fmt.Errorf("PostgreSQL can't be reached: %s", inOneLine(err))
	}
	return err
}

// inOneLine is what went wrong on each way that was tried to each host, each
// said once: a host that is gone is gone whichever way.
func inOneLine(err error) string {
	text := ""
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		switch {
		case strings.Contains(text, line):
		case text == "":
			text = line
		case strings.HasSuffix(text, ":"):
			text += " " + line
		default:
			text += "; " + line
		}
	}
	return text
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
