package provider

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
)

// packed stands before a provider file that was found to be whole, in a form
// that takes a program little time to read at each start: two lines of JSON.
type packed struct {
	Name     string `json:"name"`
	Slug     [2]int `json:"slug_at"` // line and column
	Versions [2]int `json:"versions_at"`
}

// Pack reads and checks all *.yaml files of a file system and packs them.
func Pack(fsys fs.FS) ([]byte, error) {
	files, err := FilesOf(fsys)
	if err == nil {
		_, err = new(Catalogue).With(files)
	}
	if err != nil {
		return nil, err
	}
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, f := range files {
		d := readDocument(f.Name, f.Data)
		slug, versions := d.at["/slug"], d.at["/versions"]
		if err := encoder.Encode(packed{f.Name, [2]int{slug.line, slug.column}, [2]int{versions.line, versions.column}}); err != nil {
			return nil, err
		}
		lines.Write(append(canonical(d.value), '\n'))
	}
	return lines.Bytes(), nil
}

// Unpack is the catalogue of the files that Pack packed. It is for what is part
// of the program: nothing of it is checked again.
func Unpack(lines []byte) (*Catalogue, error) {
	l := loader{taken: map[string]string{}}
	decoder := json.NewDecoder(bytes.NewReader(lines))
	decoder.UseNumber()
	for decoder.More() {
		var from packed
		var f file
		if err := cmp.Or(decoder.Decode(&from), decoder.Decode(&f)); err != nil {
			return nil, fmt.Errorf("the packed provider files can't be read: %w", err)
		}
		for _, n := range f.names() {
			l.taken[n.key()] = from.Name
		}
		l.add(f, from.Name, position{from.Slug[0], from.Slug[1]}, position{from.Versions[0], from.Versions[1]})
	}
	return newCatalogue(l.providers, l.taken), nil
}
