package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// What a bogus assertion costs is bounded by the keys that are taken.
func TestKeysThatCostMuchToVerifyAreNotTaken(t *testing.T) {
	rsaKey := func(bits uint, e int64) string {
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), bits))
		if err != nil {
			t.Fatal(err)
		}
		n.SetBit(n.SetBit(n, int(bits)-1, 1), 0, 1)
		return fmt.Sprintf(`{"kty":"RSA","kid":"a","n":"%s","e":"%s"}`, base64.RawURLEncoding.EncodeToString(n.Bytes()), base64.RawURLEncoding.EncodeToString(big.NewInt(e).Bytes()))
	}
	for _, c := range []struct {
		bits  uint
		e     int64
		taken int
	}{{2048, 65537, 1}, {4096, 65537, 1}, {2048, 3, 1}, {4160, 65537, 0}, {2048, 1<<31 - 1, 0}, {2048, 1<<17 + 1, 0}} {
		found, err := ParseOutsideKeys([]byte(`{"keys":[` + rsaKey(c.bits, c.e) + `]}`))
		if err != nil || found.Len() != c.taken {
			t.Errorf("of %d bits with exponent %d: %d keys, %v; want %d", c.bits, c.e, found.Len(), err, c.taken)
		}
	}
	same := func(n int) error {
		var keys []string
		for range n {
			public, _, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, `{"kty":"OKP","crv":"Ed25519","kid":"a","x":"`+base64.RawURLEncoding.EncodeToString(public)+`"}`)
		}
		_, err := ParseOutsideKeys([]byte(`{"keys":[` + strings.Join(keys, ",") + `]}`))
		return err
	}
	if err := same(maxSameID); err != nil {
		t.Errorf("some keys of one id: %v", err)
	}
	if same(maxSameID+1) == nil {
		t.Error("many keys of one id were taken")
	}
}
