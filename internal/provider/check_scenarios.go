package provider

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// checkScenarios makes sure that a simulated provider says nothing that a real
// one would be refused for.
func checkScenarios(f file, d *document) {
	for _, name := range slices.Sorted(maps.Keys(f.Scenarios)) {
		s, at := f.Scenarios[name], pointerTo("scenarios", name)
		if s.Answer != nil {
			checkOutcome(f, d, at+"/answer", *s.Answer)
			if f.Operations["get"].Sync == "" {
				d.refuse(at+"/answer", "nobody asks unless operations.get has sync")
			}
		}
		last := time.Duration(0)
		for i, one := range s.Steps {
			at := fmt.Sprintf("%s/steps/%d", at, i)
			if duration(one.After) < last {
				d.refuse(at+"/after", "the step above this one comes later")
			}
			last = duration(one.After)
			checkStep(f, d, at, one)
		}
	}
}

func checkStep(f file, d *document, at string, s step) {
	if (s.Callback == nil) == (s.Report == nil) {
		d.refuse(at, "a step makes one call: a callback or a report")
		return
	}
	if s.Lost && f.Operations["get"].Sync == "" {
		d.refuse(at+"/lost", "nobody can ask for what was lost unless operations.get has sync")
	}
	if s.Callback != nil {
		checkCallbackStep(f, d, at+"/callback", s)
		return
	}
	if s.Failed {
		return // it is there to be refused
	}
	report := f.filled(s.Report)
	broken := brokenRules(d, at, reportSchema, report)
	for _, v := range broken {
		d.refuse(at+"/report"+v.pointer, "no report is like this: %s", v.reason)
	}
	if broken != nil {
		return
	}
	body := report.(map[string]any)
	checkKnown(f, d, at+"/report", body["event"].(string), body["status"].(string))
	code, _ := body["code"].(string)
	checkReason(d, at+"/report/code", code)
	if configuration, ok := body["configuration"]; ok {
		checkConfiguration(f, d, at+"/report/configuration", configuration)
	}
}

func checkCallbackStep(f file, d *document, at string, s step) {
	body := f.callbackBody(s)
	switch {
	case f.current().Callback == nil:
		d.refuse(at, "there is no documented callback: report it")
	case body == nil:
		d.refuse(at, "$example stands alone and is the number of a valid callback example, from 0")
	case !s.Failed:
		checkBody(d, at, pointerTo("versions", fmt.Sprint(f.Schema), "callback"), f.current().Callback, f.filled(body))
	}
}

// filled is a step's body as it would be sent about the first example.
func (f file) filled(body any) any {
	by := Signed{ID: sampleSignup, Data: []byte(`{}`), At: sampledAt}
	if f.Examples.Valid != nil {
		by.Data = canonical(f.Examples.Valid[0].Signup)
	}
	value, _ := plainValue(Fill(canonical(body), by))
	return value
}

// reportSchema is what the callback for events takes. What the configuration
// of a report must be is the provider's to say.
var reportSchema = map[string]any{
	"type": "object", "required": []any{"status", "event"}, "additionalProperties": false,
	"properties": map[string]any{
		"status":        map[string]any{"enum": []any{"pending", "enabled", "failed", "declined"}},
		"event":         map[string]any{"type": "string"},
		"description":   map[string]any{"type": "string"},
		"metadata":      map[string]any{"type": "object"},
		"configuration": map[string]any{"type": "object"},
		"code":          map[string]any{"type": "string"},
		"provider_code": map[string]any{"type": "string"},
		"external_id":   map[string]any{"type": "string"},
		"occurred_at":   map[string]any{"type": "string", "format": "date-time"},
	},
}

// checkMagic makes sure that a signup can have the magic values.
func checkMagic(f file, d *document) {
	if f.Magic.Member == "" {
		return
	}
	member := memberAt(f.current().Request, tokens(f.Magic.Member))
	if member == nil || member["type"] != "string" {
		d.refuse("/magic/member", "%s is not text in the request", f.Magic.Member)
		return
	}
	for _, value := range slices.Sorted(maps.Keys(f.Magic.Values)) {
		for _, v := range brokenRules(d, "/magic", member, value) {
			d.refuse("/magic/values"+pointerTo(value), "the request does not take this value: %s", v.reason)
		}
	}
}

// memberAt is the schema of the member at a path; nil when there is none.
func memberAt(schema map[string]any, path []string) map[string]any {
	for _, token := range path {
		if schema["type"] == "array" {
			if _, ok := wholeText(token); !ok {
				return nil
			}
			schema = members(schema, "items")
			continue
		}
		schema = members(members(schema, "properties"), token)
	}
	return schema
}
