package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// MaxToken is the length of the longest token that is looked at, in bytes.
const MaxToken = 8 << 10

// Keyring signs tokens with one key and verifies those of several. It never
// changes; when keys change, another one takes its place.
type Keyring struct {
	audiences Audiences
	keys      []*Key
	access    map[string]*Key // by the first part of its access tokens
	callback  map[string]*Key // by the first part of its callback tokens
	exchange  map[string]*Key // by the first part of its exchange tokens
	signing   *Key
	queue     *queue
}

// NewKeyring signs with the last of keys that is for the algorithm, and
// verifies tokens of all of them.
func NewKeyring(keys []*Key, sign Algorithm, audiences Audiences) (*Keyring, error) {
	r := &Keyring{
		audiences: audiences, keys: slices.Clone(keys),
		access: make(map[string]*Key, len(keys)), callback: make(map[string]*Key, len(keys)), exchange: make(map[string]*Key, len(keys)),
		queue: newQueue(),
	}
	for _, k := range keys {
		r.access[k.access], r.callback[k.callback], r.exchange[k.exchange] = k, k, k
		if k.algorithm == sign {
			r.signing = k
		}
	}
	if r.signing == nil {
		return nil, fmt.Errorf("there is no key to sign with %s", sign)
	}
	return r, nil
}

// PublicKeys lists the public keys, all of them or those of some algorithms.
func (r *Keyring) PublicKeys(only ...Algorithm) []JWK {
	list := []JWK{}
	for _, k := range r.keys {
		if len(only) == 0 || slices.Contains(only, k.algorithm) {
			list = append(list, k.jwk)
		}
	}
	return list
}

// Sign writes an access token in compact form. RSA signatures wait for a
// processor in a bounded queue; beyond it the answer is Unavailable with
// RetryAfter.
func (r *Keyring) Sign(ctx context.Context, c Claims) (string, error) {
	payload, err := encodeClaims(r.audiences, c)
	if err != nil {
		return "", err
	}
	return r.sign(ctx, r.signing.access, payload)
}

// SignCallback writes a callback token, as Sign does an access token.
func (r *Keyring) SignCallback(ctx context.Context, c CallbackClaims) (string, error) {
	payload, err := encodeCallback(r.audiences, c)
	if err != nil {
		return "", err
	}
	return r.sign(ctx, r.signing.callback, payload)
}

// SignExchange writes an exchange token, as Sign does an access token.
func (r *Keyring) SignExchange(ctx context.Context, c ExchangeClaims) (string, error) {
	payload, err := encodeExchange(r.audiences, c)
	if err != nil {
		return "", err
	}
	return r.sign(ctx, r.signing.exchange, payload)
}

func (r *Keyring) sign(ctx context.Context, header string, payload []byte) (string, error) {
	if r.signing.algorithm == RS256 {
		if err := r.queue.enter(ctx); err != nil {
			return "", err
		}
		defer r.queue.leave()
	}
	token, err := r.signing.sign(header, payload)
	if err == nil && len(token) > MaxToken {
		return "", errTooLong
	}
	return token, err
}

// sign writes header, payload and signature with nothing in between: what the
// library would, without its work.
func (k *Key) sign(header string, payload []byte) (string, error) {
	encoding := base64.RawURLEncoding
	token := make([]byte, 0, len(header)+encoding.EncodedLen(len(payload))+encoding.EncodedLen(k.signatureBytes())+2)
	token = append(append(token, header...), '.')
	token = encoding.AppendEncode(token, payload)
	signature, err := k.signature(token)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return string(encoding.AppendEncode(append(token, '.'), signature)), nil
}

// signature is that of a text as RFC 7518, section 3, and RFC 8037 want it.
func (k *Key) signature(text []byte) ([]byte, error) {
	if private, ok := k.private.(ed25519.PrivateKey); ok {
		return ed25519.Sign(private, text), nil
	}
	sum := sha256.Sum256(text)
	private, ok := k.private.(*ecdsa.PrivateKey)
	if !ok {
		return k.private.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	if err != nil {
		return nil, err
	}
	signature := make([]byte, k.signatureBytes())
	r.FillBytes(signature[:len(signature)/2])
	s.FillBytes(signature[len(signature)/2:])
	lowerS(signature)
	return signature, nil
}

// signatureBytes is how long a signature is.
func (k *Key) signatureBytes() int {
	if k.algorithm == RS256 {
		return rsaBits / 8
	}
	return 64
}

// The reasons for refusing a token before its claims are looked at.
var (
	errTooLong   = errors.New("token is too long")
	errParts     = errors.New("token is not in three parts")
	errHeader    = errors.New("token has a header that no key of ours writes")
	errEncoding  = errors.New("token is not in strict base64url")
	errSignature = errors.New("token has a wrong signature")
)

// Verify accepts only an access token every byte of which we would have
// written. The header is compared as text with those of our keys, so nothing
// that a token says of itself is ever believed: not its algorithm, not a key,
// not a place to fetch one. The errors are for the log.
func (r *Keyring) Verify(token string, now time.Time) (Claims, error) {
	body, err := r.open(r.access, token)
	if err != nil {
		return Claims{}, err
	}
	return decodeClaims(r.audiences, body, now)
}

// VerifyCallback does the same to a callback token.
func (r *Keyring) VerifyCallback(token string, now time.Time) (CallbackClaims, error) {
	body, err := r.open(r.callback, token)
	if err != nil {
		return CallbackClaims{}, err
	}
	return decodeCallback(r.audiences, body, now)
}

// VerifyExchange does the same to an exchange token. Whether it was used up is
// for the caller to know.
func (r *Keyring) VerifyExchange(token string, now time.Time) (ExchangeClaims, error) {
	body, err := r.open(r.exchange, token)
	if err != nil {
		return ExchangeClaims{}, err
	}
	return decodeExchange(r.audiences, body, now)
}

// Type is which of our kinds a token is.
type Type uint8

// The types of token. What is none of ours is taken for an access token, which
// it then turns out not to be.
const (
	AccessToken Type = iota
	CallbackToken
	ExchangeToken
)

// Type says how a token begins, and so which of the functions may verify it.
// It proves nothing.
func (r *Keyring) Type(token string) Type {
	header, _, _ := strings.Cut(token, ".")
	switch {
	case r.callback[header] != nil:
		return CallbackToken
	case r.exchange[header] != nil:
		return ExchangeToken
	}
	return AccessToken
}

// open gives the payload of a token that one of the keys has signed.
func (r *Keyring) open(keys map[string]*Key, token string) ([]byte, error) {
	if len(token) > MaxToken {
		return nil, errTooLong
	}
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, errParts // a third dot is refused as no base64url
	}
	key := keys[header]
	if key == nil {
		return nil, errHeader
	}
	body, err := decodePart(payload)
	if err != nil {
		return nil, err
	}
	return body, key.verify(token, signature)
}

// decodePart decodes base64url without padding whose unused bits are zero. The
// library skips line breaks, hence the comparison of lengths.
func decodePart(part string) ([]byte, error) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(decoded)) != len(part) {
		return nil, errEncoding
	}
	return decoded, nil
}

func (k *Key) verify(token, signature string) error {
	raw, err := decodePart(signature)
	if err != nil {
		return err
	}
	if k.algorithm == ES256 && highS(raw) {
		return errSignature
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.algorithm)})
	if err != nil {
		return errSignature
	}
	if _, err := signed.Verify(k.private.Public()); err != nil {
		return errSignature
	}
	return nil
}

// An ECDSA signature (r, s) is also good as (r, n-s). Only the one with the
// lower s is ours, else anybody could write a second token from a first.

// halfOrder is half the order n of P-256.
var halfOrder = new(big.Int).Rsh(elliptic.P256().Params().N, 1)

func highS(signature []byte) bool {
	return sOf(signature).Cmp(halfOrder) > 0
}

func lowerS(signature []byte) {
	if s := sOf(signature); s.Cmp(halfOrder) > 0 {
		s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[len(signature)/2:])
	}
}

func sOf(signature []byte) *big.Int { return new(big.Int).SetBytes(signature[len(signature)/2:]) }
