package product

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// TestNoOperationAcceptsASignedTokenThatIsNotWhole signs with the server's own
// key what the server would never write, and tries it on every operation: the
// signature alone opens nothing.
func TestNoOperationAcceptsASignedTokenThatIsNotWhole(t *testing.T) {
	database, data := storetest.Postgres(t), filepath.Join(t.TempDir(), "data")
	s := dev(t, "--listen", "127.0.0.1:0", "--database", database, "--data", data)
	client := drive.NewClient(s.BaseURL)
	key := signingKey(t, database, data+".key")
	good := tokens(t, s)["platform"]
	header, claims := decoded(t, good, 0), decoded(t, good, 1)
	if again := signed(t, key, header, claims); again != good {
		t.Fatal("the test does not write tokens as the server does")
	}
	operations := bearerOperations(t, client, s)
	cases := map[string]string{}
	for name, c := range wrongClaims(s) {
		changed := strings.Replace(claims, member(t, claims, c[0]), c[1], 1)
		if changed == claims {
			t.Fatalf("%s: nothing was changed", name)
		}
		cases[name] = signed(t, key, header, changed)
	}
	for name, c := range wrongHeaders {
		cases[name] = signed(t, key, strings.Replace(header, member(t, header, c[0]), c[1], 1), claims)
	}
	cases["exchange token"] = exchanged(t, client, s)
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			for _, op := range operations {
				refusedBy(t, client, op, http.Header{"Authorization": {"Bearer " + cases[name]}}, op.target)
			}
		})
	}
}

// wrongClaims are members of a token and what stands in their place.
func wrongClaims(s *drive.Server) map[string][2]string {
	host := strings.TrimPrefix(s.BaseURL, "http://")
	aud := func(text string) [2]string { return [2]string{"aud", `"aud":` + text} }
	own := `"http://` + s.PlatformAccount + "@" + host + "/v1/accounts/" + s.PlatformAccount + `"`
	return map[string][2]string{
		"exp past": {"exp", `"exp":1700000000`}, "exp missing": {"exp", `"x":1`}, "exp string": {"exp", `"exp":"1999999999"`},
		"exp float": {"exp", `"exp":1999999999.5`}, "exp negative": {"exp", `"exp":-1`}, "exp 2^63": {"exp", `"exp":9223372036854775808`},
		"exp NaN": {"exp", `"exp":NaN`}, "exp twice": {"exp", `"exp":1,"exp":1999999999`},
		"iat far future": {"iat", `"iat":1999999998`}, "nbf future": {"jti", `"jti":"x","nbf":1999999999`},
		"iss other": {"iss", `"iss":"http://127.0.0.1:1"`}, "iss missing": {"iss", `"x":1`}, "iss slash": {"iss", `"iss":"` + s.BaseURL + `/"`},
		"iss case": {"iss", `"iss":"HTTP://` + host + `"`}, "iss https": {"iss", `"iss":"https://` + host + `"`},
		"aud other service": aud(`"https://example.com/v1/accounts/` + s.PlatformAccount + `"`), "aud missing": {"aud", `"x":1`},
		"aud empty array": aud(`[]`), "aud number": aud(`5`), "aud array of one": aud(`[` + own + `]`), "aud array with ours": aud(`["x",` + own + `]`),
		"aud without user":       aud(`"` + s.BaseURL + "/v1/accounts/" + s.PlatformAccount + `"`),
		"aud of production":      aud(strings.ReplaceAll(own, s.PlatformAccount, "P00000000")),
		"aud of another account": aud(strings.ReplaceAll(own, s.PlatformAccount, s.SecondAccount)),
		"sub twice":              {"sub", `"sub":"x","sub":"` + s.PlatformClientID + `"`}, "SUB": {"sub", `"SUB":"` + s.PlatformClientID + `"`},
		"sub missing": {"sub", `"x":1`}, "sub number": {"sub", `"sub":5`}, "sub other": {"sub", `"sub":"` + s.ClientID + `"`},
		"sub not UTF-8": {"sub", "\"sub\":\"\xff\""}, "client_id other": {"client_id", `"client_id":"` + s.ClientID + `"`},
		"client_id missing": {"client_id", `"x":1`}, "jti missing": {"jti", `"x":1`}, "jti empty": {"jti", `"jti":""`},
		"scope array": {"scope", `"scope":["admin:accounts"]`}, "scope missing": {"scope", `"x":1`}, "scope other than scopes": {"scope", `"scope":"admin:accounts"`},
		"version 1": {"version", `"version":1`}, "version text": {"version", `"version":"2"`},
		"actor": {"jti", `"jti":"x","act":{"sub":"` + s.SecondAccount + `"}`}, "actor of none": {"jti", `"jti":"x","act":{}`},
	}
}

// wrongHeaders are members of a header and what stands in their place.
var wrongHeaders = map[string][2]string{
	"typ JWT": {"typ", `"typ":"JWT"`}, "typ missing": {"typ", `"x":1`}, "typ id_token": {"typ", `"typ":"id_token"`},
	"typ of an exchange": {"typ", `"typ":"exchange+jwt"`}, "typ of a callback": {"typ", `"typ":"callback+jwt"`}, "typ in full": {"typ", `"typ":"application/at+jwt"`},
	"typ case": {"typ", `"typ":"AT+JWT"`}, "kid missing": {"kid", `"x":1`}, "kid unknown": {"kid", `"kid":"x"`}, "kid empty": {"kid", `"kid":""`},
	"kid array": {"kid", `"kid":["x"]`}, "kid of 10 KB": {"kid", `"kid":"` + strings.Repeat("k", 5000) + `"`}, "kid SQL": {"kid", `"kid":"' OR 1=1 --"`},
	"kid NUL": {"kid", `"kid":"\u0000"`}, "crit": {"typ", `"typ":"at+jwt","crit":["exp"]`}, "b64": {"typ", `"typ":"at+jwt","b64":false`},
	"zip": {"typ", `"typ":"at+jwt","zip":"DEF"`}, "jku": {"typ", `"typ":"at+jwt","jku":"http://127.0.0.1:1/keys"`},
	"x5u": {"typ", `"typ":"at+jwt","x5u":"http://127.0.0.1:1/cert"`}, "alg twice": {"alg", `"alg":"none","alg":"RS256"`}, "PS256": {"alg", `"alg":"PS256"`},
}

// TestNoOperationTakesATokenFromElsewhere sends a good token in ways that are
// none, and no token in many ways.
func TestNoOperationTakesATokenFromElsewhere(t *testing.T) {
	s := dev(t, "--listen", "127.0.0.1:0")
	client := drive.NewClient(s.BaseURL)
	good := tokens(t, s)["platform"]
	for _, op := range bearerOperations(t, client, s) {
		for _, values := range [][]string{
			nil,
			{""},
			{"Bearer"},
			{"Bearer "},
			{"Bearer  " + good},
			{"Bearer\t" + good},
			{"Bearer" + good},
			{good},
			{"Token " + good},
			{"DPoP " + good},
			{"Bearer " + good, "Bearer " + good},
			{"Bearer " + good + ", Bearer " + good},
			{"Bearer " + good + "," + good},
			{"Bearer \"" + good + "\""},
			{"Bearer " + strings.Repeat(".", 7000)},
			{"Bearer " + good + " " + good},
		} {
			refusedBy(t, client, op, http.Header{"Authorization": values}, op.target)
		}
		refusedBy(t, client, op, http.Header{"Cookie": {"access_token=" + good}}, op.target)
		if !strings.Contains(op.target, "?") {
			refusedBy(t, client, op, http.Header{}, op.target+"?access_token="+good)
		}
	}
	if strings.Contains(s.Log(), good) {
		t.Error("the token stands in the log")
	}
}

// refusedBy wants the one 401.
func refusedBy(t *testing.T, client *drive.Client, op target, header http.Header, target string) {
	t.Helper()
	answer, err := client.Do(op.method, target, header, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if json.Unmarshal(answer.Body, &got) != nil || !cmp.Equal(got, refusal) || answer.Status != http.StatusUnauthorized {
		t.Errorf("%s %s with %.60q: %d %s", op.method, op.target, header, answer.Status, answer.Body)
	}
}

// signingKey opens the server's own signing key.
func signingKey(t *testing.T, database, keyFile string) *rsa.PrivateKey {
	t.Helper()
	sealer, err := secret.OpenKeyFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), store.Config{Database: database})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	records, err := s.Keys(context.Background(), "signing")
	if err != nil || len(records) != 1 {
		t.Fatalf("%d keys, %v", len(records), err)
	}
	der, err := sealer.Open(records[0].Sealed, records[0].Context())
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

func decoded(t *testing.T, token string, part int) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[part])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func signed(t *testing.T, key *rsa.PrivateKey, header, claims string) string {
	t.Helper()
	text := encode([]byte(header)) + "." + encode([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(signature)
}

// member is one member of an object with its value, as it is written.
func member(t *testing.T, object, name string) string {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &all); err != nil || all[name] == nil {
		t.Fatalf("%s is not in %s", name, object)
	}
	return `"` + name + `":` + string(all[name])
}

// exchanged is an exchange token that was not used.
func exchanged(t *testing.T, client *drive.Client, s *drive.Server) string {
	t.Helper()
	answer, err := client.Do(http.MethodPost, "/v1/accounts/"+s.PartnerAccount+"/auth/exchange_token", bearer(tokens(t, s)["partner"]),
		[]byte(`{"account_id":"`+s.SecondAccount+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	return decode[struct {
		Token string `json:"access_token"`
	}](t, answer).Token
}
