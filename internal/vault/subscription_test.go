package vault_test

import (
	"testing"
	"time"

	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// A secret of a subscription opens as what it is, where it is, and nowhere else.
func TestASecretOfASubscriptionIsBoundToItsPlace(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		seal := func(kind string) store.SubscriptionSecret {
			t.Helper()
			one, err := w.vault.SealSecret(t.Context(), store.SubscriptionSecret{
				Account: accounts[0], Subscription: newID(), ID: newID(), Kind: kind, CreatedAt: now(),
			}, secret.NewPlain("sesame"))
			if err != nil {
				t.Fatal(err)
			}
			return one
		}
		one := seal(store.SecretSignature)
		if plain, err := vault.OpenSecret(w.vault, t.Context(), one); err != nil || plain.Reveal() != "sesame" {
			t.Fatalf("%v", err)
		}
		for name, moved := range map[string]func(*store.SubscriptionSecret){
			"another kind":         func(s *store.SubscriptionSecret) { s.Kind = store.SecretAuthorization },
			"another subscription": func(s *store.SubscriptionSecret) { s.Subscription = newID() },
			"another id":           func(s *store.SubscriptionSecret) { s.ID = newID() },
			"another account": func(s *store.SubscriptionSecret) {
				s.Account = accounts[1]
				s.Key = seal(store.SecretSignature).Key
			},
		} {
			other := one
			moved(&other)
			if _, err := vault.OpenSecret(w.vault, t.Context(), other); err == nil {
				t.Errorf("it opens as that of %s", name)
			}
		}
	})
}

func TestNoSecretsAreOpenWhereThereAreNone(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w world) {
		open, err := w.vault.OpenSecrets(t.Context(), accounts[0], newID(), now().Add(time.Hour))
		if err != nil || len(open.Standard)+len(open.Asymmetric) > 0 || open.Contract.Reveal() != "" {
			t.Errorf("%v, %v", open, err)
		}
	})
}

// What overlaps ends by itself, for whoever opened it before too.
func TestASecretEndsWhereItWasOpenedBefore(t *testing.T) {
	one, two := secret.NewPlain("one"), secret.NewPlain("two")
	at := now()
	open := vault.SecretsAt([]store.SubscriptionSecret{
		{Kind: store.SecretStandard, ExpiresAt: at.Add(time.Hour)},
		{Kind: store.SecretStandard},
		{Kind: store.SecretStandard, ExpiresAt: at.Add(time.Minute)},
	}, []secret.Plain{one, two, one}, at)
	for after, want := range map[time.Duration]int{0: 3, time.Minute - 1: 3, time.Minute: 2, time.Hour: 1, 24 * time.Hour: 1} {
		if got := open.At(at.Add(after)); len(got.Standard) != want {
			t.Errorf("after %s there are %d, want %d", after, len(got.Standard), want)
		}
	}
}
