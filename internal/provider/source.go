package provider

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// File is a provider file as it was read, or why it could not be.
type File struct {
	Name string // as problems name it
	Data []byte
	Err  error // nil when Data is whole
}

// What is longer or more was not written by people, and is not read.
const (
	maxFileBytes = 1 << 20
	maxFiles     = 1000
)

// FilesOf reads the provider files of a file system.
func FilesOf(fsys fs.FS) ([]File, error) {
	names, err := namesIn(fsys)
	if err != nil {
		return nil, err
	}
	files := make([]File, len(names))
	for i, name := range names {
		files[i] = readOne(name, fsys, name)
	}
	return files, nil
}

// FilesIn reads the provider files of a directory. Files whose names begin with
// a dot are left to the editors that make them.
func FilesIn(dir string) ([]File, error) {
	root := os.DirFS(dir)
	names, err := namesIn(root)
	if err != nil {
		return nil, fmt.Errorf("read the provider files in %s: %w", dir, because(err))
	}
	files := make([]File, len(names))
	for i, name := range names {
		files[i] = readOne(filepath.Join(dir, name), root, name)
	}
	return files, nil
}

// FileAt reads one provider file, whatever its name.
func FileAt(path string) File {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	return readOne(path, os.DirFS(dir), name)
}

func namesIn(fsys fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); filepath.Ext(name) == ".yaml" && !strings.HasPrefix(name, ".") && !e.IsDir() {
			names = append(names, name)
		}
	}
	if len(names) > maxFiles {
		return nil, fmt.Errorf("%d provider files are too many: at most %d", len(names), maxFiles)
	}
	return names, nil
}

// readOne reads no more than a provider file may have, and nothing that is no
// file: a pipe would never end.
func readOne(shown string, fsys fs.FS, name string) File {
	refuse := func(err error) File { return File{Name: shown, Err: because(err)} }
	switch info, err := fs.Stat(fsys, name); {
	case err != nil:
		return refuse(err)
	case !info.Mode().IsRegular():
		return refuse(errors.New("not a file"))
	}
	f, err := fsys.Open(name)
	if err != nil {
		return refuse(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return refuse(err)
	}
	if len(data) > maxFileBytes {
		return refuse(fmt.Errorf("longer than a provider file may be: %d bytes", maxFileBytes))
	}
	return File{Name: shown, Data: data}
}

// because is the cause of a failed file operation, without the path that stands
// before it already.
func because(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

// Source is the file that describes the provider, as it was named to Load.
func (p *Provider) Source() string { return p.source }

// Refuse is a reason not to take the provider, with its place in the file: the
// slug, which names it.
func (p *Provider) Refuse(reason string) error {
	return problem{p.source, p.slugAt.line, p.slugAt.column, reason}
}

// Keep refuses a catalogue that lacks what rows were written with: versions of
// providers, by slug. Without them the rows could not be shown as what they are.
func (c *Catalogue) Keep(used map[string][]int) error {
	var lost problems
	for slug, versions := range used {
		p, ok := c.Get(slug)
		if !ok {
			lost = append(lost, problem{reason: fmt.Sprintf("no file describes the provider %q any more, and there are connections with it", slug)})
			continue
		}
		for _, version := range versions {
			if _, ok := p.file.Versions[fmt.Sprint(version)]; !ok {
				lost = append(lost, problem{
					p.source, p.versionsAt.line, p.versionsAt.column,
					fmt.Sprintf("version %d of %s is missing, and there are connections that were written with it", version, slug),
				})
			}
		}
	}
	if len(lost) > 0 {
		return lost.sorted()
	}
	return nil
}
