package auth_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mooring/internal/auth"
)

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func newID() string { return "01990000-0000-7000-8000-000000000000" }

func TestAClientSecretCanBeRecognised(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		plain, hash := auth.NewSecret(noon, newID)
		text := plain.Reveal()
		if !strings.HasPrefix(text, auth.SecretPrefix) || len(text) != len(auth.SecretPrefix)+49 ||
			strings.Trim(text[len(auth.SecretPrefix):], "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Fatalf("shape of %q", text)
		}
		if seen[text] {
			t.Fatal("the same secret twice")
		}
		seen[text] = true
		want := auth.SecretHash{ID: newID(), Hash: hash.Hash, CreatedAt: noon}
		if diff := cmp.Diff(want, hash); diff != "" || len(hash.Hash) != 32 || strings.Contains(string(hash.Hash), text) {
			t.Fatalf("hash: %s", diff)
		}
	}
}

func TestOnlyTheWholeSecretIsAccepted(t *testing.T) {
	plain, hash := auth.NewSecret(noon, newID)
	other, _ := auth.NewSecret(noon, newID)
	text := plain.Reveal()
	client := auth.Client{ID: newID(), Secrets: []auth.SecretHash{hash}}
	if !accepts(client, text, noon) {
		t.Fatal("the right secret is refused")
	}
	flipped := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, text)
	for name, given := range map[string]string{
		"empty": "", "another's": other.Reveal(), "one byte less": text[:len(text)-1], "one byte more": text + "0",
		"first byte missing": text[1:], "trailing NUL": text + "\x00", "trailing newline": text + "\n", "leading blank": " " + text,
		"case flipped": flipped, "prefix only": auth.SecretPrefix, "twice": text + text, "long": text + strings.Repeat("x", 1<<20),
		"the hash": string(hash.Hash), "without prefix": strings.TrimPrefix(text, auth.SecretPrefix),
	} {
		if accepts(client, given, noon) {
			t.Errorf("%s: accepted", name)
		}
	}
	for i := range len(text) {
		bent := []byte(text)
		bent[i] ^= 1
		if accepts(client, string(bent), noon) {
			t.Errorf("accepted with byte %d bent", i)
		}
	}
}

func TestTwoSecretsAreGoodWhileOneReplacesTheOther(t *testing.T) {
	old, oldHash := auth.NewSecret(noon, newID)
	fresh, freshHash := auth.NewSecret(noon, newID)
	oldHash.ExpiresAt = noon.Add(time.Hour)
	client := auth.Client{ID: newID(), Secrets: []auth.SecretHash{oldHash, freshHash}}
	for _, c := range []struct {
		at         time.Time
		old, fresh bool
	}{
		{noon, true, true},
		{noon.Add(time.Hour - 1), true, true},
		{noon.Add(time.Hour), false, true},
		{noon.Add(time.Hour + 1), false, true},
	} {
		if got := accepts(client, old.Reveal(), c.at); got != c.old {
			t.Errorf("old one at %v: %v", c.at, got)
		}
		if got := accepts(client, fresh.Reveal(), c.at); got != c.fresh {
			t.Errorf("fresh one at %v: %v", c.at, got)
		}
	}
	if id, _ := client.CheckSecret(fresh.Reveal(), noon); id != freshHash.ID {
		t.Error("it is not told which of the two was shown")
	}
	client.Secrets = client.Secrets[:1]
	if accepts(client, fresh.Reveal(), noon) {
		t.Error("a secret that was taken away is accepted")
	}
}

func TestNoSecretNeverMatchesAnything(t *testing.T) {
	plain, hash := auth.NewSecret(noon, newID)
	for name, client := range map[string]auth.Client{
		"no client": {}, "no secret": {ID: newID()}, "empty hash": {ID: newID(), Secrets: []auth.SecretHash{{ID: newID()}}},
		"short hash": {ID: newID(), Secrets: []auth.SecretHash{{ID: newID(), Hash: hash.Hash[:31]}}},
		"zero hash":  {ID: newID(), Secrets: []auth.SecretHash{{ID: newID(), Hash: make([]byte, 32)}}},
	} {
		for _, given := range []string{"", plain.Reveal()} {
			if accepts(client, given, noon) {
				t.Errorf("%s: accepted", name)
			}
		}
	}
}

func TestAHashThatIsCutMatchesNothing(t *testing.T) {
	for {
		plain, hash := auth.NewSecret(noon, newID)
		if hash.Hash[31] != 0 {
			continue // padding must not make up for what was cut
		}
		hash.Hash = hash.Hash[:31]
		if accepts(auth.Client{Secrets: []auth.SecretHash{hash}}, plain.Reveal(), noon) {
			t.Error("accepted")
		}
		return
	}
}

func TestAWeakSecretIsRefusedThoughItsHashIsStored(t *testing.T) {
	good, _ := auth.NewSecret(noon, newID)
	for _, weak := range []string{"", "password", auth.SecretPrefix, good.Reveal()[:len(good.Reveal())-6] + "000000", "x" + good.Reveal()[1:]} {
		hash := sha256.Sum256([]byte(weak))
		client := auth.Client{Secrets: []auth.SecretHash{{Hash: hash[:]}}}
		if accepts(client, weak, noon) {
			t.Errorf("%q: accepted", weak)
		}
	}
}

func TestAnyTextButTheSecretIsRefused(t *testing.T) {
	plain, hash := auth.NewSecret(noon, newID)
	client := auth.Client{Secrets: []auth.SecretHash{hash}}
	rapid.Check(t, func(t *rapid.T) {
		given := rapid.OneOf(rapid.String(), rapid.StringMatching(`mooring_[0-9A-Za-z]{49}`)).Draw(t, "given")
		if accepts(client, given, noon) != (given == plain.Reveal()) {
			t.Fatalf("%q", given)
		}
	})
}

func accepts(client auth.Client, given string, at time.Time) bool {
	_, ok := client.CheckSecret(given, at)
	return ok
}
