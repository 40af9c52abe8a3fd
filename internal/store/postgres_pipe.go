package store

import (
	"cmp"
	"context"
	"database/sql/driver"

	"github.com/jackc/pgx/v5"
)

// asked is a statement that is sent with others, whose answers are read when
// all are under way. The server runs them one after the other, and none behind
// one that fails.
type asked struct {
	text string
	args []any
	scan func(row) error   // gets each row; nil when the statement writes
	done func(int64) error // is told how many rows a statement that writes touched
}

// piped stands for several statements where database/sql knows of one at a
// time. Its only argument are the statements.
const piped = "-- several statements"

// pipe sends statements together: a batch costs a few round trips, however many
// tables it touches. Only who takes arrays can.
func (t *tx) pipe(ctx context.Context, all []asked) error {
	if len(all) == 0 {
		return nil
	}
	_, err := t.ExecContext(ctx, piped, all)
	return err
}

// ExecContext runs one statement, or those that stand behind piped.
func (c *postgresConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if query != piped {
		return c.Conn.ExecContext(ctx, query, args)
	}
	return driver.ResultNoRows, c.pipe(ctx, args[0].Value.([]asked))
}

func (c *postgresConn) pipe(ctx context.Context, all []asked) (err error) {
	var batch pgx.Batch
	for _, a := range all {
		batch.Queue(a.text, a.args...)
	}
	answers := c.Conn.Conn().SendBatch(ctx, &batch)
	defer func() { err = cmp.Or(err, answers.Close()) }()
	for _, a := range all {
		if err := a.take(answers); err != nil {
			return err
		}
	}
	return nil
}

// take reads what is answered to a statement.
func (a asked) take(answers pgx.BatchResults) error {
	if a.scan == nil {
		tag, err := answers.Exec()
		if err == nil {
			err = a.done(tag.RowsAffected())
		}
		return err
	}
	rows, err := answers.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := a.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
