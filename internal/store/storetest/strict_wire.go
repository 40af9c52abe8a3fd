package storetest

import (
	"bytes"
	"encoding/binary"
	"io"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// frame is one message of the protocol: a letter, a length, a body.
type frame []byte

func (f frame) kind() byte   { return f[0] }
func (f frame) body() []byte { return f[5:] }

const largest = 1 << 30

func readFrame(r io.Reader) (frame, error) { return read(r, make([]byte, 5)) }

// readFirst reads the first message of a connection, which has no letter.
func readFirst(r io.Reader) ([]byte, error) { return read(r, make([]byte, 4)) }

// read reads a message after its head, which ends with the length of all but
// the letter.
func read(r io.Reader, head []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[len(head)-4:])
	if length < 4 || length > largest {
		return nil, io.ErrUnexpectedEOF
	}
	f := append(head, make([]byte, length-4)...)
	_, err := io.ReadFull(r, f[len(head):])
	return f, err
}

type message interface {
	Encode(dst []byte) ([]byte, error)
}

// encode never fails: what these messages hold is short.
func encode(messages ...message) (f frame) {
	for _, m := range messages {
		f, _ = m.Encode(f)
	}
	return f
}

// garbage fails wherever it is looked at, and undoes the transaction.
const garbage = "strict"

// prepare is the message that prepares a statement, with the types of its
// parameters as they came.
func prepare(name, text string, types []byte) frame {
	f := append(frame{'P', 0, 0, 0, 0}, name...)
	f = append(append(append(f, 0), text...), 0)
	f = append(f, types...)
	binary.BigEndian.PutUint32(f[1:], uint32(len(f)-1))
	return f
}

// alone is a query in one message, as the messages of one statement: where a
// statement is prepared, there can't be several.
func alone(text string) frame {
	return encode(&pgproto3.Parse{Query: text}, &pgproto3.Bind{},
		&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{})
}

// failure is an error that the server is made to have.
type failure struct{ code, message string }

func (f *failure) frame() frame {
	return encode(&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: f.code, Message: "strict: " + f.message})
}

var restart = &failure{"40001", "another transaction was in the way; run this one again"}

// strings that end in a zero byte.
func cString(b []byte) (text string, rest []byte) {
	before, after, _ := bytes.Cut(b, []byte{0})
	return string(before), after
}

var (
	lacking = regexp.MustCompile(`(?is)pg_(try_)?advisory|pg_notify|^\s*(listen|unlisten|notify|lock)\b|` +
		`\bcreate\s+(global\s+|local\s+)?(temp|temporary|unlogged)\b|\b(ctid|xmin|xmax|txid_\w+|pg_current_xact\w*)\b|` +
		`^\s*prepare\s+transaction|^\s*declare\b`)
	skipping   = regexp.MustCompile(`(?i)\s+skip\s+locked\b`)
	beginning  = regexp.MustCompile(`(?i)^\s*(begin|start\s+transaction)\b`)
	committing = regexp.MustCompile(`(?i)^\s*(commit|end)\b`)
	// What meets nobody. Schemas are changed seldom, and by one at a time.
	unharmed = regexp.MustCompile(`(?i)^\s*(rollback|set|show|discard|deallocate|create|alter|drop|comment|--|$)|current_setting`)
)

// lacks is why a text is refused; nil when it is not.
func lacks(text string) *failure {
	if found := lacking.FindString(text); found != "" {
		return &failure{"0A000", "not supported: " + strings.TrimSpace(found)}
	}
	return nil
}

// begin is how every transaction begins.
func begin(text string) string {
	strict := "begin isolation level serializable"
	if strings.Contains(strings.ToLower(text), "read only") {
		strict += " read only"
	}
	return strict
}
