package secret_test

import (
	"bytes"
	"errors"
	"testing"

	"mooring/internal/secret"
)

func TestADataKeySealsForOnePlace(t *testing.T) {
	sealer := newSealer(t)
	key, wrapped, err := sealer.NewDataKey("data/T11223351//1")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal([]byte("value"), "field", "T11223351", "vipps", "/client_secret")
	if err != nil {
		t.Fatal(err)
	}
	again, err := sealer.OpenDataKey(wrapped, "data/T11223351//1")
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open(sealed, "field", "T11223351", "vipps", "/client_secret"); err != nil || string(plain) != "value" {
		t.Errorf("%q, %v", plain, err)
	}
	for _, place := range [][]string{
		nil,
		{"field", "T11223351", "vipps", "/token"},
		{"field", "T11223352", "vipps", "/client_secret"},
		{"field", "T11223351", "vipps/client_secret"},
		{"field", "T11223351", "vipps/", "client_secret"},
		{"field", "T11223351", "vipps", "/client_secret", ""},
	} {
		if _, err := again.Open(sealed, place...); !errors.Is(err, secret.ErrUnopened) {
			t.Errorf("%q: %v", place, err)
		}
	}
}

func TestADataKeyRestsWrappedInItsContext(t *testing.T) {
	sealer := newSealer(t)
	_, wrapped, err := sealer.NewDataKey("data/T11223351//1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealer.OpenDataKey(wrapped, "data/T11223352//1"); !errors.Is(err, secret.ErrUnopened) {
		t.Errorf("in another context: %v", err)
	}
	if _, err := newSealer(t).OpenDataKey(wrapped, "data/T11223351//1"); !errors.Is(err, secret.ErrUnopened) {
		t.Errorf("with another key file: %v", err)
	}
	notAKey, err := sealer.Seal([]byte("no keyset"), "data/T11223351//1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealer.OpenDataKey(notAKey, "data/T11223351//1"); !errors.Is(err, secret.ErrUnopened) {
		t.Errorf("bytes that are no key: %v", err)
	}
}

func TestTwoDataKeysAreNeverTheSame(t *testing.T) {
	sealer := newSealer(t)
	one, first, _ := sealer.NewDataKey("x")
	two, second, _ := sealer.NewDataKey("x")
	sealed, err := one.Seal([]byte("value"), "place")
	if err != nil || bytes.Equal(first, second) {
		t.Fatal(err, "or equal keys")
	}
	if _, err := two.Open(sealed, "place"); !errors.Is(err, secret.ErrUnopened) {
		t.Error(err)
	}
	if _, err := (secret.DataKey{}).Open(sealed, "place"); !errors.Is(err, secret.ErrUnopened) {
		t.Error(err)
	}
	if _, err := (secret.DataKey{}).Seal(sealed, "place"); err == nil {
		t.Error("the zero key seals")
	}
}
