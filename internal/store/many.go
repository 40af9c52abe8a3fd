package store

import (
	"context"
	"fmt"
)

// gather has what changes many rows wait, until something else is asked or the
// transaction ends, and so fail no sooner.
func (t *tx) gather() { t.gathers = t.arrays }

// flush sends what waits.
func (t *tx) flush(ctx context.Context) error {
	all := t.waiting
	t.waiting = nil
	return t.pipe(ctx, all)
}

// loading is a batch's query for some keys.
type loading struct {
	st   *statement
	keys [][]any
	scan func(row) error
}

// loadAll runs queries in their order, together where that can be.
func (t *tx) loadAll(ctx context.Context, parts ...loading) error {
	var all []asked
	for _, part := range parts {
		switch {
		case len(part.keys) == 0:
		case t.arrays:
			all = append(all, asked{text: part.st.text(t.engine), args: columns(part.keys), scan: part.scan})
		default:
			if err := t.loadMany(ctx, part.st, part.keys, part.scan); err != nil {
				return err
			}
		}
	}
	return t.pipe(ctx, all)
}

// loadMany runs a batch's query for every key and hands every row to scan.
func (t *tx) loadMany(ctx context.Context, st *statement, keys [][]any, scan func(row) error) error {
	if len(keys) == 0 {
		return nil
	}
	if t.arrays {
		return t.load(ctx, st, scan, columns(keys)...)
	}
	for st.some != nil && len(keys) >= someKeys/4 {
		n := min(len(keys), someKeys)
		if err := t.load(ctx, st.some, scan, inARow(keys[:n])...); err != nil {
			return err
		}
		keys = keys[n:]
	}
	for _, key := range keys {
		if err := t.load(ctx, st, scan, key...); err != nil {
			return err
		}
	}
	return nil
}

// inARow writes keys one after the other, the last one again and again in the
// places that are left.
func inARow(keys [][]any) []any {
	list := make([]any, 0, someKeys*len(keys[0]))
	for i := range someKeys {
		list = append(list, keys[min(i, len(keys)-1)]...)
	}
	return list
}

// changeMany writes every row, and fails when one of them found no place.
func (t *tx) changeMany(ctx context.Context, st *statement, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if t.gathers {
		t.recalled = t.recalled || st.recalled()
		t.waiting = append(t.waiting, asked{
			text: st.text(t.engine), args: columns(rows), done: func(n int64) error { return wantTouched(n, len(rows)) },
		})
		return nil
	}
	var touched int64
	if t.arrays {
		n, err := t.change(ctx, st, columns(rows)...)
		if err != nil {
			return err
		}
		touched = n
	} else {
		for _, row := range rows {
			n, err := t.change(ctx, st, row...)
			if err != nil {
				return err
			}
			touched += n
		}
	}
	return wantTouched(touched, len(rows))
}

// wantTouched refuses what found no place for all of its rows.
func wantTouched(touched int64, want int) error {
	if touched != int64(want) {
		return fmt.Errorf("wrote %d rows where %d were to be written", touched, want)
	}
	return nil
}

// columns turns rows into one array per column.
func columns(rows [][]any) []any {
	turned := make([]any, len(rows[0]))
	for i := range turned {
		switch rows[0][i].(type) {
		case string:
			turned[i] = column[string](rows, i)
		case int64:
			turned[i] = column[int64](rows, i)
		default:
			turned[i] = mixed(rows, i)
		}
	}
	return turned
}

// column is one of the arrays, of a type that needs no look at each value where
// all have the same.
func column[T any](rows [][]any, i int) any {
	same := make([]T, len(rows))
	for j, row := range rows {
		value, ok := row[i].(T)
		if !ok {
			return mixed(rows, i)
		}
		same[j] = value
	}
	return same
}

// mixed is an array in which values may be missing.
func mixed(rows [][]any, i int) []any {
	values := make([]any, len(rows))
	for j, row := range rows {
		values[j] = row[i]
	}
	return values
}
