package gate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// reading is the order in which people look for the members of a description.
// The others follow by name.
var reading = []string{
	"openapi", "info", "servers", "security", "tags", "paths", "components",
	"operationId", "name", "in", "title", "summary", "description", "version",
	"required", "type", "format", "parameters", "requestBody", "responses", "schema", "content",
}

// JSON is the document that is executed, with publicURL as its server. The
// same document always gives the same bytes.
func (d *Document) JSON(publicURL string) []byte {
	compact, err := encodeOrdered(nil, d.published(publicURL), inReadingOrder)
	if err != nil {
		panic(fmt.Sprintf("gate: a document that was assembled cannot be written: %v", err))
	}
	indented := jsontext.Value(compact)
	if err := indented.Indent(jsontext.WithIndent("  ")); err != nil {
		panic(fmt.Sprintf("gate: a document that was assembled cannot be written: %v", err))
	}
	return append(indented, '\n')
}

// YAML is JSON's document as YAML.
func (d *Document) YAML(publicURL string) []byte {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(yamlNode(d.published(publicURL))); err != nil {
		panic(fmt.Sprintf("gate: a document that was assembled cannot be written: %v", err))
	}
	return out.Bytes()
}

func (d *Document) published(publicURL string) map[string]any {
	whole := maps.Clone(d.raw)
	whole["servers"] = []any{map[string]any{"url": publicURL}}
	return whole
}

// inReadingOrder is the members of an object as they are written.
func inReadingOrder(object map[string]any) []string {
	rank := func(name string) int {
		if i := slices.Index(reading, name); i >= 0 {
			return i
		}
		return len(reading)
	}
	return slices.SortedFunc(maps.Keys(object), func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

func yamlNode(value any) *yaml.Node {
	switch value := value.(type) {
	case map[string]any:
		node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, name := range inReadingOrder(value) {
			node.Content = append(node.Content, yamlText(name), yamlNode(value[name]))
		}
		return node
	case []any:
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range value {
			node.Content = append(node.Content, yamlNode(item))
		}
		return node
	case string:
		return yamlText(value)
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: value.String()}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(value)}
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
}

// yamlText lets the library choose the quotes, so that "200" and "true" stay
// text.
func yamlText(s string) *yaml.Node {
	node := &yaml.Node{}
	node.SetString(s)
	return node
}
