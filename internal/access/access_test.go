package access_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"mooring/internal/access"
	"mooring/internal/auth"
	"mooring/internal/store"
)

func TestTheFirstNodeMakesTheKeysAndLaterOnesUseThem(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	cfg := config(t, m)
	first := open(t, cfg)
	second := open(t, cfg)
	if _, err := second.Verify(t.Context(), issue(t, first, l, merchant)); err != nil {
		t.Errorf("the second node refuses a token of the first: %v", err)
	}
	if len(first.FingerprintKey()) != 32 || !bytes.Equal(first.FingerprintKey(), second.FingerprintKey()) {
		t.Errorf("fingerprint keys %x and %x", first.FingerprintKey(), second.FingerprintKey())
	}
	if len(m.keys) != 3 {
		t.Errorf("%d keys are stored", len(m.keys))
	}
}

func TestNodesThatStartTogetherOnEmptyDataAgree(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	cfg := config(t, m)
	nodes := make([]*access.Access, 8)
	var started sync.WaitGroup
	for i := range nodes {
		started.Go(func() {
			var err error
			if nodes[i], err = access.New(t.Context(), cfg); err != nil {
				t.Error(err)
			}
		})
	}
	started.Wait()
	for i, issuer := range nodes {
		header := issue(t, issuer, l, merchant)
		for j, verifier := range nodes {
			if _, err := verifier.Verify(t.Context(), header); err != nil {
				t.Errorf("node %d refuses a token of node %d: %v", j, i, err)
			}
		}
	}
}

func TestKeysRestSealed(t *testing.T) {
	m := newMemory()
	a := open(t, config(t, m))
	for name, key := range m.keys {
		if bytes.Contains(key.Sealed, a.FingerprintKey()) || bytes.Contains(key.Sealed, []byte("belongs to")) {
			t.Errorf("%s is not sealed", name)
		}
	}
}

func TestAnotherKeyFileIsRefused(t *testing.T) {
	m := newMemory()
	cfg := config(t, m)
	open(t, cfg)
	right := cfg.Sealer
	cfg.Sealer = newSealer(t)
	_, err := access.New(t.Context(), cfg)
	if !errors.Is(err, access.ErrKeyFile) || !strings.Contains(err.Error(), cfg.Sealer.KeyFile()) {
		t.Fatalf("another key file: %v", err)
	}
	if len(m.keys) != 3 {
		t.Error("the refused node has stored a key")
	}
	cfg.Sealer = right
	open(t, cfg)
}

func TestSealedKeysThatWereMovedOrChangedAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(keys map[string]store.SealedKey){
		"swapped": func(keys map[string]store.SealedKey) {
			a, b := keys["fingerprint fingerprint"], keys["canary canary"]
			a.Sealed, b.Sealed = b.Sealed, a.Sealed
			keys["fingerprint fingerprint"], keys["canary canary"] = a, b
		},
		"signing key in place of the fingerprint key": func(keys map[string]store.SealedKey) {
			k := keys["fingerprint fingerprint"]
			k.Sealed = keys["signing signing-EdDSA"].Sealed
			keys["fingerprint fingerprint"] = k
		},
		"renamed": func(keys map[string]store.SealedKey) {
			k := keys["signing signing-EdDSA"]
			k.ID = "signing-other"
			keys["signing signing-other"] = k
		},
		"bent": func(keys map[string]store.SealedKey) {
			k := keys["signing signing-EdDSA"]
			k.Sealed = bytes.Clone(k.Sealed)
			k.Sealed[len(k.Sealed)-1] ^= 1
			keys["signing signing-EdDSA"] = k
		},
		"canary gone, key file another": func(keys map[string]store.SealedKey) { delete(keys, "canary canary") },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			cfg := config(t, m)
			open(t, cfg)
			spoil(m.keys)
			if strings.HasPrefix(name, "canary gone") {
				cfg.Sealer = newSealer(t)
			}
			if _, err := access.New(t.Context(), cfg); !errors.Is(err, access.ErrKeyFile) {
				t.Errorf("opened: %v", err)
			}
		})
	}
}

func TestTokensOutliveAChangeOfAlgorithm(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	cfg := config(t, m)
	before := issue(t, open(t, cfg), l, merchant)
	cfg.Algorithm = auth.ES256
	a := open(t, cfg)
	if _, err := a.Verify(t.Context(), before); err != nil {
		t.Errorf("a token from before: %v", err)
	}
	if _, err := a.Verify(t.Context(), issue(t, a, l, merchant)); err != nil {
		t.Errorf("a token from after: %v", err)
	}
	if got := len(a.PublicKeys()); got != 2 {
		t.Errorf("%d keys are published", got)
	}
	if got := a.PublicKeys(auth.RS256); len(got) != 0 {
		t.Errorf("RSA keys %v", got)
	}
}

func TestANodeDoesNotStartWithoutItsDatabase(t *testing.T) {
	m := newMemory()
	m.setFailing(errors.New("away"))
	if _, err := access.New(t.Context(), config(t, m)); err == nil {
		t.Error("started")
	}
}
