package access_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"mooring/internal/access"
	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// claimsOf reads a token without checking it.
func claimsOf(t testing.TB, token access.Token) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token.AccessToken.Reveal(), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestAClientGetsATokenForItsSecret(t *testing.T) {
	for _, algorithm := range []auth.Algorithm{auth.RS256, auth.ES256, auth.EdDSA} {
		m := newMemory()
		l := m.addClient(merchant)
		cfg := config(t, m)
		cfg.Algorithm = algorithm
		cfg.Now = func() time.Time { return time.Date(2026, 9, 1, 12, 0, 0, 999, time.UTC) }
		a := open(t, cfg)
		token, err := a.Issue(t.Context(), ask(l, merchant))
		if err != nil {
			t.Fatal(err)
		}
		claims := claimsOf(t, token)
		id, _ := uuid.Parse(fmt.Sprint(claims["jti"]))
		if id.Version() != 7 {
			t.Errorf("jti is %v", claims["jti"])
		}
		delete(claims, "jti")
		want := map[string]any{
			"iss": public, "sub": l.id, "client_id": l.id, "aud": "https://T11223351@pay.example.com/v1/accounts/T11223351",
			"scope": allScopes.String(), "scopes": allScopes.String(), "version": 2.0, "iat": 1788264000.0, "exp": 1788278400.0,
		}
		if diff := cmp.Diff(want, claims); diff != "" {
			t.Error(diff)
		}
		if token.ExpiresIn != 14400 || token.Scope != allScopes.String() {
			t.Errorf("answered %d s and %q", token.ExpiresIn, token.Scope)
		}
		if out := fmt.Sprintf("%v %+v %#v", token, token, token); strings.Contains(out, token.AccessToken.Reveal()) {
			t.Errorf("a token is printed: %s", out)
		}
	}
}

func TestEveryTokenOfABurstIsGoodAndItsOwn(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	cfg := config(t, m)
	cfg.Algorithm = auth.RS256
	a := open(t, cfg)
	var (
		burst sync.WaitGroup
		mu    sync.Mutex
		seen  = map[string]bool{}
	)
	for range 64 {
		burst.Go(func() {
			token, err := a.Issue(t.Context(), ask(l, merchant))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := a.Verify(t.Context(), []string{"Bearer " + token.AccessToken.Reveal()}); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[token.AccessToken.Reveal()] = true
		})
	}
	burst.Wait()
	if len(seen) != 64 {
		t.Errorf("%d different tokens", len(seen))
	}
}

func TestTheLifeOfATokenIsASetting(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	cfg := config(t, m)
	cfg.TokenLife = time.Hour + time.Millisecond
	token, err := open(t, cfg).Issue(t.Context(), ask(l, merchant))
	if err != nil {
		t.Fatal(err)
	}
	claims := claimsOf(t, token)
	if life := claims["exp"].(float64) - claims["iat"].(float64); token.ExpiresIn != 3600 || life != 3600 {
		t.Errorf("says %d s and lives %v s", token.ExpiresIn, life)
	}
}

func TestCredentialsMayBePercentEncoded(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	a := open(t, config(t, m))
	everyByte := func(s string) string {
		var out strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&out, "%%%02X", s[i])
		}
		return out.String()
	}
	for name, given := range map[string]login{
		"raw": l, "encoded": {url.QueryEscape(l.id), url.QueryEscape(l.secret)}, "every byte encoded": {everyByte(l.id), everyByte(l.secret)},
		"only the id": {everyByte(l.id), l.secret}, "only the secret": {l.id, everyByte(l.secret)},
		"hyphens": {strings.ReplaceAll(l.id, "-", "%2d"), strings.ReplaceAll(l.secret, "_", "%5f")},
	} {
		if _, err := a.Issue(t.Context(), ask(given, merchant)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryRefusedLoginLooksAlikeAndCostsTheSame(t *testing.T) {
	m := newMemory()
	l, other := m.addClient(merchant), m.addClient(neighbor)
	a := open(t, config(t, m))
	disabled, expired, bare, rotated := m.addClient(merchant), m.addClient(merchant), m.addClient(merchant), m.addClient(merchant)
	m.edit(disabled.id, func(c *auth.Client) { c.Disabled = true })
	m.edit(expired.id, func(c *auth.Client) { c.Secrets[0].ExpiresAt = time.Now().Add(-time.Hour) })
	m.edit(bare.id, func(c *auth.Client) { c.Secrets = nil })
	_, fresh := auth.NewSecret(time.Now(), uuid.NewString)
	m.edit(rotated.id, func(c *auth.Client) { c.Secrets = []auth.SecretHash{fresh} })
	m.looked()
	for name, given := range map[string]login{
		"unknown client": {uuid.NewString(), l.secret}, "no id": {"", l.secret}, "no secret": {l.id, ""}, "nothing": {},
		"right secret of another client": {l.id, other.secret}, "client of another account": other, "disabled": disabled, "expired": expired,
		"client without secret": bare, "client without secret, none given": {bare.id, ""}, "rotated out": rotated,
		"one byte less": {l.id, l.secret[:len(l.secret)-1]}, "one byte more": {l.id, l.secret + "0"}, "secret twice": {l.id, l.secret + l.secret},
		"trailing NUL": {l.id, l.secret + "\x00"}, "encoded trailing NUL": {l.id, l.secret + "%00"}, "trailing newline": {l.id, l.secret + "\n"},
		"other case": {l.id, strings.ToUpper(l.secret)}, "id in other case": {strings.ToUpper(l.id), l.secret}, "id with a blank": {l.id + " ", l.secret},
		"id with a plus": {l.id + "+", l.secret}, "id in braces": {"{" + l.id + "}", l.secret}, "id as URN": {"urn:uuid:" + l.id, l.secret},
		"id without hyphens": {strings.ReplaceAll(l.id, "-", ""), l.secret}, "id and secret swapped": {l.secret, l.id}, "encoded twice": {strings.ReplaceAll(l.id, "-", "%252d"), l.secret},
		"not UTF-8": {"\xff\xfe", "\xff"}, "NUL": {"\x00", "\x00"}, "encoded NUL": {"%00", "%00"}, "bad encoding": {"%zz", "%"}, "one MB": {strings.Repeat("a", 1<<20), strings.Repeat("a", 1<<20)},
		"SQL": {"' OR '1'='1", "' OR '1'='1"}, "colon in the secret": {l.id, ":" + l.secret}, "nil UUID": {uuid.Nil.String(), l.secret},
	} {
		for _, form := range []bool{false, true} {
			q := ask(given, merchant)
			q.Form = form
			_, err := a.Issue(t.Context(), q)
			denied(t, name, err)
			looked := m.looked()
			if len(looked) != 1 || len(looked[0]) != len("client ")+36 {
				t.Errorf("%s: asked the database for %v, want one client", name, looked)
			}
		}
	}
}

func TestTheOwnerMayBeNamedInThePathOfItsClient(t *testing.T) {
	m := newMemory()
	l := m.addClient(partner)
	a := open(t, config(t, m))
	for _, audience := range []string{"/v1/accounts/T112", "/v1/accounts/T11200000"} {
		q := ask(l, partner)
		q.Audience = public + audience
		token, err := a.Issue(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if aud := claimsOf(t, token)["aud"]; aud != "https://T11200000@pay.example.com/v1/accounts/T11200000" {
			t.Errorf("aud is %v", aud)
		}
	}
}

func TestOtherGrantTypesAreRefused(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	a := open(t, config(t, m))
	for _, grant := range []string{"", "password", "refresh_token", "authorization_code", "Client_Credentials", "client_credentials ", "account_user", "urn:ietf:params:oauth:grant-type:jwt-bearer"} {
		q := ask(l, merchant)
		q.GrantType = grant
		_, err := a.Issue(t.Context(), q)
		if f := fault.From(err); f.Kind != fault.Invalid || f.Code != "UNSUPPORTED_GRANT_TYPE" || f.Problems[0].Path != "#/grant_type" {
			t.Errorf("%q: %#v", grant, f)
		}
	}
}

func TestTheAudienceMustBeThatOfAGrant(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	a := open(t, config(t, m))
	for _, c := range []struct {
		audience string
		path     account.ID
		kind     fault.Kind
		code     string
		problem  string
	}{
		{public + "/v1/accounts/T11223352", merchant, fault.Forbidden, fault.CodeForbidden, ""},
		{public + "/v1/accounts/T99999999", merchant, fault.Forbidden, fault.CodeForbidden, ""},
		{public + "/v1/accounts/P11223351", merchant, fault.Forbidden, fault.CodeForbidden, ""},
		{public + "/v1/accounts/T11223352", "", fault.Forbidden, fault.CodeForbidden, ""},
		{public + "/v1/accounts/T11223351/", merchant, fault.Invalid, auth.CodeInvalidTarget, "INVALID_TARGET"},
		{"https://evil.example.com/v1/accounts/T11223351", merchant, fault.Invalid, auth.CodeInvalidTarget, "INVALID_TARGET"},
		{"https://T11223352@pay.example.com/v1/accounts/T11223351", merchant, fault.Invalid, auth.CodeInvalidTarget, "INVALID_TARGET"},
		{"x", "", fault.Invalid, auth.CodeInvalidTarget, "INVALID_TARGET"},
	} {
		q := ask(l, c.path)
		q.Audience = c.audience
		_, err := a.Issue(t.Context(), q)
		f := fault.From(err)
		var problem string
		if len(f.Problems) == 1 && f.Problems[0].Path == "#/audience" {
			problem = f.Problems[0].Code
		}
		if f.Kind != c.kind || f.Code != c.code || problem != c.problem {
			t.Errorf("%q: %#v", c.audience, f)
		}
	}
}

func TestWithoutAudienceATokenIsForTheClientsOwnAccount(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	a := open(t, config(t, m))
	for _, path := range []account.ID{"", merchant} {
		q := ask(l, path)
		q.Audience = ""
		token, err := a.Issue(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if aud := claimsOf(t, token)["aud"]; aud != "https://T11223351@pay.example.com/v1/accounts/T11223351" {
			t.Errorf("under path account %q: %v", path, aud)
		}
	}
}

func TestAFormMayAskForLessThanIsGranted(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	a := open(t, config(t, m))
	for _, c := range []struct {
		form        bool
		scope, want string // want "" when refused
	}{
		{true, "", allScopes.String()},
		{true, "read:accounts", "read:accounts"},
		{true, "read:accounts admin:accounts", "admin:accounts read:accounts"},
		{true, "read:accounts read:accounts", "read:accounts"},
		{false, "read:accounts", allScopes.String()},
		{false, "nonsense", allScopes.String()},
		{true, "operator:connections", ""},
		{true, "read:accounts operator:connections", ""},
		{true, "read:account", ""},
		{true, "READ:ACCOUNTS", ""},
		{true, "read:accounts,write:accounts", ""},
		{true, " read:accounts", ""},
		{true, "read:accounts  write:accounts", ""},
		{true, " ", ""},
		{true, "read:accounts\n", ""},
		{true, "read:accounts\twrite:accounts", ""},
		{true, `["read:accounts"]`, ""},
		{true, "\xff", ""},
		{true, "read:accounts:/x", ""},
		{true, "*", ""},
	} {
		q := ask(l, merchant)
		q.Form, q.Scope = c.form, c.scope
		token, err := a.Issue(t.Context(), q)
		if c.want == "" {
			if f := fault.From(err); f.Kind != fault.Invalid || f.Code != "INVALID_SCOPE" || f.Problems[0].Path != "#/scope" {
				t.Errorf("%q: %#v", c.scope, f)
			}
			continue
		}
		if err != nil || token.Scope != c.want || claimsOf(t, token)["scope"] != c.want {
			t.Errorf("%q: %q, %v", c.scope, token.Scope, err)
		}
		caller, err := a.Verify(t.Context(), []string{"Bearer " + token.AccessToken.Reveal()})
		if err != nil || caller.Scopes.String() != c.want {
			t.Errorf("%q: caller has %v, %v", c.scope, caller.Scopes, err)
		}
	}
}

func TestAFailingDatabaseIsNoRefusal(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	a := open(t, config(t, m))
	header := issue(t, a, l, merchant)
	away := fault.New(fault.Unavailable, fault.CodeUnavailable, "away")
	m.setFailing(away)
	if _, err := a.Issue(t.Context(), ask(l, merchant)); !errors.Is(err, away) || fault.From(err).Kind != fault.Unavailable {
		t.Errorf("issue: %v", err)
	}
	if _, err := a.Verify(t.Context(), header); !errors.Is(err, away) || fault.From(err).Kind != fault.Unavailable {
		t.Errorf("verify: %v", err)
	}
}

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestFailedLoginsAreLimited(t *testing.T) {
	m := newMemory()
	l, second := m.addClient(merchant), m.addClient(merchant)
	now := &clock{time.Now()}
	cfg := config(t, m)
	cfg.Now, cfg.LoginFailuresPerMinute = now.now, 6
	a := open(t, cfg)
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	try := func(l login, remote netip.Addr) *fault.Fault {
		q := ask(l, merchant)
		q.Remote = remote
		_, err := a.Issue(t.Context(), q)
		if err == nil {
			return nil
		}
		return fault.From(err)
	}
	for range 100 {
		if f := try(second, here); f != nil {
			t.Fatalf("a client that knows its secret: %v", f)
		}
	}
	spellings := []string{l.id, strings.ToUpper(l.id), url.QueryEscape(l.id) + "+", "%20" + l.id, strings.ReplaceAll(l.id, "-", "%2d"), l.id + "\n"}
	for i := range 6 {
		if f := try(login{spellings[i], "wrong"}, here); f == nil || f.Kind != fault.Unauthenticated {
			t.Fatalf("failure %d: %v", i, f)
		}
	}
	m.looked()
	for _, id := range spellings {
		f := try(login{id, l.secret}, here)
		if f == nil || f.Kind != fault.TooMany || f.Code != fault.CodeTooMany || f.RetryAfter <= 0 || f.RetryAfter > 10*time.Second {
			t.Errorf("after the limit, %q: %#v", id, f)
		}
	}
	if looked := m.looked(); looked != nil {
		t.Errorf("a secret was looked at beyond the limit: %v", looked)
	}
	if f := try(l, there); f != nil {
		t.Errorf("elsewhere: %v", f)
	}
	if f := try(second, here); f != nil {
		t.Errorf("another client at the same address: %v", f)
	}
	now.at = now.at.Add(10*time.Second + time.Millisecond)
	if f := try(l, here); f != nil {
		t.Errorf("when one more try is free: %v", f)
	}
}

func TestAnAddressIsLimitedAcrossClients(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	now := &clock{time.Now()}
	cfg := config(t, m)
	cfg.Now, cfg.LoginFailuresPerMinute = now.now, 2
	a := open(t, cfg)
	try := func(l login, remote string) fault.Kind {
		q := ask(l, merchant)
		q.Remote = netip.MustParseAddr(remote)
		_, err := a.Issue(t.Context(), q)
		if err == nil {
			return 0
		}
		return fault.From(err).Kind
	}
	for i := range 20 {
		// One customer has a whole /64.
		if kind := try(login{uuid.NewString(), "wrong"}, fmt.Sprintf("2001:db8::%x", i)); kind != fault.Unauthenticated {
			t.Fatalf("failure %d: %v", i, kind)
		}
	}
	for remote, want := range map[string]fault.Kind{
		"2001:db8::ffff": fault.TooMany, "2001:db8:0:1::1": 0, "192.0.2.1": 0,
	} {
		if kind := try(l, remote); kind != want {
			t.Errorf("%s: %v, want %v", remote, kind, want)
		}
	}
	now.at = now.at.Add(3*time.Second + time.Millisecond)
	if kind := try(l, "2001:db8::1"); kind != 0 {
		t.Errorf("a moment later: %v", kind)
	}
}

func TestRefusedRequestsOfAKnownClientAreNoFailedLogins(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	cfg := config(t, m)
	cfg.LoginFailuresPerMinute = 1
	a := open(t, cfg)
	for range 50 {
		q := ask(l, merchant)
		q.Audience = "x"
		if _, err := a.Issue(t.Context(), q); fault.From(err).Kind != fault.Invalid {
			t.Fatal(err)
		}
	}
}

// FuzzCredentials: whatever is sent as Basic credentials, only the right ones,
// in some encoding, get a token, and the rest gets the one refusal.
func FuzzCredentials(f *testing.F) {
	m := newMemory()
	l := m.addClient(merchant)
	cfg := config(f, m)
	cfg.LoginFailuresPerMinute = 1e9
	a := open(f, cfg)
	f.Add(l.id, l.secret)
	f.Add(strings.ReplaceAll(l.id, "-", "%2D"), strings.ReplaceAll(l.secret, "_", "%5F"))
	f.Add("%", "%zz")
	f.Add("+", "\x00\xff")
	f.Fuzz(func(t *testing.T, id, secret string) {
		_, err := a.Issue(context.Background(), ask(login{id, secret}, merchant))
		reads := func(sent, meant string) bool {
			decoded, err := url.PathUnescape(sent)
			return sent == meant || err == nil && decoded == meant
		}
		if want := reads(id, l.id) && reads(secret, l.secret); (err == nil) != want {
			t.Fatalf("%q %q: %v", id, secret, err)
		}
		if err != nil {
			denied(t, id, err)
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	for _, algorithm := range []auth.Algorithm{auth.RS256, auth.ES256, auth.EdDSA} {
		m := newMemory()
		l := m.addClient(merchant)
		cfg := config(b, m)
		cfg.Algorithm = algorithm
		a := open(b, cfg)
		b.Run(string(algorithm), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Issue(b.Context(), ask(l, merchant)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestAProcessIssuesNoTokenForAWorldThatItDoesNotServe(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	cfg := config(t, m)
	cfg.Serves = func(id account.ID) bool { return id.World() == account.Production }
	a := open(t, cfg)
	for _, path := range []account.ID{"", merchant} {
		q := ask(l, path)
		q.Audience = ""
		if _, err := a.Issue(t.Context(), q); fault.From(err).Kind != fault.Forbidden {
			t.Errorf("under path account %q: %v", path, err)
		}
	}
}
