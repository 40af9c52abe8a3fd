package vault

import (
	"context"
	"fmt"
	"slices"
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
// sent with, as far as it has not ended at now, and says what ends when.
func (v *Vault) OpenSecrets(ctx context.Context, id account.ID, subscription string, now time.Time) (hook.Secrets, error) {
	all, err := v.store.SubscriptionSecrets(ctx, id, subscription)
	if err != nil {
		return hook.Secrets{}, err
	}
	all = slices.DeleteFunc(all, func(s store.SubscriptionSecret) bool { return endsBy(s, now) })
	open := make([]secret.Plain, len(all))
	for i, s := range all {
		if open[i], err = v.openSecret(ctx, s); err != nil {
			return hook.Secrets{}, err
		}
	}
	return secretsAt(all, open, now), nil
}

// secretsAt are those of some secrets that are there at a time.
func secretsAt(all []store.SubscriptionSecret, plain []secret.Plain, at time.Time) (open hook.Secrets) {
	for i, s := range slices.Backward(all) { // newest first
		if endsBy(s, at) {
			continue
		}
		if !s.ExpiresAt.IsZero() && (open.Ends.IsZero() || s.ExpiresAt.Before(open.Ends)) {
			open.Ends = s.ExpiresAt
		}
		switch s.Kind {
		case store.SecretSignature:
			open.Contract = plain[i]
		case store.SecretAuthorization:
			open.Authorization = plain[i]
		case store.SecretStandard:
			open.Standard = append(open.Standard, plain[i])
		case store.SecretAsymmetric:
			open.Asymmetric = append(open.Asymmetric, plain[i])
		case store.SecretURL:
			open.URL = plain[i]
		}
	}
	if !open.Ends.IsZero() {
		then := secretsAt(all, plain, open.Ends)
		open.Then = &then
	}
	return open
}

func endsBy(s store.SubscriptionSecret, at time.Time) bool {
	return !s.ExpiresAt.IsZero() && !at.Before(s.ExpiresAt)
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
