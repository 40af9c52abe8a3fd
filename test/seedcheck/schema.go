package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// object is any JSON object.
type object = map[string]any

// document is the contract that the server publishes.
type document struct{ root object }

func parseDocument(text []byte) (document, error) {
	var d document
	err := json.Unmarshal(text, &d.root)
	return d, err
}

// operation finds a method of a path.
func (d document) operation(method, path string) (object, error) {
	op, ok := dig(d.root, "paths", path, strings.ToLower(method)).(object)
	if !ok {
		return nil, fmt.Errorf("the published contract has no %s %s", method, path)
	}
	return op, nil
}

// resolve follows a reference, if it is one.
func (d document) resolve(schema any) object {
	o, _ := schema.(object)
	for {
		ref, ok := o["$ref"].(string)
		if !ok {
			return o
		}
		o, _ = dig(d.root, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...).(object)
	}
}

// declared is a member's schema and whether its object requires it.
type declared struct {
	schema   object
	required bool
}

// find walks a member path such as "events[].status" through a schema.
func (d document) find(schema any, path string) (declared, bool) {
	found := declared{schema: d.resolve(schema)}
	for step := range strings.SplitSeq(path, ".") {
		name, isArray := strings.CutSuffix(step, "[]")
		member, ok := d.property(found.schema, name)
		if !ok {
			return declared{}, false
		}
		if isArray {
			member.schema = d.resolve(member.schema["items"])
		}
		found = member
	}
	return found, true
}

// property looks a member up in a schema and in what it is made of.
func (d document) property(schema object, name string) (declared, bool) {
	if p, ok := dig(schema, "properties", name).(object); ok {
		required, _ := schema["required"].([]any)
		return declared{d.resolve(p), slices.Contains(required, any(name))}, true
	}
	all, _ := schema["allOf"].([]any)
	for _, part := range all {
		if found, ok := d.property(d.resolve(part), name); ok {
			return found, true
		}
	}
	return declared{}, false
}

// dig takes a value out of nested objects.
func dig(value any, path ...string) any {
	for _, name := range path {
		o, _ := value.(object)
		value = o[name]
	}
	return value
}

// contradiction says what of a documented member the published schema says
// otherwise, or "".
func (m member) contradiction(d declared) string {
	switch {
	case d.schema["type"] != m.Type:
		return fmt.Sprintf("published as %v", d.schema["type"])
	case m.Format != "" && d.schema["format"] != m.Format:
		return fmt.Sprintf("published with the format %v", d.schema["format"])
	case m.Enum != nil && !sameWords(d.schema["enum"], m.Enum):
		return fmt.Sprintf("published as one of %v", d.schema["enum"])
	case m.Required && !d.required:
		return "published as optional"
	case m.ReadOnly && d.schema["readOnly"] != true:
		return "not published as read-only"
	}
	return ""
}

func sameWords(published any, documented []string) bool {
	list, _ := published.([]any)
	return slices.EqualFunc(list, documented, func(a any, b string) bool { return a == b })
}
