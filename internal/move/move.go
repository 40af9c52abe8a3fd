// Package move carries a whole database from one engine to another, in a file.
//
// It owns the form of that file: JSON lines, of which the first says what is in
// it, the last proves that it is whole, and each between is one row. It
// promises that the same rows give the same bytes, whichever engine had them;
// that a file which was cut or changed is refused before anything is written;
// and that either direction goes on after it was interrupted, with the same end.
// It holds no more than some rows at a time. It must never open what is sealed,
// and never look into a row: what stands in it is the store's.
package move

import (
	"encoding/json"
	"fmt"
	"slices"

	"mooring/internal/store"
)

// version is the version of the form.
const version = 1

// checkEvery is how many rows stand between two checks.
const checkEvery = 1000

// header is the first line.
type header struct {
	Export struct {
		Version int       `json:"version"`
		Schema  int64     `json:"schema"`
		Tables  []counted `json:"tables"`
	} `json:"mooring_export"`
}

// counted says how many rows of a table there are.
type counted struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// rows is how many there are of all tables.
func (h header) rows() (n int64) {
	for _, t := range h.Export.Tables {
		n += t.Rows
	}
	return n
}

// check stands behind some rows: with the digest of everything above it.
type check struct {
	SHA256 string `json:"check"`
}

// footer is the last line: with the digest of everything above it.
type footer struct {
	End struct {
		Rows   int64  `json:"rows"`
		SHA256 string `json:"sha256"`
	} `json:"end"`
}

// headBegins is how the first line of an export begins.
const headBegins = `{"mooring_export":`

// readHeader refuses a first line of another form or schema.
func readHeader(text []byte) (h header, err error) {
	if err := json.Unmarshal(text, &h); err != nil || h.Export.Version == 0 {
		return h, fmt.Errorf("it is no export of mooring: its first line must begin with %s", headBegins)
	}
	if h.Export.Version != version {
		return h, fmt.Errorf("it has form %d, and this program knows form %d: use the release that wrote it", h.Export.Version, version)
	}
	if want := store.Schema(); h.Export.Schema != want {
		return h, fmt.Errorf("it was made of schema %d, and this program moves schema %d: export and import with the same release", h.Export.Schema, want)
	}
	same := slices.EqualFunc(h.Export.Tables, store.Tables(), func(c counted, t store.Table) bool { return c.Table == t.Name && c.Rows >= 0 })
	if !same {
		return h, fmt.Errorf("it does not name the tables of schema %d in their order", h.Export.Schema)
	}
	return h, nil
}

// Progress is told how many of all rows are done; doing is a word for it.
type Progress func(doing string, rows, of int64)

// Summary is what an export or an import comes to.
type Summary struct {
	Rows    int64
	SHA256  string // of the file but for its last line
	Resumed int64  // rows that an earlier run had done
	Already bool   // whether all of it was there before
}
