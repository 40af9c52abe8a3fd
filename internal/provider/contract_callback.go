package provider

import "fmt"

// The Go function that hears documented callbacks, and the longest body that
// it takes: certificates are long.
const (
	functionCallback = "connection.callback"
	maxCallbackBody  = 256 << 10
)

// CallbackSchema is where the contract describes the body of the documented
// callback.
func (p *Provider) CallbackSchema() string { return schemaAt(p.file.Prefix + "Callback") }

// EventSchema is where the contract describes the body of the events callback
// about this provider's signups.
func (p *Provider) EventSchema() string { return schemaAt(p.file.Prefix + "CallbackEvent") }

func schemaAt(name string) string { return "#/components/schemas/" + name }

// callbackPath is the template of the documented callback.
func (p *Provider) callbackPath() string { return p.path() + "/{callback_reference}" }

// callbackOperation is the provider's documented call about a signup.
func (p *Provider) callbackOperation() map[string]any {
	o := p.file.Operations["callback"]
	security := make([]any, 0, len(o.Scopes)+1)
	for _, scope := range o.Scopes {
		security = append(security, bearer(scope))
	}
	security = append(security, map[string]any{"callback": []any{p.callbackScope()}})
	whole := p.operation("callback", functionCallback, p.callbackText(), "", []any{
		ref("parameters", "callback_reference"), ref("parameters", "Prefer"), ref("parameters", "Reason"),
	})
	whole["security"] = security
	whole["x-mooring-body"] = "raw"
	whole["x-mooring-max-body"] = maxCallbackBody
	whole["x-mooring-budget"] = "callback"
	whole["requestBody"] = map[string]any{
		"required": true,
		"content": map[string]any{"application/json": map[string]any{
			"schema": ref("schemas", p.file.Prefix+"Callback"), "examples": p.callbackExamples(),
		}},
	}
	answers := responses(nil, []string{"400", "401", "403", "404", "405", "413", "415", "500", "503"})
	delete(answers, "200")
	answers[fmt.Sprint(o.Success)] = p.callbackSuccess(o.Success)
	whole["responses"] = answers
	return whole
}

// callbackScope is the scope of the callback tokens about this provider.
func (p *Provider) callbackScope() string {
	return "write:accounts:/management/settings/connections/" + p.Slug
}

func (p *Provider) callbackSuccess(status int) map[string]any {
	success := p.success("The callback was taken in. `Mooring-Effect` says what it did.", "CallbackEffect")
	if status == 200 {
		success["content"] = map[string]any{"application/json": map[string]any{
			"schema":   ref("schemas", "Empty"),
			"examples": map[string]any{"taken": map[string]any{"summary": "The callback was taken in", "value": map[string]any{}}},
		}}
	}
	return success
}

func (p *Provider) callbackText() string {
	text := fmt.Sprintf("%s completes the signup that `callback_reference` names, and what it sends is the connection's configuration\n"+
		"from now on. The connection becomes `%s`.", p.Title, p.Callback.To)
	if !p.Signup.Many {
		text += " Only the newest signup can be completed; for one that was\n" +
			"replaced the answer is 400 with the code `SIGNUP_REPLACED`."
	}
	return paragraphs(text, callbackText)
}

const callbackText = "The call is kept, sealed, before it is looked at. The same call made again changes nothing and succeeds. A call that says\n" +
	"something else about a signup that was completed, while the connection is enabled, is refused with the code\n" +
	"`CONNECTION_ENABLED`: it takes a new signup to point a connection in use elsewhere.\n\n" +
	"An unknown `callback_reference` is answered with 404, whether it never existed or belongs to another account or provider."

func (p *Provider) callbackExamples() map[string]any {
	all := map[string]any{}
	filled := Signed{ID: sampleSignup}
	for i, e := range p.file.Examples.Callback.Valid {
		all[fmt.Sprintf("example_%d", i+1)] = map[string]any{"summary": e.Summary, "value": filled.fill(e.Body, nil)}
	}
	return all
}

// callbackSchemas is what the bodies of callbacks look like: of the documented
// one, if there is one, and of the events callback, which every provider has.
func (p *Provider) callbackSchemas() map[string]any {
	event := map[string]any{
		"x-mooring-extension": true,
		"description":         "What happened at " + p.Title + " to one signup.",
		"allOf":               []any{ref("schemas", "CallbackEvent")},
	}
	if configuration := p.file.current().Configuration; configuration != nil {
		event["allOf"] = append(event["allOf"].([]any), map[string]any{
			"type":       "object",
			"properties": map[string]any{"configuration": asked(configuration)},
		})
	}
	all := map[string]any{p.file.Prefix + "CallbackEvent": event}
	if p.Callback != nil {
		all[p.file.Prefix+"Callback"] = asked(p.file.current().Callback)
	}
	return all
}

// callbackEventSchema is what the body of the events callback looks like over
// all providers.
func (c *Catalogue) callbackEventSchema() map[string]any {
	var each []any
	for _, p := range c.providers {
		each = append(each, ref("schemas", p.file.Prefix+"CallbackEvent"))
	}
	return map[string]any{
		"x-mooring-extension": true,
		"description":         "What happened to one signup, with the configuration of its provider.",
		"anyOf":               each,
	}
}
