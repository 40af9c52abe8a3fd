package api

import (
	"context"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
)

type accountEventBody struct {
	Type       string         `json:"event_type"`
	Visibility string         `json:"visibility"`
	Body       *string        `json:"body"`
	Statistics jsontext.Value `json:"statistics"`
	Connection string         `json:"connection"`
}

// accountEvent is the shape of AccountEvent.
type accountEvent struct {
	ID          string          `json:"id"`
	CreatedAt   string          `json:"created_at"`
	CreatedBy   string          `json:"created_by"`
	Type        string          `json:"event_type"`
	Visibility  string          `json:"visibility,omitempty"`
	Body        *string         `json:"body,omitempty"`
	Statistics  json.RawMessage `json:"statistics,omitempty"`
	Connection  string          `json:"connection,omitempty"`
	PagingToken string          `json:"paging_token,omitempty"`
}

func showAccountEvent(e store.AccountEvent) accountEvent {
	return accountEvent{
		ID: e.ID, CreatedAt: onWire(e.CreatedAt), CreatedBy: e.CreatedBy, Type: e.Type, Visibility: e.Visibility,
		Body: e.Body, Statistics: e.Statistics, Connection: e.Provider,
	}
}

// The types of account events.
const (
	typeComment    = "comment"
	typeStatistics = "statistics"
)

// event is what the body says, without what is not of its type.
func (b accountEventBody) event() (store.AccountEvent, error) {
	e := store.AccountEvent{Type: b.Type}
	var missing []fault.Problem
	need := func(name string, there bool) {
		if !there {
			missing = append(missing, fault.Problem{
				In: "body", Name: name, Path: "#/" + name, Code: "OBJECT_MISSING_REQUIRED_PROPERTY", Params: []string{name},
				Message: "a " + b.Type + " event must have the member " + name,
			})
		}
	}
	switch b.Type {
	case typeComment:
		need("visibility", b.Visibility != "")
		need("body", b.Body != nil)
		e.Visibility, e.Body = b.Visibility, b.Body
	case typeStatistics:
		need("statistics", b.Statistics != nil)
		e.Statistics = b.Statistics
	}
	if missing != nil {
		return e, fault.Refused(missing...)
	}
	return e, nil
}

// addAccountEvent notes something about an account.
func (o operations) addAccountEvent(ctx context.Context, call *gate.Call, in accountEventBody) (gate.Reply, error) {
	e, err := in.event()
	if err != nil {
		return gate.Reply{}, err
	}
	if in.Connection != "" {
		p, ok := o.Catalogue.Resolve(in.Connection)
		if !ok {
			return gate.Reply{}, fault.Refused(fault.Problem{
				In: "body", Name: "connection", Path: "#/connection", Code: "UNKNOWN_CONNECTION",
				Message: "connection must name a provider that there is",
			})
		}
		e.Provider = p.Slug
	}
	by := o.act(call)
	e.ID, e.CreatedAt, e.CreatedBy = NewID(), by.at, by.by
	about := account.Account{ID: call.Account("aid")}
	d := deed(call, call.Account("oid"), about.ID, o.audited(call, about, call.Operation.Action, e.Type, store.AuditDone, ""))
	answer, err := o.Store.AddAccountEvent(ctx, d, e, func(e store.AccountEvent) (store.Answer, error) {
		body, err := json.Marshal(showAccountEvent(e))
		return store.Answer{Body: body}, err
	})
	return replyWith(call, answer, err)
}

// listAccountEvents pages through what was noted about an account.
func (o operations) listAccountEvents(ctx context.Context, call *gate.Call, _ struct{}) ([]accountEvent, error) {
	after, err := o.startingAfter(call)
	if err != nil {
		return nil, err
	}
	kind := ""
	for i, one := range call.Queries()["type"] {
		if i > 0 && one != kind {
			kind = "" // both, which are all
			break
		}
		kind = one
	}
	events, err := o.Store.AccountEvents(ctx, call.Caller, call.Account("oid"), call.Account("aid"), kind, after, limitOf(call))
	if err != nil {
		return nil, err
	}
	shown := make([]accountEvent, len(events))
	for i, e := range events {
		shown[i] = showAccountEvent(e)
		shown[i].PagingToken = o.pagingToken(call, e.ID)
	}
	return shown, nil
}
