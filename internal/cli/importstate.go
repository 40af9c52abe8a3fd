package cli

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// importCounts is what became of the rows of an import.
type importCounts struct {
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Refused   int `json:"refused"`
}

func (c *importCounts) add(more importCounts) {
	c.Created += more.Created
	c.Updated += more.Updated
	c.Unchanged += more.Unchanged
	c.Refused += more.Refused
}

func (c importCounts) rows() int { return c.Created + c.Updated + c.Unchanged + c.Refused }

// importState is how far an import has come, in a file beside what is imported.
// It is only ever behind: what it does not know of is sent again, and found to
// be there.
type importState struct {
	Server string       `json:"server"`
	File   string       `json:"file"` // what tells it from another file of this name
	Offset int64        `json:"offset"`
	Line   int          `json:"line"`
	Page   string       `json:"page,omitempty"` // of a server that is read
	Counts importCounts `json:"counts"`
	Errors int64        `json:"errors"` // how long the file of errors is

	path string
}

// fileMark tells a file from others: by its size, its time and how it begins.
func fileMark(file *os.File) (string, int64, error) {
	info, err := file.Stat()
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, errors.New(file.Name() + " is not a file")
	}
	hash := sha256.New()
	if _, err := io.CopyN(hash, file, 64<<10); err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	_, err = file.Seek(0, io.SeekStart)
	mark := strconv.FormatInt(info.Size(), 10) + "/" + strconv.FormatInt(info.ModTime().UnixNano(), 10) + "/" + hex.EncodeToString(hash.Sum(nil)[:12])
	return mark, info.Size(), err
}

// resume reads how far an earlier run has come, when it was about the same.
func (s *importState) resume() bool {
	text, err := os.ReadFile(s.path)
	if err != nil {
		return false
	}
	var before importState
	if json.Unmarshal(text, &before) != nil || before.Server != s.Server || before.File != s.File {
		return false
	}
	before.path = s.path
	*s = before
	return s.Counts.rows() > 0
}

// save writes the state in one step.
func (s *importState) save() error { return writePrivate(s.path, s) }

// importErrors is the file of what was refused, one line for each problem.
type importErrors struct {
	path string
	file *os.File
	csv  *csv.Writer
}

// openImportErrors goes on behind the first size bytes of the file; with 0 it
// begins anew.
func openImportErrors(path string, size int64) (*importErrors, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		if info.Size() < size { // not the one that was begun
			size = 0
		}
		err = file.Truncate(size)
	}
	if err == nil {
		_, err = file.Seek(size, io.SeekStart)
	}
	e := &importErrors{path, file, csv.NewWriter(file)}
	if err == nil && size == 0 {
		err = e.csv.Write([]string{"line", "account_id", "where", "code", "problem"})
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return e, nil
}

// refused writes everything that is wrong with a row.
func (e *importErrors) refused(row importRow, problems []importProblem) error {
	for _, p := range problems {
		line := strconv.Itoa(row.lineOf(p))
		if row.lines == nil {
			line = ""
		}
		if err := e.csv.Write([]string{line, harmless(row.id), harmless(strings.TrimPrefix(p.Path, "#/")), p.Code, harmless(p.Message)}); err != nil {
			return err
		}
	}
	return nil
}

// lineOf is the line that a problem is about.
func (r importRow) lineOf(p importProblem) int {
	if p.Line > 0 || len(r.lines) == 0 {
		return p.Line
	}
	if rest, ok := strings.CutPrefix(p.Path, "#/connections/"); ok && len(r.lines) > 1 {
		number, _, _ := strings.Cut(rest, "/")
		if n, err := strconv.Atoi(number); err == nil && n < len(r.lines) {
			return r.lines[n]
		}
	}
	return r.lines[0]
}

// size is how long the file is now, all of it on the disk.
func (e *importErrors) size() (int64, error) {
	e.csv.Flush()
	if err := errors.Join(e.csv.Error(), e.file.Sync()); err != nil {
		return 0, err
	}
	return e.file.Seek(0, io.SeekCurrent)
}

// close leaves no file where nothing was refused.
func (e *importErrors) close(refused int) error {
	e.csv.Flush()
	err := errors.Join(e.csv.Error(), e.file.Close())
	if refused == 0 {
		err = errors.Join(err, os.Remove(e.path))
	}
	return err
}

// harmless keeps a spreadsheet from taking a value for a formula.
func harmless(value string) string {
	if value != "" && strings.ContainsRune("=+-@\t\r", rune(value[0])) {
		return "'" + value
	}
	return value
}

// beside is a file beside another, with more behind its name.
func beside(path, more string) string { return filepath.Clean(path) + more }
