package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// maxKeyFile bounds what is read of a key file. A keyset of one key is about
// 300 bytes; rotation adds as much per key.
const maxKeyFile = 64 << 10

// refusal is an error whose text is one sentence for the operator. It keeps
// the cause for errors.Is without showing it.
type refusal struct {
	text  string
	cause error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.cause }

func refuse(cause error, format string, args ...any) error {
	return &refusal{fmt.Sprintf(format, args...), cause}
}

// CreateKeyFile makes a fresh AES-256-GCM key and writes it to path, readable
// by the owner only. It never touches a file that is there already, and
// returns when the file and its directory entry are on disk.
func CreateKeyFile(path string) error {
	text, err := newKeyset()
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return refuse(err, "key file %s exists already and is never overwritten: use it as it is, or name another", path)
	case err != nil:
		return refuse(err, "key file %s can't be made (%v): name a file in a directory that exists and can be written", path, reason(err))
	}
	if err := writeDurably(file, text); err != nil {
		_ = os.Remove(path)
		return refuse(err, "key file %s can't be written (%v): make room on its disk and try again", path, reason(err))
	}
	return nil
}

func newKeyset() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text))
	text.WriteByte('\n')
	return text.Bytes(), err
}

// writeDurably writes, closes and syncs the file, then its directory: a key
// that a crash takes away would take everything sealed with it.
func writeDurably(file *os.File, text []byte) error {
	_, err := file.Write(text)
	// The permissions asked for at creation were cut by the umask.
	err = errors.Join(err, file.Chmod(0o600), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	directory, err := os.Open(filepath.Dir(file.Name()))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// OpenKeyFile reads a key file. Each refusal is one sentence that names the
// file and what to do.
func OpenKeyFile(path string) (*Sealer, error) {
	keys, err := readKeys(path)
	if err != nil {
		return nil, err
	}
	sealer := &Sealer{path: path}
	sealer.keys.Store(keys)
	return sealer, nil
}

// readKeys reads the keys of a key file, and notes which file it was.
func readKeys(path string) (*keys, error) {
	text, info, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	k, err := parseKeyset(text)
	if err != nil {
		return nil, refuse(err, "key file %s is damaged or no key file: put the right one back from where it is kept safe, since what it sealed opens with nothing else", path)
	}
	k.info = info
	return k, nil
}

// readPrivate reads a regular file that only its owner may read. It asks
// before it opens, since opening a pipe would wait for a writer, and again
// after, since the name may have moved meanwhile.
func readPrivate(path string) ([]byte, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, refuse(err, "key file %s does not exist: put it back from where it is kept safe, or name it with --key-file; a new database gets its own from `mooring init`", path)
	}
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	if err := private(path, info); err != nil {
		return nil, nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	defer func() { _ = file.Close() }()
	if info, err = file.Stat(); err != nil {
		return nil, nil, unreadable(path, err)
	}
	if err := private(path, info); err != nil {
		return nil, nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	return text, info, nil
}

func private(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return refuse(nil, "key file %s is not a regular file: name the file that `mooring init` made with --key-file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return refuse(nil, "key file %s may be used by others than its owner (mode %04o): run `chmod 600 %s`", path, mode, path)
	}
	return nil
}

func unreadable(path string, err error) error {
	return refuse(err, "key file %s can't be read (%v): give it to the user that runs this program", path, reason(err))
}

// reason is the bare system error, without the path that the sentence names.
func reason(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

func parseKeyset(text []byte) (*keys, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return nil, err
	}
	primary, err := handle.Primary()
	if err != nil {
		return nil, err
	}
	box, err := aead.New(handle)
	if err != nil {
		return nil, err
	}
	return &keys{box: box, handle: handle, primary: primary.KeyID()}, nil
}
