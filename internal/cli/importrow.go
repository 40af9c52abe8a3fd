package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// importRow is one account of a file on its way to the server.
type importRow struct {
	id    string
	lines []int  // where it begins; of a flat file, where each of its connections stands
	row   []byte // JSON; nil when it can't be sent
	wrong []importProblem
	end   int64  // how much of the file is behind it
	line  int    // the last line of it
	page  string // of a server that is read: where it goes on behind the row
}

// importProblem is one thing that is wrong with a row.
type importProblem struct {
	Line    int    `json:"-"` // where it was found; 0 when the path says it
	Path    string `json:"path"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// importReader reads the rows of a file one after the other, io.EOF at its end.
type importReader interface {
	next() (importRow, error)
}

// maxImportRow is how long a row may be: the server takes no longer body.
const maxImportRow = 4<<20 - 1024

var byteOrderMark = []byte("\xef\xbb\xbf")

// jsonLines reads a file with one JSON object in a line.
type jsonLines struct {
	in   *bufio.Reader
	at   int64 // how much of the file was read
	line int
}

// newJSONLines goes on behind line, which ends at offset at.
func newJSONLines(in io.Reader, at int64, line int) *jsonLines {
	return &jsonLines{in: bufio.NewReaderSize(in, 1<<20), at: at, line: line}
}

func (r *jsonLines) next() (importRow, error) {
	for {
		text, tooLong, err := r.readLine()
		if err != nil && (len(text) == 0 || !errors.Is(err, io.EOF)) {
			return importRow{}, err
		}
		if r.line == 1 {
			text = bytes.TrimPrefix(text, byteOrderMark)
		}
		if text = bytes.TrimSpace(text); len(text) == 0 && !tooLong {
			continue
		}
		row := importRow{lines: []int{r.line}, end: r.at, line: r.line}
		var named struct {
			ID any `json:"id"`
		}
		switch {
		case tooLong:
			row.wrong = []importProblem{{Code: "MAX_BYTES", Message: fmt.Sprintf("the line is longer than %d bytes", maxImportRow)}}
		case text[0] != '{' || json.Unmarshal(text, &named) != nil:
			row.wrong = []importProblem{{Code: "INVALID_JSON", Message: "the line is no JSON object"}}
		default:
			row.row = text
			row.id, _ = named.ID.(string)
		}
		return row, nil
	}
}

// readLine reads one line, of one that is too long nothing but that it is.
func (r *jsonLines) readLine() (text []byte, tooLong bool, err error) {
	r.line++
	for {
		part, err := r.in.ReadSlice('\n')
		r.at += int64(len(part))
		if !tooLong {
			text = append(text, part...)
		}
		if len(text) > maxImportRow {
			text, tooLong = nil, true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if tooLong && errors.Is(err, io.EOF) {
				err = nil
			}
			return text, tooLong, err
		}
	}
}
