package main

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// sync is how many milliseconds it takes to append 4 KiB to a file and to have
// them on disk: the median.
func (b *bench) sync() (float64, error) {
	f, err := os.Create(filepath.Join(b.dir, "journal"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	page := make([]byte, 4096)
	var took []float64
	for begun := time.Now(); time.Since(begun) < b.span; {
		at := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		took = append(took, milliseconds(time.Since(at)))
	}
	return median(took), os.Remove(f.Name())
}
