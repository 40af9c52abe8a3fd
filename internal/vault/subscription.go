package vault

import (
	"context"
	"fmt"
	"time"

	"mooring/internal/account"
	"mooring/internal/hook"
	"mooring/internal/secret"
	"mooring/internal/store"
)

const purposeSubscription = "subscription"

// SealSecret seals a secret of a subscription under the key of its account. It
// opens only as the same kind of secret of the same subscription.
func (v *Vault) SealSecret(ctx context.Context, s store.SubscriptionSecret, plain secret.Plain) (store.SubscriptionSecret, error) {
	id, key, err := v.accountKey(ctx, s.Account)
	if err != nil {
		return s, err
	}
	s.Key = id
	if s.Sealed, err = key.Seal([]byte(plain.Reveal()), placeOfSecret(s)...); err != nil {
		return s, fmt.Errorf("seal a secret of subscription %s: %w", s.Subscription, err)
	}
	return s, nil
}

// OpenSecrets opens what the messages of a subscription are signed with and
// sent with, as far as it has not ended at now.
func (v *Vault) OpenSecrets(ctx context.Context, id account.ID, subscription string, now time.Time) (hook.Secrets, error) {
	var open hook.Secrets
	all, err := v.store.SubscriptionSecrets(ctx, id, subscription)
	if err != nil {
		return open, err
	}
	for i := range all { // newest first
		s := all[len(all)-1-i]
		if !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt) {
			continue
		}
		plain, err := v.openSecret(ctx, s)
		if err != nil {
			return hook.Secrets{}, err
		}
		switch s.Kind {
		case store.SecretSignature:
			open.Contract = plain
		case store.SecretAuthorization:
			open.Authorization = plain
		case store.SecretStandard:
			open.Standard = append(open.Standard, plain)
		case store.SecretAsymmetric:
			open.Asymmetric = append(open.Asymmetric, plain)
		case store.SecretURL:
			open.URL = plain
		}
	}
	return open, nil
}

func (v *Vault) openSecret(ctx context.Context, s store.SubscriptionSecret) (secret.Plain, error) {
	key, err := v.key(ctx, s.Account, s.Key)
	if err != nil {
		return secret.Plain{}, err
	}
	plain, err := key.Open(s.Sealed, placeOfSecret(s)...)
	if err != nil {
		return secret.Plain{}, fmt.Errorf("open a secret of subscription %s: %w", s.Subscription, err)
	}
	return secret.NewPlain(string(plain)), nil
}

// placeOfSecret is what a secret of a subscription is bound to. Its kind is part
// of it: who writes to the database can't have what signs sent as a header.
func placeOfSecret(s store.SubscriptionSecret) []string {
	return []string{purposeSubscription, string(s.Account), s.Subscription, s.Kind, s.ID}
}
