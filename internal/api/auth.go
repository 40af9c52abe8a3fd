package api

import (
	"context"

	"mooring/internal/access"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/gate"
)

type tokenBody struct {
	GrantType    string `json:"grant_type"`
	Audience     string `json:"audience"`
	Scope        string `json:"scope"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
}

// token issues an access token to a client that shows its secret. It serves
// the documented call and the extension's, whose path names no account.
func (o operations) token(ctx context.Context, call *gate.Call, in tokenBody) (tokenAnswer, error) {
	id, secret, ok := call.Basic()
	if !ok {
		return tokenAnswer{}, fault.Denied(nil)
	}
	if in.ClientSecret != "" {
		return tokenAnswer{}, credentialsTwice("client_secret", "must stand in the Authorization header alone")
	}
	if in.ClientID != "" && in.ClientID != access.Decoded(id) {
		return tokenAnswer{}, credentialsTwice("client_id", "is not the one in the Authorization header")
	}
	ask := access.Ask{
		ClientID: id, Secret: secret, GrantType: in.GrantType, Audience: in.Audience, Scope: in.Scope,
		Form: call.MediaType == "application/x-www-form-urlencoded", Remote: call.Remote,
	}
	if call.Path("oid") != "" {
		ask.Account = call.Account("oid")
	}
	t, err := o.Access.Issue(ctx, ask)
	if err != nil {
		return tokenAnswer{}, err
	}
	answer := tokenAnswer{AccessToken: t.AccessToken.Reveal(), TokenType: "Bearer", ExpiresIn: t.ExpiresIn}
	if ask.Form {
		answer.Scope = t.Scope
	}
	return answer, nil
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
		AuthMethods:   []string{"client_secret_basic"},
		ResponseTypes: []string{},
		Scopes:        []string{auth.ScopeAdminAccounts, auth.ScopeWriteAccounts, auth.ScopeReadAccounts, auth.ScopeOperator, auth.ScopeRelease},
		Documentation: o.PublicURL + "/llms.txt",
	}, nil
}
