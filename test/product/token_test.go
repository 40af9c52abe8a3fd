package product

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/test/drive"
)

// TestNoOperationAcceptsAForgedToken tries tokens that are not ours, or no
// longer quite ours, on every operation of the published contract that takes
// one. Each must be the one 401, whatever is wrong.
func TestNoOperationAcceptsAForgedToken(t *testing.T) {
	onBothEngines(t, refuseForgeries)
}

func refuseForgeries(t *testing.T, args ...string) {
	s := dev(t, append(args, "--listen", "127.0.0.1:0")...)
	client := drive.NewClient(s.BaseURL)
	all := tokens(t, s)
	forged := forgeries(t, all["platform"], all["partner"], publicKey(t, client))
	operations := bearerOperations(t, client, s)
	if len(operations) < 5 {
		t.Fatalf("the contract has only %d operations with tokens", len(operations))
	}
	for _, name := range slices.Sorted(maps.Keys(forged)) {
		t.Run(name, func(t *testing.T) {
			for _, op := range operations {
				answer, err := client.Do(op.method, op.target, http.Header{"Authorization": {"Bearer " + forged[name]}}, nil)
				if err != nil {
					t.Fatal(err)
				}
				var got any
				if json.Unmarshal(answer.Body, &got) != nil || !cmp.Equal(got, refusal) || answer.Status != http.StatusUnauthorized ||
					!strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("%s %s: %d %s", op.method, op.target, answer.Status, answer.Body)
				}
			}
		})
	}
}

// refusal is the one body of a 401.
var refusal any = map[string]any{"error": map[string]any{"errors": []any{}, "message": "UNAUTHORIZED"}}

type target struct{ method, target string }

// anyID is an id that nothing has.
const anyID = "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01"

// bearerOperations lists a request for each operation that takes a token.
func bearerOperations(t *testing.T, client *drive.Client, s *drive.Server) []target {
	t.Helper()
	answer, err := client.Do(http.MethodGet, "/openapi.json", http.Header{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	doc := decode[struct {
		Paths map[string]map[string]struct {
			OperationID string
			Security    []map[string][]string
		}
	}](t, answer)
	var found []target
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if op.OperationID != "" && takesToken(op.Security) {
				found = append(found, target{strings.ToUpper(method), strings.NewReplacer(
					"{aid}", s.SecondAccount, "{oid}", s.PartnerAccount, "{partner_id}", s.PartnerAccount, "{connection}", "vipps",
					"{notice_id}", anyID, "{signup_id}", anyID, "{callback_id}", anyID, "{case_id}", anyID, "{id}", anyID, "{hid}", anyID, "{delivery_id}", anyID, "{callback_reference}", anyID, "{recipient}", "checkout",
					"{payment_product_type}", "payex.creditcard").Replace(path)})
			}
		}
	}
	return found
}

// takesToken says whether some kind of token lets anybody in.
func takesToken(security []map[string][]string) bool {
	return slices.ContainsFunc(security, func(one map[string][]string) bool {
		return one["bearer"] != nil || one["callback"] != nil || one["provider"] != nil
	})
}

// publicKey is the first key of the published set, as JSON.
func publicKey(t *testing.T, client *drive.Client) json.RawMessage {
	t.Helper()
	answer, err := client.Do(http.MethodGet, "/.well-known/jwks.json", http.Header{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return decode[struct{ Keys []json.RawMessage }](t, answer).Keys[0]
}

// forgeries makes wrong tokens out of two good ones.
func forgeries(t *testing.T, good, other string, public json.RawMessage) map[string]string {
	t.Helper()
	parts, otherParts := strings.Split(good, "."), strings.Split(other, ".")
	header, claims, signature := parts[0], parts[1], parts[2]
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := map[string]string{
		"signature removed":             header + "." + claims + ".",
		"signature cut off":             header + "." + claims,
		"signature truncated":           good[:len(good)-4],
		"signature doubled":             good + signature,
		"signature of another token":    header + "." + claims + "." + otherParts[2],
		"claims of another token":       header + "." + otherParts[1] + "." + signature,
		"five parts":                    good + ".e30.e30",
		"padding":                       good + "==",
		"standard base64":               strings.NewReplacer("-", "+", "_", "/").Replace(good) + "+",
		"a space inside":                header + ". " + claims + "." + signature,
		"a million dots":                strings.Repeat(".", 7000),
		"JSON serialisation":            `{"payload":"` + claims + `","protected":"` + header + `","signature":"` + signature + `"}`,
		"another key, same kid":         sign(t, key, patch(t, header, nil), claims),
		"another key, no kid":           sign(t, key, patch(t, header, map[string]any{"kid": nil}), claims),
		"another key, embedded":         sign(t, key, patch(t, header, map[string]any{"jwk": map[string]any{"kty": "RSA", "e": "AQAB", "n": encode(key.N.Bytes())}}), claims),
		"kid of a file":                 sign(t, key, patch(t, header, map[string]any{"kid": "../../../../dev/null"}), claims),
		"kid of an address":             sign(t, key, patch(t, header, map[string]any{"kid": "http://127.0.0.1:1/key", "jku": "http://127.0.0.1:1/keys"}), claims),
		"HS256 with the public key":     hmacSign(patch(t, header, map[string]any{"alg": "HS256"}), claims, public),
		"PS256 in the header":           patch(t, header, map[string]any{"alg": "PS256"}) + "." + claims + "." + signature,
		"critical header":               patch(t, header, map[string]any{"crit": []string{"x"}, "x": 1}) + "." + claims + "." + signature,
		"typ JWT":                       patch(t, header, map[string]any{"typ": "JWT"}) + "." + claims + "." + signature,
		"more scopes":                   header + "." + patch(t, claims, map[string]any{"scope": "admin:accounts operator:connections"}) + "." + signature,
		"a later end":                   header + "." + patch(t, claims, map[string]any{"exp": time.Now().Add(1e6 * time.Hour).Unix()}) + "." + signature,
		"another account":               header + "." + patch(t, claims, map[string]any{"aud": "https://P00000000@127.0.0.1/v1/accounts/P00000000"}) + "." + signature,
		"one bit of the header flipped": flip(header) + "." + claims + "." + signature,
		"one bit of the claims flipped": header + "." + flip(claims) + "." + signature,
		"one bit flipped":               header + "." + claims + "." + flip(signature),
	}
	for _, alg := range []any{"none", "None", "nOnE", "", nil, 5, []string{"none"}} {
		name, err := json.Marshal(alg)
		if err != nil {
			t.Fatal(err)
		}
		f["alg "+string(name)] = patch(t, header, map[string]any{"alg": alg}) + "." + claims + "."
	}
	return f
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// patch sets members of an encoded JSON object; nil removes one.
func patch(t *testing.T, part string, members map[string]any) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	for name, value := range members {
		object[name] = value
		if value == nil {
			delete(object, name)
		}
	}
	if text, err = json.Marshal(object); err != nil {
		t.Fatal(err)
	}
	return encode(text)
}

func sign(t *testing.T, key *rsa.PrivateKey, header, claims string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(header + "." + claims))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return header + "." + claims + "." + encode(signature)
}

func hmacSign(header, claims string, secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(header + "." + claims)) // never fails (hash.Hash)
	return header + "." + claims + "." + encode(mac.Sum(nil))
}

// flip changes one bit in the middle of an encoded part.
func flip(part string) string {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return part
	}
	b[len(b)/2] ^= 1
	return encode(b)
}
