package provider

import (
	"maps"
	"slices"
)

// generated are the members of a shown signup that the service makes.
var generated = map[string]map[string]any{
	"id": {
		"type": "string", "readOnly": true,
		"description": "Names the signup.",
		"examples":    []any{sampleSignup},
	},
	"url": {
		"type": "string", "readOnly": true,
		"description": "Where the merchant finishes the signup, or sees how it stands.",
		"examples":    []any{sampleLink},
	},
	"created_at": {
		"type": "string", "format": "date-time", "readOnly": true,
		"description": "When the signup was received.",
		"examples":    []any{sampleTime},
	},
	"callback_at": {
		"type": "string", "format": "date-time", "readOnly": true,
		"description": "When the provider answered the signup; absent until then.",
		"examples":    []any{sampleLater},
	},
	"expires_at": {
		"type": "string", "format": "date-time", "readOnly": true,
		"description": "When the link stops working, 30 days after the signup.",
		"examples":    []any{sampleExpiry},
	},
}

// schemas is the provider's part of components.schemas: what a signup holds,
// the request around it, and the connection.
func (p *Provider) schemas() map[string]any {
	all := map[string]any{p.file.Prefix + "Connection": p.connectionSchema()}
	if p.Signup.Body {
		all[p.file.Prefix+"Signup"] = asked(p.file.current().Request)
	}
	if p.request != nil && p.request.classed {
		all[p.shownSignup()] = answered(p.file.current().Request, false)
	}
	if p.Signup.Body && !p.Signup.Whole {
		all[p.file.Prefix+"SignupRequest"] = map[string]any{
			"type":        "object",
			"description": "A signup with " + p.Title + ".",
			"required":    []any{"signup"},
			"properties":  map[string]any{"signup": ref("schemas", p.file.Prefix+"Signup")},
		}
	}
	maps.Copy(all, p.olderSchemas())
	return all
}

// shownSignup is the name of the schema of what answers show of a request. It
// is that of the request where nothing in it is classed.
func (p *Provider) shownSignup() string {
	if p.request != nil && p.request.classed {
		return p.file.Prefix + "SignupShown"
	}
	return p.file.Prefix + "Signup"
}

func (p *Provider) connectionSchema() map[string]any {
	name, signups := "signup", p.signupSchema()
	if p.Signup.Many {
		name = "signups"
		signups = map[string]any{
			"type":        "array",
			"description": "The signups that were received, oldest first. Unique by " + names(p.Signup.Key) + ".",
			"items":       signups,
		}
	}
	properties := map[string]any{name: signups}
	if configuration := p.shownConfigurations(); configuration != nil {
		properties["configuration"] = configuration
	}
	return map[string]any{
		"description": "A connection with " + p.Title + ".",
		"allOf": []any{
			ref("schemas", "ConnectionMeta"),
			map[string]any{"type": "object", "required": []any{name}, "properties": properties},
		},
	}
}

// signupSchema is how one signup looks in an answer, after the file's view.
func (p *Provider) signupSchema() map[string]any {
	view, sent := p.Signup.View, p.shownSignups()
	properties, required := map[string]any{}, []any{}
	for _, name := range view.Members {
		properties[name] = maps.Clone(generated[name])
		if name != "callback_at" {
			required = append(required, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(view.Constants)) {
		properties[name] = map[string]any{
			"type": "string", "const": view.Constants[name], "examples": []any{view.Constants[name]},
			"description": "Always `" + view.Constants[name] + "`.",
		}
		required = append(required, name)
	}
	if view.Data != "" && view.Data != inline {
		properties[view.Data] = sent
		required = append(required, view.Data)
	}
	switch {
	case view.Data != inline:
		return map[string]any{"type": "object", "required": required, "properties": properties}
	case len(properties) == 0:
		return sent
	}
	return map[string]any{"allOf": []any{
		sent, map[string]any{"type": "object", "required": required, "properties": properties},
	}}
}
