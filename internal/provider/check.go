package provider

import (
	"fmt"
	"maps"
	"path"
	"reflect"
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
	// Each step needs what the ones before it have made sure of.
	for _, step := range [][]func(file, *document){
		{checkVersions},
		{checkModel, checkParts},
		{checkView, checkSchemaExamples, checkEvents, checkCallback, checkCertificates},
		{checkExamples, checkCallbackExamples},
		{checkScenarios, checkMagic, checkBatch, checkSecretsStaySecret},
	} {
		for _, one := range step {
			one(f, d)
		}
		if len(d.problems) > 0 {
			return
		}
	}
}

// brokenRules lists the rules of a schema of the file that a value breaks. The
// schema stands at the given place.
func brokenRules(d *document, at string, schema map[string]any, value any) []violation {
	identity := reflect.ValueOf(schema).Pointer() // each is held against many values
	compiled, ok := d.compiled[identity]
	if !ok {
		var err error
		if compiled, err = compile(schema); err != nil {
			d.refuse(at, "the schema can't be compiled: %v", err)
			return nil
		}
		d.compiled[identity] = compiled
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
		schemas := v.schemas()
		for _, name := range slices.Sorted(maps.Keys(schemas)) {
			whole := schemas[name]
			checkSchema(d, at+name, whole)
			checkClasses(d, at+name, whole)
			checkOpen(d, at+name, whole, name == "/request")
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

// schemas are those that the version has, by where they stand.
func (v version) schemas() map[string]map[string]any {
	all := map[string]map[string]any{"/request": v.Request, "/callback": v.Callback, "/configuration": v.Configuration}
	maps.DeleteFunc(all, func(_ string, schema map[string]any) bool { return schema == nil })
	return all
}

func list(value any) []any {
	items, _ := value.([]any)
	return items
}
