package provider

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

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
		broken := brokenRules(d, schemaAt, request, example.Signup)
		checkRefused(d, fmt.Sprintf("/examples/invalid/%d", i), broken, example.Wrong)
	}
}

// checkCallbackExamples does the same for the callback, and makes sure that
// what it configures can be stored.
func checkCallbackExamples(f file, d *document) {
	schema := f.current().Callback
	if schema == nil {
		return
	}
	at, schemaAt := "/examples/callback", pointerTo("versions", fmt.Sprint(f.Schema), "callback")
	for i, example := range f.Examples.Callback.Valid {
		checkBody(d, fmt.Sprintf("%s/valid/%d/body", at, i), schemaAt, schema, f.filled(example.Body))
	}
	for i, example := range f.Examples.Callback.Invalid {
		checkRefused(d, fmt.Sprintf("%s/invalid/%d", at, i), brokenRules(d, schemaAt, schema, example.Body), example.Wrong)
	}
	if len(d.problems) > 0 {
		return
	}
	p := f.provider()
	for i, example := range f.Examples.Callback.Valid {
		kept, _ := p.SplitSignup(p.example)
		configured := p.Configure(canonical(f.filled(example.Body)), kept)
		if value, ok := plainValue(configured); ok {
			configuration := f.current().Configuration
			for _, v := range brokenRules(d, at, configuration, value) {
				d.refuse(fmt.Sprintf("%s/valid/%d", at, i), "the configuration that it makes is refused at %q: %s", v.pointer, v.reason)
			}
		}
	}
}

// checkRefused makes sure that an example is refused, and for what it says.
func checkRefused(d *document, at string, broken []violation, wrong string) {
	var places []string
	for _, v := range broken {
		places = append(places, v.pointer)
	}
	switch {
	case len(places) == 0:
		d.refuse(at, "the example is accepted")
	case !slices.Contains(places, wrong):
		d.refuse(at+"/wrong", "what is wrong stands at %s", quoted(places))
	}
}

// checkSecretsStaySecret looks for what examples say of sealed members in texts
// that everybody may read.
func checkSecretsStaySecret(f file, d *document) {
	p := f.provider()
	var parts []Part
	for _, e := range f.Examples.Valid {
		_, more := p.SplitSignup(canonical(e.Signup))
		parts = append(parts, more...)
	}
	for _, e := range f.Examples.Callback.Valid {
		if configured := p.Configure(canonical(f.filled(e.Body)), p.example); configured != nil {
			_, more := p.SplitConfiguration(configured)
			parts = append(parts, more...)
		}
	}
	for _, part := range parts {
		value, _ := plainValue([]byte(part.Value.Reveal()))
		text, ok := value.(string)
		if !ok || len(text) < shortestSecret {
			continue
		}
		f.eachText(func(at, open string) {
			if strings.Contains(open, text) {
				d.refuse(at, "everybody may read this, and it says what %s holds in an example", part.Pointer)
			}
		})
	}
}

// shortestSecret is the length from which a text that occurs elsewhere is no
// coincidence.
const shortestSecret = 6

// eachText calls a function for the texts of the file that are shown to
// whoever may see an event.
func (f file) eachText(see func(at, text string)) {
	for _, name := range slices.Sorted(maps.Keys(f.Events)) {
		for _, texts := range []map[string]string{f.Events[name].Meaning, f.Events[name].Next} {
			for _, language := range slices.Sorted(maps.Keys(texts)) {
				see(pointerTo("events", name), texts[language])
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Scenarios)) {
		see(pointerTo("scenarios", name, "summary"), f.Scenarios[name].Summary)
		for i, s := range f.Scenarios[name].Steps {
			for _, member := range []string{"metadata", "description"} {
				if value, ok := s.Report[member]; ok {
					see(fmt.Sprintf("%s/steps/%d/report/%s", pointerTo("scenarios", name), i, member), string(canonical(value)))
				}
			}
		}
	}
}
