package provider

import "maps"

// asked is a schema of a body as the contract shows it: classes in our own
// keyword, and what no answer shows is writeOnly.
func asked(schema map[string]any) map[string]any {
	if schema == nil {
		return nil
	}
	copied := classified(schema)
	if sealed(schema) {
		copied["writeOnly"] = true
	}
	if properties := members(schema, "properties"); properties != nil {
		all := map[string]any{}
		for name := range properties {
			all[name] = asked(members(properties, name))
		}
		copied["properties"] = all
	}
	if items := members(schema, "items"); items != nil {
		copied["items"] = asked(items)
	}
	return copied
}

// answered is a schema of what was taken in, as answers show it: what is
// sealed is gone, unless the schema is that of a configuration, which discloses
// some; masks follow no rule; and what is classed may be missing, since other
// answers do not disclose it and the person behind it may be erased.
func answered(schema map[string]any, discloses bool) map[string]any {
	copied := classified(schema)
	if classOf(schema) == Financial {
		masked(copied)
	}
	if properties := members(schema, "properties"); properties != nil {
		visible := map[string]any{}
		for name := range properties {
			if property := members(properties, name); !sealed(property) || discloses && disclosed(property) {
				visible[name] = answered(property, discloses)
			}
		}
		delete(copied, "properties")
		if len(visible) > 0 {
			copied["properties"] = visible
		}
		delete(copied, "required")
		if required := always(schema, visible); len(required) > 0 {
			copied["required"] = required
		}
	}
	if items := members(schema, "items"); items != nil {
		copied["items"] = answered(items, discloses)
	}
	return copied
}

// always are the required members that every answer has.
func always(schema, visible map[string]any) []any {
	var names []any
	for _, name := range list(schema["required"]) {
		property := members(visible, name.(string))
		if property != nil && property[classKeyword] == nil {
			names = append(names, name)
		}
	}
	return names
}

// classKeyword is how the contract says a member's class.
const classKeyword = "x-mooring-class"

func classified(schema map[string]any) map[string]any {
	copied := maps.Clone(schema)
	delete(copied, "class")
	if class := classOf(schema); class != "" {
		copied[classKeyword] = string(class)
	}
	return copied
}

// masked takes out of a schema what a mask does not keep to.
func masked(schema map[string]any) {
	for _, keyword := range []string{"pattern", "format", "minLength", "maxLength", "enum", "examples"} {
		delete(schema, keyword)
	}
	schema["examples"] = []any{"*******8903"}
}
