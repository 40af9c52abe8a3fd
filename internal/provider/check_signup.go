package provider

import (
	"fmt"
	"maps"
	"slices"
)

// checkModel holds the ways to sign up against what the requests have.
func checkModel(f file, d *document) {
	many, body, restart := f.Signup.Model == "many", f.current().Request != nil, f.restarts()
	put, hasPut := f.Operations["put"]
	if _, post := f.Operations["post"]; post == (hasPut && !restart) {
		d.refuse("/operations", "signups are taken by a post, or by a put with the role signup, and not by both")
	}
	if many && f.Signup.Key == nil {
		d.refuse("/signup", "the model many needs a key")
	}
	if !many && f.Signup.Key != nil {
		d.refuse("/signup/key", "the model single has no key")
	}
	if !many && f.Signup.Rule != "" {
		d.refuse("/signup/rule", "the model single has one signup, and no rule for several")
	}
	if put.Body != "" && (restart || !body) {
		d.refuse("/operations/put/body", "there is no request that could be the whole body")
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

// checkParts keeps what must be found or sent again from being taken out.
func checkParts(f file, d *document) {
	for _, number := range slices.Sorted(maps.Keys(f.Versions)) {
		properties := members(f.Versions[number].Request, "properties")
		for i, name := range f.Signup.Key {
			if classOf(members(properties, name)) != "" {
				d.refuse(fmt.Sprintf("/signup/key/%d", i), "signups are told apart by %q, so it can't be classed, as in version %s", name, number)
			}
		}
	}
	if f.restarts() && classed(f.current().Request) {
		d.refuse("/operations/put", "a signup with classed members can't be started again: it has to be sent again")
	}
}

// classed says whether any member of a schema has a class.
func classed(schema map[string]any) bool {
	found := false
	if schema != nil {
		eachSchema("", schema, func(_ string, one map[string]any) { found = found || sealed(one) || classOf(one) != "" })
	}
	return found
}

// partsOf says whether anything is taken out of the values of a schema.
func partsOf(schema map[string]any) bool {
	found := false
	if schema != nil {
		eachSchema("", schema, func(_ string, one map[string]any) {
			found = found || sealed(one) || classOf(one) == Financial
		})
	}
	return found
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
		if f.current().Request["additionalProperties"] == true && len(from) > 0 {
			d.refuse("/signup/view/data", "members that are not known can't stand beside others")
		}
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
