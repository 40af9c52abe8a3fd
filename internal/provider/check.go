package provider

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// signupReceived is the event that every new signup records.
const signupReceived = "signup_received"

// check finds what a schema of the file can't see.
func check(f file, d *document) {
	if want := f.Slug + ".yaml"; path.Base(d.name) != want {
		d.refuse("/slug", "the file of the provider %s must be named %s", f.Slug, want)
	}
	checkVersions(f, d)
	if len(d.problems) == 0 {
		checkModel(f, d)
	}
	if len(d.problems) > 0 {
		return // what follows needs schemas that hold
	}
	checkView(f, d)
	checkSchemaExamples(f, d)
	checkExamples(f, d)
	checkAnswers(f, d)
}

// brokenRules lists the rules of a schema of the file that a value breaks. The
// schema stands at the given place.
func brokenRules(d *document, at string, schema map[string]any, value any) []violation {
	compiled, err := compile(schema)
	if err != nil {
		d.refuse(at, "the schema can't be compiled: %v", err)
		return nil
	}
	return violationsOf(compiled.Validate(value))
}

func checkVersions(f file, d *document) {
	if _, ok := f.Versions[fmt.Sprint(f.Schema)]; !ok {
		d.refuse("/schema", "there is no version %d in versions", f.Schema)
	}
	for _, number := range slices.Sorted(maps.Keys(f.Versions)) {
		v, at := f.Versions[number], pointerTo("versions", number)
		if n, _ := strconv.Atoi(number); n > f.Schema {
			d.refuse(at, "version %s is newer than schema, which is %d", number, f.Schema)
		}
		if v.Request != nil {
			checkSchema(d, at+"/request", v.Request)
		}
		if v.Callback != nil {
			checkSchema(d, at+"/callback", v.Callback)
		}
		if v.Configuration != nil {
			checkSchema(d, at+"/configuration", v.Configuration)
		}
	}
}

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

// checkModel holds the ways to sign up against what the requests have.
func checkModel(f file, d *document) {
	many, body := f.Signup.Model == "many", f.current().Request != nil
	put, hasPut := f.Operations["put"]
	restart := hasPut && put.Role != "signup"
	if _, post := f.Operations["post"]; post == (hasPut && !restart) {
		d.refuse("/operations", "signups are taken by a post, or by a put with the role signup, and not by both")
	}
	if many && f.Signup.Key == nil {
		d.refuse("/signup", "the model many needs a key")
	}
	if !many && f.Signup.Key != nil {
		d.refuse("/signup/key", "the model single has no key")
	}
	if many && restart {
		d.refuse("/operations/put", "a put restarts the one signup of the model single")
	}
	for _, number := range slices.Sorted(maps.Keys(f.Versions)) {
		properties := members(f.Versions[number].Request, "properties")
		for i, name := range f.Signup.Key {
			at := fmt.Sprintf("/signup/key/%d", i)
			switch property := members(properties, name); {
			case property == nil:
				d.refuse(at, "%q is not a member of the request in version %s", name, number)
			case property["type"] != "string":
				d.refuse(at, "%q is not a string in version %s", name, number)
			}
		}
	}
	if body != (f.Signup.View.Data != "") {
		d.refuse("/signup/view", "view.data says where the request's members go: it stands there exactly when there is a request")
	}
	if body != (f.Examples.Valid != nil) {
		d.refuse("/examples", "examples are needed exactly when there is a request")
	}
	_, received := f.Events[signupReceived]
	if !received {
		d.refuse("/events", "%q is missing: every signup records it", signupReceived)
	}
	if f.Path != nil && f.Path.Parameter == "aid" {
		d.refuse("/path/parameter", "the path has a parameter aid already")
	}
}

// checkView makes sure that no two members of a shown signup share a name.
func checkView(f file, d *document) {
	from := map[string]string{}
	claim := func(at, name, what string) {
		if other, taken := from[name]; taken {
			d.refuse(at, "%q is shown twice: as %s and as %s", name, other, what)
			return
		}
		from[name] = what
	}
	view := f.Signup.View
	for i, name := range view.Members {
		claim(fmt.Sprintf("/signup/view/members/%d", i), name, "a generated member")
	}
	for _, name := range slices.Sorted(maps.Keys(view.Constants)) {
		claim("/signup/view/constants"+pointerTo(name), name, "a constant")
	}
	switch view.Data {
	case "":
	case inline:
		for _, number := range slices.Sorted(maps.Keys(f.Versions)) {
			request := members(f.Versions[number].Request, "properties")
			for _, name := range slices.Sorted(maps.Keys(request)) {
				if what, taken := from[name]; taken {
					d.refuse(pointerTo("versions", number, "request", "properties", name), "%q is shown already as %s", name, what)
				}
			}
		}
	default:
		claim("/signup/view/data", view.Data, "the request's members")
	}
}

// inline is the view.data that shows the request's members beside the others.
const inline = "inline"

// checkSchemaExamples holds the values that a schema shows against the schema.
func checkSchemaExamples(f file, d *document) {
	for _, number := range slices.Sorted(maps.Keys(f.Versions)) {
		v, at := f.Versions[number], pointerTo("versions", number)
		for name, whole := range map[string]map[string]any{"/request": v.Request, "/configuration": v.Configuration} {
			if whole == nil {
				continue
			}
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

// checkExamples holds the file to what its examples claim.
func checkExamples(f file, d *document) {
	request := f.current().Request
	if request == nil {
		return
	}
	schemaAt := pointerTo("versions", fmt.Sprint(f.Schema), "request")
	for i, example := range f.Examples.Valid {
		at := fmt.Sprintf("/examples/valid/%d/signup", i)
		for _, v := range brokenRules(d, schemaAt, request, example.Signup) {
			d.refuse(at+v.pointer, "the example is refused: %s", v.reason)
		}
		for _, pointer := range undeclared(request, example.Signup, "") {
			d.refuse(at+pointer, "the request does not declare this member")
		}
	}
	for i, example := range f.Examples.Invalid {
		var places []string
		for _, v := range brokenRules(d, schemaAt, request, example.Signup) {
			places = append(places, v.pointer)
		}
		switch {
		case len(places) == 0:
			d.refuse(fmt.Sprintf("/examples/invalid/%d", i), "the example is accepted")
		case !slices.Contains(places, example.Wrong):
			d.refuse(fmt.Sprintf("/examples/invalid/%d/wrong", i), "what is wrong stands at %s", quoted(places))
		}
	}
}

func quoted(places []string) string {
	var words []string
	for _, place := range places {
		words = append(words, fmt.Sprintf("%q", place))
	}
	return strings.Join(words, ", ")
}

// checkAnswers makes sure that what a simulated provider says when it is asked
// can be stored and shown.
func checkAnswers(f file, d *document) {
	for _, name := range slices.Sorted(maps.Keys(f.Scenarios)) {
		if answer := f.Scenarios[name].Answer; answer != nil {
			checkOutcome(f, d, pointerTo("scenarios", name, "answer"), *answer)
		}
	}
}

func checkOutcome(f file, d *document, at string, o outcome) {
	if _, known := f.Events[o.Event]; !known {
		d.refuse(at+"/event", "%q is not among the events", o.Event)
	}
	if o.Configuration == nil {
		return
	}
	configuration := f.current().Configuration
	if configuration == nil {
		d.refuse(at+"/configuration", "version %d has no configuration", f.Schema)
		return
	}
	schemaAt := pointerTo("versions", fmt.Sprint(f.Schema), "configuration")
	for _, v := range brokenRules(d, schemaAt, configuration, o.Configuration) {
		d.refuse(at+"/configuration"+v.pointer, "the configuration's schema refuses it: %s", v.reason)
	}
	for _, pointer := range undeclared(configuration, o.Configuration, "") {
		d.refuse(at+"/configuration"+pointer, "not a member of the configuration")
	}
}

func list(value any) []any {
	items, _ := value.([]any)
	return items
}
