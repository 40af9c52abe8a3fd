package move

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"os"

	"mooring/internal/store"
)

// writer writes the lines of an export.
type writer struct {
	out    *bufio.Writer
	digest hash.Hash
	line   []byte
	rows   int64
}

func newWriter(out io.Writer) *writer {
	return &writer{out: bufio.NewWriterSize(out, 1<<20), digest: sha256.New()}
}

func (w *writer) put(line []byte) error {
	w.digest.Write(line)
	_, err := w.out.Write(line)
	return err
}

// putJSON writes a line that is no row.
func (w *writer) putJSON(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return w.put(append(text, '\n'))
}

func (w *writer) sum() string { return hex.EncodeToString(w.digest.Sum(nil)) }

func (w *writer) row(t store.Table, values []any) error {
	w.line = appendRow(w.line[:0], t, values)
	if err := w.put(w.line); err != nil {
		return err
	}
	if w.rows++; w.rows%checkEvery == 0 {
		return w.putJSON(check{w.sum()})
	}
	return nil
}

// Export writes a database to out, from its first line to its last.
func Export(ctx context.Context, src *store.Source, out io.Writer, tell Progress) (Summary, error) {
	h, err := headerOf(ctx, src)
	if err != nil {
		return Summary{}, err
	}
	w := newWriter(out)
	if err := w.putJSON(h); err != nil {
		return Summary{}, err
	}
	return w.export(ctx, src, h, tell)
}

// Continue goes on with a file that an earlier export of the same state of the
// database has begun. What is behind the last check of it is written anew; a
// file that no check proves, from its beginning.
func Continue(ctx context.Context, src *store.Source, file *os.File, tell Progress) (Summary, error) {
	h, err := headerOf(ctx, src)
	if err != nil {
		return Summary{}, err
	}
	w := newWriter(file)
	proven, err := w.goOn(file, h)
	if err != nil {
		return Summary{}, err
	}
	if err := file.Truncate(proven); err != nil {
		return Summary{}, err
	}
	if _, err := file.Seek(proven, io.SeekStart); err != nil {
		return Summary{}, err
	}
	if proven == 0 {
		if err := w.putJSON(h); err != nil {
			return Summary{}, err
		}
	}
	return w.export(ctx, src, h, tell)
}

// goOn takes up what a file proves to have, and says how many bytes that is.
func (w *writer) goOn(file *os.File, want header) (proven int64, err error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	r, err := newReader(file.Name(), file)
	if err != nil {
		return 0, nil // it broke off in its first line
	}
	first, err := json.Marshal(want)
	if err != nil || !bytes.Equal(append(first, '\n'), r.last) {
		return 0, err
	}
	for rows := int64(0); ; {
		line, err := r.next()
		switch {
		case err != nil, isCheck(line) && r.checked(line) != nil, bytes.HasPrefix(line, []byte(`{"end":`)):
			return proven, nil
		case !isCheck(line):
			rows++
			continue
		}
		r.settle()
		proven, w.rows = r.offset, rows
		if w.digest, err = copyOf(r.digest); err != nil {
			return 0, err
		}
	}
}

// copyOf is a digest that goes on by itself.
func copyOf(h hash.Hash) (hash.Hash, error) {
	return h.(hash.Cloner).Clone()
}

// headerOf counts what there is.
func headerOf(ctx context.Context, src *store.Source) (h header, err error) {
	h.Export.Version, h.Export.Schema = version, store.Schema()
	for _, t := range store.Tables() {
		n, err := src.Count(ctx, t)
		if err != nil {
			return h, err
		}
		h.Export.Tables = append(h.Export.Tables, counted{t.Name, n})
	}
	return h, nil
}

// export writes the rows that are not written yet, and the last line.
func (w *writer) export(ctx context.Context, src *store.Source, h header, tell Progress) (Summary, error) {
	all, resumed := h.rows(), w.rows
	skip := resumed
	for i, t := range store.Tables() {
		after := min(skip, h.Export.Tables[i].Rows)
		skip -= after
		if after == h.Export.Tables[i].Rows {
			continue
		}
		if err := src.Rows(ctx, t, after, func(values []any) error {
			tell("written", w.rows, all)
			return w.row(t, values)
		}); err != nil {
			return Summary{}, err
		}
	}
	var f footer
	f.End.Rows, f.End.SHA256 = w.rows, w.sum()
	sum := Summary{Rows: w.rows, SHA256: f.End.SHA256, Resumed: resumed}
	if err := w.putJSON(f); err != nil {
		return Summary{}, err
	}
	tell("written", w.rows, all)
	return sum, w.out.Flush()
}
