package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/gateway"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/wire"
)

// The response headers that say what a write or a sync did.
const (
	effectHeader = "Mooring-Effect"
	syncHeader   = "Mooring-Sync"
)

type signupBody struct {
	Signup jsontext.Value `json:"signup"`
}

// signup takes an application in and answers the whole connection.
func (o operations) signup(ctx context.Context, call *gate.Call, in signupBody) (gate.Reply, error) {
	data, err := canonical(in.Signup)
	if err != nil {
		return gate.Reply{}, err
	}
	act, id := o.act(call), NewID()
	return o.changeWhole(ctx, call, func(p *provider.Provider, f store.Found) (*connection.Connection, error) {
		return connection.Apply(f.Connection, f.Account, p, connection.Application{ID: id, Key: p.SignupKey(data), Data: data}, act)
	})
}

// restart makes a new signup of the newest one, unless the connection is enabled.
func (o operations) restart(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	act, id := o.act(call), NewID()
	return o.changeWhole(ctx, call, func(p *provider.Provider, f store.Found) (*connection.Connection, error) {
		if f.Connection == nil {
			return nil, fault.Missing()
		}
		return f.Connection, connection.Restart(f.Connection, p, id, "", act)
	})
}

// changeWhole runs a decision about the connection that the path names and
// answers the whole of what results.
func (o operations) changeWhole(
	ctx context.Context, call *gate.Call,
	decide func(*provider.Provider, store.Found) (*connection.Connection, error),
) (gate.Reply, error) {
	p, err := o.provider(call.Operation.Argument)
	if err != nil {
		return gate.Reply{}, err
	}
	return o.change(ctx, call, store.Change{
		Account: call.Account("aid"), Provider: p.Slug, Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			before := lastSeq(f.Connection)
			c, err := decide(p, f)
			if err != nil {
				return store.Decision{}, err
			}
			d := store.Decision{Answer: store.Answer{Body: wire.Connection(c, p, o.PublicURL)}}
			if c.LastSeq != before {
				d.Connection = c
			}
			return d, nil
		},
	})
}

// read answers the whole connection; with ?sync it asks the provider first.
func (o operations) read(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	p, err := o.provider(call.Operation.Argument)
	if err != nil {
		return gate.Reply{}, err
	}
	c, err := o.Store.Connection(ctx, call.Caller, call.Account("aid"), p.Slug)
	if err != nil {
		return gate.Reply{}, err
	}
	if p.Sync && wantsSync(call) {
		return o.sync(ctx, call, p, c)
	}
	return gate.Reply{Body: wire.Connection(c, p, o.PublicURL)}, nil
}

// What the header Mooring-Sync says of an answer that was taken in; the other
// words are the desk's outcomes.
const (
	syncChanged   = "changed"
	syncUnchanged = "unchanged"
)

// sync asks the provider for the status and stores what changed. Whatever goes
// wrong upstream, the stored state is the answer and the header says so.
func (o operations) sync(ctx context.Context, call *gate.Call, p *provider.Provider, c *connection.Connection) (gate.Reply, error) {
	report, outcome, err := o.Desk.Ask(ctx, gateway.Question{Account: c.Account, Provider: p, Connection: c})
	if err != nil {
		o.Log.Warn("asking a provider failed", "request", call.RequestID, "provider", p.Slug, "cause", err)
	}
	if outcome != gateway.Done {
		call.SetHeader(syncHeader, string(outcome))
		return gate.Reply{Body: wire.Connection(c, p, o.PublicURL)}, nil
	}
	act := o.act(call)
	return o.change(ctx, call, store.Change{
		Account: c.Account, Provider: p.Slug, Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			return takeReport(f.Connection, c.LastSeq, report, act, func(c *connection.Connection) []byte {
				return wire.Connection(c, p, o.PublicURL)
			})
		},
	})
}

// takeReport stores what a provider said of a connection whose newest event
// was number asked, unless the connection has moved since.
func takeReport(
	c *connection.Connection, asked int64, report provider.Report, act connection.Act, encode func(*connection.Connection) []byte,
) (store.Decision, error) {
	if c == nil {
		return store.Decision{}, fault.Missing()
	}
	d := store.Decision{Answer: store.Answer{Header: map[string]string{syncHeader: syncUnchanged}}}
	if c.LastSeq == asked {
		changed, err := connection.ApplyReport(c, report, act)
		if err != nil {
			return store.Decision{}, err
		}
		if changed {
			d.Connection, d.Answer.Header[syncHeader] = c, syncChanged
		}
	}
	d.Answer.Body = encode(c)
	return d, nil
}

type eventBody struct {
	Status      connection.Status `json:"status"`
	Event       string            `json:"event"`
	Description *string           `json:"description"`
	Metadata    jsontext.Value    `json:"metadata"`
	ExternalID  string            `json:"external_id"`
	OccurredAt  string            `json:"occurred_at"`
	Reason      string            `json:"reason"`
}

// addConnectionEvent is the documented call of a partner about its merchant.
func (o operations) addConnectionEvent(ctx context.Context, call *gate.Call, in eventBody) (gate.Reply, error) {
	return o.addEvent(ctx, call, call.Account("oid"), in, wire.Event)
}

// addOperatorEvent is the platform's call about any connection of its world.
func (o operations) addOperatorEvent(ctx context.Context, call *gate.Call, in eventBody) (gate.Reply, error) {
	return o.addEvent(ctx, call, "", in, wire.OperatorEvent)
}

// addEvent appends an event to the connection that the path names. owner is
// the path's owner, zero when the path names the merchant alone.
func (o operations) addEvent(
	ctx context.Context, call *gate.Call, owner account.ID, in eventBody, encode func(connection.Event) []byte,
) (gate.Reply, error) {
	p, err := o.provider(call.Path("connection"))
	if err != nil {
		return gate.Reply{}, err
	}
	occurredAt, err := parseTime("occurred_at", in.OccurredAt)
	if err != nil {
		return gate.Reply{}, err
	}
	if in.Metadata != nil {
		if err := in.Metadata.Compact(); err != nil {
			return gate.Reply{}, err
		}
	}
	act := o.act(call)
	return o.change(ctx, call, store.Change{
		Owner: owner, Account: call.Account("aid"), Provider: p.Slug, ExternalID: in.ExternalID,
		Decide: func(f store.Found) (store.Decision, error) {
			if f.Connection == nil {
				return store.Decision{}, fault.Missing()
			}
			if f.Duplicate != nil {
				return eventDecision(nil, *f.Duplicate, connection.Duplicate, encode), nil
			}
			e, err := connection.Append(f.Connection, connection.NewEvent{
				Status: in.Status, Name: in.Event, Description: in.Description, Metadata: in.Metadata,
				ExternalID: in.ExternalID, OccurredAt: occurredAt, Reason: in.Reason,
			}, act)
			if err != nil {
				return store.Decision{}, err
			}
			return eventDecision(f.Connection, e, connection.EffectOf(e), encode), nil
		},
	})
}

func eventDecision(
	c *connection.Connection, e connection.Event, effect connection.Effect, encode func(connection.Event) []byte,
) store.Decision {
	return store.Decision{Connection: c, Answer: store.Answer{
		Header: map[string]string{effectHeader: string(effect)}, Body: encode(e),
	}}
}

// listOperatorEvents pages through a connection's history, oldest first.
func (o operations) listOperatorEvents(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	p, err := o.provider(call.Path("connection"))
	if err != nil {
		return gate.Reply{}, err
	}
	limit, after := 10, int64(0)
	if s, ok := call.Query("limit"); ok {
		limit, _ = strconv.Atoi(s) // the contract bounds it
	}
	if s, ok := call.Query("starting_after"); ok {
		after, _ = strconv.ParseInt(s, 10, 64) // likewise
	}
	events, err := o.Store.Events(ctx, call.Caller, call.Account("aid"), p.Slug, after, limit)
	if err != nil {
		return gate.Reply{}, err
	}
	return gate.Reply{Body: wire.OperatorEvents(events)}, nil
}

// change hands a write to the store with what the call says of itself.
func (o operations) change(ctx context.Context, call *gate.Call, c store.Change) (gate.Reply, error) {
	c.Caller = call.Caller
	if call.IdempotencyKey != "" {
		c.Key = &store.Idempotency{
			Operation: call.Operation.ID, Path: call.Target, Key: call.IdempotencyKey, Fingerprint: call.Fingerprint,
		}
	}
	answer, err := o.Store.Change(ctx, c)
	if err != nil {
		return gate.Reply{}, err
	}
	for name, value := range answer.Header {
		call.SetHeader(name, value)
	}
	if answer.Replayed {
		call.SetHeader("Idempotent-Replayed", "true")
	}
	return gate.Reply{Body: answer.Body}, nil
}

// provider finds a provider by slug or alias; an unknown one is a record that
// does not exist.
func (o operations) provider(name string) (*provider.Provider, error) {
	if p, ok := o.Catalogue.Resolve(name); ok {
		return p, nil
	}
	return nil, fault.Missing()
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
	v = v.Clone()
	err := v.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false))
	return v, err
}

// parseTime reads an RFC 3339 time that the contract has checked the form of.
// Go knows no leap seconds: one is the first instant of the minute after it.
func parseTime(name, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	text, leap := strings.ToUpper(s), time.Duration(0)
	if len(text) > 19 && text[17:19] == "60" {
		text, leap = text[:17]+"59"+text[19:], time.Second
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	t = t.Add(leap).UTC().Truncate(time.Microsecond)
	if err != nil || t.Year() < 1 {
		return time.Time{}, fault.Refused(fault.Problem{
			In: "body", Name: name, Path: "#/" + name, Code: "INVALID_FORMAT", Message: name + " must be an RFC 3339 time",
		})
	}
	if t.IsZero() { // said, although it looks to us like a time that was not
		t = t.Add(time.Microsecond)
	}
	return t, nil
}

func lastSeq(c *connection.Connection) int64 {
	if c == nil {
		return 0
	}
	return c.LastSeq
}
