package server_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// broken are fifty files that each lack something of a good one.
func broken(good string) (files []string) {
	lines := strings.SplitAfter(strings.TrimSuffix(good, "\n"), "\n")
	for i := range lines {
		files = append(files, strings.Join(lines[:i], "")+strings.Join(lines[i+1:], ""))
	}
	for cut := 0; len(files) < 50; cut++ {
		files = append(files, strings.Join(lines[:cut], ""))
	}
	return files
}

func TestFiftyBrokenFilesUnderLoadAreRefusedAndLoggedOnceEach(t *testing.T) {
	q := startQuay(t)
	q.write(t, "harbour.yaml", harbour("harbour", 1))
	q.accepted(t)
	memory, _ := held()
	answered := q.underLoad(t, func() {
		for _, text := range broken(harbour("jetty", 1)) {
			q.write(t, "jetty.yaml", text)
			q.refusedAt(t, "", filepath.Join(q.dir, "jetty.yaml:"))
		}
	})
	if after, _ := held(); after > memory+8<<20 {
		t.Errorf("the heap grew from %d KiB to %d KiB", memory>>10, after>>10)
	}
	if _, ok := q.server.Catalogue().Get("harbour"); !ok || answered == 0 {
		t.Errorf("%d requests were answered; harbour is there: %v", answered, ok)
	}
	q.remove(t, "jetty.yaml")
	q.accepted(t)
}

func TestADirectoryThatCannotBeReadLeavesTheProvidersAsTheyWere(t *testing.T) {
	q := startQuay(t)
	good := harbour("harbour", 1)
	q.write(t, "harbour.yaml", good)
	q.accepted(t)
	jetty := filepath.Join(q.dir, "jetty.yaml")
	link := func(target string) func() error { return func() error { return os.Symlink(target, jetty) } }
	for name, test := range map[string]struct {
		make   func() error
		reason string
	}{
		"a link to itself":             {link(jetty), "too many levels of symbolic links"},
		"a link to nowhere":            {link("nowhere"), "no such file"},
		"a link to a directory":        {link("."), "not a file"},
		"a pipe that nobody writes to": {func() error { return syscall.Mkfifo(jetty, 0o600) }, "not a file"},
		"a file of 100 MB": {func() error {
			return sized(jetty, 100<<20)
		}, "longer than a provider file may be: 1048576 bytes"},
		"half of a file": {func() error { return os.WriteFile(jetty, []byte(good[:200]), 0o600) }, "jetty.yaml:"},
	} {
		if err := test.make(); err != nil {
			t.Fatal(name, err)
		}
		q.refusedAt(t, "", test.reason)
		q.remove(t, "jetty.yaml")
	}
	// A file that takes its name when it is whole, and what editors leave.
	q.write(t, "half", harbour("jetty", 1))
	q.write(t, ".jetty.yaml.swp", "half")
	q.write(t, ".#jetty.yaml", "half")
	if err := os.Mkdir(filepath.Join(q.dir, "old"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(q.dir, "half"), jetty); err != nil {
		t.Fatal(err)
	}
	q.accepted(t)

	if err := os.RemoveAll(q.dir); err != nil {
		t.Fatal(err)
	}
	q.refusedAt(t, "", "read the provider files in "+q.dir+": no such file")
	if err := os.WriteFile(q.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	q.refusedAt(t, "", "read the provider files in "+q.dir+": not a directory")
	if err := os.Remove(q.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(q.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 1001 {
		q.write(t, fmt.Sprintf("p%d.yaml", i), "")
	}
	q.refusedAt(t, "", "1001 provider files are too many: at most 1000")
	for _, slug := range []string{"harbour", "jetty"} {
		if _, ok := q.server.Catalogue().Get(slug); !ok {
			t.Errorf("%s is gone", slug)
		}
	}
	token := q.token(t, q.world.Merchant)
	q.send(t, q.request(t, token, http.MethodPost, connectionOf("jetty"), `{"signup":{"shop":"Quay"}}`))
}

// sized makes a file that is long and takes no room.
func sized(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(size)
}
