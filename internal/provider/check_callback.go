package provider

import (
	"fmt"
	"maps"
	"slices"
)

// checkCallback holds what the documented call back brings about against its
// body and the configuration.
func checkCallback(f file, d *document) {
	_, operation := f.Operations["callback"]
	body, examples := f.current().Callback, f.Examples.Callback.Valid
	if operation != (f.Callback != nil) || operation != (body != nil) || operation != (examples != nil) {
		d.refuse("/operations", "a documented callback has four parts: operations.callback, callback, the callback of the version, and examples.callback")
		return
	}
	if !operation {
		return
	}
	e, known := f.Events[f.Callback.Event]
	switch {
	case !known:
		d.refuse("/callback/event", "%q is not among the events", f.Callback.Event)
	case e.Status != "" && e.Status != f.Callback.Status:
		d.refuse("/callback/status", "the event %q comes with the status %s", f.Callback.Event, e.Status)
	}
	if (f.Callback.Map != nil || f.Callback.Keep != nil) && f.current().Configuration == nil {
		d.refuse("/callback", "version %d has no configuration", f.Schema)
		return
	}
	checkMap(f, d)
	checkKeep(f, d)
}

// checkMap makes sure that renames lead from one schema to the other, and that
// nothing comes out of its seal on the way.
func checkMap(f file, d *document) {
	from := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(f.Callback.Map)) {
		at, to := "/callback/map"+pointerTo(name), f.Callback.Map[name]
		if other, taken := from[to.To]; taken {
			d.refuse(at, "%q is filled from %q already", to.To, other)
		}
		from[to.To] = name
		said, stored := checkRename(d, at, f.current().Callback, name, f.current().Configuration, to.To)
		if said == nil || stored == nil {
			continue
		}
		if to.Items == nil {
			checkSame(d, at, said, stored)
			continue
		}
		saidItems, storedItems := members(said, "items"), members(stored, "items")
		for _, item := range slices.Sorted(maps.Keys(to.Items)) {
			at := at + "/items" + pointerTo(item)
			if a, b := checkRename(d, at, saidItems, item, storedItems, to.Items[item]); a != nil && b != nil {
				checkSame(d, at, a, b)
			}
		}
	}
}

// checkRename finds both ends of a rename.
func checkRename(d *document, at string, said map[string]any, name string, stored map[string]any, to string) (a, b map[string]any) {
	if a = members(members(said, "properties"), name); a == nil {
		d.refuse(at, "%q is not a member of the callback", name)
	}
	if b = members(members(stored, "properties"), to); b == nil {
		d.refuse(at, "%q is not a member of the configuration", to)
	}
	return a, b
}

// checkSame makes sure that values of one schema can stand where another one
// is, as far as both name the same members.
func checkSame(d *document, at string, a, b map[string]any) {
	if a["type"] != b["type"] {
		d.refuse(at, "a value of type %s can't stand where one of type %s is", a["type"], b["type"])
		return
	}
	if sealed(a) && !sealed(b) {
		d.refuse(at, "what is sealed in the one is in clear in the other")
	}
	for _, name := range slices.Sorted(maps.Keys(members(a, "properties"))) {
		if other := members(members(b, "properties"), name); other != nil {
			checkSame(d, at, members(members(a, "properties"), name), other)
		}
	}
	if x, y := members(a, "items"), members(b, "items"); x != nil && y != nil {
		checkSame(d, at, x, y)
	}
}

// checkKeep makes sure that what is taken from the signup is still there then.
func checkKeep(f file, d *document) {
	for i, name := range f.Callback.Keep {
		at := fmt.Sprintf("/callback/keep/%d", i)
		asked := members(members(f.current().Request, "properties"), name)
		stored := members(members(f.current().Configuration, "properties"), name)
		switch {
		case asked == nil:
			d.refuse(at, "%q is not a member of the request", name)
		case stored == nil:
			d.refuse(at, "%q is not a member of the configuration", name)
		case partsOf(asked):
			d.refuse(at, "what is sealed in the signup can't be taken from it")
		default:
			checkSame(d, at, asked, stored)
		}
	}
}

// checkCertificates makes sure that certificates are read from members that
// there are.
func checkCertificates(f file, d *document) {
	properties := members(f.current().Configuration, "properties")
	for i, c := range f.Certificates {
		for _, one := range [][2]string{{"member", c.Member}, {"passphrase", c.Passphrase}, {"key", c.Key}} {
			at, member := fmt.Sprintf("/certificates/%d/%s", i, one[0]), members(properties, one[1])
			switch {
			case one[1] == "":
			case member == nil:
				d.refuse(at, "%q is not a member of the configuration", one[1])
			case member["type"] != "string":
				d.refuse(at, "%q is not text", one[1])
			case one[0] != "member" && !sealed(member):
				d.refuse(at, "%q opens a certificate and is in clear", one[1])
			}
		}
	}
}
