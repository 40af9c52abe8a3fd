package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var testExchange = ExchangeClaims{
	Client: testClaims.Client, Account: "T11223351", Actor: "T11200000", Scopes: Scopes{ScopeReadAccounts},
	IssuedAt: testNow, ExpiresAt: testNow.Add(MaxExchangeLife), ID: "01990000-0000-7000-8000-000000000002",
}

func TestEveryAlgorithmVerifiesTheExchangeTokensThatItSigned(t *testing.T) {
	for _, algorithm := range algorithms {
		ring := testRing(t, algorithm)
		token, err := ring.SignExchange(t.Context(), testExchange)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := ring.VerifyExchange(token, testNow)
		if diff := cmp.Diff(testExchange, claims); diff != "" || err != nil || ring.Type(token) != ExchangeToken {
			t.Errorf("%s: %v %s", algorithm, err, diff)
		}
		if header, _, _ := parts(t, token); !strings.HasSuffix(header, `"typ":"exchange+jwt"}`) {
			t.Errorf("%s: header is %s", algorithm, header)
		}
		if _, err := ring.Verify(token, testNow); err == nil {
			t.Errorf("%s: taken as an access token", algorithm)
		}
		if _, err := ring.VerifyCallback(token, testNow); err == nil {
			t.Errorf("%s: taken as a callback token", algorithm)
		}
		for _, other := range []string{testToken(t, algorithm), testCallbackToken(t, algorithm)} {
			if _, err := ring.VerifyExchange(other, testNow); err == nil {
				t.Errorf("%s: another kind is taken as an exchange token", algorithm)
			}
		}
	}
}

func TestAnExchangeTokenWithOtherClaimsIsRefusedThoughSigned(t *testing.T) {
	key := testKeys()[EdDSA][0]
	ring := testRing(t, EdDSA)
	token, err := ring.SignExchange(t.Context(), testExchange)
	if err != nil {
		t.Fatal(err)
	}
	header, payload, _ := parts(t, token)
	for name, change := range map[string][2]string{
		"another issuer":        {`"iss":"https://pay.example.com"`, `"iss":"https://pay.example.org"`},
		"the account alone":     {`/auth/token"`, `"`},
		"two audiences":         {`"aud":"https://pay.example.com/v1/accounts/T11223351/auth/token"`, `"aud":["https://pay.example.com/v1/accounts/T11223351/auth/token"]`},
		"the short spelling":    {`accounts/T11223351/`, `accounts/T112/`},
		"another client":        {`"client_id":"` + testClaims.Client, `"client_id":"x` + testClaims.Client},
		"no actor":              {`"act":{"sub":"T11200000"},`, ``},
		"an actor that is none": {`"sub":"T11200000"`, `"sub":"me"`},
		"two actors":            {`"act":{"sub":"T11200000"}`, `"act":{"sub":"T11200000","act":{"sub":"T00000000"}}`},
		"61 seconds":            {`"exp":1788264060`, `"exp":1788264061`},
		"no id":                 {`"jti":"` + testExchange.ID + `"`, `"jti":""`},
		"a member more":         {`"jti":`, `"x":1,"jti":`},
	} {
		changed := strings.Replace(payload, change[0], change[1], 1)
		if changed == payload {
			t.Fatalf("%s: nothing to change in %s", name, payload)
		}
		if _, err := ring.VerifyExchange(forge(t, key, header, changed), testNow); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := ring.VerifyExchange(forge(t, key, header, payload), testNow); err != nil {
		t.Errorf("unchanged: %v", err)
	}
	if _, err := ring.VerifyExchange(token, testNow.Add(time.Minute)); err == nil {
		t.Error("accepted after a minute")
	}
}

func TestATokenOfAPartnerWhoActsSaysSo(t *testing.T) {
	ring := testRing(t, EdDSA)
	acting := testClaims
	acting.Actor = "T11200000"
	token, err := ring.Sign(t.Context(), acting)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := ring.Verify(token, testNow)
	if diff := cmp.Diff(acting, claims); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	header, payload, _ := parts(t, token)
	for _, other := range []string{`,"act":{}`, `,"act":null`, `,"act":{"sub":""}`, `,"act":{"sub":"T112"}`, `,"act":"T11200000"`} {
		changed := strings.Replace(payload, `,"act":{"sub":"T11200000"}`, other, 1)
		if _, err := ring.Verify(forge(t, testKeys()[EdDSA][0], header, changed), testNow); err == nil || changed == payload {
			t.Errorf("%s: accepted", other)
		}
	}
}

func TestAProvidersClientCoversItsOwnersAccountAlone(t *testing.T) {
	c := Caller{Account: "T00000000", Provider: "vipps"}
	if !c.Covers("T00000000") || c.Covers("T11200000") {
		t.Error("covers more than its own account, or less")
	}
}
