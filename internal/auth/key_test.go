package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var algorithms = []Algorithm{RS256, ES256, EdDSA}

// testKeys makes two keys of each algorithm once, since RSA keys take a while.
var testKeys = sync.OnceValue(func() map[Algorithm][2]*Key {
	keys := map[Algorithm][2]*Key{}
	for _, algorithm := range algorithms {
		var pair [2]*Key
		for i := range pair {
			key, err := NewKey(algorithm)
			if err != nil {
				panic(err)
			}
			pair[i] = key
		}
		keys[algorithm] = pair
	}
	return keys
})

func TestAKeySurvivesItsStorage(t *testing.T) {
	for _, algorithm := range algorithms {
		key := testKeys()[algorithm][0]
		again, err := ParseKey([]byte(key.Marshal().Reveal()))
		if err != nil {
			t.Fatal(err)
		}
		if again.ID() != key.ID() || again.Algorithm() != algorithm || again.access != key.access || again.callback != key.callback {
			t.Errorf("%v became %v", key, again)
		}
	}
}

func TestAKeyIdIsTheStartOfTheThumbprint(t *testing.T) {
	// The example of RFC 7638, section 3.1.
	n, err := base64.RawURLEncoding.DecodeString("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")
	if err != nil {
		t.Fatal(err)
	}
	id, err := keyID(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537})
	thumbprint, _ := base64.RawURLEncoding.DecodeString("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
	if want := hex.EncodeToString(thumbprint[:20]); id != want || err != nil {
		t.Errorf("id %s, %v; want %s", id, err, want)
	}
}

func TestOtherKeysAreRefused(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, private := range map[string]any{"RSA of 1024 bits": small, "P-384": large} {
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseKey(der); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good := []byte(testKeys()[EdDSA][0].Marshal().Reveal())
	for name, der := range map[string][]byte{"nothing": nil, "text": []byte("key"), "cut": good[:len(good)-1], "longer": append(good, 0)} {
		if _, err := ParseKey(der); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := NewKey("HS256"); err == nil {
		t.Error("HS256: accepted")
	}
}

func TestThePublicListsShowExactlyTheMembersOfPublicKeys(t *testing.T) {
	members := map[Algorithm][]string{
		RS256: {"alg", "e", "kid", "kty", "n", "use"},
		ES256: {"alg", "crv", "kid", "kty", "use", "x", "y"},
		EdDSA: {"alg", "crv", "kid", "kty", "use", "x"},
	}
	ring := testRing(t, RS256)
	if got := len(ring.PublicKeys()); got != 3 {
		t.Errorf("%d keys in all", got)
	}
	if got := ring.PublicKeys(RS256); len(got) != 1 || got[0].Kid != testKeys()[RS256][0].ID() {
		t.Errorf("RS256 list is %v", got)
	}
	if text, _ := json.Marshal((&Keyring{}).PublicKeys()); string(text) != "[]" {
		t.Errorf("no keys are %s", text)
	}
	for _, jwk := range ring.PublicKeys() {
		text, err := json.Marshal(jwk)
		if err != nil {
			t.Fatal(err)
		}
		var shown map[string]string
		if err := json.Unmarshal(text, &shown); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(members[Algorithm(jwk.Alg)], slices.Sorted(maps.Keys(shown))); diff != "" {
			t.Errorf("%s: %s", jwk.Alg, diff)
		}
		if jwk.Use != "sig" || len(jwk.Kid) != 40 || strings.Trim(jwk.Kid, "0123456789abcdef") != "" {
			t.Errorf("%s: use %q, kid %q", jwk.Alg, jwk.Use, jwk.Kid)
		}
	}
}

func TestAKeyPrintsAsItsId(t *testing.T) {
	for _, algorithm := range algorithms {
		key := testKeys()[algorithm][0]
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			if got, want := fmt.Sprintf(format, key), string(algorithm)+" key "+key.ID(); got != want {
				t.Errorf("%s printed %q", format, got)
			}
		}
		private, ok := key.private.(ed25519.PrivateKey)
		if !ok {
			continue
		}
		out := fmt.Sprintf("%v %+v %#v %x", []*Key{key}, struct{ k *Key }{key}, map[string]*Key{"k": key}, [1]*Key{key})
		for _, leak := range []string{hex.EncodeToString(private[:8]), fmt.Sprint([]byte(private[:8]))[1:20]} {
			if strings.Contains(out, leak) {
				t.Errorf("leaks in %s", out)
			}
		}
	}
}
