package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"mooring/internal/account"
)

// claimsVersion is the "version" that tokens of the documented API were seen
// to carry.
const claimsVersion = 2

// maxAhead is how far another node's clock may be ahead when it issues.
const maxAhead = 60 * time.Second

// Claims is what an access token says. Client is its "sub" and "client_id",
// Account its "aud", Scopes its "scope" and "scopes".
type Claims struct {
	Client    string
	Account   account.ID
	Scopes    Scopes
	IssuedAt  time.Time // whole seconds
	ExpiresAt time.Time // whole seconds; the token is good before, not at, this instant
	ID        string    // "jti"

	// Actor is the "sub" of its "act": the account whose client got the token
	// by exchange; zero for a token of Account's own client or grant.
	Actor account.ID
}

// wireClaims is the body of a token: the claims of RFC 9068, and "scopes" and
// "version" as seen in tokens of the documented API. The order of its members
// is part of the format; see decodeClaims.
type wireClaims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	ClientID  string `json:"client_id"`
	Scope     string `json:"scope"`
	Scopes    string `json:"scopes"`
	Version   int    `json:"version"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	ID        string `json:"jti"`

	Actor *wireActor `json:"act,omitempty"`
}

func encodeClaims(a Audiences, c Claims) ([]byte, error) {
	var actor *wireActor
	if c.Actor != "" {
		actor = &wireActor{string(c.Actor)}
	}
	return json.Marshal(wireClaims{
		Actor: actor, Issuer: a.Issuer(), Audience: a.Format(c.Account),
		Subject: c.Client, ClientID: c.Client,
		Scope: c.Scopes.String(), Scopes: c.Scopes.String(),
		Version:  claimsVersion,
		IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.ExpiresAt.Unix(),
		ID: c.ID,
	})
}

// The reasons for refusing claims that a key of ours has signed. They are for
// the log; the first two happen when the public URL was changed.
var (
	errIssuer   = errors.New("token has another issuer")
	errAudience = errors.New("token has another audience")
	errClaims   = errors.New("token has claims that we do not write")
	errExpired  = errors.New("token has expired")
	errEarly    = errors.New("token was issued in the future")
)

// decodeClaims reads signed claims and then writes them again: only the very
// bytes that we would have written pass. So a member that is missing, double,
// misspelled, mistyped or unknown needs no rule of its own.
func decodeClaims(a Audiences, payload []byte, now time.Time) (Claims, error) {
	var w wireClaims
	if err := json.Unmarshal(payload, &w); err != nil {
		return Claims{}, errClaims
	}
	if w.Issuer != a.Issuer() {
		return Claims{}, errIssuer
	}
	id, err := a.Parse(w.Audience)
	if err != nil || a.Format(id) != w.Audience {
		return Claims{}, errAudience
	}
	c := Claims{
		Client: w.Subject, Account: id, Scopes: ParseScopes(w.Scope), ID: w.ID,
		IssuedAt: time.Unix(w.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(w.ExpiresAt, 0).UTC(),
	}
	if w.Actor != nil {
		if c.Actor, err = account.ParseID(w.Actor.Subject); err != nil {
			return Claims{}, errClaims
		}
	}
	again, err := encodeClaims(a, c)
	if err != nil || !bytes.Equal(again, payload) || c.Client == "" || c.ID == "" {
		return Claims{}, errClaims
	}
	if err := checkTime(c.IssuedAt, c.ExpiresAt, now); err != nil {
		return Claims{}, err
	}
	return c, nil
}

// checkTime holds our own tokens to the second: they are good until exp, with
// no leeway.
func checkTime(issuedAt, expiresAt, now time.Time) error {
	switch {
	case !now.Before(expiresAt):
		return errExpired
	case issuedAt.After(now.Add(maxAhead)):
		return errEarly
	case !issuedAt.Before(expiresAt):
		return errClaims
	}
	return nil
}
