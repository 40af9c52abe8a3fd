package store

import (
	"context"
	"database/sql"
	"time"

	"mooring/internal/account"
)

// SubscriptionSecret is what a message is signed with, or opens its receiver's
// door, as it rests.
type SubscriptionSecret struct {
	Account      account.ID
	Subscription string
	ID           string // UUIDv7
	Kind         string // SecretSignature, SecretAuthorization, SecretStandard, SecretAsymmetric or SecretURL
	Key          string // id of the data key
	Sealed       []byte
	CreatedAt    time.Time
	CreatedBy    string
	ExpiresAt    time.Time // zero while it does not end by itself
}

// The kinds of secrets of a subscription.
const (
	SecretSignature     = "signature"     // of the documented signature
	SecretAuthorization = "authorization" // sent as the header of that name
	SecretStandard      = "standard"      // of Standard Webhooks, symmetric
	SecretAsymmetric    = "asymmetric"    // of Standard Webhooks, with a key pair
	SecretURL           = "url"           // where the incoming webhook of a chat is
)

const subscriptionSecretColumns = `account, subscription, id, kind, data_key, sealed, created_at, created_by, expires_at`

var (
	subscriptionSecretAdded = writes(`INSERT INTO subscription_secret (` + subscriptionSecretColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`)

	subscriptionSecretsDropped = writes(`DELETE FROM subscription_secret WHERE account = $1 AND subscription = $2`)

	subscriptionSecretsOwn = writes(`SELECT ` + subscriptionSecretColumns + ` FROM subscription_secret
		WHERE account = $1 AND subscription = $2 ORDER BY created_at, id`)

	subscriptionSecretsOfAccount = reads(`SELECT ` + subscriptionSecretColumns + ` FROM subscription_secret
		WHERE account = $1 ORDER BY created_at, id`)

	subscriptionSecretsOfOne = reads(`SELECT ` + subscriptionSecretColumns + ` FROM subscription_secret
		WHERE account = $1 AND subscription = $2 ORDER BY created_at, id`)
)

// SubscriptionSecrets lists what a subscription has, oldest first, also what
// has ended.
func (s *Store) SubscriptionSecrets(ctx context.Context, id account.ID, subscription string) ([]SubscriptionSecret, error) {
	if !isID(subscription) {
		return nil, nil
	}
	return list(ctx, s, subscriptionSecretsOfOne, scanSubscriptionSecret, string(id), subscription)
}

// replaceSubscriptionSecrets writes the secrets of a subscription in the place
// of those that it has.
func (t *tx) replaceSubscriptionSecrets(ctx context.Context, sub Subscription) error {
	if _, err := t.change(ctx, subscriptionSecretsDropped, string(sub.Account), sub.ID); err != nil {
		return err
	}
	for _, one := range sub.Secrets {
		if !isID(one.ID) || !isID(one.Key) {
			return errNoUUID
		}
		if _, err := t.change(ctx, subscriptionSecretAdded, string(sub.Account), sub.ID, one.ID, one.Kind, one.Key, blob(one.Sealed),
			micros(one.CreatedAt), one.CreatedBy, micros(one.ExpiresAt)); err != nil {
			return err
		}
	}
	return nil
}

func sameSecret(a, b SubscriptionSecret) bool { return a.ID == b.ID && a.ExpiresAt.Equal(b.ExpiresAt) }

func scanSubscriptionSecret(r row) (SubscriptionSecret, error) {
	var (
		s                SubscriptionSecret
		created, expires sql.NullInt64
	)
	err := r.Scan(&s.Account, &s.Subscription, &s.ID, &s.Kind, &s.Key, &s.Sealed, &created, &s.CreatedBy, &expires)
	s.CreatedAt, s.ExpiresAt = instant(created), instant(expires)
	return s, err
}
