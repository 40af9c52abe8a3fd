package secret

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// DataKey seals the members of records. It rests wrapped by the key file, so
// that a change of the key file wraps it anew and leaves what it sealed alone.
// It may be used by many goroutines at once. The zero DataKey opens nothing.
type DataKey struct{ box tink.AEAD }

// NewDataKey makes a fresh key (AES-256-GCM), and the bytes that it rests as,
// which open only in the same context.
func (s *Sealer) NewDataKey(context string) (DataKey, []byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return DataKey{}, nil, err
	}
	var plain bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&plain)); err != nil {
		return DataKey{}, nil, err
	}
	wrapped, err := s.Seal(plain.Bytes(), context)
	if err != nil {
		return DataKey{}, nil, err
	}
	box, err := aead.New(handle)
	return DataKey{box}, wrapped, err
}

// OpenDataKey unwraps what NewDataKey made in the same context, else
// ErrUnopened.
func (s *Sealer) OpenDataKey(wrapped []byte, context string) (DataKey, error) {
	plain, err := s.Open(wrapped, context)
	if err != nil {
		return DataKey{}, err
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(plain)))
	if err != nil {
		return DataKey{}, ErrUnopened
	}
	box, err := aead.New(handle)
	return DataKey{box}, err
}

// Seal encrypts plain for a place, such as a purpose, an account and the name
// of a member: it opens nowhere else.
func (k DataKey) Seal(plain []byte, place ...string) ([]byte, error) {
	if k.box == nil || len(place) == 0 {
		return nil, errNoContext
	}
	return k.box.Encrypt(plain, associated(place))
}

// Open decrypts what Seal made for the same place, else ErrUnopened.
func (k DataKey) Open(sealed []byte, place ...string) ([]byte, error) {
	if k.box == nil || len(place) == 0 {
		return nil, ErrUnopened
	}
	plain, err := k.box.Decrypt(sealed, associated(place))
	if err != nil {
		return nil, ErrUnopened
	}
	return plain, nil
}

// associated spells a place so that no other has the same bytes.
func associated(place []string) []byte {
	var b strings.Builder
	for _, part := range place {
		b.WriteString(strconv.Itoa(len(part)))
		b.WriteByte(':')
		b.WriteString(part)
	}
	return []byte(b.String())
}
