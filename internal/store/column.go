package store

import (
	"database/sql"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// The lowest and the highest id: a list begins after the one, and one with the
// newest first before the other.
const (
	firstID = "00000000-0000-0000-0000-000000000000"
	lastID  = "ffffffff-ffff-ffff-ffff-ffffffffffff"
)

// micros is a time as it is stored: UTC microseconds, NULL for the zero time.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// instant is the time that was stored.
func instant(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}

// document is a JSON document as it is stored, as text; NULL for nil.
func document(b []byte) any {
	if b == nil {
		return nil
	}
	return string(b)
}

// named is a text that is NULL when empty.
func named(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// optional is a text that is NULL when there is none.
func optional(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// blob is bytes that are never NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// nullable is bytes that are NULL when there are none.
func nullable(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// isID says whether s is a UUID in its one canonical spelling. One engine
// would refuse another spelling and the other would take it for another id.
func isID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}

// isText says whether both engines can hold s.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
