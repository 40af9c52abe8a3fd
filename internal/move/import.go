package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"

	"mooring/internal/store"
)

// A transaction has so many rows, and about so many bytes of them, at most.
const (
	batchRows  = 5000
	batchBytes = 8 << 20
)

// IsExport says whether a file begins like an export. It reads from where the
// file stands, and goes back there.
func IsExport(file io.ReadSeeker) (bool, error) {
	begin := make([]byte, len(headBegins))
	n, err := io.ReadFull(file, begin)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	_, err = file.Seek(int64(-n), io.SeekCurrent)
	return string(begin[:n]) == headBegins, err
}

// Check reads a file from its first line to its last and refuses one that was
// cut or changed, or is of another schema.
func Check(ctx context.Context, file *os.File, tell Progress) (Summary, error) {
	r, err := opened(file)
	if err != nil {
		return Summary{}, err
	}
	all := r.header.rows()
	for i, t := range store.Tables() {
		for range r.header.Export.Tables[i].Rows {
			if _, err := r.row(t); err != nil {
				return Summary{}, err
			}
			if tell("checked", r.rows, all); ctx.Err() != nil {
				return Summary{}, ctx.Err()
			}
		}
	}
	err = r.end()
	return Summary{Rows: r.rows, SHA256: r.sum()}, err
}

// opened reads a file from its beginning.
func opened(file *os.File) (*reader, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return newReader(file.Name(), file)
}

// filling is one import under way.
type filling struct {
	in     *reader
	target *store.Target
	dry    bool
	tell   Progress
	done   Summary

	table store.Table
	batch [][]any
	bytes int
}

// Import fills a target with a file that Check found right. What an earlier run
// has written is compared, row for row, and the rest is written; when all of it
// is there, nothing is. A dry run writes nothing and says what would become of it.
func Import(ctx context.Context, file *os.File, target *store.Target, dry bool, tell Progress) (Summary, error) {
	in, err := opened(file)
	if err != nil {
		return Summary{}, err
	}
	f := &filling{in: in, target: target, dry: dry, tell: tell}
	if !dry && (target.Fresh() || target.Begun()) {
		if err := target.Begin(ctx); err != nil {
			return Summary{}, err
		}
	}
	for i, t := range store.Tables() {
		if err := f.fill(ctx, t, in.header.Export.Tables[i].Rows); err != nil {
			return Summary{}, err
		}
	}
	// What is written last makes the database whole: not before the file is known to be.
	if err := in.end(); err != nil {
		return Summary{}, err
	}
	f.done.Rows, f.done.SHA256, f.done.Already = in.rows, in.sum(), f.done.Resumed == in.rows
	if !dry && !f.done.Already {
		if err := f.count(ctx); err != nil {
			return Summary{}, err
		}
	}
	return f.done, f.flush(ctx)
}

// count sees that nothing came into the database beside what was written.
func (f *filling) count(ctx context.Context) error {
	tables := store.Tables()
	for i, t := range tables[:len(tables)-1] {
		there, err := f.target.Count(ctx, t)
		if want := f.in.header.Export.Tables[i].Rows; err == nil && there != want {
			err = fmt.Errorf("somebody else wrote to this database: it has %d rows of %s, and the file %d: import into an empty one", there, t.Name, want)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fill brings the rows of a table; those of the one before are written first.
func (f *filling) fill(ctx context.Context, t store.Table, rows int64) error {
	if err := f.flush(ctx); err != nil {
		return err
	}
	f.table = t
	there, err := f.compare(ctx, t, rows)
	if err != nil {
		return err
	}
	f.done.Resumed += there
	for range rows - there {
		if !f.target.Fresh() && !f.target.Begun() {
			return errFilled
		}
		values, err := f.in.row(t)
		if err != nil {
			return err
		}
		if err := f.add(ctx, values); err != nil {
			return err
		}
	}
	return nil
}

var (
	errFilled = errors.New("the database is not empty, and has other rows than the file: import into an empty one")
	errOther  = errors.New("an import of another file into this database is not finished: go on with that file, or import into an empty database")
)

// compare reads what is there of a table, beside the file.
func (f *filling) compare(ctx context.Context, t store.Table, rows int64) (there int64, err error) {
	if f.target.Fresh() {
		return 0, nil
	}
	other := errFilled
	if f.target.Begun() {
		other = errOther
	}
	err = f.target.Rows(ctx, t, func(values []any) error {
		if there++; there > rows {
			return other
		}
		want, err := f.in.row(t)
		if err == nil && !reflect.DeepEqual(values, want) {
			err = fmt.Errorf("%w (line %d)", other, f.in.line)
		}
		f.tell("compared", f.in.rows, f.in.header.rows())
		return err
	})
	return there, err
}

// add takes a row to be written.
func (f *filling) add(ctx context.Context, values []any) error {
	f.batch = append(f.batch, values)
	for _, v := range values {
		switch v := v.(type) {
		case string:
			f.bytes += len(v)
		case []byte:
			f.bytes += len(v)
		}
	}
	if len(f.batch) < batchRows && f.bytes < batchBytes {
		return nil
	}
	return f.flush(ctx)
}

// flush writes what was taken.
func (f *filling) flush(ctx context.Context) error {
	if len(f.batch) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !f.dry {
		if err := f.target.Write(ctx, f.table, f.batch); err != nil {
			return fmt.Errorf("%s, about line %d: %w", f.in.name, f.in.line, err)
		}
		f.tell("written", f.in.rows, f.in.header.rows())
	}
	clear(f.batch) // what they hold may go
	f.batch, f.bytes = f.batch[:0], 0
	return nil
}
