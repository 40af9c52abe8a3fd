package product

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"mooring/test/drive"
)

// TestAnOrdinaryOAuthClientGetsATokenAndUsesIt lets the library that most Go
// programs use do everything: it is told an address and credentials.
func TestAnOrdinaryOAuthClientGetsATokenAndUsesIt(t *testing.T) {
	s := dev(t, "--listen", "127.0.0.1:0")
	for name, style := range map[string]oauth2.AuthStyle{"in the header": oauth2.AuthStyleInHeader, "as it finds out": oauth2.AuthStyleAutoDetect} {
		for _, path := range []string{"/v1/oauth/token", "/v1/accounts/" + s.Account + "/auth/token"} {
			client := clientcredentials.Config{
				ClientID: s.ClientID, ClientSecret: s.ClientSecret, TokenURL: s.BaseURL + path, AuthStyle: style, Scopes: []string{"read:accounts"},
			}
			token, err := client.Token(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if token.TokenType != "Bearer" || token.Extra("scope") != "read:accounts" || token.RefreshToken != "" {
				t.Errorf("%s: %+v", name, token)
			}
			answer, err := client.Client(t.Context()).Get(s.BaseURL + "/v1/accounts/" + s.Account + "/auth/keys")
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("%s: the token is answered with %d", name, answer.StatusCode)
			}
		}
	}
	wrong := clientcredentials.Config{ClientID: s.ClientID, ClientSecret: "wrong", TokenURL: s.BaseURL + "/v1/oauth/token", AuthStyle: oauth2.AuthStyleInHeader}
	_, err := wrong.Token(context.Background())
	if told, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || told.ErrorCode != "invalid_client" {
		t.Errorf("a wrong secret: %v", err)
	}
}

// TestOurTokensAreVerifiedByALibraryThatDidNotMakeThem checks a token of each
// algorithm with the published keys.
func TestOurTokensAreVerifiedByALibraryThatDidNotMakeThem(t *testing.T) {
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA"} {
		s := dev(t, "--listen", "127.0.0.1:0", "--signing-algorithm", algorithm)
		client := drive.NewClient(s.BaseURL)
		text, err := client.Token(s.Clients()["merchant"])
		if err != nil {
			t.Fatal(err)
		}
		key := published(t, publicKey(t, client))
		parser := jwt.NewParser(
			jwt.WithValidMethods([]string{algorithm}), jwt.WithIssuer(s.BaseURL), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding(),
			jwt.WithAudience("http://"+s.Account+"@"+s.BaseURL[len("http://"):]+"/v1/accounts/"+s.Account))
		token, err := parser.Parse(text, func(*jwt.Token) (any, error) { return key, nil })
		if err != nil || token.Header["typ"] != "at+jwt" {
			t.Errorf("%s: %v", algorithm, err)
		}
		if _, err := parser.Parse(text[:len(text)-8]+"AAAAAAAA", func(*jwt.Token) (any, error) { return key, nil }); err == nil {
			t.Errorf("%s: the library verifies anything", algorithm)
		}
	}
}

// published reads a public key by nobody's library.
func published(t *testing.T, text json.RawMessage) any {
	t.Helper()
	var jwk struct{ Kty, N, E, X, Y string }
	if err := json.Unmarshal(text, &jwk); err != nil {
		t.Fatal(err)
	}
	number := func(s string) *big.Int { return new(big.Int).SetBytes(raw(t, s)) }
	switch jwk.Kty {
	case "RSA":
		return &rsa.PublicKey{N: number(jwk.N), E: int(number(jwk.E).Int64())}
	case "EC":
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, raw(t, jwk.X), raw(t, jwk.Y)))
		if err != nil {
			t.Fatal(err)
		}
		return key
	default:
		return ed25519.PublicKey(raw(t, jwk.X))
	}
}

func raw(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
