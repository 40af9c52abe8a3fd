package provider

import (
	"github.com/go-json-experiment/json/jsontext"
)

// rule is what a schema says of how a value must be treated: the value itself,
// and what it holds.
type rule struct {
	class   Class
	sealed  bool // it is taken out of its document and leaves nothing
	shown   bool // it may be put back
	classed bool // it, or something that it holds, is not business data

	kind    string           // type of the value
	members map[string]*rule // of an object; nil when its members are not known
	open    bool             // members that are not known are kept
	items   *rule            // of an array
}

// ruleOf compiles a schema; nil for none. discloses says whether
// anything sealed is ever put back.
func ruleOf(schema map[string]any, discloses bool) *rule {
	if schema == nil {
		return nil
	}
	r := &rule{class: classOf(schema), sealed: sealed(schema), open: schema["additionalProperties"] == true}
	r.kind, _ = schema["type"].(string)
	r.shown = discloses && disclosed(schema)
	r.classed = r.class != ""
	if properties := members(schema, "properties"); properties != nil {
		r.members = map[string]*rule{}
		for name := range properties {
			m := ruleOf(members(properties, name), discloses)
			r.members[name] = m
			r.classed = r.classed || m.classed
		}
	}
	if r.items = ruleOf(members(schema, "items"), discloses); r.items != nil {
		r.classed = r.classed || r.items.classed
	}
	return r
}

// classOf is the class of the values of a schema. What is never shown opens
// something, unless the file says better.
func classOf(schema map[string]any) Class {
	class, _ := schema["class"].(string)
	if class == "" && schema["writeOnly"] == true {
		return Secret
	}
	return Class(class)
}

// sealed says whether values of a schema leave nothing where they stood.
func sealed(schema map[string]any) bool {
	class := classOf(schema)
	return schema["writeOnly"] == true || class == Secret || class == Identity
}

// disclosed says whether sealed values of a schema are put back in the
// connection's own GET: documented ones that open something.
func disclosed(schema map[string]any) bool {
	return schema["class"] == string(Secret) && schema["writeOnly"] != true
}

// shows says whether the rule, or one below it, lets a sealed value be put
// back.
func (r *rule) shows() bool {
	if r == nil || r.shown || r.items.shows() {
		return r != nil
	}
	for _, m := range r.members {
		if m.shows() {
			return true
		}
	}
	return false
}

// seals says whether the rule, or one below it, takes values out of their
// document for good.
func (r *rule) seals() bool {
	if r == nil {
		return false
	}
	if r.sealed || r.items.seals() {
		return true
	}
	for _, m := range r.members {
		if m.seals() {
			return true
		}
	}
	return false
}

// fits says whether a value is of the kind that the rule speaks of.
func (r *rule) fits(value jsontext.Value) bool {
	switch r.kind {
	case "object":
		return value.Kind() == '{'
	case "array":
		return value.Kind() == '['
	}
	return value.Kind() != '{' && value.Kind() != '['
}
