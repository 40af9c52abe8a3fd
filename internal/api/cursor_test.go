package api

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// macFor stands for the MAC of one list of one caller.
func macFor(list string) func(string) []byte {
	return func(position string) []byte {
		sum := sha256.Sum256([]byte(list + "\x00" + position))
		return slices.Clone(sum[:pagingMAC])
	}
}

// FuzzPagingToken: what is accepted is the very token that was made for its
// position, letter by letter, in this list and in no other.
func FuzzPagingToken(f *testing.F) {
	ours, theirs := macFor("ours"), macFor("theirs")
	for _, position := range []string{"", "T11223351", "01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55", "' OR 1=1 --", "\x00", "ÿ"} {
		f.Add(tokenAt(position, ours(position)))
		f.Add(tokenAt(position, theirs(position)))
		f.Add(position)
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(position)))
	}
	f.Add(tokenAt("T11223351", ours("T11223352")))
	f.Add(tokenAt("T11223351", ours("T11223351")) + "=")
	f.Add(tokenAt("T11223351", ours("T11223351")) + "\n")
	f.Add(strings.Repeat("A", 2_000))
	f.Fuzz(func(t *testing.T, token string) {
		position, ok := positionIn(token, ours)
		if ok && token != tokenAt(position, ours(position)) {
			t.Fatalf("%q is taken for the token of %q", token, position)
		}
		if _, also := positionIn(token, theirs); ok && also {
			t.Fatalf("%q is good in two lists", token)
		}
	})
}

func TestAPagingTokenLeadsToItsPosition(t *testing.T) {
	mac := macFor("ours")
	for _, position := range []string{"", "T11223351", "a/b"} {
		if got, ok := positionIn(tokenAt(position, mac(position)), mac); !ok || got != position {
			t.Errorf("%q comes back as %q, %v", position, got, ok)
		}
	}
}
