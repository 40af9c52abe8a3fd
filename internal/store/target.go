package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Target is a database that is filled with the rows of another. Its epoch is
// taken away before the first row is written and is the last to come, so that
// nobody takes what is half there for a database: Open refuses it.
type Target struct {
	store *Store // nil when nothing is to be written
	db    *sql.DB
	made  bool  // whether it has tables
	begun bool  // whether an import into it was begun and not finished
	empty bool  // whether it has no rows
	fence int64 // of its import
	texts map[string]*sql.Stmt
}

// OpenTarget makes a database ready to be filled: a new one, one that is empty,
// or one that an earlier import has begun to fill.
func OpenTarget(ctx context.Context, cfg Config) (*Target, error) {
	if err := wantUnused(ctx, cfg); err != nil {
		return nil, err
	}
	s, err := unstarted(ctx, cfg, standard)
	if err != nil {
		return nil, err
	}
	t := &Target{store: s, db: s.read.db, made: true, texts: map[string]*sql.Stmt{}}
	if err := insistAtStart(ctx, s.engine, func() error { return t.look(ctx) }); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// wantUnused refuses a database of another schema that somebody uses, before
// it is migrated under who uses it.
func wantUnused(ctx context.Context, cfg Config) error {
	e, err := engineOf(cfg, standard.limit)
	if err != nil {
		return err
	}
	db, err := e.reader(ctx)
	if errors.Is(err, errNoDatabase) {
		return nil
	}
	if err != nil {
		return err
	}
	defer db.Close()
	if err := reach(ctx, e, db); err != nil {
		return err
	}
	return insistAtStart(ctx, e, func() error { return wantUnusedIn(ctx, e, db) })
}

func wantUnusedIn(ctx context.Context, e engine, db *sql.DB) error {
	made, err := hasTables(ctx, e, db)
	if err != nil || !made {
		return err
	}
	var used bool // both tables are of the first schema
	const text = "SELECT EXISTS (SELECT 1 FROM account) OR EXISTS (SELECT 1 FROM sealed_key)"
	if err := db.QueryRowContext(ctx, text).Scan(&used); err != nil || !used {
		return err
	}
	return wantSchema(ctx, db)
}

// LookAtTarget is OpenTarget for who only wants to know: it makes no database,
// migrates none and writes nothing.
func LookAtTarget(ctx context.Context, cfg Config) (_ *Target, err error) {
	e, err := engineOf(cfg, standard.limit)
	if err != nil {
		return nil, err
	}
	t := &Target{empty: true}
	if t.db, err = e.reader(ctx); errors.Is(err, errNoDatabase) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if err = reach(ctx, e, t.db); err == nil {
		err = insistAtStart(ctx, e, func() (err error) {
			if t.made, err = hasTables(ctx, e, t.db); err == nil && t.made {
				err = t.look(ctx)
			}
			return err
		})
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// look finds out what is there. An older program works beside a newer schema,
// and does not know all of its tables: it is refused.
func (t *Target) look(ctx context.Context) error {
	if err := wantSchema(ctx, t.db); err != nil {
		return err
	}
	whole, err := isWhole(ctx, t.db)
	if err != nil {
		return err
	}
	t.begun = !whole
	t.empty, err = isEmpty(ctx, t.db)
	return err
}

// isEmpty says whether no table has a row, but for the epoch that a migration
// puts there.
func isEmpty(ctx context.Context, from querier) (bool, error) {
	for _, table := range tablesMoved {
		if table.Name == epochTable {
			continue
		}
		var there bool
		if err := from.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+table.Name+")").Scan(&there); err != nil || there {
			return false, err
		}
	}
	return true, nil
}

// Close leaves the database.
func (t *Target) Close() error {
	switch {
	case t.store != nil:
		var errs []error
		for _, stmt := range t.texts {
			errs = append(errs, stmt.Close())
		}
		return errors.Join(append(errs, t.store.disconnect())...)
	case t.db != nil:
		return t.db.Close()
	}
	return nil
}

// Fresh says whether nothing was written to it yet; Begun whether an import was
// begun and not finished. If neither, it is somebody's database.
func (t *Target) Fresh() bool { return t.empty && !t.begun }

// Begun says whether an import was begun and not finished.
func (t *Target) Begun() bool { return t.begun }

// Rows hands the rows of a table that are there to yield, as Source does.
func (t *Target) Rows(ctx context.Context, table Table, yield func(values []any) error) error {
	if !t.made {
		return nil
	}
	return tableRows(ctx, t.db, table, 0, yield)
}

// importLease is the row of the one import that writes. Who begins, or goes on
// with what was begun, takes it from who had it, whose writes are then refused.
const importLease = "import"

const (
	importTaken = `INSERT INTO lease (name, holder, fence, until) VALUES ($1, '', 1, 0)
		ON CONFLICT (name) DO UPDATE SET fence = lease.fence + 1 RETURNING fence`
	importHeld  = `UPDATE lease SET until = 0 WHERE name = $1 AND fence = $2` // locks it
	importEnded = `DELETE FROM lease WHERE name = $1 AND fence = $2`
)

// Begin makes a fresh target one that an import has begun with, or takes over
// one that was begun: from then on nobody else writes rows to it.
func (t *Target) Begin(ctx context.Context) error {
	err := t.store.transact(ctx, func(ctx context.Context, tx *tx) error {
		if err := t.unmake(ctx, tx); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, importTaken, importLease).Scan(&t.fence)
	})
	t.begun = t.begun || err == nil
	return err
}

// unmake takes the epoch away, or sees that it is away still.
func (t *Target) unmake(ctx context.Context, tx *tx) error {
	if t.begun {
		whole, err := isWhole(ctx, tx)
		if err == nil && whole {
			err = errTaken
		}
		return err
	}
	if empty, err := isEmpty(ctx, tx); err != nil || !empty {
		return cmp.Or(err, errFilled)
	}
	return onlyRow(tx.ExecContext(ctx, "DELETE FROM "+epochTable))
}

// onlyRow refuses a write that did not touch the one row that it was to touch.
func onlyRow(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		err = errTaken
	}
	return err
}

var (
	errFilled = errors.New("somebody else writes to this database: nothing was imported")
	errTaken  = errors.New("another import into this database was begun, and this one has stopped: run one at a time")
)

// Count is how many rows of a table there are.
func (t *Target) Count(ctx context.Context, table Table) (int64, error) {
	return countOf(ctx, t.db, table)
}

// Write adds rows to a table, all or none, and none once another import has
// begun. The epoch ends the import. When the outcome is not known it is an
// error: a new import finds out.
func (t *Target) Write(ctx context.Context, table Table, rows [][]any) error {
	stmt := t.texts[table.Name]
	if stmt == nil {
		var err error
		if stmt, err = t.store.write.db.PrepareContext(ctx, table.insertion(t.store.engine.arrays())); err != nil {
			return fmt.Errorf("prepare for the rows of %s: %w", table.Name, err)
		}
		t.texts[table.Name] = stmt
	}
	held := importHeld
	if table.Name == epochTable {
		held = importEnded
	}
	return t.store.transact(ctx, func(ctx context.Context, tx *tx) error {
		if err := onlyRow(tx.ExecContext(ctx, held, importLease, t.fence)); err != nil {
			return err
		}
		bound := tx.StmtContext(ctx, stmt)
		if tx.arrays {
			_, err := bound.ExecContext(ctx, columns(rows)...)
			return err
		}
		for _, row := range rows {
			if _, err := bound.ExecContext(ctx, row...); err != nil {
				return err
			}
		}
		return nil
	})
}
