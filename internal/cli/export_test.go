package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mooring/internal/move"
	"mooring/internal/store"
)

// A second export to a file that one is being written to is refused, whatever
// state it is of, and harms nothing.
func TestTwoExportsDoNotWriteOneFile(t *testing.T) {
	dir := t.TempDir()
	cfg := store.Config{DataDir: filepath.Join(dir, "data")}
	made, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	src, err := store.OpenSource(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	c := exportCommand{Out: filepath.Join(dir, "out")}
	told := 0
	sum, err := c.toFile(t.Context(), src, io.Discard, func(string, int64, int64) {
		told++
		part, err := openPart(c.Out, "another state")
		if err == nil {
			_, _ = part.WriteString("half")
			part.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "another export writes "+c.Out) {
			t.Errorf("a second export: %v", err)
		}
	})
	if err != nil || told == 0 {
		t.Fatalf("%v, told %d times", err, told)
	}
	file, err := os.Open(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got, err := move.Check(t.Context(), file, func(string, int64, int64) {}); err != nil || got != sum {
		t.Errorf("the file has %+v and not %+v: %v", got, sum, err)
	}
	for _, more := range []string{".part", ".state"} {
		if _, err := os.Stat(beside(c.Out, more)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", more, err)
		}
	}
	if _, err := openPart(c.Out, "another state"); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a third export: %v", err)
	}
}
