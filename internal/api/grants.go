package api

import (
	"context"
	"strings"

	"mooring/internal/access"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
)

type grantBody struct {
	ClientID string      `json:"client_id"`
	Audience string      `json:"audience"`
	Scope    auth.Scopes `json:"scope"`
	Type     string      `json:"type"`
}

// grantShown is the shape of Grant.
type grantShown struct {
	ID        string      `json:"id"`
	ClientID  string      `json:"client_id"`
	Audience  string      `json:"audience"`
	Scope     auth.Scopes `json:"scope"`
	Type      string      `json:"type"`
	CreatedAt string      `json:"created_at"`
	CreatedBy string      `json:"created_by"`
	UpdatedAt string      `json:"updated_at"`
}

func (o operations) shownGrant(g auth.Grant) grantShown {
	at := onWire(g.CreatedAt)
	return grantShown{
		ID: g.ID, ClientID: g.Client, Audience: o.Access.AudienceOf(g.Audience), Scope: g.Scopes, Type: g.Type,
		CreatedAt: at, CreatedBy: g.CreatedBy, UpdatedAt: at, // a grant is never changed
	}
}

// listGrants lists the grants of an account's clients, oldest first.
func (o operations) listGrants(ctx context.Context, call *gate.Call, _ struct{}) ([]grantShown, error) {
	id := call.Account("oid")
	if _, err := o.Store.Account(ctx, call.Caller, id); err != nil {
		return nil, err
	}
	var filter store.GrantFilter
	client, _ := call.Query("client_id")
	filter.Client = strings.ToLower(client)
	if text, given := call.Query("audience"); given {
		audience, err := o.Access.Audience(text)
		if err != nil {
			problem := fault.From(err).Problems[0]
			problem.In = "query"
			return nil, fault.Refused(problem)
		}
		filter.Audience = audience
	}
	grants, err := o.Store.Grants(ctx, call.Caller, id, filter)
	all := make([]grantShown, 0, len(grants))
	for _, g := range grants {
		all = append(all, o.shownGrant(g))
	}
	return all, err
}

// makeGrant lets a client ask for tokens for an account.
func (o operations) makeGrant(ctx context.Context, call *gate.Call, in grantBody) (gate.Reply, error) {
	g, err := o.grantOf(call, in)
	if err != nil {
		return gate.Reply{}, err
	}
	d, err := o.deed(ctx, call, g.ID)
	if err != nil {
		return gate.Reply{}, err
	}
	if d.Audit[0].Detail, err = encode(map[string]any{"client": g.Client, "audience": g.Audience, "scope": g.Scopes}); err != nil {
		return gate.Reply{}, err
	}
	answer, err := o.Store.AddGrant(ctx, d, g, o.encodeGrant)
	return replyWith(call, answer, err)
}

// grantOf reads what the contract has let in and can't check.
func (o operations) grantOf(call *gate.Call, in grantBody) (auth.Grant, error) {
	g := auth.Grant{
		ID: NewID(), Client: strings.ToLower(in.ClientID), Scopes: in.Scope, Type: in.Type, CreatedAt: o.Now(), CreatedBy: call.Caller.Client,
	}
	switch g.Type {
	case "":
		g.Type = auth.GrantClientCredentials
	case auth.GrantAny, auth.GrantClientCredentials:
	default:
		return g, fault.Refused(fault.Problem{
			In: "body", Name: "type", Path: "#/type", Code: access.CodeUnsupportedGrantType,
			Message: "type must be any or client_credentials: no other way to a token is served",
		})
	}
	if err := auth.CheckScopes(g.Scopes, o.isProvider); err != nil {
		return g, err
	}
	audience, err := o.Access.Audience(in.Audience)
	g.Audience = audience
	return g, err
}

// isProvider says whether there is a provider of exactly this slug.
func (o operations) isProvider(slug string) bool {
	_, ok := o.Catalogue.Get(slug)
	return ok
}

// deleteGrant takes one away; what tokens have by it ends with it.
func (o operations) deleteGrant(ctx context.Context, call *gate.Call, _ struct{}) (gate.Reply, error) {
	d, err := o.deed(ctx, call, idOf(call))
	if err != nil {
		return gate.Reply{}, err
	}
	answer, err := o.Store.EndGrant(ctx, d, idOf(call), o.encodeGrant)
	return replyWith(call, answer, err)
}

func (o operations) encodeGrant(g auth.Grant) ([]byte, error) { return encode(o.shownGrant(g)) }
