package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
)

// packed is a provider file that was found to be whole, in a form that takes a
// program little time to read at each start: a line of JSON.
type packed struct {
	Name     string          `json:"name"`
	Slug     [2]int          `json:"slug_at"` // line and column
	Versions [2]int          `json:"versions_at"`
	File     json.RawMessage `json:"file"`
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
		if err := encoder.Encode(packed{f.Name, [2]int{slug.line, slug.column}, [2]int{versions.line, versions.column}, canonical(d.value)}); err != nil {
			return nil, err
		}
	}
	return lines.Bytes(), nil
}

// Unpack is the catalogue of the files that Pack packed. It is for what is part
// of the program: nothing of it is checked again.
func Unpack(lines []byte) (*Catalogue, error) {
	l := loader{taken: map[string]string{}}
	for line := range bytes.Lines(lines) {
		var from packed
		if err := json.Unmarshal(line, &from); err != nil {
			return nil, fmt.Errorf("a packed provider file can't be read: %w", err)
		}
		f, err := decodeFile(from.File)
		if err != nil {
			return nil, fmt.Errorf("the packed %s can't be read: %w", from.Name, err)
		}
		for _, n := range f.names() {
			l.taken[n.key()] = from.Name
		}
		l.add(f, from.Name, position{from.Slug[0], from.Slug[1]}, position{from.Versions[0], from.Versions[1]})
	}
	return newCatalogue(l.providers, l.taken), nil
}
