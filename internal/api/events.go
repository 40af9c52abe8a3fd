package api

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/internal/wire"
)

type eventBody struct {
	Status       connection.Status `json:"status"`
	Event        string            `json:"event"`
	Description  *string           `json:"description"`
	Metadata     jsontext.Value    `json:"metadata"`
	ExternalID   string            `json:"external_id"`
	OccurredAt   string            `json:"occurred_at"`
	Reason       string            `json:"reason"`
	SignupID     string            `json:"signup_id"`
	Code         string            `json:"code"`
	ProviderCode string            `json:"provider_code"`
}

// event is what the body says of an event of a provider.
func (b eventBody) event(p *provider.Provider) (connection.NewEvent, error) {
	if connection.Reserved(b.Event) {
		return connection.NewEvent{}, fault.Refused(fault.Problem{
			In: "body", Name: "event", Path: "#/event", Code: "RESERVED_EVENT",
			Message: "event " + b.Event + " is one that the service alone tells of; take another name",
		})
	}
	if err := noSecrets(p, b.Metadata); err != nil {
		return connection.NewEvent{}, err
	}
	occurredAt, err := parseTime("occurred_at", b.OccurredAt)
	if err != nil {
		return connection.NewEvent{}, err
	}
	if b.Metadata != nil {
		if err := b.Metadata.Compact(); err != nil {
			return connection.NewEvent{}, err
		}
	}
	return connection.NewEvent{
		Status: b.Status, Name: b.Event, Description: b.Description, Metadata: b.Metadata,
		ExternalID: b.ExternalID, OccurredAt: occurredAt, Reason: b.Reason, Code: b.Code, ProviderCode: b.ProviderCode,
	}, nil
}

// noSecrets refuses metadata with what the provider's file seals elsewhere:
// metadata rests in clear and is shown.
func noSecrets(p *provider.Provider, metadata []byte) error {
	var problems []fault.Problem
	for _, pointer := range p.SecretsIn(metadata) {
		problems = append(problems, fault.Problem{
			In: "body", Name: pointer[strings.LastIndexByte(pointer, '/')+1:], Path: "#/metadata" + pointer, Code: "SECRET_NOT_ALLOWED",
			Message: "metadata" + pointer + " looks like a secret, and metadata is shown; leave it out",
		})
	}
	if problems == nil {
		return nil
	}
	return fault.Refused(problems...)
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
	event, err := in.event(p)
	if err != nil {
		return gate.Reply{}, err
	}
	by, record := o.act(call), o.recordOf(call)
	record.Reason = cmp.Or(in.Reason, record.Reason)
	return o.change(ctx, call, store.Change{
		Audit: &record, Owner: owner, Account: call.Account("aid"), Provider: p.Slug, ExternalID: in.ExternalID,
		Whole: in.SignupID != "", // what is said of one signup is weighed against the others
		Decide: func(f store.Found) (store.Decision, error) {
			if f.Connection == nil {
				return store.Decision{}, fault.Missing()
			}
			if f.Duplicate != nil {
				return eventDecision(nil, *f.Duplicate, connection.Duplicate, encode), nil
			}
			about, err := aboutSignup(f.Connection, p, in.SignupID, event)
			if err != nil {
				return store.Decision{}, err
			}
			e, err := connection.Append(f.Connection, p, about, by.in(f.Account))
			if err != nil {
				return store.Decision{}, err
			}
			return eventDecision(f.Connection, e, connection.EffectOf(e), encode), nil
		},
	})
}

// aboutSignup ties an event to the signup that its sender names, if any.
func aboutSignup(c *connection.Connection, p *provider.Provider, id string, e connection.NewEvent) (connection.NewEvent, error) {
	if id == "" {
		return e, nil
	}
	s := c.Find(strings.ToLower(id))
	if s == nil {
		return e, fault.Refused(fault.Problem{
			In: "body", Name: "signup_id", Path: "#/signup_id", Code: "UNKNOWN_SIGNUP",
			Message: "signup_id is not the id of a signup of this connection",
		})
	}
	e.Signup, e.Rule = s.Seq, p.Signup.Rule
	return e, nil
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
	after := int64(0)
	if s, ok := call.Query("starting_after"); ok {
		after, _ = strconv.ParseInt(s, 10, 64) // the contract bounds it
	}
	events, err := o.Store.Events(ctx, call.Caller, call.Account("aid"), p.Slug, after, limitOf(call))
	if err != nil {
		return gate.Reply{}, err
	}
	return gate.Reply{Body: wire.OperatorEvents(events)}, nil
}

// limitOf is how many items of a list are asked for; the contract bounds it.
func limitOf(call *gate.Call) int {
	if s, ok := call.Query("limit"); ok {
		limit, _ := strconv.Atoi(s)
		return limit
	}
	return 10
}

// change hands a write to the store with what the call says of itself.
func (o operations) change(ctx context.Context, call *gate.Call, c store.Change) (gate.Reply, error) {
	c.Caller, c.Key = call.Caller, keyOf(call)
	if c.Audit == nil {
		record := o.recordOf(call)
		c.Audit = &record
	}
	answer, err := o.Store.Change(ctx, c)
	return replyWith(call, answer, err)
}

// keyOf is the Idempotency-Key of a call; nil when it has none.
func keyOf(call *gate.Call) *store.Idempotency {
	if call.IdempotencyKey == "" {
		return nil
	}
	return &store.Idempotency{
		Operation: call.Operation.ID, Path: call.Target, Key: call.IdempotencyKey, Fingerprint: call.Fingerprint,
	}
}

// replyWith answers a call with what the store answered to its write.
func replyWith(call *gate.Call, answer store.Answer, err error) (gate.Reply, error) {
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
