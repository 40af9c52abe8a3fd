package provider

import (
	"fmt"
	"maps"
	"strings"
)

// base is where all connections of an account stand.
const base = "/v1/accounts/{aid}/management/settings/connections/"

// The Go functions that run the operations of every provider. The slug is
// their argument.
const (
	functionSignup  = "connection.signup"
	functionWhole   = "connection.signup.whole" // for requests that are the signup itself
	functionRestart = "connection.restart"
	functionRead    = "connection.read"
)

// Contract is the part of the API description that follows from the provider
// files: a fragment of OpenAPI 3.1 with paths and components.schemas, of the
// same shape as the files in contract/, which it refers to.
func (c *Catalogue) Contract() map[string]any {
	paths, schemas := map[string]any{}, map[string]any{"ReasonCode": reasonSchema()}
	for _, p := range c.providers {
		paths[p.path()] = p.operations()
		if p.Callback != nil {
			paths[p.callbackPath()] = map[string]any{"post": p.callbackOperation()}
		}
		if path, item := p.release(); item != nil {
			paths[path] = item
		}
		maps.Copy(schemas, p.schemas())
		maps.Copy(schemas, p.callbackSchemas())
	}
	schemas["AnyCallbackEvent"] = c.callbackEventSchema()
	return map[string]any{"paths": paths, "components": map[string]any{"schemas": schemas}}
}

// path is the template under which the provider's operations are served.
func (p *Provider) path() string {
	if p.file.Path == nil {
		return base + p.Slug
	}
	return base + p.Slug + "/{" + p.file.Path.Parameter + "}"
}

func (p *Provider) operations() map[string]any {
	item := map[string]any{"get": p.read()}
	for _, method := range []string{"post", "put"} {
		if _, ok := p.file.Operations[method]; !ok {
			continue
		}
		if method == p.file.signups() {
			item[method] = p.signup(method)
		} else {
			item[method] = p.write(method, functionRestart, restartText)
		}
	}
	return item
}

// operation is what all operations of a provider have in common.
func (p *Provider) operation(method, function, text, scope string, parameters []any) map[string]any {
	o := p.file.Operations[method]
	whole := map[string]any{
		"operationId":        o.ID,
		"x-evidence":         o.Evidence,
		"x-mooring-function": function,
		"x-mooring-argument": p.Slug,
		"tags":               []any{"Account connections"},
		"summary":            o.Summary,
		"description":        paragraphs(o.Deprecated, p.file.About, text),
		"security":           []any{bearer("admin:accounts"), bearer(scope)},
		"parameters":         append(p.pathParameters(), parameters...),
	}
	if o.Deprecated != "" {
		whole["deprecated"] = true
	}
	return whole
}

func (p *Provider) write(method, function, text string) map[string]any {
	answers := []string{"400", "401", "403", "404", "405", "413", "415", "422", "500", "503"}
	o := p.operation(method, function, text, "write:accounts", []any{
		ref("parameters", "IdempotencyKey"), ref("parameters", "Prefer"), ref("parameters", "Reason"), p.scenarioParameter(),
	})
	success := p.success("The whole connection, with the signup.", "IdempotentReplayed")
	success["content"] = p.content(map[string]any{"received": p.pendingExample()})
	o["responses"] = responses(success, answers)
	return o
}

// signup is the operation that takes signups.
func (p *Provider) signup(method string) map[string]any {
	function, schema := functionSignup, "SignupRequest"
	if p.Signup.Whole {
		function, schema = functionWhole, "Signup"
	}
	o := p.write(method, function, p.signupText())
	if p.Signup.Body {
		o["requestBody"] = map[string]any{
			"required": true,
			"content": map[string]any{"application/json": map[string]any{
				"schema":   ref("schemas", p.file.Prefix+schema),
				"examples": p.requestExamples(),
			}},
		}
	}
	return o
}

func (p *Provider) read() map[string]any {
	var parameters []any
	var headers []string
	text := readText
	if p.Sync {
		parameters = append(parameters, p.syncParameter())
		headers = append(headers, "MooringSync")
		text = paragraphs(text, syncText)
	}
	o := p.operation("get", functionRead, text, "read:accounts", parameters)
	success := p.success("The whole connection.", headers...)
	shown := map[string]any{"pending": p.pendingExample()}
	if answer := p.Scenarios[Happy].Answer; answer != nil {
		shown[answer.Status] = p.answeredExample(*answer)
	}
	success["content"] = p.content(shown)
	o["responses"] = responses(success, []string{"400", "401", "403", "404", "405", "500", "503"})
	return o
}

func (p *Provider) syncParameter() map[string]any {
	text := "Asks the provider for the status first, unless it is empty, `false` or `0`."
	parameter := map[string]any{"name": "sync", "in": "query", "schema": map[string]any{"type": "string"}, "example": "true"}
	if p.file.Operations["get"].Sync == "extension" {
		parameter["x-mooring-extension"] = true
		text += " The documented API has this parameter with other providers; here it is an extension of ours."
	}
	parameter["description"] = text
	return parameter
}

// pathParameters are the account and what the file adds.
func (p *Provider) pathParameters() []any {
	all := []any{ref("parameters", "aid")}
	if extra := p.file.Path; extra != nil {
		all = append(all, map[string]any{
			"name": extra.Parameter, "in": "path", "required": true,
			"description": extra.Description,
			"schema":      map[string]any{"type": "string", "enum": texts(extra.Enum)},
			"example":     extra.Enum[0],
		})
	}
	return all
}

func (p *Provider) success(text string, headers ...string) map[string]any {
	all := map[string]any{"X-Request-Id": ref("headers", "RequestId")}
	for _, name := range headers {
		all[headerNames[name]] = ref("headers", name)
	}
	return map[string]any{"description": text, "headers": all}
}

var headerNames = map[string]string{"IdempotentReplayed": "Idempotent-Replayed", "MooringSync": "Mooring-Sync", "CallbackEffect": "Mooring-Effect"}

func (p *Provider) content(examples map[string]any) map[string]any {
	return map[string]any{"application/json": map[string]any{
		"schema": ref("schemas", p.file.Prefix+"Connection"), "examples": examples,
	}}
}

// refusals are the shared answers by status.
var refusals = map[string]string{
	"400": "BadRequest", "401": "Unauthorized", "403": "Forbidden", "404": "NotFound", "405": "MethodNotAllowed",
	"413": "PayloadTooLarge", "415": "UnsupportedMediaType", "422": "KeyReused", "500": "ServerError", "503": "Unavailable",
}

func responses(success map[string]any, statuses []string) map[string]any {
	all := map[string]any{"200": success}
	for _, status := range statuses {
		all[status] = ref("responses", refusals[status])
	}
	return all
}

const restartText = "Makes a new signup out of the one that is there, with a new link, and the connection is pending again. Nothing has to be\n" +
	"sent. Before the first signup the answer is 404. An enabled connection is left alone: then the answer is 400 with the code\n" +
	"`CONNECTION_ENABLED`."

const readText = "Before the first signup the answer is 404."

const syncText = "With `sync` the provider is asked for the status first, and what it says is stored. It is asked for one connection at\n" +
	"most once in a few seconds. When it can't be asked, the answer is what is stored. `Mooring-Sync` says which it was."

// signupText tells what happens to a signup, which follows from the model.
func (p *Provider) signupText() string {
	first := "The first signup makes the connection, which is pending until the provider has decided. The answer is the whole connection."
	again := "The same signup sent again changes nothing. Another one replaces it and the connection is pending again, unless the\n" +
		"connection is enabled: then the answer is 400 with the code `CONNECTION_ENABLED`."
	switch {
	case p.Signup.Many:
		again = fmt.Sprintf("Signups are unique by %s, in any case of letters: the same one sent again changes nothing and another is\n"+
			"added. One that is added after the connection failed or was declined makes it pending again.", names(p.Signup.Key))
	case !p.Signup.Body:
		again = "Nothing has to be sent, and a signup that is there already is left as it is."
	}
	return paragraphs(first, again)
}

func names(list []string) string {
	return "`" + strings.Join(list, "` and `") + "`"
}

func paragraphs(texts ...string) string {
	var all []string
	for _, text := range texts {
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, "\n\n")
}

func bearer(scope string) map[string]any { return map[string]any{"bearer": []any{scope}} }

func ref(section, name string) map[string]any {
	return map[string]any{"$ref": "#/components/" + section + "/" + name}
}

func texts(list []string) []any {
	var all []any
	for _, text := range list {
		all = append(all, text)
	}
	return all
}
