package cli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mooring/internal/outbound"
	"mooring/internal/secret"
)

// kinds are the kinds of token by their "typ".
var kinds = map[string]string{
	"at+jwt":       "access token",
	"callback+jwt": "callback token: a provider speaks of one signup with it",
	"exchange+jwt": "exchange token: a partner gets a merchant's token with it, once",
}

// explanation is what can be said of a token without believing it.
type explanation struct {
	token  string
	Header struct {
		Algorithm string `json:"alg"`
		Key       string `json:"kid"`
		Type      string `json:"typ"`
	}
	Claims struct {
		Issuer    string `json:"iss"`
		Subject   string `json:"sub"`
		Audience  any    `json:"aud"`
		Scope     string `json:"scope"`
		IssuedAt  int64  `json:"iat"`
		ExpiresAt int64  `json:"exp"`
		Actor     struct {
			Subject string `json:"sub"`
		} `json:"act"`
	}
	refused []string // why the server would not take it
	unknown []string // what could not be found out
}

// explain reads a token; what is wrong with its form is a reason to refuse it.
func explain(token string) explanation {
	e := explanation{token: token}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		e.refused = append(e.refused, fmt.Sprintf("it has %d parts, not three", len(parts)))
		return e
	}
	for i, into := range []any{&e.Header, &e.Claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(text, into) != nil {
			e.refused = append(e.refused, "its "+[]string{"header", "claims"}[i]+" can't be read")
			return e
		}
	}
	return e
}

// account is the account that an access token is for.
func (e explanation) account() string {
	audience, _ := e.Claims.Audience.(string)
	_, after, _ := strings.Cut(audience, "/v1/accounts/")
	id, _, _ := strings.Cut(after, "/")
	return id
}

// judge says what is wrong that needs no server to see.
func (e *explanation) judge(now time.Time) {
	if len(e.refused) > 0 {
		return
	}
	if kinds[e.Header.Type] == "" {
		e.refused = append(e.refused, "its typ is none of ours")
	}
	if _, ok := e.Claims.Audience.(string); !ok || e.account() == "" {
		e.refused = append(e.refused, "its audience names no account")
	}
	if end := time.Unix(e.Claims.ExpiresAt, 0); !now.Before(end) {
		e.refused = append(e.refused, "it has expired")
	}
	if begin := time.Unix(e.Claims.IssuedAt, 0); begin.After(now.Add(time.Minute)) {
		e.refused = append(e.refused, "it was issued in the future")
	}
}

// ask has the server that a token names check it: the signature by its public
// keys and, for an access token, whether it is still taken. The token is sent
// to nobody but its issuer.
func (c tokenCommand) ask(ctx context.Context, token string, e *explanation) {
	base := strings.TrimSuffix(c.URL, "/")
	if base == "" {
		if found, err := c.discover(); err == nil {
			base = found.URL
		}
	}
	switch {
	case len(e.refused) > 0 && e.Claims.Issuer == "":
		return
	case base == "":
		e.unknown = append(e.unknown, "no server was asked: name it with --url")
		return
	case base != e.Claims.Issuer:
		e.refused = append(e.refused, "its issuer is not "+base)
		return
	}
	server := &remote{base: base, header: http.Header{}, http: outbound.Local(remoteTimeout)}
	var keys jose.JSONWebKeySet
	if err := server.call(ctx, http.MethodGet, "/.well-known/jwks.json", nil, &keys); err != nil {
		e.unknown = append(e.unknown, "the signature was not checked: "+err.Error())
		return
	}
	if !signedBy(keys, e.Header.Key, token) {
		e.refused = append(e.refused, "no key of the server has signed it")
		return
	}
	if len(e.refused) == 0 && e.Header.Type == "at+jwt" {
		server.bearer = secret.NewPlain(token)
		err := server.call(ctx, http.MethodGet, accountPath(e.account())+"/auth/keys", nil, nil)
		switch {
		case err == nil || strings.Contains(err.Error(), "(403"):
		case strings.Contains(err.Error(), "(401"):
			e.refused = append(e.refused,
				"the server takes it no more: it was revoked, or its client, its grant, its account or the partner's right to act has ended")
		default:
			e.unknown = append(e.unknown, "whether the server still takes it: "+err.Error())
		}
	}
}

// signedBy says whether the key of an id has signed a token.
func signedBy(keys jose.JSONWebKeySet, id, token string) bool {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	if err != nil {
		return false
	}
	for _, key := range keys.Key(id) {
		if _, err := signed.Verify(key); err == nil {
			return true
		}
	}
	return false
}

// print writes what was found, without the signature.
func (e explanation) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	kind := kinds[e.Header.Type]
	if kind == "" {
		kind = "no token of Mooring"
	}
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, printable(value)) // told by Flush
		}
	}
	line("kind", kind)
	line("issuer", e.Claims.Issuer)
	line("account", e.account())
	line("client", e.Claims.Subject)
	line("acting", e.Claims.Actor.Subject)
	line("scopes", e.Claims.Scope)
	if e.Claims.IssuedAt != 0 {
		line("issued", time.Unix(e.Claims.IssuedAt, 0).UTC().Format(time.RFC3339))
		line("ends", time.Unix(e.Claims.ExpiresAt, 0).UTC().Format(time.RFC3339))
	}
	line("signed", strings.TrimSpace(e.Header.Algorithm+" "+e.Header.Key))
	for _, why := range e.refused {
		line("refused", why)
	}
	for _, what := range e.unknown {
		line("not known", what)
	}
	if len(e.refused) == 0 {
		line("verdict", "nothing speaks against it")
	}
	return table.Flush()
}
