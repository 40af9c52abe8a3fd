package provider

import "github.com/go-json-experiment/json/jsontext"

// Refused is an example of the file that must be refused, and where.
type Refused struct {
	Summary, Wrong string
	Signup         jsontext.Value
}

// Valid is every signup that the file says is accepted.
func (p *Provider) Valid() []jsontext.Value {
	var all []jsontext.Value
	for _, e := range p.file.Examples.Valid {
		all = append(all, canonical(e.Signup))
	}
	return all
}

// Invalid is every signup that the file says is refused.
func (p *Provider) Invalid() []Refused {
	var all []Refused
	for _, e := range p.file.Examples.Invalid {
		all = append(all, Refused{e.Summary, e.Wrong, canonical(e.Signup)})
	}
	return all
}

// ContractPrefix is how the names of the provider's schemas begin.
func (p *Provider) ContractPrefix() string { return p.file.Prefix }

// SignupReceived is the name of the event that every file must explain.
const SignupReceived = signupReceived

// Spelt is the one spelling of a plain value.
func Spelt(value any) []byte { return canonical(value) }

// Ruled is a provider with nothing but schemas.
func Ruled(request, configuration map[string]any) *Provider {
	return &Provider{request: ruleOf(request, false), configuration: ruleOf(configuration, true)}
}

// ValidCallbacks are the bodies of callbacks that a file shows.
func (p *Provider) ValidCallbacks() [][]byte {
	var all [][]byte
	for _, e := range p.file.Examples.Callback.Valid {
		all = append(all, canonical(e.Body))
	}
	return all
}

// InvalidCallbacks are those that a file shows to be refused.
func (p *Provider) InvalidCallbacks() []Refused {
	var all []Refused
	for _, e := range p.file.Examples.Callback.Invalid {
		all = append(all, Refused{e.Summary, e.Wrong, canonical(e.Body)})
	}
	return all
}

// CallbackScopes are the scopes of access tokens that the callback takes.
func (p *Provider) CallbackScopes() []string { return p.file.Operations["callback"].Scopes }
