package api

import (
	"context"

	"mooring/internal/access"
	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
)

type tokenBody struct {
	GrantType    string `json:"grant_type"`
	Audience     string `json:"audience"`
	Scope        string `json:"scope"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`

	Assertion     string `json:"client_assertion"`
	AssertionType string `json:"client_assertion_type"`
}

type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
}

// token issues an access token to a client that shows its secret, or an
// assertion signed with a key of its account. It serves the documented call and
// the extension's, whose path names no account.
func (o operations) token(ctx context.Context, call *gate.Call, in tokenBody) (tokenAnswer, error) {
	if call.Caller.Exchange != nil {
		return o.redeem(ctx, call, in)
	}
	ask := access.Ask{
		GrantType: in.GrantType, Audience: in.Audience, Scope: in.Scope, Form: call.MediaType == typeForm, Remote: call.Remote,
	}
	if err := credentials(call, in, &ask); err != nil {
		return tokenAnswer{}, err
	}
	if call.Path("oid") != "" {
		ask.Account = call.Account("oid")
	}
	t, err := o.Access.Issue(ctx, ask)
	if err != nil {
		return tokenAnswer{}, err
	}
	return answerToken(t, ask.Form), nil
}

// credentials reads how a client proves itself, which it does in one way.
func credentials(call *gate.Call, in tokenBody, ask *access.Ask) error {
	id, secret, ok := call.Basic()
	switch {
	case ok && in.Assertion != "":
		return credentialsTwice("client_assertion", "must not stand beside an Authorization header")
	case !ok && in.Assertion == "":
		return fault.Denied(nil)
	case in.ClientSecret != "" && ok:
		return credentialsTwice("client_secret", "must stand in the Authorization header alone")
	case in.ClientSecret != "":
		return credentialsTwice("client_secret", "must not stand beside an assertion")
	case in.ClientID != "" && ok && in.ClientID != access.Decoded(id):
		return credentialsTwice("client_id", "is not the one in the Authorization header")
	case in.ClientID != "" && !ok && in.ClientID != auth.AssertionClient(in.Assertion):
		return credentialsTwice("client_id", "is not the one of the assertion")
	case in.Assertion != "" && in.AssertionType != auth.AssertionType:
		return fault.Refused(fault.Problem{
			In: "body", Name: "client_assertion_type", Path: "#/client_assertion_type", Code: "ENUM_MISMATCH",
			Message: "client_assertion_type must be " + auth.AssertionType,
		})
	}
	ask.ClientID, ask.Secret, ask.Assertion = id, secret, in.Assertion
	return nil
}

// answerToken tells the scopes in answers to forms alone: the documented answer
// has none.
func answerToken(t access.Token, form bool) tokenAnswer {
	answer := tokenAnswer{AccessToken: t.AccessToken.Reveal(), TokenType: "Bearer", ExpiresIn: t.ExpiresIn}
	if form {
		answer.Scope = t.Scope
	}
	return answer
}

const typeForm = "application/x-www-form-urlencoded"

// redeem issues the token that an exchange token was made for.
func (o operations) redeem(ctx context.Context, call *gate.Call, in tokenBody) (tokenAnswer, error) {
	ask := access.Ask{GrantType: in.GrantType, Audience: in.Audience, Scope: in.Scope, Form: call.MediaType == typeForm}
	for name, sent := range map[string]string{
		"client_id": in.ClientID, "client_secret": in.ClientSecret, "client_assertion": in.Assertion,
	} {
		if sent != "" {
			return tokenAnswer{}, credentialsTwice(name, "must not stand beside an exchange token")
		}
	}
	acc, err := o.Store.Account(ctx, call.Caller, call.Account("oid"))
	if err != nil {
		return tokenAnswer{}, gone(err)
	}
	record := o.audited(call, acc, "token.exchange", string(call.Caller.Actor), store.AuditDone, "")
	t, err := o.Access.Redeem(ctx, call.Caller, ask, record)
	if err != nil {
		return tokenAnswer{}, gone(err)
	}
	return answerToken(t, ask.Form), nil
}

// gone refuses a token whose account went away while it was looked at.
func gone(err error) error {
	if fault.From(err).Kind == fault.NotFound {
		return fault.Denied(err)
	}
	return err
}

type exchangeBody struct {
	AccountID account.ID `json:"account_id"`
}

// exchangeToken gives a partner what it gets a token of one of its merchants
// with. Both can see afterwards that it did; what can't be remembered is not given.
func (o operations) exchangeToken(ctx context.Context, call *gate.Call, in exchangeBody) (tokenAnswer, error) {
	partner := call.Account("partner_id")
	t, err := o.Access.Exchange(ctx, call.Caller, partner, in.AccountID)
	if err != nil {
		return tokenAnswer{}, err
	}
	var records []store.AuditRecord
	for _, id := range []account.ID{partner, in.AccountID} {
		acc, err := o.Store.Account(ctx, auth.Caller{Account: partner}, id)
		if err != nil {
			return tokenAnswer{}, err
		}
		records = append(records, o.audited(call, acc, call.Operation.Action, string(in.AccountID), store.AuditDone, ""))
	}
	if err := o.Store.Audit(ctx, records...); err != nil {
		return tokenAnswer{}, err
	}
	return answerToken(t, false), nil
}

type revokeBody struct {
	Token string `json:"token"`
}

// revokeToken ends a token of a client of the account. Nothing tells what
// became of it (RFC 7009, section 2.2).
func (o operations) revokeToken(ctx context.Context, call *gate.Call, in revokeBody) (struct{}, error) {
	acc, err := o.Store.Account(ctx, call.Caller, call.Account("oid"))
	if err == nil {
		err = o.Access.Revoke(ctx, call.Caller, acc.ID, in.Token, o.audited(call, acc, "token.revoke", "", store.AuditDone, ""))
	}
	if err != nil && fault.From(err).Kind == fault.NotFound { // an account that is not there has no tokens
		err = nil
	}
	return struct{}{}, err
}

// credentialsTwice refuses a client that proves itself in two ways (RFC 6749,
// section 2.3). Its bare id beside the header is harmless, and common.
func credentialsTwice(name, why string) error {
	return fault.Refused(fault.Problem{
		In: "body", Name: name, Path: "#/" + name, Code: "CREDENTIALS_TWICE", Message: name + " " + why,
	})
}

// accountKeys is the documented list: the RSA keys, as a bare array.
func (o operations) accountKeys(context.Context, *gate.Call, struct{}) ([]auth.JWK, error) {
	return o.Access.PublicKeys(auth.RS256), nil
}

type keySet struct {
	Keys []auth.JWK `json:"keys"`
}

// keySet is the JWK set of RFC 7517, with every key that tokens may be signed with.
func (o operations) keySet(context.Context, *gate.Call, struct{}) (keySet, error) {
	return keySet{o.Access.PublicKeys()}, nil
}

// metadata is the document of RFC 8414. It names only what exists.
type metadata struct {
	Issuer        string   `json:"issuer"`
	TokenEndpoint string   `json:"token_endpoint"`
	KeysURI       string   `json:"jwks_uri"`
	GrantTypes    []string `json:"grant_types_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	Signatures    []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	ResponseTypes []string `json:"response_types_supported"`
	Scopes        []string `json:"scopes_supported"`
	Documentation string   `json:"service_documentation"`
}

func (o operations) metadata(context.Context, *gate.Call, struct{}) (metadata, error) {
	return metadata{
		Issuer:        o.PublicURL,
		TokenEndpoint: o.PublicURL + "/v1/oauth/token",
		KeysURI:       o.PublicURL + "/.well-known/jwks.json",
		GrantTypes:    []string{"client_credentials"},
		AuthMethods:   []string{"client_secret_basic", "private_key_jwt"},
		Signatures:    auth.AssertionAlgorithms,
		ResponseTypes: []string{},
		Scopes: []string{
			auth.ScopeAdminAccounts, auth.ScopeWriteAccounts, auth.ScopeReadAccounts,
			auth.ScopeAdminHooks, auth.ScopeWriteHooks, auth.ScopeReadHooks, auth.ScopeOperator, auth.ScopeRelease,
		},
		Documentation: o.PublicURL + "/llms.txt",
	}, nil
}
