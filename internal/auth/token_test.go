package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

var (
	testAudiences = NewAudiences("https://pay.example.com", true)
	testNow       = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	testClaims    = Claims{
		Client: "6a2cf0f3-7f55-4a2a-9a50-51c5d1a2d0f1", Account: "T11223351",
		Scopes: Scopes{ScopeAdminAccounts, ScopeReadAccounts}, ID: "01990000-0000-7000-8000-000000000000",
		IssuedAt: testNow, ExpiresAt: testNow.Add(4 * time.Hour),
	}
)

// testRing verifies the first key of each algorithm.
func testRing(t testing.TB, sign Algorithm) *Keyring {
	t.Helper()
	var keys []*Key
	for _, algorithm := range algorithms {
		keys = append(keys, testKeys()[algorithm][0])
	}
	ring, err := NewKeyring(keys, sign, testAudiences)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func testToken(t testing.TB, algorithm Algorithm) string {
	t.Helper()
	token, err := testRing(t, algorithm).Sign(t.Context(), testClaims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func unb64(t testing.TB, s string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// forge signs any header and payload with a private key, by the standard
// library only.
func forge(t testing.TB, key *Key, header, payload string) string {
	t.Helper()
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(string(forgeSignature(t, key, input)))
}

func forgeSignature(t testing.TB, key *Key, input string) []byte {
	t.Helper()
	digest := sha256.Sum256([]byte(input))
	switch private := key.private.(type) {
	case *rsa.PrivateKey:
		signature, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return signature
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		lowerS(signature)
		return signature
	case ed25519.PrivateKey:
		return ed25519.Sign(private, []byte(input))
	}
	t.Fatal("no such key")
	return nil
}

// parts are the decoded header and payload of a good token, and its signature
// as sent.
func parts(t testing.TB, token string) (header, payload, signature string) {
	t.Helper()
	p := strings.Split(token, ".")
	return unb64(t, p[0]), unb64(t, p[1]), p[2]
}

func TestATokenSaysWhatTheDocumentedOnesSay(t *testing.T) {
	for _, algorithm := range algorithms {
		key := testKeys()[algorithm][0]
		header, payload, _ := parts(t, testToken(t, algorithm))
		if want := fmt.Sprintf(`{"alg":"%s","kid":"%s","typ":"at+jwt"}`, algorithm, key.ID()); header != want {
			t.Errorf("header is %s, want %s", header, want)
		}
		want := `{"iss":"https://pay.example.com","sub":"6a2cf0f3-7f55-4a2a-9a50-51c5d1a2d0f1",` +
			`"aud":"https://T11223351@pay.example.com/v1/accounts/T11223351","client_id":"6a2cf0f3-7f55-4a2a-9a50-51c5d1a2d0f1",` +
			`"scope":"admin:accounts read:accounts","scopes":"admin:accounts read:accounts","version":2,` +
			`"iat":1788264000,"exp":1788278400,"jti":"01990000-0000-7000-8000-000000000000"}`
		if payload != want {
			t.Errorf("payload is %s, want %s", payload, want)
		}
	}
}

func TestEveryAlgorithmVerifiesWhatItSigned(t *testing.T) {
	for _, algorithm := range algorithms {
		token := testToken(t, algorithm)
		claims, err := testRing(t, RS256).Verify(token, testNow)
		if err != nil || fmt.Sprint(claims) != fmt.Sprint(testClaims) {
			t.Errorf("%s: %v, %v", algorithm, claims, err)
		}
		header, payload, _ := parts(t, token)
		if _, err := testRing(t, RS256).Verify(forge(t, testKeys()[algorithm][0], header, payload), testNow); err != nil {
			t.Errorf("%s, signed by the standard library: %v", algorithm, err)
		}
	}
}

func TestATokenIsGoodUntilItsLastSecond(t *testing.T) {
	ring, token := testRing(t, EdDSA), testToken(t, EdDSA)
	for at, want := range map[time.Time]error{
		testClaims.ExpiresAt.Add(-time.Second): nil,
		testClaims.ExpiresAt.Add(-1):           nil,
		testClaims.ExpiresAt:                   errExpired,
		testClaims.ExpiresAt.Add(time.Hour):    errExpired,
		testNow.Add(-time.Minute):              nil,
		testNow.Add(-time.Minute - 1):          errEarly,
	} {
		if _, err := ring.Verify(token, at); err != want {
			t.Errorf("at %v: %v, want %v", at, err, want)
		}
	}
}

// refused wants every token refused, a long one before it is looked at.
func refused(t *testing.T, ring *Keyring, tokens map[string]string) {
	t.Helper()
	for name, token := range tokens {
		claims, err := ring.Verify(token, testNow)
		if err == nil || claims.Client != "" {
			t.Errorf("%s: accepted", name)
		}
		if len(token) > MaxToken && err != errTooLong {
			t.Errorf("%s: looked at, though it is too long: %v", name, err)
		}
	}
}

func TestATokenOfAnotherShapeIsRefused(t *testing.T) {
	for _, algorithm := range algorithms {
		token := testToken(t, algorithm)
		p := strings.Split(token, ".")
		tokens := map[string]string{
			"empty": "", "one MB": strings.Repeat("a", 1<<20), "one MB after a good one": token + strings.Repeat("a", 1<<20),
			"a million dots": strings.Repeat(".", 1e6), "no dots": "token", "one part": p[0], "two parts": p[0] + "." + p[1],
			"two dots only": "..", "four parts": token + ".x", "five parts": token + ".x.y", "trailing dot": token + ".", "leading dot": "." + token,
			"no header": "." + p[1] + "." + p[2], "no payload": p[0] + ".." + p[2], "no signature": p[0] + "." + p[1] + ".",
			"two tokens": token + "," + token, "two tokens with a blank": token + ", " + token,
			"JSON": `{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`,
			"JSON general": `{"payload":"` + p[1] + `","signatures":[{"protected":"` + p[0] +
				`","signature":"` + p[2] + `"}]}`,
			"base64 of it": b64(token), "nested": p[0] + "." + b64(token) + "." + p[2],
			"NUL after it": token + "\x00", "newline after it": token + "\n", "blank before it": " " + token, "quoted": `"` + token + `"`,
		}
		for i, name := range []string{"header", "payload", "signature"} {
			bend := func(part string) string {
				q := [3]string{p[0], p[1], p[2]}
				q[i] = part
				return strings.Join(q[:], ".")
			}
			tokens["padded "+name] = bend(p[i] + "=")
			tokens["doubly padded "+name] = bend(p[i] + "==")
			tokens["blank in "+name] = bend(p[i][:4] + " " + p[i][4:])
			tokens["newline in "+name] = bend(p[i][:4] + "\n" + p[i][4:])
			tokens["line break at the end of "+name] = bend(p[i] + "\r\n")
			tokens["NUL in "+name] = bend(p[i] + "\x00")
			tokens["percent in "+name] = bend("%" + p[i][1:])
			tokens["shorter "+name] = bend(p[i][:len(p[i])-1])
			tokens["much shorter "+name] = bend(p[i][:4])
			tokens["doubled "+name] = bend(p[i] + p[i])
			if standard := strings.NewReplacer("-", "+", "_", "/").Replace(p[i]); standard != p[i] {
				tokens["standard base64 in "+name] = bend(standard)
			}
			if bent, ok := otherTrailingBits(p[i]); ok {
				tokens["other unused bits in "+name] = bend(bent)
			}
		}
		refused(t, testRing(t, algorithm), tokens)
	}
}

// otherTrailingBits spells the same bytes with other unused bits, where the
// length leaves any.
func otherTrailingBits(part string) (string, bool) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if len(part)%4 == 0 {
		return "", false
	}
	last := strings.IndexByte(alphabet, part[len(part)-1])
	return part[:len(part)-1] + string(alphabet[last^1]), true
}

func TestAPayloadWithOtherUnusedBitsIsRefusedThoughSigned(t *testing.T) {
	ring := testRing(t, RS256)
	for _, pad := range []string{"", "x", "xx"} {
		claims := testClaims
		claims.ID += pad
		payload, err := encodeClaims(testAudiences, claims)
		if err != nil {
			t.Fatal(err)
		}
		for _, algorithm := range algorithms {
			key := testKeys()[algorithm][0]
			for name, part := range map[string]string{
				"newline": b64(string(payload)) + "\n", "padding": b64(string(payload)) + "=", "standard": strings.NewReplacer("-", "+", "_", "/").Replace(b64(string(payload) + "???>>>")),
			} {
				input := key.access + "." + part
				if _, err := ring.Verify(input+"."+b64(string(forgeSignature(t, key, input))), testNow); err == nil {
					t.Errorf("%s, %s: accepted", algorithm, name)
				}
			}
			bent, ok := otherTrailingBits(b64(string(payload)))
			if input := key.access + "." + bent; ok {
				if _, err := ring.Verify(input+"."+b64(string(forgeSignature(t, key, input))), testNow); err != errEncoding {
					t.Errorf("%s, unused bits: %v", algorithm, err)
				}
			}
		}
	}
}

func TestATokenWithAnotherHeaderIsRefusedThoughSigned(t *testing.T) {
	for _, algorithm := range algorithms {
		key, other := testKeys()[algorithm][0], testKeys()[algorithm][1]
		token := testToken(t, algorithm)
		header, payload, signature := parts(t, token)
		kid := fmt.Sprintf(`"kid":"%s"`, key.ID())
		jwk, err := json.Marshal(other.jwk)
		if err != nil {
			t.Fatal(err)
		}
		headers := map[string]string{"not JSON": "x", "empty object": "{}", "array": "[]", "empty": "", "null": "null", "not UTF-8": "{\"alg\":\"\xff\"}"}
		for _, alg := range []string{
			`"none"`, `"None"`, `"NONE"`, `"nOnE"`, `""`, `0`, `["` + string(algorithm) + `"]`, `null`,
			`"HS256"`, `"RS384"`, `"RS512"`, `"PS256"`, `"ES384"`, `"ES256K"`, `"Ed25519"`, `"rs256"`, `"RS256 "`,
		} {
			headers["alg "+alg] = strings.Replace(header, `"`+string(algorithm)+`"`, alg, 1)
		}
		for _, alg := range algorithms {
			if alg != algorithm {
				headers["alg of another key type "+string(alg)] = strings.Replace(header, string(algorithm), string(alg), 1)
			}
		}
		for _, id := range []string{
			`""`, `"unknown"`, `"` + strings.Repeat("k", 10<<10) + `"`, `"../../etc/passwd"`, `"' OR 1=1 --"`, `"\u0000"`,
			`"https://evil.example.com/key"`, `["` + key.ID() + `"]`, `1`, `null`, `"` + other.ID() + `"`, `"` + strings.ToUpper(key.ID()) + `"`, `"` + key.ID() + `\u0000"`,
		} {
			headers["kid "+id[:min(len(id), 30)]] = strings.Replace(header, kid, `"kid":`+id, 1)
		}
		for _, typ := range []string{`"JWT"`, `"jwt"`, `"AT+JWT"`, `"application/at+jwt"`, `"id_token"`, `"exchange+jwt"`, `"callback+jwt"`, `""`, `null`, `["at+jwt"]`} {
			headers["typ "+typ] = strings.Replace(header, `"at+jwt"`, typ, 1)
		}
		for _, more := range []string{
			`"jwk":` + string(jwk), `"jku":"https://evil.example.com/keys"`, `"x5u":"https://evil.example.com/cert"`, `"x5c":["MIIB"]`, `"x5t":"x"`,
			`"crit":["exp"]`, `"crit":["x"],"x":1`, `"crit":["b64"],"b64":false`, `"b64":false`, `"b64":true`, `"zip":"DEF"`, `"enc":"A256GCM"`, `"cty":"JWT"`, `"epk":{}`,
			`"alg":"` + string(algorithm) + `"`, `"kid":"` + key.ID() + `"`, `"ALG":"none"`, `"x":1`, `"iss":"https://pay.example.com"`,
		} {
			headers["also "+more[:min(len(more), 20)]] = strings.TrimSuffix(header, "}") + "," + more + "}"
			headers["first "+more[:min(len(more), 20)]] = "{" + more + "," + header[1:]
		}
		headers["alg missing"] = strings.Replace(header, `"alg":"`+string(algorithm)+`",`, "", 1)
		headers["kid missing"] = strings.Replace(header, kid+",", "", 1)
		headers["typ missing"] = strings.Replace(header, `,"typ":"at+jwt"`, "", 1)
		headers["blank after comma"] = strings.Replace(header, ",", ", ", 1)
		headers["newline at the end"] = header + "\n"
		headers["blank at the start"] = " " + header
		headers["other order"] = fmt.Sprintf(`{"typ":"at+jwt","alg":"%s",%s}`, algorithm, kid)
		headers["escaped"] = strings.Replace(header, "at+jwt", `at\u002bjwt`, 1)

		tokens := map[string]string{}
		for name, h := range headers {
			if h == header {
				t.Fatalf("%s: nothing changed", name)
			}
			tokens[name+", signed with our key"] = forge(t, key, h, payload)
			tokens[name+", signed with another key"] = forge(t, other, h, payload)
			tokens[name+", unsigned"] = b64(h) + "." + b64(payload) + "."
			tokens[name+", with the old signature"] = b64(h) + "." + b64(payload) + "." + signature
			for kind, secret := range publicForms(t, key) {
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(b64(h) + "." + b64(payload)))
				tokens[name+", HMAC with "+kind] = b64(h) + "." + b64(payload) + "." + b64(string(mac.Sum(nil)))
			}
		}
		refused(t, testRing(t, algorithm), tokens)
	}
}

// publicForms are what somebody could take a public key for the secret of an
// HMAC as.
func publicForms(t testing.TB, key *Key) map[string][]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(key.jwk)
	if err != nil {
		t.Fatal(err)
	}
	thumbprint, _ := hex.DecodeString(key.ID())
	return map[string][]byte{
		"DER": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "JWK": jwk,
		"kid": []byte(key.ID()), "thumbprint": thumbprint, "nothing": nil,
	}
}

func TestATokenWithAnotherSignatureIsRefused(t *testing.T) {
	for _, algorithm := range algorithms {
		key, other := testKeys()[algorithm][0], testKeys()[algorithm][1]
		token := testToken(t, algorithm)
		header, payload, signature := parts(t, token)
		raw := []byte(unb64(t, signature))
		with := func(s []byte) string { return b64(header) + "." + b64(payload) + "." + b64(string(s)) }
		second := testClaims
		second.Account = "T11223352"
		secondToken, err := testRing(t, algorithm).Sign(t.Context(), second)
		if err != nil {
			t.Fatal(err)
		}
		_, secondPayload, secondSignature := parts(t, secondToken)
		tokens := map[string]string{
			"another key, same kid":      forge(t, other, header, payload),
			"signature of another token": b64(header) + "." + b64(payload) + "." + secondSignature,
			"payload of another token":   b64(header) + "." + b64(secondPayload) + "." + signature,
			"payload changed":            b64(header) + "." + b64(strings.Replace(payload, "T11223351", "T11223352", 2)) + "." + signature,
			"zeros":                      with(make([]byte, len(raw))),
			"ones":                       with(bytes.Repeat([]byte{0xff}, len(raw))),
			"a zero before":              with(append([]byte{0}, raw...)),
			"a zero after":               with(append(bytes.Clone(raw), 0)),
			"first byte missing":         with(raw[1:]),
			"last byte missing":          with(raw[:len(raw)-1]),
			"halves swapped":             with(append(bytes.Clone(raw[len(raw)/2:]), raw[:len(raw)/2]...)),
			"r zero":                     with(append(make([]byte, len(raw)/2), raw[len(raw)/2:]...)),
			"s zero":                     with(append(bytes.Clone(raw[:len(raw)/2]), make([]byte, len(raw)/2)...)),
		}
		for _, otherAlgorithm := range algorithms {
			if otherAlgorithm != algorithm {
				input := b64(header) + "." + b64(payload)
				tokens["signed by "+string(otherAlgorithm)] = with(forgeSignature(t, testKeys()[otherAlgorithm][0], input))
			}
		}
		for i := range len(raw) * 8 {
			bent := bytes.Clone(raw)
			bent[i/8] ^= 1 << (i % 8)
			tokens[fmt.Sprintf("bit %d", i)] = with(bent)
		}
		switch private := key.private.(type) {
		case *rsa.PrivateKey:
			digest := sha256.Sum256([]byte(b64(header) + "." + b64(payload)))
			pss, err := rsa.SignPSS(rand.Reader, private, crypto.SHA256, digest[:], nil)
			if err != nil {
				t.Fatal(err)
			}
			tokens["PSS"] = with(pss)
			plusN := new(big.Int).Add(new(big.Int).SetBytes(raw), private.N)
			tokens["plus the modulus"] = with(plusN.Bytes())
		case *ecdsa.PrivateKey:
			n := elliptic.P256().Params().N
			s := new(big.Int).SetBytes(raw[32:])
			tokens["the other s"] = with(append(bytes.Clone(raw[:32]), new(big.Int).Sub(n, s).FillBytes(make([]byte, 32))...))
			if s.Add(s, n).BitLen() <= 256 {
				tokens["s plus the order"] = with(append(bytes.Clone(raw[:32]), s.FillBytes(make([]byte, 32))...))
			}
			digest := sha256.Sum256([]byte(b64(header) + "." + b64(payload)))
			der, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			tokens["DER"] = with(der)
			tokens["r and s the order"] = with(append(n.FillBytes(make([]byte, 32)), n.FillBytes(make([]byte, 32))...))
		case ed25519.PrivateKey:
			tokens["s plus the order"] = with(plusEd25519Order(raw))
		}
		refused(t, testRing(t, algorithm), tokens)
	}
}

// plusEd25519Order adds the order of the group to the little-endian second
// half of a signature, which a lax verifier takes for the same.
func plusEd25519Order(signature []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	bent := bytes.Clone(signature)
	reverse := func(b []byte) []byte {
		r := make([]byte, len(b))
		for i := range b {
			r[len(b)-1-i] = b[i]
		}
		return r
	}
	s := new(big.Int).SetBytes(reverse(bent[32:]))
	copy(bent[32:], reverse(s.Add(s, order).FillBytes(make([]byte, 32))))
	return bent
}

func TestASignatureOfOursHasTheLowerS(t *testing.T) {
	for range 50 {
		_, _, signature := parts(t, testToken(t, ES256))
		if highS([]byte(unb64(t, signature))) {
			t.Fatal("the higher s")
		}
	}
}

func TestATokenWithOtherClaimsIsRefusedThoughSigned(t *testing.T) {
	key := testKeys()[EdDSA][0]
	header, payload, _ := parts(t, testToken(t, EdDSA))
	const sub = `"sub":"6a2cf0f3-7f55-4a2a-9a50-51c5d1a2d0f1"`
	const aud = `"aud":"https://T11223351@pay.example.com/v1/accounts/T11223351"`
	changes := [][2]string{ // from, to
		{`"iat":1788264000,"exp":1788278400`, `"iat":1788200000,"exp":1788264000`}, // expired
		{`"iat":1788264000,"exp":1788278400`, `"iat":1788264030,"exp":1788264030`},
		{`"6a2cf0f3-7f55-4a2a-9a50-51c5d1a2d0f1"`, `""`},
		{`"exp":1788278400,`, ``},
		{`1788278400`, `"1788278400"`},
		{`1788278400`, `1788278400.0`},
		{`1788278400`, `1788278400.5`},
		{`1788278400`, `17882784e2`},
		{`1788278400`, `-1`},
		{`1788278400`, `0`},
		{`1788278400`, `9223372036854775808`},
		{`1788278400`, `1e999`},
		{`1788278400`, `NaN`},
		{`1788278400`, `null`},
		{`1788278400`, `[1788278400]`},
		{`"exp":1788278400`, `"exp":1788278400,"nbf":1888264000`},
		{`"exp":1788278400`, `"exp":1788278400,"nbf":1788264000`},
		{`"iat":1788264000`, `"iat":1788264061`},
		{`"iat":1788264000`, `"iat":1788278400`},
		{`"iat":1788264000,`, ``},
		{`"iat":1788264000`, `"iat":"1788264000"`},
		{`"iat":1788264000`, `"iat":null`},
		{`"iss":"https://pay.example.com"`, `"iss":"https://other.example.com"`},
		{`"iss":"https://pay.example.com",`, ``},
		{`"iss":"https://pay.example.com"`, `"iss":"https://pay.example.com/"`},
		{`"iss":"https://pay`, `"iss":"https://PAY`},
		{`"iss":"https`, `"iss":"http`},
		{`"iss":"https://pay.example.com"`, `"iss":["https://pay.example.com"]`},
		{`"iss":"https://pay.example.com"`, `"iss":"https://api.dintero.com"`},
		{aud, `"aud":"https://T11223352@pay.example.com/v1/accounts/T11223351"`},
		{aud, `"aud":"https://T11223351@evil.example.com/v1/accounts/T11223351"`},
		{aud, `"aud":"https://pay.example.com/v1/accounts/T11223351"`},
		{aud, `"aud":"https://api.dintero.com/v1/accounts/T11223351"`},
		{aud, `"aud":"https://T11223351@api.dintero.com/v1/accounts/T11223351"`},
		{aud + ",", ``},
		{aud, `"aud":[]`},
		{aud, `"aud":1`},
		{aud, `"aud":""`},
		{aud, `"aud":null`},
		{aud, `"aud":["https://T11223351@pay.example.com/v1/accounts/T11223351"]`},
		{aud, `"aud":["https://T11223351@pay.example.com/v1/accounts/T11223351","https://other.example.com"]`},
		{aud, `"aud":"https://T112@pay.example.com/v1/accounts/T112"`},
		{sub, sub + "," + sub},
		{sub, `"sub":"x",` + sub},
		{sub, sub + `,"SUB":"x"`},
		{sub, `"Sub":"6a2cf0f3-7f55-4a2a-9a50-51c5d1a2d0f1"`},
		{sub, "\"sub\":\"\xff\""},
		{sub, `"sub":"\ud800"`},
		{sub + ",", ``},
		{sub, `"sub":""`},
		{sub, `"sub":1`},
		{sub, `"sub":"7a2cf0f3-7f55-4a2a-9a50-51c5d1a2d0f1"`},
		{sub, `"sub":null`},
		{sub, `"sub":"6a2cf0f3\u002d7f55-4a2a-9a50-51c5d1a2d0f1"`},
		{`,"client_id":"6a2cf0f3-7f55-4a2a-9a50-51c5d1a2d0f1"`, ``},
		{`"client_id":"6`, `"client_id":"7`},
		{`"client_id":"6a2cf0f3-7f55-4a2a-9a50-51c5d1a2d0f1"`, `"client_id":null`},
		{`"scope":"admin:accounts read:accounts",`, ``},
		{`"scope":"admin:accounts`, `"scope":"operator:connections admin:accounts`},
		{`"scopes":"admin:accounts read:accounts"`, `"scopes":"read:accounts"`},
		{`,"scopes":"admin:accounts read:accounts"`, ``},
		{`"scope":"admin:accounts read:accounts"`, `"scope":["admin:accounts","read:accounts"]`},
		{`"scope":"admin:accounts read`, `"scope":"admin:accounts  read`},
		{`"version":2,`, ``},
		{`"version":2`, `"version":1`},
		{`"version":2`, `"version":"2"`},
		{`"version":2`, `"version":2.0`},
		{`"version":2`, `"version":null`},
		{`,"jti":"01990000-0000-7000-8000-000000000000"`, ``},
		{`"jti":"01990000-0000-7000-8000-000000000000"`, `"jti":""`},
		{`"jti":"01990000-0000-7000-8000-000000000000"`, `"jti":1`},
		{`"version":2`, `"version":2,"admin":true`},
		{`{"iss"`, `{ "iss"`},
		{`{"iss"`, ` {"iss"`},
		{payload, payload + "\n"},
		{payload, payload + payload},
		{payload, payload + "x"},
		{payload, `[` + payload + `]`},
		{payload, `null`},
		{payload, `{}`},
		{payload, ``},
		{payload, `"x"`},
		{payload, strings.Repeat("[", 2000)},
		{payload, "\ufeff" + payload},
	}
	tokens := map[string]string{}
	for _, change := range changes {
		bent := strings.Replace(payload, change[0], change[1], 2)
		if change[0] == sub {
			bent = strings.Replace(payload, change[0], change[1], 1)
		}
		if bent == payload {
			t.Fatalf("nothing changed by %s", change[0])
		}
		tokens[fmt.Sprintf("%.60s for %.60s", change[1], change[0])] = forge(t, key, header, bent)
	}
	ring := testRing(t, RS256)
	refused(t, ring, tokens)
	if _, err := ring.Verify(forge(t, key, header, payload), testNow); err != nil {
		t.Errorf("the unchanged payload: %v", err)
	}
}

func TestTheLogTellsAnOperatorWhatChanged(t *testing.T) {
	key := testKeys()[EdDSA][0]
	header, payload, _ := parts(t, testToken(t, EdDSA))
	for to, want := range map[string]error{
		"https://T11223351@api.dintero.com/v1/": errAudience, "https://T11223351@old.example.com/v1/": errAudience, "https://pay.example.com/v1/": errAudience,
	} {
		bent := strings.Replace(payload, "https://T11223351@pay.example.com/v1/", to, 1)
		if _, err := testRing(t, EdDSA).Verify(forge(t, key, header, bent), testNow); err != want {
			t.Errorf("%s: %v, want %v", to, err, want)
		}
	}
}

func TestATokenOfAnotherServiceOrKeyIsRefused(t *testing.T) {
	token := testToken(t, EdDSA)
	for name, c := range map[string]struct {
		keys      []*Key
		audiences Audiences
		want      error
	}{
		"rotated out":       {[]*Key{testKeys()[EdDSA][1]}, testAudiences, errHeader},
		"another service":   {[]*Key{testKeys()[EdDSA][0]}, NewAudiences("https://other.example.com", true), errIssuer},
		"its http form":     {[]*Key{testKeys()[EdDSA][0]}, NewAudiences("http://pay.example.com", true), errIssuer},
		"its own":           {[]*Key{testKeys()[EdDSA][0]}, testAudiences, nil},
		"its own, and next": {testPair(EdDSA), testAudiences, nil},
	} {
		ring, err := NewKeyring(c.keys, EdDSA, c.audiences)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ring.Verify(token, testNow); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func testPair(a Algorithm) []*Key {
	pair := testKeys()[a]
	return pair[:]
}

func TestTheLastKeyOfTheAlgorithmSigns(t *testing.T) {
	keys := append(testPair(EdDSA), testKeys()[ES256][0])
	ring, err := NewKeyring(keys, EdDSA, testAudiences)
	if err != nil {
		t.Fatal(err)
	}
	token, err := ring.Sign(t.Context(), testClaims)
	if header, _, _ := parts(t, token); err != nil || !strings.Contains(header, keys[1].ID()) {
		t.Errorf("header is %s, %v", header, err)
	}
	if _, err := NewKeyring(keys, RS256, testAudiences); err == nil {
		t.Error("a keyring that can't sign")
	}
}

func TestATokenNeverOutgrowsWhatIsLookedAt(t *testing.T) {
	claims := testClaims
	for range 1000 {
		claims.Scopes = append(claims.Scopes, "write:accounts:/management/settings/connections/instabank")
	}
	if _, err := testRing(t, EdDSA).Sign(t.Context(), claims); err == nil {
		t.Error("a token was signed that nobody would accept")
	}
}

// FuzzVerify changes good tokens: whatever is accepted must be one of them.
func FuzzVerify(f *testing.F) {
	ring := testRing(f, RS256)
	good := map[string]bool{}
	for _, algorithm := range algorithms {
		token := testToken(f, algorithm)
		good[token] = true
		f.Add(token)
		f.Add(token + "\n")
		f.Add(strings.Replace(token, ".", "..", 1))
	}
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := ring.Verify(token, testNow)
		if (err == nil) != good[token] {
			t.Fatalf("%q: %v, %v", token, claims, err)
		}
	})
}

// FuzzClaims changes what stands under a good signature: whatever is accepted
// must be what we would write for the claims that were read.
func FuzzClaims(f *testing.F) {
	payload, err := encodeClaims(testAudiences, testClaims)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add(bytes.Replace(payload, []byte("sub"), []byte("SUB"), 1))
	f.Add([]byte(`{"exp":1e400}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		claims, err := decodeClaims(testAudiences, payload, testNow)
		if err != nil {
			return
		}
		again, err := encodeClaims(testAudiences, claims)
		if err != nil || !bytes.Equal(again, payload) || claims.Client == "" || claims.Account == "" || !testNow.Before(claims.ExpiresAt) {
			t.Fatalf("%s was read as %v", payload, claims)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	for _, algorithm := range algorithms {
		ring := testRing(b, algorithm)
		b.Run(string(algorithm), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ring.Sign(b.Context(), testClaims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, algorithm := range algorithms {
		ring, token := testRing(b, algorithm), testToken(b, algorithm)
		b.Run(string(algorithm), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ring.Verify(token, testNow); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
