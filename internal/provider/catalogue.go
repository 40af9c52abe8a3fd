package provider

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Catalogue is every provider that the program knows. It does not change after
// Load.
type Catalogue struct {
	providers []*Provider // by slug
	names     map[string]*Provider
	taken     map[string]string // what names stand for, and in which file
}

// Load reads all *.yaml files of each file system. The error names every
// problem of every file, one to a line, as file:line:column: reason.
func Load(fsys ...fs.FS) (*Catalogue, error) {
	var all []File
	for _, one := range fsys {
		files, err := FilesOf(one)
		if err != nil {
			return nil, fmt.Errorf("list the provider files: %w", err)
		}
		all = append(all, files...)
	}
	return new(Catalogue).With(all)
}

// With makes a catalogue of the same providers and those of more files. The
// error names every problem of every file, one to a line, as file:line:column:
// reason.
func (c *Catalogue) With(files []File) (*Catalogue, error) {
	l := loader{providers: slices.Clone(c.providers), taken: maps.Clone(c.taken), before: c.taken}
	if l.taken == nil {
		l.taken = map[string]string{}
	}
	for _, f := range files {
		l.load(f)
	}
	if len(l.problems) > 0 {
		return nil, l.problems.sorted()
	}
	return newCatalogue(l.providers, l.taken), nil
}

// Without makes a catalogue of the same providers but one, whose names are free
// again.
func (c *Catalogue) Without(slug string) *Catalogue {
	p, ok := c.Get(slug)
	if !ok {
		return c
	}
	taken := maps.Clone(c.taken)
	maps.DeleteFunc(taken, func(_, by string) bool { return by == p.source })
	return newCatalogue(slices.DeleteFunc(c.All(), func(other *Provider) bool { return other == p }), taken)
}

func newCatalogue(all []*Provider, taken map[string]string) *Catalogue {
	c := &Catalogue{providers: all, names: map[string]*Provider{}, taken: taken}
	slices.SortFunc(c.providers, func(a, b *Provider) int { return strings.Compare(a.Slug, b.Slug) })
	for _, p := range c.providers {
		for _, name := range append([]string{p.Slug}, p.Aliases...) {
			c.names[name] = p
		}
	}
	return c
}

// Get finds a provider by its slug.
func (c *Catalogue) Get(slug string) (*Provider, bool) {
	if p, ok := c.names[slug]; ok && p.Slug == slug {
		return p, true
	}
	return nil, false
}

// Resolve finds a provider by its slug or by an alias.
func (c *Catalogue) Resolve(name string) (*Provider, bool) {
	p, ok := c.names[name]
	return p, ok
}

// All is every provider, by slug.
func (c *Catalogue) All() []*Provider { return slices.Clone(c.providers) }

// loader collects files until all of them are known to agree.
type loader struct {
	providers []*Provider
	problems  problems
	taken     map[string]string // what names stand for already, and in which file
	before    map[string]string // those of them that the program itself has taken
}

func (l *loader) load(from File) {
	if from.Err != nil {
		l.problems = append(l.problems, problem{from.Name, 1, 1, from.Err.Error()})
		return
	}
	f, d := readFile(from.Name, from.Data)
	if len(d.problems) == 0 {
		l.claim(f, d)
	}
	if len(d.problems) == 0 {
		l.add(f, d.name, d.at["/slug"], d.at["/versions"])
	}
	l.problems = append(l.problems, d.problems...)
}

// add takes in the provider of a file that is whole.
func (l *loader) add(f file, source string, slugAt, versionsAt position) {
	p := f.provider()
	p.source, p.slugAt, p.versionsAt = source, slugAt, versionsAt
	p.remember()
	l.providers = append(l.providers, p)
}

// claim takes the names of a file.
func (l *loader) claim(f file, d *document) {
	for _, n := range f.names() {
		if other, ok := l.before[n.key()]; ok {
			d.refuse(n.at, "the %s %q is taken by %s in the program: choose another", n.kind, n.name, other)
			continue
		}
		if other, ok := l.taken[n.key()]; ok {
			d.refuse(n.at, "the %s %q is taken by %s", n.kind, n.name, other)
			continue
		}
		l.taken[n.key()] = d.name
	}
}

// claimed is a name that must not mean two things.
type claimed struct{ at, kind, name string }

func (c claimed) key() string { return c.kind + c.name }

// names are those of the file's connections, operations and schemas.
func (f file) names() []claimed {
	all := []claimed{{"/slug", "name", f.Slug}}
	for i, alias := range f.Aliases {
		all = append(all, claimed{fmt.Sprintf("/aliases/%d", i), "name", alias})
	}
	all = append(all, claimed{"/prefix", "prefix", f.Prefix})
	for _, method := range methods {
		if o, ok := f.Operations[method]; ok {
			all = append(all, claimed{pointerTo("operations", method, "id"), "operation", o.ID})
		}
	}
	return all
}

// methods are what a file may have operations for.
var methods = []string{"get", "post", "put", "callback"}
