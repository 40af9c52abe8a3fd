package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"mooring/internal/account"
)

const reference = "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01"

var testCallback = CallbackClaims{
	Account: "T11223351", Callback: Callback{Provider: "vipps", Reference: reference},
	ID: "01990000-0000-7000-8000-000000000001", IssuedAt: testNow, ExpiresAt: testNow.Add(MaxCallbackLife),
}

func testCallbackToken(t testing.TB, algorithm Algorithm) string {
	t.Helper()
	token, err := testRing(t, algorithm).SignCallback(t.Context(), testCallback)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// refusedCallback wants that neither verification takes any of the tokens.
func refusedCallback(t *testing.T, ring *Keyring, tokens map[string]string) {
	t.Helper()
	refused(t, ring, tokens)
	for name, token := range tokens {
		claims, err := ring.VerifyCallback(token, testNow)
		if err == nil || claims != (CallbackClaims{}) {
			t.Errorf("%s: accepted as a callback token", name)
		}
		if len(token) > MaxToken && err != errTooLong {
			t.Errorf("%s: looked at, though it is too long: %v", name, err)
		}
	}
}

func TestACallbackTokenSpeaksOfOneSignupAndNothingElse(t *testing.T) {
	for _, algorithm := range algorithms {
		key := testKeys()[algorithm][0]
		header, payload, _ := parts(t, testCallbackToken(t, algorithm))
		if want := fmt.Sprintf(`{"alg":"%s","kid":"%s","typ":"callback+jwt"}`, algorithm, key.ID()); header != want {
			t.Errorf("header is %s, want %s", header, want)
		}
		want := `{"iss":"https://pay.example.com","sub":"` + reference + `",` +
			`"aud":"https://pay.example.com/v1/accounts/T11223351/connections/vipps/signups/` + reference + `",` +
			`"scope":"write:accounts:/management/settings/connections/vipps",` +
			`"iat":1788264000,"exp":1790856000,"jti":"01990000-0000-7000-8000-000000000001"}`
		if payload != want {
			t.Errorf("payload is %s, want %s", payload, want)
		}
	}
}

func TestEveryAlgorithmVerifiesTheCallbackTokensThatItSigned(t *testing.T) {
	for _, algorithm := range algorithms {
		token := testCallbackToken(t, algorithm)
		ring := testRing(t, RS256)
		claims, err := ring.VerifyCallback(token, testNow)
		if err != nil || claims != testCallback || ring.Type(token) != CallbackToken {
			t.Errorf("%s: %v, %v", algorithm, claims, err)
		}
		header, payload, _ := parts(t, token)
		if _, err := ring.VerifyCallback(forge(t, testKeys()[algorithm][0], header, payload), testNow); err != nil {
			t.Errorf("%s, signed by the standard library: %v", algorithm, err)
		}
	}
}

func TestACallbackTokenIsGoodUntilItsLastSecond(t *testing.T) {
	token := testCallbackToken(t, EdDSA)
	ring := testRing(t, EdDSA)
	for after, good := range map[time.Duration]bool{
		-maxAhead - time.Second: false, -maxAhead: true, 0: true, MaxCallbackLife - time.Nanosecond: true, MaxCallbackLife: false, 2 * MaxCallbackLife: false,
	} {
		if _, err := ring.VerifyCallback(token, testNow.Add(after)); (err == nil) != good {
			t.Errorf("%s after it was issued: %v", after, err)
		}
	}
}

// Neither kind of token is ever taken for the other: not as it is, not with
// the other's header or payload, signed anew with our own key.
func TestAnAccessTokenIsNoCallbackTokenAndTheOtherWayRound(t *testing.T) {
	for _, algorithm := range algorithms {
		key := testKeys()[algorithm][0]
		ring := testRing(t, algorithm)
		access, callback := testToken(t, algorithm), testCallbackToken(t, algorithm)
		accessHeader, accessPayload, accessSignature := parts(t, access)
		callbackHeader, callbackPayload, callbackSignature := parts(t, callback)
		if _, err := ring.VerifyCallback(access, testNow); err == nil || ring.Type(access) == CallbackToken {
			t.Errorf("%s: an access token passes as callback token", algorithm)
		}
		if _, err := ring.Verify(callback, testNow); err == nil {
			t.Errorf("%s: a callback token passes as access token", algorithm)
		}
		refusedCallback(t, ring, map[string]string{
			"access claims in a callback token":          forge(t, key, callbackHeader, accessPayload),
			"callback claims in an access token":         forge(t, key, accessHeader, callbackPayload),
			"callback header before an access token":     b64(callbackHeader) + "." + b64(accessPayload) + "." + accessSignature,
			"access header before a callback token":      b64(accessHeader) + "." + b64(callbackPayload) + "." + callbackSignature,
			"access claims with the callback's audience": forge(t, key, accessHeader, strings.Replace(accessPayload, testAudiences.Format("T11223351"), testAudiences.CallbackURL("T11223351", testCallback.Callback), 1)),
			"callback claims with the account audience":  forge(t, key, callbackHeader, strings.Replace(callbackPayload, testAudiences.CallbackURL("T11223351", testCallback.Callback), testAudiences.Format("T11223351"), 1)),
			"both kinds of type, access first":           forge(t, key, strings.Replace(callbackHeader, `"typ"`, `"typ":"at+jwt","typ"`, 1), callbackPayload),
			"both kinds of type, callback first":         forge(t, key, strings.Replace(accessHeader, `"typ"`, `"typ":"callback+jwt","typ"`, 1), accessPayload),
		})
	}
}

func TestACallbackTokenOfAnotherShapeOrHeaderIsRefused(t *testing.T) {
	for _, algorithm := range algorithms {
		key, other := testKeys()[algorithm][0], testKeys()[algorithm][1]
		token := testCallbackToken(t, algorithm)
		p := strings.Split(token, ".")
		header, payload, signature := parts(t, token)
		jwk, err := json.Marshal(other.jwk)
		if err != nil {
			t.Fatal(err)
		}
		tokens := map[string]string{
			"empty": "", "one MB": strings.Repeat("a", 1<<20), "a million dots": strings.Repeat(".", 1e6), "two dots": "..",
			"two parts": p[0] + "." + p[1], "four parts": token + ".x", "five parts": token + ".x.y", "no signature": p[0] + "." + p[1] + ".",
			"padded": p[0] + "." + p[1] + "=." + p[2], "line break": p[0] + "." + p[1] + "\n." + p[2], "NUL": token + "\x00", "doubled": token + token,
			"another key's signature": forge(t, other, header, payload),
			"signature of nothing":    p[0] + "." + p[1] + "." + b64(strings.Repeat("\x00", len(unb64(t, signature)))),
		}
		headers := map[string]string{
			"alg none":    strings.Replace(header, `"`+string(algorithm)+`"`, `"none"`, 1),
			"alg missing": strings.Replace(header, `"alg":"`+string(algorithm)+`",`, "", 1),
			"alg HS256":   strings.Replace(header, `"`+string(algorithm)+`"`, `"HS256"`, 1),
			"other kid":   strings.Replace(header, key.ID(), other.ID(), 1),
			"no kid":      strings.Replace(header, `"kid":"`+key.ID()+`",`, "", 1),
			"path kid":    strings.Replace(header, key.ID(), "../../etc/passwd", 1),
			"jwk":         strings.TrimSuffix(header, "}") + `,"jwk":` + string(jwk) + "}",
			"jku":         strings.TrimSuffix(header, "}") + `,"jku":"https://evil.example.com/keys"}`,
			"crit":        strings.TrimSuffix(header, "}") + `,"crit":["exp"]}`,
			"zip":         strings.TrimSuffix(header, "}") + `,"zip":"DEF"}`,
			"blank":       header + " ",
			"order":       fmt.Sprintf(`{"typ":"callback+jwt","alg":"%s","kid":"%s"}`, algorithm, key.ID()),
		}
		for _, typ := range []string{`"JWT"`, `"CALLBACK+JWT"`, `"application/callback+jwt"`, `"callback"`, `"exchange+jwt"`, `""`, `null`, `["callback+jwt"]`} {
			headers["typ "+typ] = strings.Replace(header, `"callback+jwt"`, typ, 1)
		}
		for name, h := range headers {
			if h == header {
				t.Fatalf("%s: nothing changed", name)
			}
			tokens[name+", signed with our key"] = forge(t, key, h, payload)
			tokens[name+", unsigned"] = b64(h) + "." + b64(payload) + "."
			for kind, secret := range publicForms(t, key) {
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(b64(h) + "." + b64(payload)))
				tokens[name+", HMAC with "+kind] = b64(h) + "." + b64(payload) + "." + b64(string(mac.Sum(nil)))
			}
		}
		refusedCallback(t, testRing(t, algorithm), tokens)
	}
}

func TestACallbackTokenWithOtherClaimsIsRefusedThoughSigned(t *testing.T) {
	key := testKeys()[EdDSA][0]
	header, payload, _ := parts(t, testCallbackToken(t, EdDSA))
	const sub = `"sub":"` + reference + `"`
	const aud = `"aud":"https://pay.example.com/v1/accounts/T11223351/connections/vipps/signups/` + reference + `"`
	const other = "01990f29-1a00-7d15-a0c2-5e2d7b9f1c02"
	tokens := map[string]string{}
	for _, change := range [][2]string{ // from, to
		{`"iat":1788264000,"exp":1790856000`, `"iat":1788200000,"exp":1788264000`}, // expired
		{`"exp":1790856000`, `"exp":1790856001`},                                   // longer than any of ours
		{`"exp":1790856000`, `"exp":4790856000`},
		{`"exp":1790856000`, `"exp":"1790856000"`},
		{`"exp":1790856000`, `"exp":1790856000.0`},
		{`"exp":1790856000`, `"exp":-1`},
		{`"exp":1790856000`, `"exp":9223372036854775808`},
		{`"exp":1790856000,`, ``},
		{`"exp":1790856000`, `"exp":1790856000,"nbf":1788264000`},
		{`"iat":1788264000`, `"iat":1788264061`},
		{`"iat":1788264000,`, ``},
		{`"iss":"https://pay`, `"iss":"https://other`},
		{`"iss":"https`, `"iss":"http`},
		{`"iss":"https://pay.example.com",`, ``},
		{aud, strings.Replace(aud, "T11223351", "T112", 1)},
		{aud, strings.Replace(aud, "T11223351", "t11223351", 1)},
		{aud, strings.Replace(aud, "/vipps/", "/swish/", 1)},
		{aud, strings.Replace(aud, "/vipps/", "//", 1)},
		{aud, strings.Replace(aud, "/vipps/", "/vipps/signups/", 1)},
		{aud, strings.Replace(aud, reference, other, 1)},
		{aud, strings.Replace(aud, "/signups/", "/events/", 1)},
		{aud, strings.TrimSuffix(aud, `"`) + `/"`},
		{aud, strings.TrimSuffix(aud, `"`) + `/events"`},
		{aud, strings.Replace(aud, "https://pay.", "https://T11223351@pay.", 1)},
		{aud, strings.Replace(aud, "pay.example.com", "api.dintero.com", 1)},
		{aud, `"aud":["https://pay.example.com/v1/accounts/T11223351/connections/vipps/signups/` + reference + `"]`},
		{aud, `"aud":""`},
		{aud + ",", ``},
		{sub, `"sub":"` + other + `"`},
		{sub, `"sub":""`},
		{sub, `"sub":1`},
		{sub, sub + "," + sub},
		{sub, sub + `,"SUB":"x"`},
		{sub + ",", ``},
		{sub, sub + `,"client_id":"` + reference + `"`},
		{`connections/vipps","iat"`, `connections/swish","iat"`},
		{`"scope":"write:accounts:/management/settings/connections/vipps"`, `"scope":"write:accounts"`},
		{`"scope":"write:accounts:/management/settings/connections/vipps"`, `"scope":"write:accounts:/management/settings/connections/vipps admin:accounts"`},
		{`"scope":"write:accounts:/management/settings/connections/vipps"`, `"scope":"operator:connections"`},
		{`"scope":"write:accounts:/management/settings/connections/vipps",`, ``},
		{`"jti":"01990000-0000-7000-8000-000000000001"`, `"jti":""`},
		{`,"jti":"01990000-0000-7000-8000-000000000001"`, ``},
		{`{"iss"`, `{ "iss"`},
		{payload, payload + "\n"},
		{payload, payload + payload},
		{payload, `[` + payload + `]`},
		{payload, `null`},
		{payload, `{}`},
		{payload, ``},
	} {
		bent := strings.Replace(payload, change[0], change[1], 1)
		if bent == payload {
			t.Fatalf("nothing changed by %s", change[0])
		}
		tokens[fmt.Sprintf("%.90s for %.60s", change[1], change[0])] = forge(t, key, header, bent)
	}
	refusedCallback(t, testRing(t, RS256), tokens)
	if _, err := testRing(t, RS256).VerifyCallback(forge(t, key, header, payload), testNow); err != nil {
		t.Errorf("the unchanged payload: %v", err)
	}
}

func TestACallbackTokenOfAnotherServiceOrKeyIsRefused(t *testing.T) {
	token := testCallbackToken(t, EdDSA)
	for name, c := range map[string]struct {
		keys      []*Key
		audiences Audiences
		want      error
	}{
		"rotated out":     {[]*Key{testKeys()[EdDSA][1]}, testAudiences, errHeader},
		"another service": {[]*Key{testKeys()[EdDSA][0]}, NewAudiences("https://other.example.com", true), errIssuer},
		"its own":         {[]*Key{testKeys()[EdDSA][0]}, testAudiences, nil},
	} {
		ring, err := NewKeyring(c.keys, EdDSA, c.audiences)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ring.VerifyCallback(token, testNow); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestACallbackTokenOfThePlatformCoversItsOwnAccountOnly(t *testing.T) {
	access := Caller{Account: "T00000000"}
	callback := Caller{Account: "T00000000", Callback: &testCallback.Callback}
	for id, want := range map[account.ID][2]bool{"T00000000": {true, true}, "T11223351": {true, false}, "P00000000": {false, false}} {
		if access.Covers(id) != want[0] || callback.Covers(id) != want[1] {
			t.Errorf("%s: access %v, callback %v", id, access.Covers(id), callback.Covers(id))
		}
	}
}
