package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-jose/go-jose/v4"

	"mooring/internal/secret"
)

// Algorithm names how tokens are signed, as RFC 7518 and RFC 8037 spell it.
type Algorithm string

// The algorithms. RS256 is what clients of the documented API expect; the
// other two sign many times faster.
const (
	RS256 Algorithm = "RS256"
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA"
)

const rsaBits = 2048

// The kinds of token that we sign. Each has a "typ" of its own, so that none
// can stand in for another (RFC 8725, section 3.11): the first is that of RFC
// 9068, section 2.1.
const (
	accessType   = "at+jwt"
	callbackType = "callback+jwt"
	exchangeType = "exchange+jwt"
)

// kidDigits is the length of a key id in hex digits, as the documented API's.
const kidDigits = 40

// Key is a private key that signs tokens with one algorithm. It prints as its
// id only.
type Key struct {
	algorithm Algorithm
	id        string
	private   crypto.Signer
	pkcs8     secret.Plain
	access    string // the first part of every token of the kind, here and below
	callback  string
	exchange  string
	jwk       JWK
}

// JWK is a public key as RFC 7517 writes it.
type JWK struct {
	Alg string `json:"alg"`
	Kty string `json:"kty"`
	Use string `json:"use"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	Kid string `json:"kid"`
}

// NewKey makes a fresh key. For RS256 it may take a second.
func NewKey(algorithm Algorithm) (*Key, error) {
	private, err := generate(algorithm)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	return newKey(private)
}

func generate(algorithm Algorithm) (crypto.Signer, error) {
	switch algorithm {
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return nil, fmt.Errorf("algorithm must be %s, %s or %s", RS256, ES256, EdDSA)
}

// ParseKey reads what Marshal wrote. Keys of another kind or size are refused.
func ParseKey(der []byte) (*Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("parse a signing key: %w", err)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, errors.New("parse a signing key: it can't sign")
	}
	key, err := newKey(private)
	if err == nil && key.pkcs8.Reveal() != string(der) {
		return nil, errors.New("parse a signing key: it is not as it was written")
	}
	return key, err
}

func newKey(private crypto.Signer) (*Key, error) {
	algorithm, err := algorithmOf(private)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	k := &Key{algorithm: algorithm, private: private, pkcs8: secret.NewPlain(string(der))}
	if k.id, err = keyID(private.Public()); err != nil {
		return nil, err
	}
	if k.jwk, err = publicJWK(k); err != nil {
		return nil, err
	}
	k.access, k.callback, k.exchange = k.header(accessType), k.header(callbackType), k.header(exchangeType)
	return k, nil
}

// header is the first part of tokens of a kind.
func (k *Key) header(kind string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":%q,"kid":%q,"typ":%q}`, k.algorithm, k.id, kind))
}

// algorithmOf fixes the algorithm by the key, never by a token (RFC 8725,
// section 3.1).
func algorithmOf(private crypto.Signer) (Algorithm, error) {
	switch key := private.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() == rsaBits {
			return RS256, nil
		}
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return ES256, nil
		}
	case ed25519.PrivateKey:
		return EdDSA, nil
	}
	return "", errors.New("a signing key is RSA of 2048 bits, P-256 or Ed25519")
}

// keyID is the start of the key's RFC 7638 thumbprint in hex.
func keyID(public crypto.PublicKey) (string, error) {
	web := jose.JSONWebKey{Key: public}
	thumbprint, err := web.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(thumbprint)[:kidDigits], nil
}

func publicJWK(k *Key) (JWK, error) {
	web := jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: string(k.algorithm), Use: "sig"}
	text, err := web.MarshalJSON()
	if err != nil {
		return JWK{}, err
	}
	var public JWK
	return public, json.Unmarshal(text, &public)
}

// ID is the "kid" of the key's tokens.
func (k *Key) ID() string { return k.id }

// Algorithm is what the key signs with.
func (k *Key) Algorithm() Algorithm { return k.algorithm }

// Marshal gives the private key as PKCS #8 DER (RFC 5958), to be sealed.
func (k *Key) Marshal() secret.Plain { return k.pkcs8 }

// Format writes the key's algorithm and id for every verb.
func (k *Key) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, string(k.algorithm)+" key "+k.id)
}
