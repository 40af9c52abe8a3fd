package api

import (
	"context"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/vault"
	"mooring/internal/wire"
)

// The headers of signups, events and syncs.
const (
	effectHeader   = "Mooring-Effect" // what a write did
	syncHeader     = "Mooring-Sync"   // what asking the provider came to
	scenarioHeader = provider.ScenarioHeader
)

type signupBody struct {
	Signup jsontext.Value `json:"signup"`
}

// signup takes an application in and answers the whole connection.
func (o operations) signup(ctx context.Context, call *gate.Call, in signupBody) (gate.Reply, error) {
	return o.apply(ctx, call, in.Signup)
}

// signupWhole does it where the body is the application itself.
func (o operations) signupWhole(ctx context.Context, call *gate.Call, in jsontext.Value) (gate.Reply, error) {
	return o.apply(ctx, call, in)
}

// apply takes an application in. What must not rest in clear is sealed before
// the store sees it.
func (o operations) apply(ctx context.Context, call *gate.Call, in jsontext.Value) (gate.Reply, error) {
	p, err := o.provider(call.Operation.Argument)
	if err != nil {
		return gate.Reply{}, err
	}
	data, err := canonical(in)
	if err != nil {
		return gate.Reply{}, err
	}
	scenario, err := scenarioOf(call, p, p.Play(data))
	if err != nil {
		return gate.Reply{}, err
	}
	application, sealed, err := o.Vault.Application(ctx, place(call, p), p, NewID(), data, scenario)
	if err != nil {
		return gate.Reply{}, err
	}
	admit, err := o.admission(ctx, call, p, data)
	if err != nil {
		return gate.Reply{}, err
	}
	return o.sign(ctx, call, p, application.ID, sealed, func(f store.Found, act connection.Act) (*connection.Connection, error) {
		c, err := connection.Apply(f.Connection, f.Account, p, application, act)
		if err == nil && c.Find(application.ID) != nil {
			err = admit()
		}
		return c, err
	})
}

// restart makes a new signup of the newest one, unless the connection is enabled.
func (o operations) restart(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	p, err := o.provider(call.Operation.Argument)
	if err != nil {
		return gate.Reply{}, err
	}
	scenario, err := scenarioOf(call, p, provider.Happy)
	if err != nil {
		return gate.Reply{}, err
	}
	id := NewID()
	return o.sign(ctx, call, p, id, vault.Sealed{}, func(f store.Found, act connection.Act) (*connection.Connection, error) {
		if f.Connection == nil {
			return nil, fault.Missing()
		}
		return f.Connection, connection.Restart(f.Connection, p, id, scenario, act)
	})
}

// scenarioOf is what a test account's provider is to play: what the header
// says, else what was found otherwise. Production plays nothing.
func scenarioOf(call *gate.Call, p *provider.Provider, otherwise string) (string, error) {
	asked := call.RequestHeader(scenarioHeader)
	switch test := call.Account("aid").World() == account.Test; {
	case test && asked == "":
		return otherwise, nil
	case !test && asked == "":
		return "", nil
	case !test:
		return "", refusedHeader(scenarioHeader, "NOT_ALLOWED", "is for test accounts only")
	}
	if _, ok := p.Scenarios[asked]; !ok {
		return "", refusedHeader(scenarioHeader, "ENUM_MISMATCH", "must be one of "+strings.Join(p.ScenarioNames(), ", "))
	}
	return asked, nil
}

func refusedHeader(name, code, reason string) error {
	return fault.Refused(fault.Problem{In: "header", Name: name, Path: "#/" + name, Code: code, Message: name + " " + reason})
}

func place(call *gate.Call, p *provider.Provider) store.Place {
	return store.Place{Account: call.Account("aid"), Provider: p.Slug}
}

// sign runs a decision that may add the signup with an id, and answers the
// whole connection. With the signup go its sealed parts and what is due for it.
func (o operations) sign(
	ctx context.Context, call *gate.Call, p *provider.Provider, id string, sealed vault.Sealed,
	decide func(store.Found, connection.Act) (*connection.Connection, error),
) (gate.Reply, error) {
	by := o.act(call)
	return o.change(ctx, call, store.Change{
		Account: call.Account("aid"), Provider: p.Slug, Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			c, err := decide(f, by.in(f.Account))
			if err != nil {
				return store.Decision{}, err
			}
			d := store.Decision{Answer: store.Answer{Body: wire.Connection(c, p, o.PublicURL)}}
			if s := c.Find(id); s != nil {
				d.Connection, d.Keys, d.Fields = c, sealed.Keys, sealed.Fields
				d.Tasks = o.Due(f.Account, p, *s)
			}
			return d, nil
		},
	})
}

// read answers the whole connection; with ?sync it asks the provider first.
// Nothing but this answer shows what is sealed and documented as returned.
func (o operations) read(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	p, err := o.provider(call.Operation.Argument)
	if err != nil {
		return gate.Reply{}, err
	}
	if p.Sync && wantsSync(call) {
		word, err := o.ask(ctx, call, p)
		if err != nil {
			return gate.Reply{}, err
		}
		call.SetHeader(syncHeader, word)
	}
	body, err := o.Store.ConnectionText(ctx, call.Caller, call.Account("aid"), p.Slug, p, func(c *connection.Connection) ([]byte, bool, error) {
		secret := c.Configuration != nil && p.ShowsSecrets()
		if secret {
			parts, err := o.Vault.Shown(ctx, place(call, p), c.ConfiguredSeq)
			if err != nil {
				return nil, false, err
			}
			c.Configuration = p.Disclose(c.Configuration, parts)
		}
		return wire.Connection(c, p, o.PublicURL), !secret, nil
	})
	return gate.Reply{Body: body}, err
}

// ask asks the provider for the status and stores what changed. Whatever goes
// wrong upstream, the stored state is the answer; the word that it returns says
// how it went.
func (o operations) ask(ctx context.Context, call *gate.Call, p *provider.Provider) (string, error) {
	c, err := o.Store.Connection(ctx, call.Caller, call.Account("aid"), p.Slug)
	if err != nil {
		return "", err
	}
	if err := call.Upstream(); err != nil {
		return "", err
	}
	word, err := o.Deliver.Ask(ctx, c, p, call.Caller.Client)
	if err != nil {
		o.Log.Warn("taking in what a provider said failed", "request", call.RequestID, "provider", p.Slug, "cause", err)
	}
	return word, nil
}

// wantsSync reads ?sync as the documentation leaves it: a string that is on
// unless it is empty, false or 0.
func wantsSync(call *gate.Call) bool {
	s, ok := call.Query("sync")
	return ok && s != "" && s != "0" && !strings.EqualFold(s, "false")
}

// canonical gives the one spelling of a JSON object (RFC 8785), so that equal
// signups are equal bytes. Numbers keep the digits they were sent with.
func canonical(v jsontext.Value) ([]byte, error) {
	if v == nil {
		return []byte(`{}`), nil
	}
	return provider.Canonical(v)
}
