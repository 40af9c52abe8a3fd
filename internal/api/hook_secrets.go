package api

import (
	"context"
	"slices"
	"time"

	"mooring/internal/hook"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// newStandard draws the secret with which the messages of a subscription are
// signed as Standard Webhooks say.
func (o operations) newStandard(ctx context.Context, sub *store.Subscription, by string) (secret.Plain, store.SubscriptionSecret, error) {
	standard := hook.NewStandard()
	one, err := o.sealed(ctx, sub, store.SecretStandard, standard, by)
	return standard, one, err
}

// newPair draws a pair of keys, of which the private one signs.
func (o operations) newPair(ctx context.Context, sub *store.Subscription, by string) (secret.Plain, store.SubscriptionSecret, error) {
	private, _ := hook.NewPair()
	one, err := o.sealed(ctx, sub, store.SecretAsymmetric, private, by)
	return private, one, err
}

// sealed is a new secret of a subscription as it rests.
func (o operations) sealed(
	ctx context.Context, sub *store.Subscription, kind string, plain secret.Plain, by string,
) (store.SubscriptionSecret, error) {
	return o.Vault.SealSecret(ctx, store.SubscriptionSecret{
		Account: sub.Account, Subscription: sub.ID, ID: NewID(), Kind: kind, CreatedAt: o.Now(), CreatedBy: by,
	}, plain)
}

// overlapping is what stays of the secrets of a subscription, oldest first,
// when fresh ones come: those of other kinds, and of each kind the newest, for a
// while.
func overlapping(held, fresh []store.SubscriptionSecret, now, ends time.Time) []store.SubscriptionSecret {
	stays := map[string]bool{} // of each fresh kind, whether one more may stay
	for _, f := range fresh {
		stays[f.Kind] = true
	}
	var kept []store.SubscriptionSecret
	for _, s := range slices.Backward(held) {
		if room, replaced := stays[s.Kind]; replaced {
			if s.ExpiresAt.IsZero() || ends.Before(s.ExpiresAt) {
				s.ExpiresAt = ends
			}
			if !room || !now.Before(s.ExpiresAt) {
				continue
			}
			stays[s.Kind] = false
		}
		kept = append(kept, s)
	}
	slices.Reverse(kept)
	return kept
}

// withoutKinds is secrets without those of some kinds.
func withoutKinds(held []store.SubscriptionSecret, kinds []string) []store.SubscriptionSecret {
	var kept []store.SubscriptionSecret
	for _, s := range held {
		if !slices.Contains(kinds, s.Kind) {
			kept = append(kept, s)
		}
	}
	return kept
}
