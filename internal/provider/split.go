package provider

import "mooring/internal/account"

// SplitSignup takes what must not rest in clear out of a signup's data, by the
// classes of the current version: kept has masks in place of financial members
// and nothing in place of the others.
func (p *Provider) SplitSignup(data []byte) (kept []byte, parts []Part) { return data, nil }

// SplitConfiguration does the same to a configuration. Secret members leave no
// trace in kept.
func (p *Provider) SplitConfiguration(configuration []byte) (kept []byte, parts []Part) {
	return configuration, nil
}

// Disclose puts the parts that may be shown back into a configuration.
func (p *Provider) Disclose(configuration []byte, parts []Part) []byte { return configuration }

// Configure turns the body of the documented callback into a configuration, by
// the renames of the file. signup is the data of the signup that it completes,
// as it was kept.
func (p *Provider) Configure(body, signup []byte) []byte { return body }

// Anonymous is a signup's kept data without whatever tells of a person.
func (p *Provider) Anonymous(kept []byte) []byte { return []byte(`{}`) }

// Play is the scenario that a signup's data asks for: "happy" unless a magic
// value names another.
func (p *Provider) Play(data []byte) string { return "happy" }

// CallbackPath is where the provider's documented callback about a signup
// goes; "" when there is none.
func (p *Provider) CallbackPath(id account.ID, reference string) string { return "" }

// Reasons is the one list of reason codes, in the order of docs/reasons.md.
func Reasons() []Reason { return nil }

// ShowsSecrets says whether a sealed member of the configuration is given back
// by the connection's own GET.
func (p *Provider) ShowsSecrets() bool { return false }
