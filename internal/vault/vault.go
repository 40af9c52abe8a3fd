// Package vault owns the keys of accounts and of people: it seals the members
// of signups and configurations that must not rest in clear, and opens them for
// the few who may ask.
//
// It promises that a sealed member opens only where it was sealed: for that
// account, provider, holder and member. A signup's own key is destroyed when the person
// behind it is erased, and then nothing opens any more. It must never log a
// value, and never write one anywhere but sealed.
package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// Vault seals and opens. It is safe for concurrent use.
type Vault struct {
	store  *store.Store
	sealer *secret.Sealer
	now    func() time.Time
	newID  func() string
}

// New makes a vault over a store, with the key file that wraps its keys.
func New(s *store.Store, sealer *secret.Sealer, now func() time.Time, newID func() string) *Vault {
	return &Vault{s, sealer, now, newID}
}

// Sealed is what a decision has to write: new keys, and fields under them.
type Sealed struct {
	Keys   []store.DataKey
	Fields []store.SealedField
}

var errNotBuilt = errors.New("vault: not built yet")

// Signup seals the parts of a new signup under a key of its own. It is empty
// when there are no parts.
func (v *Vault) Signup(ctx context.Context, at store.Place, signup string, parts []provider.Part) (Sealed, error) {
	if len(parts) == 0 {
		return Sealed{}, nil
	}
	return Sealed{}, errNotBuilt
}

// Configuration seals the parts of a configuration under the account's key.
// The Version of the fields is for the decision to set. certificates says which
// members hold one: their NotAfter is read.
func (v *Vault) Configuration(ctx context.Context, at store.Place, parts []provider.Part, certificates []provider.Certificate) (Sealed, error) {
	if len(parts) == 0 {
		return Sealed{}, nil
	}
	return Sealed{}, errNotBuilt
}

// Shown opens what the connection's own GET may show of its configuration in
// force, the fields of the given version.
func (v *Vault) Shown(ctx context.Context, at store.Place, version int64) ([]provider.Part, error) {
	return nil, errNotBuilt
}

// Digest is a keyed digest of something that may be guessed, such as a body.
// Each kind of thing has its own digests.
func (v *Vault) Digest(kind string, data []byte) []byte { return nil }

// SealBody seals the raw body of a received call; it returns the id of the key.
func (v *Vault) SealBody(ctx context.Context, id account.ID, received string, body []byte) (key string, sealed []byte, err error) {
	return "", nil, errNotBuilt
}

// OpenBody opens it again.
func (v *Vault) OpenBody(ctx context.Context, r store.Received) ([]byte, error) {
	return nil, errNotBuilt
}

// At gives the fields of a configuration the number of the event that brought
// it.
func (s Sealed) At(version int64) []store.SealedField {
	fields := slices.Clone(s.Fields)
	for i := range fields {
		fields[i].Version = version
	}
	return fields
}
