package move

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"mooring/internal/store"
)

// maxLine is how long a line may be: a row holds a request or an answer at most.
const maxLine = 64 << 20

// errCut is a file that ends before its last line.
var errCut = errors.New("the file ends here, without its last line: it was cut")

// reader reads the lines of an export, and checks what they prove.
type reader struct {
	name   string
	in     *bufio.Reader
	digest hash.Hash
	header header
	line   int64 // lines that were read
	rows   int64 // rows among them
	check  int64 // line of the last check that was right
	last   []byte
	long   []byte // room for a line that is longer than the buffer
	offset int64  // bytes of the lines above the last one
}

// newReader reads the first line.
func newReader(name string, file io.Reader) (*reader, error) {
	r := &reader{name: name, in: bufio.NewReaderSize(file, 1<<20), digest: sha256.New()}
	line, err := r.next()
	if err == nil {
		r.header, err = readHeader(line)
	}
	if err != nil {
		return nil, r.where(err)
	}
	return r, nil
}

// where says in which line something is wrong.
func (r *reader) where(err error) error { return fmt.Errorf("%s, line %d: %w", r.name, r.line, err) }

// next reads a line, whole with its end, good until the next one is read.
func (r *reader) next() ([]byte, error) {
	r.settle()
	r.line++
	for r.long = r.long[:0]; ; {
		piece, err := r.in.ReadSlice('\n')
		if err == nil && len(r.long) == 0 {
			r.last = piece
			return piece, nil
		}
		r.long = append(r.long, piece...)
		switch {
		case err == nil:
			r.last = r.long
			return r.long, nil
		case errors.Is(err, io.EOF):
			return nil, errCut
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(r.long) > maxLine:
			return nil, errors.New("it is too long for a row")
		}
	}
}

// settle counts the last line among those above.
func (r *reader) settle() {
	r.digest.Write(r.last)
	r.offset += int64(len(r.last))
	r.last = nil
}

// sum is the digest of what stands above the last line.
func (r *reader) sum() string { return hex.EncodeToString(r.digest.Sum(nil)) }

// row reads the next row, which is to be one of a table.
func (r *reader) row(t store.Table) ([]any, error) {
	line, err := r.pass()
	if err != nil {
		return nil, r.where(err)
	}
	values, err := readRow(line, t)
	if err != nil {
		return nil, r.where(err)
	}
	r.rows++
	return values, nil
}

// pass reads the next line, past a check.
func (r *reader) pass() ([]byte, error) {
	line, err := r.next()
	if err != nil || !isCheck(line) {
		return line, err
	}
	if err := r.checked(line); err != nil {
		return nil, err
	}
	return r.next()
}

func isCheck(line []byte) bool { return bytes.HasPrefix(line, []byte(`{"check":`)) }

// checked compares a line of check with what was read.
func (r *reader) checked(line []byte) error {
	var c check
	if err := json.Unmarshal(line, &c); err != nil || c.SHA256 != r.sum() {
		return fmt.Errorf("the file was changed, in this line or behind line %d", r.check)
	}
	r.check = r.line
	return nil
}

// end reads the last line, which is to be the last.
func (r *reader) end() error {
	line, err := r.pass()
	if err != nil {
		return r.where(err)
	}
	var f footer
	switch err := json.Unmarshal(line, &f); {
	case err != nil || f.End.SHA256 == "":
		return r.where(errors.New("the last line was to come"))
	case f.End.SHA256 != r.sum() || f.End.Rows != r.rows:
		return r.where(fmt.Errorf("the file was changed, in this line or behind line %d", r.check))
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
		return r.where(errors.New("the file goes on behind its last line"))
	}
	return nil
}
