// Package secret owns values that must not be seen: the type that carries one
// through the program, and the key file that seals bytes at rest.
//
// It promises that a Plain shows itself as a fixed mark whichever way it is
// printed, logged or encoded, that sealed bytes open only in the context they
// were sealed for, and that a key file is refused when others may read it. It
// must never log, and must never derive one key from another.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Mark is what every formatter shows in place of a secret.
const Mark = "[secret]"

// Plain is a secret in the clear. Reveal is the only way to its text.
//
// The text lives in a closure because fmt reads unexported fields without
// asking for their methods, and tools for tests follow pointers: what they find
// is an address. So == does not compile either; compare with Equal.
type Plain struct{ text func() string }

// NewPlain wraps a secret text.
func NewPlain(text string) Plain { return Plain{func() string { return text }} }

// Reveal gives the text; "" for the zero Plain.
func (p Plain) Reveal() string {
	if p.text == nil {
		return ""
	}
	return p.text()
}

// Equal compares two secrets in a time that tells only their lengths.
func (p Plain) Equal(other Plain) bool {
	return subtle.ConstantTimeCompare([]byte(p.Reveal()), []byte(other.Reveal())) == 1
}

// String is the mark.
func (p Plain) String() string { return Mark }

// Format writes the mark for every verb and flag.
func (p Plain) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, Mark) }

// LogValue is the mark, for log/slog.
func (p Plain) LogValue() slog.Value { return slog.StringValue(Mark) }

// MarshalText is the mark, for every encoder of text, and for JSON.
func (p Plain) MarshalText() ([]byte, error) { return []byte(Mark), nil }
