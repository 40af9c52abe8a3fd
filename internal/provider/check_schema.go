package provider

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// checkSchema looks for the mistakes that leave a schema well-formed and make
// it mean something else.
func checkSchema(d *document, at string, whole map[string]any) {
	eachSchema(at, whole, func(at string, schema map[string]any) {
		kind := fmt.Sprint(schema["type"])
		for _, keyword := range slices.Sorted(maps.Keys(schema)) {
			if kinds := ruledBy[keyword]; kinds != nil && !slices.Contains(kinds, kind) {
				d.refuse(at+"/"+keyword, "%s says nothing about a value of type %s", keyword, kind)
			}
		}
		if kind == "array" && schema["items"] == nil {
			d.refuse(at, "an array must say what its items are")
		}
		for i, name := range list(schema["required"]) {
			if members(members(schema, "properties"), fmt.Sprint(name)) == nil {
				d.refuse(fmt.Sprintf("%s/required/%d", at, i), "%q is required but not declared in properties", name)
			}
		}
		if pattern, ok := schema["pattern"].(string); ok {
			if _, err := regexp.Compile(pattern); err != nil {
				d.refuse(at+"/pattern", "not a pattern that RE2 can execute: %v", err)
			}
		}
		for _, pair := range [][2]string{{"minLength", "maxLength"}, {"minItems", "maxItems"}, {"minimum", "maximum"}} {
			if !atMost(schema, pair[0], pair[1]) {
				d.refuse(at+"/"+pair[0], "%s is greater than %s", pair[0], pair[1])
			}
		}
	})
}

// checkClasses makes sure that what is classed can be taken out of a document
// and leaves one that makes sense.
func checkClasses(d *document, at string, whole map[string]any) {
	if classOf(whole) != "" {
		d.refuse(at, "the whole can't be classed: class its members")
	}
	var below func(at string, schema map[string]any, inside bool)
	below = func(at string, schema map[string]any, inside bool) {
		class := classOf(schema)
		switch {
		case class == "":
		case inside:
			d.refuse(at, "what this stands in is taken out whole already")
		case class == Financial && schema["type"] != "string":
			d.refuse(at+"/class", "only text can be masked: class the members, or use another class")
		case class == Contact && schema["writeOnly"] == true:
			d.refuse(at+"/writeOnly", "a contact rests in clear and is shown: what must not be has another class")
		}
		inside = inside || sealed(schema) || class == Financial
		properties := members(schema, "properties")
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			below(at+"/properties"+pointerTo(name), members(properties, name), inside)
		}
		if items := members(schema, "items"); items != nil {
			if classOf(items) != "" && !inside {
				d.refuse(at+"/items", "an item can't be taken out of its list: class the list, or a member of its items")
			}
			below(at+"/items", items, inside || classOf(items) != "")
		}
	}
	below(at, whole, false)
}

// checkOpen keeps objects of anything to where nothing is known: the top of a
// request.
func checkOpen(d *document, at string, whole map[string]any, request bool) {
	eachSchema(at, whole, func(pointer string, schema map[string]any) {
		if schema["additionalProperties"] == true && !(request && pointer == at) {
			d.refuse(pointer+"/additionalProperties", "only the top of a request may have members that are not known")
		}
	})
}

// checkSchemaExamples holds the values that a schema shows against the schema.
func checkSchemaExamples(f file, d *document) {
	for _, number := range slices.Sorted(maps.Keys(f.Versions)) {
		v, at := f.Versions[number], pointerTo("versions", number)
		for name, whole := range v.schemas() { // problems are sorted by place
			eachSchema(at+name, whole, func(at string, schema map[string]any) {
				for _, keyword := range []string{"examples", "enum"} {
					for i, value := range list(schema[keyword]) {
						for _, v := range brokenRules(d, at, schema, value) {
							d.refuse(fmt.Sprintf("%s/%s/%d%s", at, keyword, i, v.pointer), "the schema refuses its own value: %s", v.reason)
						}
					}
				}
			})
		}
	}
}
