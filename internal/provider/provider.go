// Package provider turns the files in providers/ into a catalogue: what each
// provider's signup looks like, which operations it has, how its answers are
// shown, and what its simulator does.
//
// It promises that a file it loaded is whole: schemas compile, examples hold,
// names are free. A bad file is refused with file, line and reason. It must
// never know a provider by name, and never do I/O beyond reading the files.
package provider

// Provider is one provider as its file describes it.
type Provider struct {
	Slug          string   // path segment and stored name, such as "vipps"
	Title         string   // for people, such as "Vipps"
	Aliases       []string // other names of the same connection on the events path, such as "payex.creditcard"
	Schema        int      // current version of the file's schemas
	PartnerEvents bool     // whether the documented partner endpoint takes its events
	Sync          bool     // whether GET takes ?sync
	Signup        Signup
	Events        map[string]string // what the events that the service itself records mean, for people, by name
	Simulator     *Report           // what the simulator answers for a pending test connection; nil when there is none

	example []byte
	file    file
}

// Signup is how a provider takes applications.
type Signup struct {
	Many              bool     // many signups, unique by Key; else one that a new one replaces
	Key               []string // members of the request that make a signup unique
	UUIDs             []string // those of Key whose case means nothing
	Body              bool     // whether the request has a body with a "signup" member
	NeedsOrganization bool     // whether the company's organization_number must be set first
	View              View
}

// View is how a stored signup is shown in answers.
type View struct {
	Data      string            // where the request's members go: "inline", a member name such as "data", or "" for nowhere
	Members   []string          // generated members: "id", "url", "created_at", "callback_at", "expires_at"
	Constants map[string]string // fixed members, such as type: direct
}

// Report is what a provider says of a connection when asked.
type Report struct {
	Status        string // one of the four statuses
	Event         string // name of the event to record
	Configuration []byte // JSON object of what is in force; nil when not said
}

// Example is a signup that the provider would take, as a canonical JSON object
// (RFC 8785): the first valid example of the file, {} when there is no body.
func (p *Provider) Example() []byte { return p.example }
