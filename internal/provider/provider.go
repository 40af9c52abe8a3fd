// Package provider turns the files in providers/ into a catalogue: what each
// provider's signup looks like, which operations it has, how its answers are
// shown, what of it is secret, and how its simulator behaves.
//
// It promises that a file it loaded is whole: schemas compile, examples hold,
// names are free. A bad file is refused with file, line and reason. It must
// never know a provider by name, and never do I/O beyond reading the files.
package provider

import (
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mooring/internal/secret"
)

// Provider is one provider as its file describes it.
type Provider struct {
	Slug          string   // path segment and stored name, such as "vipps"
	Title         string   // for people, such as "Vipps"
	Aliases       []string // other names of the same connection on the events path, such as "payex.creditcard"
	Nested        string   // the member under Slug where an account shows the connection; "" when it stands under Slug itself
	Schema        int      // current version of the file's schemas
	PartnerEvents bool     // whether the documented partner endpoint takes its events
	Sync          bool     // whether GET takes ?sync
	Signup        Signup
	Callback      *Callback           // nil when no callback is documented
	Events        map[string]Known    // the events that the file knows, by name
	Certificates  []Certificate       // members of the configuration that hold one
	Scenarios     map[string]Scenario // what the provider of a test account may play, by name; "happy" is always there
	Magic         Magic
	Batch         *Batch // nil when the provider takes no files

	example       []byte
	request       *rule // nil when there is no body
	configuration *rule // nil when there is none
	showsSecrets  bool
	secretNames   map[string]bool // of the members that are sealed, in lower case

	compiledConfiguration func() *jsonschema.Schema

	file   file
	older  map[int]*Provider
	source string // name of the file

	slugAt, versionsAt position // in it
}

// Signup is how a provider takes applications.
type Signup struct {
	Many              bool     // many signups, unique by Key; else one that a new one replaces
	Key               []string // members of the request that make a signup unique
	UUIDs             []string // those of Key whose case means nothing
	Body              bool     // whether the request has a body
	Whole             bool     // whether the body is the signup itself; else it has a member "signup"
	NeedsOrganization bool     // whether the company's organization_number must be set first
	Rule              Rule     // how the status of one signup becomes the connection's
	View              View
}

// Rule says how an event about one signup of several changes the status of the
// connection.
type Rule string

// The rules.
const (
	LastEvent  Rule = "last_event"  // the newest event decides, whatever it is about
	AnyEnabled Rule = "any_enabled" // one enabled signup keeps the connection enabled
)

// Callback is the provider's documented call that completes a signup.
type Callback struct {
	Operation string // operationId
	Status    int    // of the answer: 200 with {}, or 202 without a body
	Event     string // name of the event that it records, one of Events
	To        string // the status that it gives
}

// Known is what the file says of an event: whose turn it is after it, and what
// that is good for. All but Meaning may be empty.
type Known struct {
	Status  string            // the status that usually comes with it
	Turn    string            // who must act next: merchant, partner, provider, operator; "" when nobody must
	Wait    time.Duration     // how long that usually takes; 0 when it can't be said
	Reason  string            // reason code, one of Reasons
	Meaning map[string]string // for people, by language tag; "en" is always there
	Next    map[string]string // what to do next, by language tag
}

// Reason is one of the codes that say, over all providers, why a connection
// stands where it does.
type Reason struct {
	Code      string            `json:"code"`
	Turn      string            `json:"turn"`      // who must act: merchant, partner, provider, operator; "" when nobody can
	Retryable bool              `json:"retryable"` // whether a new signup may succeed
	Meaning   map[string]string `json:"meaning"`   // for people, by language tag
	Next      map[string]string `json:"next"`      // what to do next, by language tag
}

// Class is how a member must be treated. A member without one is business
// data, stored in clear and shown to whoever may see the connection.
type Class string

// The classes.
const (
	Secret    Class = "secret"    // opens something: sealed, and never shown if writeOnly
	Identity  Class = "identity"  // says who a person is: sealed under a key of its own, never shown
	Financial Class = "financial" // an account number: sealed under a key of its own, shown by its last four characters
	Contact   Class = "contact"   // leads to a person: in clear, gone when the person is erased
)

// Part is one member that was taken out of a document to be sealed.
type Part struct {
	Pointer string // JSON pointer (RFC 6901) of the member in its document
	Class   Class
	Value   secret.Plain // the JSON text of the member
	Shown   bool         // whether the connection's own GET gives it back
}

// Certificate is a member of the configuration that holds a certificate, as
// PEM or as base64 of PKCS #12.
type Certificate struct {
	Member     string // name of the member
	Passphrase string // name of the member that opens it; "" when there is none
	Key        string // name of the member that holds its private key; "" when there is none
}

// Scenario is a life that the simulated provider of a test account plays.
type Scenario struct {
	Summary string
	Steps   []Step  // by time
	Answer  *Report // what a question (sync) is answered while the connection is pending; nil: as it stands
}

// Step is one thing that a simulated provider does.
type Step struct {
	After    time.Duration // since the signup, in the account's own time
	Callback []byte        // JSON body of a call to the documented callback; nil when it is none
	Report   []byte        // JSON body of a call to the callback for events; nil when it is none
	Times    int           // how often the call is made, one right after the other; at least 1
	Lost     bool          // the call never arrives; what it would have said is what a question learns
	Failed   bool          // the call's refusal is what the scenario shows
}

// Magic lets a signup of a test account choose a scenario.
type Magic struct {
	Member string            // JSON pointer of the member of the request that is looked at; "" when none can be
	Values map[string]string // scenario by value of the member
}

// Batch is how signups travel in files.
type Batch struct {
	Separator rune
	Machine   bool        // whether a machine reads the file that is written; else a person does, with a spreadsheet
	Columns   []Column    // of the file that is written
	Answer    BatchAnswer // of the file that is read back
}

// Column is one column of a file that is written.
type Column struct {
	Name string // in the head line
	From string // "reference", "account", or a JSON pointer into the signup's data
}

// BatchAnswer says how a row of an answer file becomes an event.
type BatchAnswer struct {
	Reference string            // column that repeats the reference
	Status    string            // column that says how it went
	Code      string            // column with the provider's own code; "" when there is none
	Outcomes  map[string]Report // by the text in the status column
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
	Code          string // reason code; "" when none
	ProviderCode  string // the provider's own code; "" when none
	Configuration []byte // JSON object of what is in force; nil when not said
	Renewed       bool   // what was sealed of it is not what is in force
}

// Example is a signup that the provider would take, as a canonical JSON object
// (RFC 8785): the first valid example of the file, {} when there is no body.
func (p *Provider) Example() []byte { return p.example }
