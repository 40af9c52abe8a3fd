package secret

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Sealer seals bytes at rest under a key file. It may be used by many
// goroutines at once. It follows the file through a rotation.
type Sealer struct {
	path string
	keys atomic.Pointer[keys]
	mu   sync.Mutex // held while the file is read again
}

// keys is what a key file held when it was read.
type keys struct {
	box     tink.AEAD
	handle  *keyset.Handle
	primary uint32 // id of the key that seals
	info    fs.FileInfo
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
	return s.keys.Load().box.Encrypt(plain, []byte(context))
}

// Open decrypts what Seal made in the same context, else ErrUnopened. What
// does not open may have been sealed by a key that the file has got since.
func (s *Sealer) Open(sealed []byte, context string) ([]byte, error) {
	if context == "" {
		return nil, ErrUnopened
	}
	if plain, err := s.keys.Load().box.Decrypt(sealed, []byte(context)); err == nil {
		return plain, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	again, err := s.changed()
	if err != nil || again == nil {
		return nil, ErrUnopened
	}
	plain, err := again.box.Decrypt(sealed, []byte(context))
	if err != nil {
		return nil, ErrUnopened
	}
	s.keys.Store(again)
	return plain, nil
}

// Current says whether the key that seals now sealed the bytes.
func (s *Sealer) Current(sealed []byte) bool {
	return len(sealed) >= 5 && binary.BigEndian.Uint32(sealed[1:]) == s.keys.Load().primary
}

// Refresh takes in what became of the key file, so that a process which runs
// through a rotation seals with the new key. A file that has nothing to do with
// the keys in use is refused, and they stay.
func (s *Sealer) Refresh() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	again, err := s.changed()
	if err != nil || again == nil {
		return err
	}
	probe := []byte("the keys of one file know each other")
	sealed, err := s.keys.Load().box.Encrypt(probe, nil)
	if err != nil {
		return err
	}
	if plain, err := again.box.Decrypt(sealed, nil); err != nil || !bytes.Equal(plain, probe) {
		return refuse(err, "key file %s was replaced by one that does not hold the key in use: put the right one back, or restart", s.path)
	}
	s.keys.Store(again)
	return nil
}

// changed reads the file again if it is not the one that was read; nil when it
// is.
func (s *Sealer) changed() (*keys, error) {
	used := s.keys.Load().info
	info, err := os.Stat(s.path)
	if err != nil {
		return nil, unreadable(s.path, err)
	}
	if os.SameFile(used, info) && used.ModTime().Equal(info.ModTime()) && used.Size() == info.Size() {
		return nil, nil
	}
	return readKeys(s.path)
}
