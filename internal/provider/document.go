package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// problem is one reason to refuse a file, and where it stands.
type problem struct {
	file         string
	line, column int
	reason       string
}

func (p problem) Error() string {
	if p.file == "" { // of no file in particular
		return p.reason
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.file, p.line, p.column, p.reason)
}

// problems is every reason found, as one error of one line each.
type problems []problem

func (p problems) Error() string {
	var lines []string
	for _, one := range p {
		lines = append(lines, one.Error())
	}
	return strings.Join(lines, "\n")
}

// sorted puts the problems in the order in which a person fixes them.
func (p problems) sorted() problems {
	slices.SortStableFunc(p, func(a, b problem) int {
		if d := strings.Compare(a.file, b.file); d != 0 {
			return d
		}
		if a.line != b.line {
			return a.line - b.line
		}
		return a.column - b.column
	})
	return p
}

// document is a YAML file as plain JSON values, which remembers where each of
// them stands.
type document struct {
	name     string
	value    any                 // map[string]any, []any, string, bool, json.Number or nil
	at       map[string]position // by JSON pointer; a member stands where its name does
	problems problems
	compiled map[uintptr]*jsonschema.Schema // of the file's schemas, by their identity
}

type position struct{ line, column int }

// readDocument reads one YAML document of plain values: no anchors, no merge
// keys, no tags, no name twice.
func readDocument(name string, data []byte) *document {
	d := &document{name: name, at: map[string]position{"": {1, 1}}, compiled: map[uintptr]*jsonschema.Schema{}}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		d.refuse("", "the file is empty")
		return d
	case err != nil:
		d.syntax(err)
		return d
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		d.refuse("", "a provider file is one YAML document, this one has more")
		return d
	}
	d.value = d.plain("", root.Content[0])
	return d
}

// refuse notes a problem with the value at a pointer. A value that does not
// exist is placed where the nearest one around it stands.
func (d *document) refuse(pointer, format string, args ...any) {
	at, ok := d.at[pointer]
	for !ok {
		pointer = pointer[:strings.LastIndexByte(pointer, '/')]
		at, ok = d.at[pointer]
	}
	d.refuseAt(at.line, at.column, fmt.Sprintf(format, args...))
}

func (d *document) refuseAt(line, column int, reason string) {
	d.problems = append(d.problems, problem{d.name, line, column, reason})
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?s:(.*))$`)

// syntax takes the line out of the YAML reader's own words.
func (d *document) syntax(err error) {
	line, reason := 1, err.Error()
	if found := syntaxLine.FindStringSubmatch(reason); found != nil {
		reason = found[2]
		if n, err := strconv.Atoi(found[1]); err == nil {
			line = n
		}
	}
	d.refuseAt(line, 1, "not YAML: "+strings.ReplaceAll(reason, "\n", " "))
}

// maxDepth is how deeply values may be nested. Anything deeper is no file that
// a person wrote.
const maxDepth = 64

func (d *document) plain(pointer string, node *yaml.Node) any {
	if _, named := d.at[pointer]; !named || pointer == "" {
		d.at[pointer] = position{node.Line, node.Column}
	}
	if node.Anchor != "" || node.Kind == yaml.AliasNode {
		d.refuseAt(node.Line, node.Column, "anchors and aliases are not allowed: write the value out")
		return nil
	}
	if node.Style&yaml.TaggedStyle != 0 {
		d.refuseAt(node.Line, node.Column, "tags are not allowed: quote the value to make it text")
		return nil
	}
	if strings.Count(pointer, "/") > maxDepth {
		d.refuseAt(node.Line, node.Column, "nested too deeply")
		return nil
	}
	switch node.Kind {
	case yaml.MappingNode:
		return d.mapping(pointer, node)
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for i, item := range node.Content {
			list = append(list, d.plain(pointer+"/"+strconv.Itoa(i), item))
		}
		return list
	}
	return d.scalar(node)
}

func (d *document) mapping(pointer string, node *yaml.Node) any {
	object := make(map[string]any, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		_, twice := object[name.Value]
		switch {
		case name.Kind != yaml.ScalarNode || name.Tag == "!!merge" || name.Anchor != "":
			d.refuseAt(name.Line, name.Column, "the name of a member must be plain text")
			continue
		case twice:
			d.refuseAt(name.Line, name.Column, fmt.Sprintf("%q stands here twice", name.Value))
			continue
		}
		at := pointer + "/" + escape(name.Value)
		d.at[at] = position{name.Line, name.Column}
		object[name.Value] = d.plain(at, value)
	}
	return object
}

// scalar reads the JSON kinds of value. A date stays the text that it is.
func (d *document) scalar(node *yaml.Node) any {
	switch node.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true")
	case "!!str", "!!timestamp":
		return node.Value
	case "!!int":
		var n int64
		if err := node.Decode(&n); err == nil {
			return json.Number(strconv.FormatInt(n, 10))
		}
	case "!!float":
		var f float64
		if err := node.Decode(&f); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
		}
	}
	d.refuseAt(node.Line, node.Column, "the value is neither text nor a number, true, false or null that JSON has")
	return nil
}

// pointerTo is the JSON pointer (RFC 6901) of a path.
func pointerTo(path ...string) string {
	var b strings.Builder
	for _, token := range path {
		b.WriteByte('/')
		b.WriteString(escape(token))
	}
	return b.String()
}

func escape(token string) string {
	return strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
}
