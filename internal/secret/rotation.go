package secret

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// Rotation exchanges the key of a key file. Its steps are durable one by one,
// so that a rotation which was interrupted goes on where it stopped: what is to
// be done next stands in the file. Only one runs at a time.
type Rotation struct {
	path string // of the file itself, where the name that was given is a link
	lock *os.File
}

// Rotate begins a rotation of a key file, or takes one up again.
func Rotate(path string) (*Rotation, error) {
	whole, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	directory, err := os.Open(filepath.Dir(whole))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if err := syscall.Flock(int(directory.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = directory.Close()
		return nil, refuse(err, "key file %s is being rotated by another process: wait until it is done", path)
	}
	return &Rotation{whole, directory}, nil
}

// Close lets another rotation begin.
func (r *Rotation) Close() error { return r.lock.Close() }

// Prepare adds a key that opens but does not seal yet, unless one is waiting
// or a rotation is under way. It says whether it did.
func (r *Rotation) Prepare() (bool, error) {
	k, err := readKeys(r.path)
	if err != nil || k.handle.Len() > 1 {
		return false, err
	}
	manager := keyset.NewManagerFromHandle(k.handle)
	if _, err := manager.Add(aead.AES256GCMKeyTemplate()); err != nil {
		return false, err
	}
	return true, r.write(manager)
}

// Promote lets the newest key seal, which Prepare added; the older ones still
// open. It adds a key when there is only one.
func (r *Rotation) Promote() error {
	if _, err := r.Prepare(); err != nil {
		return err
	}
	k, err := readKeys(r.path)
	if err != nil {
		return err
	}
	newest, err := k.handle.Entry(k.handle.Len() - 1)
	if err != nil || newest.IsPrimary() {
		return err
	}
	manager := keyset.NewManagerFromHandle(k.handle)
	if err := manager.SetPrimary(newest.KeyID()); err != nil {
		return err
	}
	return r.write(manager)
}

// Drop takes every key out of the file but the one that seals. Whatever the
// others sealed is lost: nothing may be left of it.
func (r *Rotation) Drop() error {
	k, err := readKeys(r.path)
	if err != nil || k.handle.Len() == 1 {
		return err
	}
	manager := keyset.NewManagerFromHandle(k.handle)
	for i := range k.handle.Len() {
		entry, err := k.handle.Entry(i)
		if err != nil {
			return err
		}
		if entry.IsPrimary() {
			continue
		}
		if err := manager.Delete(entry.KeyID()); err != nil {
			return err
		}
	}
	return r.write(manager)
}

// write replaces the key file in one step. The new one belongs to whom the old
// one did: the rotation may be run by another user than the service.
func (r *Rotation) write(manager *keyset.Manager) error {
	handle, err := manager.Handle()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return err
	}
	text.WriteByte('\n')
	info, err := os.Stat(r.path)
	if err != nil {
		return unreadable(r.path, err)
	}
	fresh := r.path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a rotation that was killed
		return refuse(err, "file %s is in the way (%v): remove it", fresh, reason(err))
	}
	file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return refuse(err, "key file %s can't be rewritten (%v): give its directory to the user that runs this program", r.path, reason(err))
	}
	if err := errors.Join(keepOwner(file, info), writeDurably(file, text.Bytes())); err != nil {
		_ = os.Remove(fresh)
		return refuse(err, "key file %s can't be rewritten: %v", r.path, err)
	}
	if err := os.Rename(fresh, r.path); err != nil {
		return refuse(err, "key file %s can't be replaced (%v)", r.path, reason(err))
	}
	return r.lock.Sync()
}

func keepOwner(file *os.File, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() && int(stat.Gid) == os.Getegid() {
		return nil
	}
	if err := file.Chown(int(stat.Uid), int(stat.Gid)); err != nil {
		return fmt.Errorf("it would not belong to its owner any more: %w", reason(err))
	}
	return nil
}
