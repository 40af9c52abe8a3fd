package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The files of a data directory. SQLite adds two beside the first, with its mode.
const (
	databaseFile = "mooring.db"
	lockFile     = "mooring.lock"
)

// prepareDirectory makes the data directory for our eyes only, or refuses one
// that others can look into.
func prepareDirectory(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return syncDirectory(filepath.Dir(dir))
	}
	if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("can't make the data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("can't look at the data directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory; name one for the data", dir)
	}
	if err := private(dir, info, "0700"); err != nil {
		return err
	}
	return privateFiles(dir)
}

// privateFiles refuses files of ours that others can read.
func privateFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("can't list the data directory: %w", err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "mooring.") {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("can't look at a file of the data directory: %w", err)
		}
		if err := private(filepath.Join(dir, entry.Name()), info, "0600"); err != nil {
			return err
		}
	}
	return nil
}

func private(path string, info fs.FileInfo, want string) error {
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to other users (mode %04o): run chmod %s on it", path, info.Mode().Perm(), want)
	}
	return nil
}

// prepareFile makes the database file before SQLite would, which would make it
// readable for all.
func prepareFile(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("can't make the database file: %w", err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("can't make the database file: %w", err)
	}
	return syncDirectory(filepath.Dir(path))
}

// syncDirectory makes the names in a directory durable.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("can't sync the directory %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("can't sync the directory %s: %w", dir, err)
	}
	return nil
}

// fileLock keeps a data directory for one process. The kernel lets go of it
// when the process ends, however it ends.
type fileLock struct{ file *os.File }

func lockDirectory(dir string) (*fileLock, error) {
	path := filepath.Join(dir, lockFile)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("can't make the lock file: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		busy := fmt.Errorf("another mooring process uses %s: stop it first, or name another directory", dir)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			busy = fmt.Errorf("can't lock %s: %w", path, err)
		}
		return nil, errors.Join(busy, file.Close())
	}
	return &fileLock{file}, nil
}

func (l *fileLock) release() error { return l.file.Close() }
