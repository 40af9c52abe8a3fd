package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Fragments are the files of a contract as they were read. They do not change:
// any number of documents may be made of them.
type Fragments struct {
	names []string
	read  map[string]map[string]any
	bad   []error
	whole map[string]any // the document that was packed with them; nil when they were not
}

// Read reads all *.yaml files of fsys. What is wrong with them is told by
// Assemble.
func Read(fsys fs.FS) (*Fragments, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("gate: list the contract: %w", err)
	}
	f := &Fragments{read: map[string]map[string]any{}}
	for _, name := range names {
		fragment, err := readFragment(fsys, name)
		if err != nil {
			f.bad = append(f.bad, err)
			continue
		}
		f.names, f.read[name] = append(f.names, name), fragment
	}
	return f, nil
}

// merge lays the fragments on top of each other.
func (f *Fragments) merge(more []map[string]any) (map[string]any, error) {
	m := merger{whole: map[string]any{}, from: map[string]string{}, problems: slices.Clone(f.bad)}
	for _, name := range f.names {
		m.add(name, f.read[name])
	}
	for i, fragment := range more {
		plain, err := plainValue(fragment)
		if err != nil {
			m.problems = append(m.problems, fmt.Errorf("contributed part %d: %w", i+1, err))
			continue
		}
		m.add(fmt.Sprintf("contributed part %d", i+1), plain.(map[string]any))
	}
	return m.whole, errors.Join(m.problems...)
}

type merger struct {
	whole    map[string]any
	from     map[string]string // where each definition came from, by pointer
	problems []error
}

// The parts of a document that several files fill together, by depth: paths
// may even share a path when their methods differ.
var shared = map[string]int{"paths": 2, "components": 2, "tags": 0}

func (m *merger) add(source string, fragment map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(fragment)) {
		if name == "tags" {
			list, _ := m.whole[name].([]any)
			own, _ := fragment[name].([]any)
			m.whole[name] = append(list, own...)
			continue
		}
		m.put(source, m.whole, name, fragment[name], "", shared[name])
	}
}

// put sets one member of parent; with depth > 0 it merges objects instead.
func (m *merger) put(source string, parent map[string]any, name string, value any, at string, depth int) {
	at += "/" + name
	old, defined := parent[name]
	object, isObject := value.(map[string]any)
	if depth > 0 && isObject {
		into, ok := old.(map[string]any)
		if !ok {
			into = map[string]any{}
			parent[name] = into
		}
		for _, member := range slices.Sorted(maps.Keys(object)) {
			m.put(source, into, member, object[member], at, depth-1)
		}
		return
	}
	if defined {
		m.problems = append(m.problems, fmt.Errorf("%s: %s is defined already in %s", source, at[1:], m.from[at]))
		return
	}
	parent[name] = value
	m.from[at] = source
}

func readFragment(fsys fs.FS, name string) (map[string]any, error) {
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(root.Content) == 0 {
		return map[string]any{}, nil
	}
	value, err := fromYAML(root.Content[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	fragment, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: a contract file is a mapping", name)
	}
	return fragment, nil
}

// fromYAML turns a node into plain values. Unlike the library it keeps times
// and keys as the text they were written in.
func fromYAML(node *yaml.Node) (any, error) {
	switch node.Kind {
	case yaml.AliasNode:
		return fromYAML(node.Alias)
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, item := range node.Content {
			value, err := fromYAML(item)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.MappingNode:
		return fromYAMLMapping(node)
	default:
		return fromYAMLScalar(node)
	}
}

func fromYAMLMapping(node *yaml.Node) (any, error) {
	object := make(map[string]any, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			return nil, fmt.Errorf("line %d: a key must be a plain name", key.Line)
		}
		if _, twice := object[key.Value]; twice {
			return nil, fmt.Errorf("line %d: %q stands here twice", key.Line, key.Value)
		}
		value, err := fromYAML(node.Content[i+1])
		if err != nil {
			return nil, err
		}
		object[key.Value] = value
	}
	return object, nil
}

func fromYAMLScalar(node *yaml.Node) (any, error) {
	switch node.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := node.Decode(&b)
		return b, err
	case "!!int":
		var n int64
		if err := node.Decode(&n); err != nil {
			return nil, fmt.Errorf("line %d: %w", node.Line, err)
		}
		return json.Number(strconv.FormatInt(n, 10)), nil
	case "!!float":
		var f float64
		if err := node.Decode(&f); err != nil {
			return nil, fmt.Errorf("line %d: %w", node.Line, err)
		}
		return number(f)
	case "!!str", "!!timestamp":
		return node.Value, nil
	}
	return nil, fmt.Errorf("line %d: %s is not allowed in a contract", node.Line, node.Tag)
}

// plainValue copies a contributed value into the few types that the gate
// works with.
func plainValue(value any) (any, error) {
	switch value := value.(type) {
	case nil, string, bool, json.Number:
		return value, nil
	case int:
		return json.Number(strconv.Itoa(value)), nil
	case int64:
		return json.Number(strconv.FormatInt(value, 10)), nil
	case float64:
		return number(value)
	case map[string]any:
		object := make(map[string]any, len(value))
		for name, member := range value {
			plain, err := plainValue(member)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			object[name] = plain
		}
		return object, nil
	case []any:
		list := make([]any, len(value))
		for i, item := range value {
			plain, err := plainValue(item)
			if err != nil {
				return nil, err
			}
			list[i] = plain
		}
		return list, nil
	case []string:
		list := make([]any, len(value))
		for i, item := range value {
			list[i] = item
		}
		return list, nil
	}
	return nil, fmt.Errorf("a value of type %T is not allowed in a contract", value)
}

func number(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("a number must be finite")
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
}
