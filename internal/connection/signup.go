package connection

import (
	"bytes"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/provider"
)

// SignupReceived is the event that a new signup records.
const SignupReceived = "signup_received"

// Apply takes a signup in. data is the JSON object of its declared members, {}
// when the provider takes none. c is nil when nothing was signed up yet; else
// it must have been loaded whole. The connection that results is returned; it
// is c itself, untouched, when the signup says nothing new.
func Apply(c *Connection, acc account.Account, p *provider.Provider, data []byte, act Act) (*Connection, error) {
	if p.Signup.NeedsOrganization && acc.Company.OrganizationNumber == "" {
		return nil, fault.New(fault.Invalid, fault.CodeOrganization,
			"the account's company has no organization_number; set it before signing up for %s", p.Title)
	}
	key := p.SignupKey(data)
	if c == nil {
		return start(acc.ID, p, key, data, act)
	}
	if p.Signup.Many {
		return c, c.applyCase(p, key, data, act)
	}
	if bytes.Equal(c.newest().Data, data) {
		return c, nil
	}
	return c, c.replace(p, data, act)
}

// Restart makes a new signup out of the newest one, with a new link, unless
// the connection is enabled.
func Restart(c *Connection, p *provider.Provider, act Act) error {
	return c.replace(p, c.newest().Data, act)
}

func start(id account.ID, p *provider.Provider, key string, data []byte, act Act) (*Connection, error) {
	c := &Connection{
		Account: id, Provider: p.Slug, Schema: p.Schema, Status: Pending,
		CreatedAt: act.At, CreatedBy: act.By, UpdatedAt: act.At,
	}
	return c, c.sign(p, key, data, Pending, act)
}

// applyCase adds a signup to the many of a connection, unless its key is
// there. One that follows a refusal starts the connection again; one beside an
// enabled connection leaves it enabled.
func (c *Connection) applyCase(p *provider.Provider, key string, data []byte, act Act) error {
	for _, s := range c.Signups {
		if s.Key == key {
			return nil
		}
	}
	status := Pending
	if c.Status == Enabled {
		status = Enabled
	}
	return c.sign(p, key, data, status, act)
}

// replace puts a new signup before the old one, which stays in the history.
func (c *Connection) replace(p *provider.Provider, data []byte, act Act) error {
	if c.Status == Enabled {
		return fault.New(fault.Invalid, fault.CodeConnectionEnabled,
			"the connection is enabled; its signup can't be changed or restarted")
	}
	return c.sign(p, "", data, Pending, act)
}

func (c *Connection) sign(p *provider.Provider, key string, data []byte, status Status, act Act) error {
	if c.LastSignup >= MaxSignups {
		return fault.New(fault.Invalid, fault.CodeLimitReached, "a connection holds at most %d signups", MaxSignups)
	}
	before := c.History
	if err := c.grow(int64(len(data))); err != nil {
		return err
	}
	if _, err := Append(c, NewEvent{Status: status, Name: SignupReceived}, act); err != nil {
		c.History = before
		return err
	}
	c.LastSignup++
	c.Schema = p.Schema
	c.Signups = append(c.Signups, Signup{
		Seq: c.LastSignup, ID: act.NewID(), Key: key, Data: data, Token: act.NewToken(), Schema: p.Schema,
		CreatedAt: c.LastEventAt, CreatedBy: act.By, ExpiresAt: c.LastEventAt.Add(SignupLife),
	})
	return nil
}

// newest is the signup that counts in the single model.
func (c *Connection) newest() Signup { return c.Signups[len(c.Signups)-1] }
