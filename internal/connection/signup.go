package connection

import (
	"bytes"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/provider"
)

// The events that the service itself records about signups.
const (
	SignupReceived = "signup_received"
	SignupErased   = "signup_erased"

	// CredentialExpiring says that a certificate in force ends soon.
	CredentialExpiring = "credential_expiring"

	// AccountClosed is the last event of the connections of an account that
	// was deleted.
	AccountClosed = "account_closed"
)

// Application is a signup as it comes in. What must not rest in clear was taken
// out of Data before.
type Application struct {
	ID       string // of the signup that it may become, UUIDv7
	Key      string // provider.Provider.SignupKey of the whole request
	Data     []byte // provider.Provider.SplitSignup's first result
	Digest   []byte // keyed digest of the whole request
	Scenario string // for a test account; "" for production
}

// Apply takes a signup in. c is nil when nothing was signed up yet; else it
// must have been loaded whole. The connection that results is returned; it is
// c itself, untouched, when the application says nothing new.
func Apply(c *Connection, acc account.Account, p *provider.Provider, in Application, act Act) (*Connection, error) {
	if p.Signup.NeedsOrganization && acc.Company.OrganizationNumber == "" {
		return nil, fault.New(fault.Invalid, fault.CodeOrganization,
			"the account's company has no organization_number; set it before signing up for %s", p.Title)
	}
	if c == nil {
		return start(acc.ID, p, in, act)
	}
	if p.Signup.Many {
		return c, c.applyCase(p, in, act)
	}
	if c.newest().same(in) {
		return c, nil
	}
	return c, c.replace(p, in, act)
}

// same says whether a signup is the application, sent before. Those that were
// stored without a digest are compared by their data.
func (s Signup) same(in Application) bool {
	if s.Digest == nil || in.Digest == nil {
		return s.ErasedAt.IsZero() && bytes.Equal(s.Data, in.Data)
	}
	return bytes.Equal(s.Digest, in.Digest)
}

// Restart makes a new signup, with the given id, out of the newest one, with a
// new link, unless the connection is enabled.
func Restart(c *Connection, p *provider.Provider, id, scenario string, act Act) error {
	last := c.newest()
	return c.replace(p, Application{ID: id, Data: last.Data, Digest: last.Digest, Scenario: scenario}, act)
}

func start(id account.ID, p *provider.Provider, in Application, act Act) (*Connection, error) {
	c := &Connection{
		Account: id, Provider: p.Slug, Schema: p.Schema, Status: Pending,
		CreatedAt: act.At, CreatedBy: act.By, UpdatedAt: act.At,
	}
	return c, c.sign(p, in, Pending, act)
}

// applyCase adds a signup to the many of a connection, unless its key is
// there. One that follows a refusal starts the connection again; one beside an
// enabled connection leaves it enabled.
func (c *Connection) applyCase(p *provider.Provider, in Application, act Act) error {
	for _, s := range c.Signups {
		if s.Key == in.Key {
			return nil
		}
	}
	status := Pending
	if c.Status == Enabled {
		status = Enabled
	}
	return c.sign(p, in, status, act)
}

// replace puts a new signup before the old one, which stays in the history.
func (c *Connection) replace(p *provider.Provider, in Application, act Act) error {
	if c.Status == Enabled {
		return enabled("the connection is enabled; its signup can't be changed or restarted")
	}
	in.Key = ""
	return c.sign(p, in, Pending, act)
}

func enabled(message string) error {
	return fault.New(fault.Invalid, fault.CodeConnectionEnabled, "%s", message)
}

func (c *Connection) sign(p *provider.Provider, in Application, status Status, act Act) error {
	if c.LastSignup >= MaxSignups {
		return fault.New(fault.Invalid, fault.CodeLimitReached, "a connection holds at most %d signups", MaxSignups)
	}
	before := c.History
	if err := c.grow(int64(len(in.Data))); err != nil {
		return err
	}
	seq := c.LastSignup + 1
	if _, err := Append(c, p, NewEvent{Status: status, Name: SignupReceived, Signup: seq}, act); err != nil {
		c.History = before
		return err
	}
	c.LastSignup = seq
	c.Schema = p.Schema
	c.Signups = append(c.Signups, Signup{
		Seq: seq, ID: in.ID, Key: in.Key, Data: in.Data, Digest: in.Digest, Scenario: in.Scenario,
		Token: act.NewToken(), Schema: p.Schema,
		CreatedAt: c.LastEventAt, CreatedBy: act.By, ExpiresAt: c.LastEventAt.Add(SignupLife),
	})
	return nil
}

// newest is the signup that counts in the single model.
func (c *Connection) newest() Signup { return c.Signups[len(c.Signups)-1] }

// Find gives the signup with an id, nil when there is none. c must have been
// loaded whole.
func (c *Connection) Find(id string) *Signup {
	for i := range c.Signups {
		if c.Signups[i].ID == id {
			return &c.Signups[i]
		}
	}
	return nil
}

// Erase takes what tells of a person out of a signup and records that it did.
// The status stays; what was sealed is for the caller to destroy. It is Missing
// when there is no such signup, and nothing when it was erased before. c must
// have been loaded whole.
func Erase(c *Connection, p *provider.Provider, id string, act Act) (bool, error) {
	s := c.Find(id)
	if s == nil {
		return false, fault.Missing()
	}
	if !s.ErasedAt.IsZero() {
		return false, nil
	}
	// A full history must not keep a person from being erased; there is one
	// such event for a signup at most.
	c.record(p, NewEvent{Status: c.Status, Name: SignupErased, Signup: s.Seq, Rule: provider.LastEvent}, act)
	s.Data, s.Digest, s.ErasedAt = p.Version(s.Schema).Anonymous(s.Data), nil, c.LastEventAt
	return true, nil
}
