package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// readingConn is a connection to a file of ours that runs reading statements past
// database/sql, which locks, looks at contexts and starts goroutines for each
// query: for one that the file answers from memory, that is as dear as the
// answer. A request that ends interrupts the search for the first row, and is
// noticed between two rows.
type readingConn struct {
	fileConn
	engine   engine
	prepared []driver.Stmt // by statement id, as they are needed
}

// Close lets go of the statements first: the file stays open as long as there
// are any.
func (c *readingConn) Close() error {
	var errs []error
	for _, stmt := range c.prepared {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	c.prepared = nil
	return errors.Join(append(errs, c.fileConn.Close())...)
}

// readingConnector makes them.
type readingConnector struct {
	driver.Connector
	engine engine
}

func (c readingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &readingConn{fileConn: conn.(fileConn), engine: c.engine, prepared: make([]driver.Stmt, len(statements))}, nil
}

// errIndirect says that something stands between the store and its driver.
var errIndirect = errors.New("not a connection of ours")

// borrow runs fn on one connection for reading; errIndirect when that has to be
// done the usual way.
func (s *Store) borrow(ctx context.Context, fn func(c *readingConn) error) error {
	if !s.engine.alone() {
		return errIndirect
	}
	conn, err := s.read.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(raw any) error {
		c, ok := raw.(*readingConn)
		if !ok {
			return errIndirect
		}
		return fn(c)
	})
}

// ask runs one reading statement, which sees one state without a transaction,
// and hands every row to scan.
func (s *Store) ask(ctx context.Context, st *statement, scan func(row) error, args ...any) error {
	err := s.borrow(ctx, func(c *readingConn) error { return c.load(ctx, st, scan, args) })
	if !errors.Is(err, errIndirect) {
		return err
	}
	rows, err := s.read.query(ctx, st, args...)
	return each(rows, err, scan)
}

// directly runs fn in a read-only transaction on one connection; errIndirect
// when that has to be done the usual way.
func (s *Store) directly(ctx context.Context, fn func(t *tx) error) error {
	return s.borrow(ctx, func(c *readingConn) (err error) {
		reading, err := c.BeginTx(context.Background(), driver.TxOptions{ReadOnly: true})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, reading.Rollback()) }()
		return fn(&tx{pool: s.read, direct: c})
	})
}

// load runs a query and hands every row to scan.
func (c *readingConn) load(ctx context.Context, st *statement, scan func(row) error, args []any) (err error) {
	stmt := c.prepared[st.id]
	if stmt == nil {
		if stmt, err = c.PrepareContext(ctx, st.text(c.engine)); err != nil {
			return err
		}
		c.prepared[st.id] = stmt
	}
	named := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		named[i].Ordinal = i + 1
		if named[i].Value, err = driver.DefaultParameterConverter.ConvertValue(arg); err != nil {
			return err
		}
	}
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, named)
	if err != nil {
		return err
	}
	defer rows.Close()
	for values := make(values, len(rows.Columns())); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := rows.Next(values); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := scan(values); err != nil {
			return err
		}
	}
}

// values is one row.
type values []driver.Value

// Scan copies the columns to where dest points.
func (v values) Scan(dest ...any) error {
	if len(v) != len(dest) {
		return fmt.Errorf("%d columns are scanned into %d places", len(v), len(dest))
	}
	for i := range dest {
		if err := assign(dest[i], v[i]); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}

func assign(dest any, value driver.Value) error {
	switch to := dest.(type) {
	case *sql.NullInt64:
		to.Int64, to.Valid = value.(int64)
		if to.Valid || value == nil {
			return nil
		}
	case *sql.NullString:
		to.String, to.Valid = value.(string)
		if to.Valid || value == nil {
			return nil
		}
	case sql.Scanner:
		return to.Scan(value)
	case *[]byte:
		switch from := value.(type) {
		case nil:
			*to = nil
			return nil
		case string:
			*to = []byte(from)
			return nil
		case []byte:
			*to = from
			return nil
		}
	default:
		return assignKind(reflect.ValueOf(dest).Elem(), value)
	}
	return fmt.Errorf("%T does not hold a %T", dest, value)
}

// assignKind fills types of our own by what they are made of.
func assignKind(to reflect.Value, value driver.Value) error {
	if to.Kind() == reflect.Pointer {
		if value == nil {
			to.SetZero()
			return nil
		}
		to.Set(reflect.New(to.Type().Elem()))
		return assignKind(to.Elem(), value)
	}
	switch from := value.(type) {
	case string:
		if to.Kind() == reflect.String {
			to.SetString(from)
			return nil
		}
	case int64:
		switch {
		case to.CanInt() && !to.OverflowInt(from):
			to.SetInt(from)
			return nil
		case to.Kind() == reflect.Bool:
			to.SetBool(from != 0)
			return nil
		}
	}
	if to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8 {
		switch from := value.(type) {
		case nil:
			to.SetZero()
			return nil
		case string:
			to.SetBytes([]byte(from))
			return nil
		case []byte:
			to.SetBytes(from)
			return nil
		}
	}
	return fmt.Errorf("a %s does not hold a %T", to.Type(), value)
}
