package api

import (
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mooring/internal/account"
	"mooring/internal/cdd"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/provider"
	"mooring/internal/store"
)

// caseRequest is what is looked at of a case that is asked for; the whole of
// it is kept.
type caseRequest struct {
	For struct {
		Account     account.ID `json:"account_id"`
		Description string     `json:"payout_destination_description"`
	} `json:"case_for"`
	Request struct {
		Details jsontext.Value `json:"details"`
	} `json:"case_request"`
}

type caseMove struct {
	Status cdd.Status     `json:"case_status"`
	Error  string         `json:"error"`
	Case   jsontext.Value `json:"case"`
}

// shownCase is the shape of Case.
type shownCase struct {
	ID        string         `json:"id"`
	Account   account.ID     `json:"account_id"`
	CreatedAt string         `json:"created_at"`
	CreatedBy string         `json:"created_by"`
	UpdatedAt string         `json:"updated_at"`
	For       jsontext.Value `json:"case_for,omitzero"`
	Products  jsontext.Value `json:"products,omitzero"`
	Request   jsontext.Value `json:"case_request,omitzero"`
	Events    []caseEvent    `json:"events"`
}

type caseEvent struct {
	ID        int            `json:"id"`
	RequestID string         `json:"request_id"`
	Event     string         `json:"event"`
	CreatedAt string         `json:"created_at"`
	Status    cdd.Status     `json:"case_status"`
	Error     string         `json:"error,omitzero"`
	Case      jsontext.Value `json:"case,omitzero"`
	Created   *createdCase   `json:"created,omitzero"`
}

type createdCase struct {
	CaseID string `json:"case_id"`
}

// listCases lists the cases of an account.
func (o operations) listCases(ctx context.Context, call *gate.Call, _ struct{}) ([]shownCase, error) {
	all, err := o.Store.Cases(ctx, call.Caller, call.Account("aid"))
	if err != nil {
		return nil, err
	}
	_, contracts := call.Query("includes")
	shown := make([]shownCase, len(all))
	for i, c := range all {
		if shown[i], err = showCase(c, contracts); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

// openCase opens one.
func (o operations) openCase(ctx context.Context, call *gate.Call, in jsontext.Value) (gate.Reply, error) {
	var looked caseRequest
	if err := json.Unmarshal(in, &looked); err != nil {
		return gate.Reply{}, err
	}
	if err := o.checkCase(call.Account("aid"), looked); err != nil {
		return gate.Reply{}, err
	}
	data, err := canonical(in)
	if err != nil {
		return gate.Reply{}, err
	}
	id, now := NewID(), o.Now()
	deed, err := o.caseDeed(ctx, call, id)
	if err != nil {
		return gate.Reply{}, err
	}
	answer, err := o.Store.OpenCase(ctx, deed, func(acc account.Account) (cdd.Case, store.Answer, error) {
		c := cdd.Open(acc.ID, cdd.Request{
			ID: id, RequestID: call.RequestID, Data: data, Description: looked.For.Description,
		}, acc.Now(now), call.Caller.Client)
		answer, err := answerCase(c)
		return c, answer, err
	})
	return replyWith(call, answer, err)
}

// checkCase refuses what a case may not say.
func (o operations) checkCase(id account.ID, in caseRequest) error {
	var problems []fault.Problem
	if in.For.Account != "" && in.For.Account != id {
		problems = append(problems, fault.Problem{
			In: "body", Name: "account_id", Path: "#/case_for/account_id", Code: "ENUM_MISMATCH", Params: []string{string(id)},
			Message: "account_id must be the account of the path",
		})
	}
	problems = append(problems, o.secretsIn("#/case_request/details", in.Request.Details)...)
	if problems != nil {
		return fault.Refused(problems...)
	}
	return nil
}

// secretsIn lists what rests in clear but is named like what a provider's file
// seals.
func (o operations) secretsIn(place string, value []byte) []fault.Problem {
	var found []string
	for _, p := range o.Catalogue.All() {
		found = append(found, p.SecretsIn(value)...)
	}
	slices.Sort(found)
	var problems []fault.Problem
	for _, pointer := range slices.Compact(found) {
		problems = append(problems, fault.Problem{
			In: "body", Name: pointer[strings.LastIndexByte(pointer, '/')+1:], Path: place + pointer, Code: "SECRET_NOT_ALLOWED",
			Message: strings.TrimPrefix(place, "#/") + pointer + " looks like a secret, and is kept and shown in clear; leave it out",
		})
	}
	return problems
}

// moveCase is the platform's word on how a case stands.
func (o operations) moveCase(ctx context.Context, call *gate.Call, in caseMove) (gate.Reply, error) {
	if problems := o.secretsIn("#/case", in.Case); problems != nil {
		return gate.Reply{}, fault.Refused(problems...)
	}
	if in.Case != nil {
		if err := in.Case.Compact(); err != nil {
			return gate.Reply{}, err
		}
	}
	now, id := o.Now(), call.Path("case_id")
	deed, err := o.caseDeed(ctx, call, id)
	if err != nil {
		return gate.Reply{}, err
	}
	answer, err := o.Store.MoveCase(ctx, deed, id, func(acc account.Account, c *cdd.Case) (store.Answer, error) {
		err := c.Move(cdd.Event{RequestID: call.RequestID, Status: in.Status, Error: in.Error, Detail: in.Case}, acc.Now(now))
		if err != nil {
			return store.Answer{}, err
		}
		return answerCase(*c)
	})
	return replyWith(call, answer, err)
}

// caseDeed is a write to the case with an id; Missing when the account is not
// the caller's to know of.
func (o operations) caseDeed(ctx context.Context, call *gate.Call, id string) (store.Deed, error) {
	return o.deedOn(ctx, call, call.Account("aid"), id)
}

func answerCase(c cdd.Case) (store.Answer, error) {
	shown, err := showCase(c, true)
	if err != nil {
		return store.Answer{}, err
	}
	body, err := encode(shown)
	return store.Answer{Body: body}, err
}

// showCase is how a case looks, with the contracts of its events or without.
func showCase(c cdd.Case, contracts bool) (shownCase, error) {
	var shown shownCase
	if err := json.Unmarshal(c.Request, &shown); err != nil {
		return shown, err
	}
	shown.Events = make([]caseEvent, len(c.Events))
	shown.ID, shown.Account = c.ID, c.Account
	shown.CreatedAt, shown.CreatedBy, shown.UpdatedAt = onWire(c.CreatedAt), c.CreatedBy, onWire(c.UpdatedAt)
	for i, e := range c.Events {
		shown.Events[i] = caseEvent{
			ID: e.ID, RequestID: e.RequestID, Event: e.Name, CreatedAt: onWire(e.At), Status: e.Status, Error: e.Error, Case: e.Detail,
		}
		if e.Name == cdd.Created {
			shown.Events[i].Created = &createdCase{c.ID}
		}
		if contracts || e.Detail == nil {
			continue
		}
		detail, err := withoutContracts(e.Detail)
		if err != nil {
			return shown, err
		}
		shown.Events[i].Case = detail
	}
	return shown, nil
}

// withoutContracts leaves the contracts out; nil when nothing is left.
func withoutContracts(detail []byte) (jsontext.Value, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(detail, &members); err != nil {
		return nil, err
	}
	if delete(members, "contracts"); len(members) == 0 {
		return nil, nil
	}
	return encode(members)
}

// admission says whether the case that a signup names lets it in. What the
// registry has is looked up now, and asked for when the signup turns out to be
// a new one: one that is there already is answered as before.
func (o operations) admission(ctx context.Context, call *gate.Call, p *provider.Provider, signup []byte) (func() error, error) {
	if o.CaseRegistry == cdd.Off || o.CaseRegistry == "" || !slices.Contains(p.Signup.Key, "case_id") {
		return func() error { return nil }, nil
	}
	var named struct {
		CaseID string `json:"case_id"`
	}
	if err := json.Unmarshal(signup, &named); err != nil {
		return nil, err
	}
	found, err := o.Store.Case(ctx, call.Caller, call.Account("aid"), strings.ToLower(named.CaseID))
	return func() error { return o.CaseRegistry.Admit(found) }, err
}
