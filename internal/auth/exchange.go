package auth

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"mooring/internal/account"
)

// MaxExchangeLife is how long an exchange token is good.
const MaxExchangeLife = 60 * time.Second

// ExchangeClaims is what an exchange token says: a client of the actor may ask,
// once, for a token of the account.
type ExchangeClaims struct {
	Client    string // "sub" and "client_id"
	Account   account.ID
	Actor     account.ID
	Scopes    Scopes    // of the token that was exchanged, as far as Acting goes
	IssuedAt  time.Time // whole seconds
	ExpiresAt time.Time // whole seconds; the token is good before, not at, this instant
	ID        string    // "jti"
}

// tokenPath is below an account where its tokens are asked for.
const tokenPath = "/auth/token"

// ExchangeAudience is the "aud" of an exchange token: the one token call that
// takes it.
func (a Audiences) ExchangeAudience(id account.ID) string {
	return a.issuer + accountsPath + string(id) + tokenPath
}

// parseExchange reads back what ExchangeAudience wrote.
func (a Audiences) parseExchange(audience string) (account.ID, bool) {
	rest, ok := strings.CutPrefix(audience, a.issuer+accountsPath)
	id, err := account.ParseID(strings.TrimSuffix(rest, tokenPath))
	return id, ok && err == nil && a.ExchangeAudience(id) == audience
}

// wireActor is the "act" of a token: for whom its client acts (RFC 8693,
// section 4.1).
type wireActor struct {
	Subject string `json:"sub"`
}

// wireExchange is the body of an exchange token. The order of its members is
// part of the format, as that of wireClaims is.
type wireExchange struct {
	Issuer    string    `json:"iss"`
	Subject   string    `json:"sub"`
	Audience  string    `json:"aud"`
	ClientID  string    `json:"client_id"`
	Actor     wireActor `json:"act"`
	Scope     string    `json:"scope"`
	IssuedAt  int64     `json:"iat"`
	ExpiresAt int64     `json:"exp"`
	ID        string    `json:"jti"`
}

func encodeExchange(a Audiences, c ExchangeClaims) ([]byte, error) {
	return json.Marshal(wireExchange{
		Issuer: a.Issuer(), Subject: c.Client, ClientID: c.Client,
		Audience: a.ExchangeAudience(c.Account), Actor: wireActor{string(c.Actor)}, Scope: c.Scopes.String(),
		IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.ExpiresAt.Unix(),
		ID: c.ID,
	})
}

// decodeExchange reads signed claims by the rule of decodeClaims: only the very
// bytes that we would have written pass.
func decodeExchange(a Audiences, payload []byte, now time.Time) (ExchangeClaims, error) {
	var w wireExchange
	if err := json.Unmarshal(payload, &w); err != nil {
		return ExchangeClaims{}, errClaims
	}
	if w.Issuer != a.Issuer() {
		return ExchangeClaims{}, errIssuer
	}
	id, ok := a.parseExchange(w.Audience)
	if !ok {
		return ExchangeClaims{}, errAudience
	}
	actor, err := account.ParseID(w.Actor.Subject)
	if err != nil {
		return ExchangeClaims{}, errClaims
	}
	c := ExchangeClaims{
		Client: w.Subject, Account: id, Actor: actor, Scopes: ParseScopes(w.Scope), ID: w.ID,
		IssuedAt: time.Unix(w.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(w.ExpiresAt, 0).UTC(),
	}
	again, err := encodeExchange(a, c)
	if err != nil || !bytes.Equal(again, payload) || c.Client == "" || c.ID == "" || c.ExpiresAt.Sub(c.IssuedAt) > MaxExchangeLife {
		return ExchangeClaims{}, errClaims
	}
	if err := checkTime(c.IssuedAt, c.ExpiresAt, now); err != nil {
		return ExchangeClaims{}, err
	}
	return c, nil
}
