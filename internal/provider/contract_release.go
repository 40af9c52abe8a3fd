package provider

import "strings"

// releaseBase is where the platform has credentials released.
const releaseBase = "/v1/operator/accounts/{aid}/connections/"

const functionRelease = "connection.release"

// scopeRelease lets a client have the credentials of every provider released;
// with a colon and a slug behind it, those of one.
const scopeRelease = "release:credentials"

// release is the path that releases the provider's credentials, and what is
// there; nil when its configurations hold none.
func (p *Provider) release() (string, map[string]any) {
	if p.configuration == nil || !p.configuration.seals() {
		return "", nil
	}
	return releaseBase + p.Slug + "/credentials", map[string]any{"post": map[string]any{
		"operationId":         "operator_" + strings.ReplaceAll(p.Slug, "-", "_") + "_credentials_post",
		"x-mooring-extension": true,
		"x-evidence":          "extension",
		"x-mooring-function":  functionRelease,
		"x-mooring-action":    "credentials.release",
		"x-mooring-argument":  p.Slug,
		"x-mooring-callers":   []any{"platform"},
		"tags":                []any{"Credentials"},
		"summary":             "Have the credentials of " + p.Title + " released",
		"description":         releaseText,
		"security":            []any{bearer(scopeRelease + ":" + p.Slug), bearer(scopeRelease)},
		"parameters":          []any{ref("parameters", "aid"), ref("parameters", "IdempotencyKey"), ref("parameters", "Prefer"), ref("parameters", "Reason")},
		"requestBody": map[string]any{
			"required": true,
			"content": map[string]any{"application/json": map[string]any{
				"schema": ref("schemas", "ReleaseRequest"),
				"examples": map[string]any{"one": map[string]any{
					"summary": "For one recipient",
					"value":   map[string]any{"recipients": []any{"checkout"}, "reason": "New terminal, ticket 4711"},
				}},
			}},
		},
		"responses": p.releaseAnswers(),
	}}
}

func (p *Provider) releaseAnswers() map[string]any {
	success := p.success("The credentials, which only the recipients can open.", "IdempotentReplayed")
	success["content"] = map[string]any{"application/json": map[string]any{
		"schema": ref("schemas", "Release"),
		"examples": map[string]any{"released": map[string]any{
			"summary": "One recipient",
			"value": map[string]any{
				"account_id": "P11223351", "connection": p.Slug, "version": 3, "recipients": []any{"checkout"},
				"credentials": "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSA...\n-----END AGE ENCRYPTED FILE-----\n",
			},
		}},
	}}
	all := responses(success, []string{"400", "401", "403", "404", "405", "413", "415", "422", "500", "503"})
	all["429"] = ref("responses", "TooManyReleases")
	return all
}

const releaseText = `The secrets that the provider gave back for this connection, all of them, encrypted to recipients that the platform
registered before: an [age](https://age-encryption.org) file in ASCII armour, in the member ` + "`credentials`" + `. Nothing leaves in
clear. What is inside is a JSON document with the version in force and, if there is one, the version before it, which may be
needed until a change has reached everybody.

Each release and each refused one is audited. A client may have the credentials of one connection released ten times at
once, and then every six seconds; what is refused does not count. When there are none the answer is 404.`
