package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"hash/crc32"
	"math/big"
	"strings"
	"time"

	"mooring/internal/secret"
)

// SecretPrefix starts every client secret, so that scanners of code and logs
// can find one that leaked. 43 base62 digits of randomness follow, then 6 of
// CRC-32, which tell a secret from a string that looks like one.
const SecretPrefix = "mooring_"

const (
	secretBytes    = 32
	secretDigits   = 43 // of base 62 hold 256 bits
	checksumDigits = 6  // of base 62 hold 32 bits
	secretLength   = len(SecretPrefix) + secretDigits + checksumDigits
)

// MaxSecrets is how many secrets a client may have at once: two while one
// replaces the other.
const MaxSecrets = 2

// SecretHash is what is kept of a client secret. With 256 random bits under it
// a plain SHA-256 can't be searched, and checking stays cheap.
type SecretHash struct {
	ID         string
	Hash       []byte // SHA-256 of the whole text
	CreatedAt  time.Time
	CreatedBy  string    // who rotated the secret before; "" for who made the client
	ExpiresAt  time.Time // zero: never
	LastUsedAt time.Time // when somebody last logged in with it, to within seconds; zero: never
}

// NewSecret draws a client secret of 256 bits. The text is shown once; the hash
// is what is stored.
func NewSecret(now time.Time, newID func() string) (secret.Plain, SecretHash) {
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // never fails; it would end the program
	text := SecretPrefix + base62(new(big.Int).SetBytes(random), secretDigits)
	text += checksum(text)
	hash := sha256.Sum256([]byte(text))
	return secret.NewPlain(text), SecretHash{ID: newID(), Hash: hash[:], CreatedAt: now}
}

// CheckSecret says whether given is one of the client's secrets that has not
// expired, and which one. The work is the same whatever is wrong, and also for
// the zero Client, so that time tells nothing of the reason.
func (c Client) CheckSecret(given string, now time.Time) (id string, ok bool) {
	hash := sha256.Sum256([]byte(given))
	at, found := 0, 0
	for i := range max(len(c.Secrets), MaxSecrets) {
		var kept SecretHash
		if i < len(c.Secrets) {
			kept = c.Secrets[i]
		}
		match := matches(hash, kept, now)
		found |= match
		at = subtle.ConstantTimeSelect(match, i, at)
	}
	if formed := wellFormed(given); found != 1 || !formed {
		return "", false
	}
	return c.Secrets[at].ID, true
}

// matches compares in constant time; an absent secret is compared as well.
func matches(hash [sha256.Size]byte, kept SecretHash, now time.Time) int {
	var against [sha256.Size]byte
	live := 0
	if len(kept.Hash) == sha256.Size && (kept.ExpiresAt.IsZero() || now.Before(kept.ExpiresAt)) {
		live = 1
	}
	copy(against[:], kept.Hash)
	return subtle.ConstantTimeCompare(hash[:], against[:]) & live
}

// wellFormed says whether a text has our prefix, length and checksum.
func wellFormed(given string) bool {
	if len(given) != secretLength || !strings.HasPrefix(given, SecretPrefix) {
		return false
	}
	body, sum := given[:secretLength-checksumDigits], given[secretLength-checksumDigits:]
	return sum == checksum(body)
}

func checksum(body string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(body)))), checksumDigits)
}

// base62 writes n with the digits 0-9, a-z, A-Z, padded with zeros.
func base62(n *big.Int, digits int) string {
	text := n.Text(62)
	return strings.Repeat("0", digits-len(text)) + text
}
