package store

import (
	"context"
	"database/sql/driver"
)

// sqliteConn is a connection that prepares a statement when it is first run:
// a process runs a few of all there are, and a start would wait for each.
type sqliteConn struct{ fileConn }

// driverConn is what the connections of both drivers can do.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
}

// fileConn is what those of the driver of files can do.
type fileConn interface {
	driverConn
	driver.Validator
}

func (c sqliteConn) Prepare(text string) (driver.Stmt, error) {
	return &sqliteStatement{conn: c.fileConn, text: text}, nil
}

func (c sqliteConn) PrepareContext(_ context.Context, text string) (driver.Stmt, error) {
	return c.Prepare(text)
}

// sqliteStatement is a statement of one connection, and used by one goroutine
// at a time, as that is.
type sqliteStatement struct {
	conn     fileConn
	text     string
	prepared driver.Stmt // nil until it was run
}

// prepare keeps nothing of a failure: the driver gives a statement even then.
func (st *sqliteStatement) prepare(ctx context.Context) error {
	if st.prepared != nil {
		return nil
	}
	prepared, err := st.conn.PrepareContext(ctx, st.text)
	if err != nil {
		return err
	}
	st.prepared = prepared
	return nil
}

func (st *sqliteStatement) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := st.prepare(ctx); err != nil {
		return nil, err
	}
	return st.prepared.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (st *sqliteStatement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := st.prepare(ctx); err != nil {
		return nil, err
	}
	return st.prepared.(driver.StmtQueryContext).QueryContext(ctx, args)
}

// Exec and Query are asked by nobody who can ask with a context.
func (st *sqliteStatement) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

func (st *sqliteStatement) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

// NumInput leaves it to the driver to count arguments.
func (st *sqliteStatement) NumInput() int { return -1 }

func (st *sqliteStatement) Close() error {
	if st.prepared == nil {
		return nil
	}
	return st.prepared.Close()
}
