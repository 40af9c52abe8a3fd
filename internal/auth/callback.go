package auth

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"mooring/internal/account"
)

// MaxCallbackLife bounds how long a callback token is good.
const MaxCallbackLife = 30 * 24 * time.Hour

// CallbackClaims is what a callback token says: it is good for speaking of one
// signup, and for nothing else.
type CallbackClaims struct {
	Account   account.ID
	Callback  Callback  // its Reference is the token's "sub"
	IssuedAt  time.Time // whole seconds
	ExpiresAt time.Time // whole seconds; the token is good before, not at, this instant
	ID        string    // "jti"
}

// CallbackScope is the one scope of callback tokens about a provider. It is
// what the documented callbacks ask for.
func CallbackScope(provider string) string {
	return "write:accounts:/management/settings/connections/" + provider
}

// CallbackURL is the "aud" of callback tokens about a signup: the address that
// the callbacks about it begin with.
func (a Audiences) CallbackURL(id account.ID, c Callback) string {
	return a.issuer + accountsPath + string(id) + "/connections/" + c.Provider + "/signups/" + c.Reference
}

// parseCallback reads back what CallbackURL wrote.
func (a Audiences) parseCallback(audience string) (account.ID, Callback, bool) {
	rest, ok := strings.CutPrefix(audience, a.issuer+accountsPath)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 5 {
		return "", Callback{}, false
	}
	id, err := account.ParseID(parts[0])
	c := Callback{Provider: parts[2], Reference: parts[4]}
	return id, c, err == nil && a.CallbackURL(id, c) == audience && c.Provider != "" && c.Reference != ""
}

// wireCallback is the body of a callback token. It has no client_id: nobody
// who could ask for more stands behind it. The order of its members is part of
// the format, as that of wireClaims is.
type wireCallback struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	Scope     string `json:"scope"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	ID        string `json:"jti"`
}

func encodeCallback(a Audiences, c CallbackClaims) ([]byte, error) {
	return json.Marshal(wireCallback{
		Issuer: a.Issuer(), Subject: c.Callback.Reference, Audience: a.CallbackURL(c.Account, c.Callback),
		Scope:    CallbackScope(c.Callback.Provider),
		IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.ExpiresAt.Unix(),
		ID: c.ID,
	})
}

// decodeCallback reads signed claims by the rule of decodeClaims: only the very
// bytes that we would have written pass.
func decodeCallback(a Audiences, payload []byte, now time.Time) (CallbackClaims, error) {
	var w wireCallback
	if err := json.Unmarshal(payload, &w); err != nil {
		return CallbackClaims{}, errClaims
	}
	if w.Issuer != a.Issuer() {
		return CallbackClaims{}, errIssuer
	}
	id, callback, ok := a.parseCallback(w.Audience)
	if !ok {
		return CallbackClaims{}, errAudience
	}
	c := CallbackClaims{
		Account: id, Callback: callback, ID: w.ID,
		IssuedAt: time.Unix(w.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(w.ExpiresAt, 0).UTC(),
	}
	again, err := encodeCallback(a, c)
	if err != nil || !bytes.Equal(again, payload) || c.ID == "" || c.ExpiresAt.Sub(c.IssuedAt) > MaxCallbackLife {
		return CallbackClaims{}, errClaims
	}
	if err := checkTime(c.IssuedAt, c.ExpiresAt, now); err != nil {
		return CallbackClaims{}, err
	}
	return c, nil
}
