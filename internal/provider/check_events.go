package provider

import (
	"maps"
	"slices"
)

// checkEvents makes sure that reasons are those of the one list.
func checkEvents(f file, d *document) {
	for _, name := range slices.Sorted(maps.Keys(f.Events)) {
		e := f.Events[name]
		checkReason(d, pointerTo("events", name, "reason"), e.Reason)
		if e.Wait != "" && e.Turn == "" {
			d.refuse(pointerTo("events", name, "wait"), "nobody waits when it is nobody's turn")
		}
	}
}

func checkReason(d *document, at, code string) {
	if _, known := ReasonOf(code); code != "" && !known {
		d.refuse(at, "%q is not a reason code; docs/reasons.md lists them", code)
	}
}

// checkKnown makes sure that an event is one that the file explains, with the
// status that it explains.
func checkKnown(f file, d *document, at, name, status string) {
	e, known := f.Events[name]
	switch {
	case !known:
		d.refuse(at+"/event", "%q is not among the events", name)
	case e.Status != "" && e.Status != status:
		d.refuse(at+"/status", "the event %q comes with the status %s", name, e.Status)
	}
}

// checkOutcome makes sure that what a provider says can be taken in.
func checkOutcome(f file, d *document, at string, o outcome) {
	checkKnown(f, d, at, o.Event, o.Status)
	checkReason(d, at+"/reason", o.Reason)
	if o.Configuration != nil {
		checkConfiguration(f, d, at+"/configuration", o.Configuration)
	}
}

// checkConfiguration holds a whole configuration against its schema.
func checkConfiguration(f file, d *document, at string, configuration any) {
	schema := f.current().Configuration
	if schema == nil {
		d.refuse(at, "version %d has no configuration", f.Schema)
		return
	}
	checkBody(d, at, at, schema, configuration)
}

// checkBody holds a value against a schema, with its problems at the value.
func checkBody(d *document, at, schemaAt string, schema map[string]any, value any) {
	for _, v := range brokenRules(d, schemaAt, schema, value) {
		d.refuse(at+v.pointer, "the schema refuses it: %s", v.reason)
	}
	for _, pointer := range undeclared(schema, value, "") {
		d.refuse(at+pointer, "the schema does not declare this member")
	}
}
