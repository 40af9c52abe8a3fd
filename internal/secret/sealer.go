package secret

import (
	"errors"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// Sealer seals bytes at rest under a key file. It may be used by many
// goroutines at once.
type Sealer struct {
	box  tink.AEAD
	path string
}

// ErrUnopened is the one answer for bytes that do not open: damaged, moved to
// another context, or sealed under another key file.
var ErrUnopened = errors.New("sealed bytes do not open with this key file in this context")

var errNoContext = errors.New("sealing needs a context that names the record")

// KeyFile is the path the key was read from, for messages.
func (s *Sealer) KeyFile() string { return s.path }

// String names the key file; the key itself never shows.
func (s *Sealer) String() string { return "sealer of " + s.path }

// Seal encrypts plain (AES-256-GCM). The context names the record and field,
// such as "key/signing/RS256"; the result opens only with the same context, so
// a sealed value that is copied to another row is of no use.
func (s *Sealer) Seal(plain []byte, context string) ([]byte, error) {
	if context == "" {
		return nil, errNoContext
	}
	return s.box.Encrypt(plain, []byte(context))
}

// Open decrypts what Seal made in the same context, else ErrUnopened.
func (s *Sealer) Open(sealed []byte, context string) ([]byte, error) {
	plain, err := s.box.Decrypt(sealed, []byte(context))
	if err != nil || context == "" {
		return nil, ErrUnopened
	}
	return plain, nil
}
