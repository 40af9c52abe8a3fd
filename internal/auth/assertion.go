package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// AssertionType is what a request says that proves its client by a signed
// assertion (RFC 7523, section 2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// The bounds of what somebody else made.
const (
	MaxAssertionLife = 5 * time.Minute
	maxOutsideKeys   = 32
	maxOutsideID     = 256 // bytes of a "jti"
	maxRSABits       = 4096
	maxExponent      = 1 << 17 // what a verification costs grows with it
	maxSameID        = 2       // keys of one "kid", all of which are tried
)

// AssertionAlgorithms are what assertions may be signed with.
var AssertionAlgorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}

// OutsideKeys are the public keys of an issuer that is not us.
type OutsideKeys struct{ keys []outsideKey }

type outsideKey struct {
	id         string
	algorithms []jose.SignatureAlgorithm // fixed by the key, never by what is signed
	public     any
}

// ParseOutsideKeys reads a JWK set (RFC 7517). Keys that can't verify what we
// take are passed over; a set that gives away a private or a symmetric key is
// refused as a whole, for anybody may sign with it.
func ParseOutsideKeys(text []byte) (OutsideKeys, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return OutsideKeys{}, fmt.Errorf("read a JWK set: %w", err)
	}
	if len(set.Keys) > maxOutsideKeys {
		return OutsideKeys{}, fmt.Errorf("read a JWK set: it has more than %d keys", maxOutsideKeys)
	}
	var found OutsideKeys
	same := map[string]int{}
	for _, member := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(member) != nil {
			continue
		}
		if !key.IsPublic() {
			return OutsideKeys{}, errors.New("read a JWK set: it has a key that is not public")
		}
		var says struct {
			Operations []string `json:"key_ops"`
		}
		if json.Unmarshal(member, &says) != nil || says.Operations != nil && !slices.Contains(says.Operations, "verify") {
			continue
		}
		if algorithms := algorithmsOf(key); algorithms != nil {
			found.keys = append(found.keys, outsideKey{key.KeyID, algorithms, key.Key})
			if same[key.KeyID]++; same[key.KeyID] > maxSameID {
				return OutsideKeys{}, fmt.Errorf("read a JWK set: it has more than %d keys of one id", maxSameID)
			}
		}
	}
	return found, nil
}

// Len is how many keys can verify anything.
func (k OutsideKeys) Len() int { return len(k.keys) }

// algorithmsOf is what a key may verify; nil when it is nothing.
func algorithmsOf(key jose.JSONWebKey) []jose.SignatureAlgorithm {
	if key.Use != "" && key.Use != "sig" {
		return nil
	}
	var able []jose.SignatureAlgorithm
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits >= rsaBits && bits <= maxRSABits && public.E >= 3 && public.E <= maxExponent && public.E%2 == 1 && !guessable(public.N) {
			able = []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
		}
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() {
			able = []jose.SignatureAlgorithm{jose.ES256}
		}
	case ed25519.PublicKey:
		able = []jose.SignatureAlgorithm{jose.EdDSA}
	}
	if key.Algorithm == "" {
		return able
	}
	for _, algorithm := range able {
		if string(algorithm) == key.Algorithm {
			return []jose.SignatureAlgorithm{algorithm}
		}
	}
	return nil
}

// outsideHeader is what a header may say that matters. Members that would have
// a reader believe something else than the keys that it was given are refused.
type outsideHeader struct {
	Algorithm jose.SignatureAlgorithm `json:"alg"`
	KeyID     *string                 `json:"kid"`
	Type      *string                 `json:"typ"`
	Critical  jsontext.Value          `json:"crit"`
	Unencoded jsontext.Value          `json:"b64"`
	Zip       jsontext.Value          `json:"zip"`
	Key       jsontext.Value          `json:"jwk"`
	KeyURL    jsontext.Value          `json:"jku"`
	CertURL   jsontext.Value          `json:"x5u"`
	Chain     jsontext.Value          `json:"x5c"`
}

var (
	errOutsideHeader = errors.New("assertion has a header that is not taken")
	errOutsideKey    = errors.New("assertion is signed with no key of the account")
	errAssertion     = errors.New("assertion has claims that are not taken")
)

// open gives the payload of a token that one of the keys has signed, and the
// "typ" of its header.
func (k OutsideKeys) open(token string) (payload []byte, kind string, err error) {
	head, _, _, err := cutOutside(token)
	if err != nil {
		return nil, "", err
	}
	var header outsideHeader
	if json.Unmarshal(head, &header) != nil {
		return nil, "", errOutsideHeader
	}
	for _, member := range []jsontext.Value{
		header.Critical, header.Unencoded, header.Zip, header.Key, header.KeyURL, header.CertURL, header.Chain,
	} {
		if member != nil {
			return nil, "", errOutsideHeader
		}
	}
	if header.Type != nil {
		kind = *header.Type
	}
	for _, key := range k.keys {
		if header.KeyID != nil && *header.KeyID != key.id || header.KeyID == nil && len(k.keys) > 1 {
			continue
		}
		signed, err := jose.ParseSignedCompact(token, key.algorithms)
		if err != nil {
			continue
		}
		payload, err := signed.Verify(key.public)
		if err == nil && header.Algorithm == jose.PS256 {
			err = strictPSS(token, key.public)
		}
		if err == nil {
			return payload, kind, nil
		}
	}
	return nil, "", errOutsideKey
}

// strictPSS demands a salt as long as the hash (RFC 7518, section 3.5), which
// the library does not.
func strictPSS(token string, public any) error {
	key, ok := public.(*rsa.PublicKey)
	at := strings.LastIndexByte(token, '.')
	raw, err := decodePart(token[at+1:])
	if !ok || err != nil {
		return errOutsideKey
	}
	sum := sha256.Sum256([]byte(token[:at]))
	return rsa.VerifyPSS(key, crypto.SHA256, sum[:], raw, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
}

// smallPrimes are those modulo which a modulus of the weak kind gives itself away.
var smallPrimes = []int64{
	3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127,
	131, 137, 139, 149, 151, 157, 163, 167,
}

// guessable says whether a modulus was made by chips that chose their primes
// badly, so that the private key can be computed (CVE-2017-15361): modulo each
// small prime it is then a power of 65537.
func guessable(n *big.Int) bool {
	for _, p := range smallPrimes {
		rest, power := new(big.Int).Mod(n, big.NewInt(p)).Int64(), int64(1)
		found := false
		for range p {
			found = found || power == rest
			power = power * (65537 % p) % p
		}
		if !found {
			return false
		}
	}
	return true
}

// cutOutside decodes the parts of a compact token, strictly.
func cutOutside(token string) (header, payload, signature []byte, err error) {
	if len(token) > MaxToken {
		return nil, nil, nil, errTooLong
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, nil, errParts
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = decodePart(part); err != nil {
			return nil, nil, nil, err
		}
	}
	return decoded[0], decoded[1], decoded[2], nil
}

// Assertion is a proof of a client that was good.
type Assertion struct {
	ID        string // "jti", by which it is used up
	ExpiresAt time.Time
}

type wireAssertion struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  any      `json:"aud"`
	ExpiresAt *float64 `json:"exp"`
	IssuedAt  *float64 `json:"iat"`
	NotBefore *float64 `json:"nbf"`
	ID        string   `json:"jti"`
}

// AssertionClient is the client that an assertion says it is of. It proves
// nothing: it tells whose keys to look at.
func AssertionClient(token string) string {
	_, payload, _, err := cutOutside(token)
	if err != nil {
		return ""
	}
	var w wireAssertion
	if json.Unmarshal(payload, &w) != nil {
		return ""
	}
	return w.Subject
}

// VerifyAssertion accepts a proof of a client that one of the keys of its
// account has signed (RFC 7523, section 3): of the client itself, for this
// service alone, good for minutes and with an id. Its audience is the issuer as
// one text: a list, or the address of a call, would let another service use
// what was meant for it. Whether it was used before is for the caller to know.
func (r *Keyring) VerifyAssertion(token string, keys OutsideKeys, client string, now time.Time) (Assertion, error) {
	payload, kind, err := keys.open(token)
	if err != nil {
		return Assertion{}, err
	}
	switch kind {
	case "", "JWT", "jwt", "client-authentication+jwt":
	default:
		return Assertion{}, errOutsideHeader
	}
	var w wireAssertion
	if json.Unmarshal(payload, &w) != nil {
		return Assertion{}, errAssertion
	}
	if w.Audience != any(r.audiences.Issuer()) {
		return Assertion{}, errAudience
	}
	if client == "" || w.Issuer != client || w.Subject != client || w.ID == "" || len(w.ID) > maxOutsideID || w.ExpiresAt == nil {
		return Assertion{}, errAssertion
	}
	return Assertion{w.ID, instantOf(*w.ExpiresAt)}, w.checkTime(now)
}

func (w wireAssertion) checkTime(now time.Time) error {
	end := instantOf(*w.ExpiresAt)
	switch {
	case !now.Before(end):
		return errExpired
	case end.After(now.Add(MaxAssertionLife + maxAhead)),
		w.IssuedAt != nil && end.After(instantOf(*w.IssuedAt).Add(MaxAssertionLife+maxAhead)):
		return errAssertion
	case w.IssuedAt != nil && instantOf(*w.IssuedAt).After(now.Add(maxAhead)),
		w.NotBefore != nil && instantOf(*w.NotBefore).After(now.Add(maxAhead)):
		return errEarly
	}
	return nil
}

// instantOf reads seconds since 1970. What is beyond any date is the last one
// that can be counted, which no check lets pass.
func instantOf(seconds float64) time.Time {
	const last = 1 << 40
	if !(seconds > -last) || !(seconds < last) {
		seconds = last
	}
	return time.Unix(int64(seconds), 0).UTC()
}
