package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// statement is one constant SQL text. The few that a batch runs for many rows
// have a second text, which takes the rows of all changes at once, as one
// array per column, on an engine that can. On one that can't, those that a
// batch asks most have a statement for some rows at a time.
type statement struct {
	id   int
	use  use
	one  string     // for one row; on both engines unless many is there
	many string     // for arrays of rows, in PostgreSQL; "" when one serves
	some *statement // takes someKeys keys in a row; nil when one serves

	recalled func() bool // it writes what recall remembers
}

// use says which connections prepare a statement.
type use uint8

const (
	reading use = iota
	writing
)

// statements are all there are, in the order of their ids.
var statements []*statement

// writesRecalled finds the statements that change how a connection is shown, or to
// whom.
var writesRecalled = regexp.MustCompile(`\b(INTO|UPDATE|DELETE FROM) (account|connection|signup|event)\b`)

func define(u use, one, many string) *statement {
	st := &statement{id: len(statements), use: u, one: one, many: many}
	st.recalled = sync.OnceValue(func() bool { return u == writing && writesRecalled.MatchString(one) })
	statements = append(statements, st)
	return st
}

// reads defines a statement for the read-only connections.
func reads(text string) *statement { return define(reading, text, "") }

// writes defines a statement for the writing connections.
func writes(text string) *statement { return define(writing, text, "") }

// batches defines a statement that a batch runs for many rows.
func batches(one, many string) *statement { return define(writing, one, many) }

// someKeys is how many keys a statement for some rows takes. What a query costs
// beyond its rows is twice what a row does.
const someKeys = 16

// asked defines the text for some rows beside that for one: it has %s where the
// keys, of so many columns each, are listed.
func (st *statement) asked(columns int, text string) *statement {
	var list strings.Builder
	for i := range someKeys * columns {
		switch {
		case i == 0:
			list.WriteString("VALUES (")
		case i%columns == 0:
			list.WriteString("), (")
		default:
			list.WriteString(", ")
		}
		fmt.Fprintf(&list, "$%d", i+1)
	}
	list.WriteString(")")
	st.some = define(st.use, fmt.Sprintf(text, list.String()), "")
	return st
}

// text is what an engine is asked to prepare. SQLite prepares a statement anew
// whenever the parameter is bound that its LIMIT is, but not one with a sign.
func (st *statement) text(e engine) string {
	switch {
	case !e.arrays():
		return strings.ReplaceAll(st.one, "LIMIT $", "LIMIT +$")
	case st.many != "":
		return st.many
	default:
		return st.one
	}
}

// pool is a set of connections and the statements prepared on them.
type pool struct {
	db       *sql.DB
	prepared []*sql.Stmt // by statement id; nil for those of the other use
}

func (p *pool) prepare(ctx context.Context, e engine, u use) error {
	p.prepared = make([]*sql.Stmt, len(statements))
	for _, st := range statements {
		if st.use != u {
			continue
		}
		stmt, err := p.db.PrepareContext(ctx, st.text(e))
		if err != nil {
			return fmt.Errorf("prepare %q: %w", st.text(e), err)
		}
		p.prepared[st.id] = stmt
	}
	return nil
}

// renew drops the idle connections after a silence: when the server restarted,
// all of them are dead, and each would fail somebody else.
func (p *pool) renew(after trouble) {
	if after == down {
		p.db.SetMaxIdleConns(0)
		p.db.SetMaxIdleConns(p.db.Stats().MaxOpenConnections)
	}
}

func (p *pool) close() error {
	var errs []error
	for _, stmt := range p.prepared {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(append(errs, p.db.Close())...)
}

// query runs a reading statement outside a transaction.
func (p *pool) query(ctx context.Context, st *statement, args ...any) (*sql.Rows, error) {
	return p.prepared[st.id].QueryContext(ctx, args...)
}

// row is what a scanning function reads one row from.
type row interface{ Scan(dest ...any) error }

// each hands every row to scan, and closes rows.
func each(rows *sql.Rows, err error, scan func(row) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
