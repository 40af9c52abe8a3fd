package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"mooring/internal/auth"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// The purposes of sealed keys in the store.
const (
	purposeCanary      = "canary"
	purposeFingerprint = "fingerprint"
	purposeSigning     = "signing"
)

// canaryText is sealed when data is first used. That it opens proves the key
// file before anything else depends on it.
const canaryText = "this data belongs to this key file"

// fingerprintBytes is the length of the fingerprint key.
const fingerprintBytes = 32

// keyring is the keys in use, and the records that they were read from.
type keyring struct {
	*auth.Keyring
	records []string
}

// Claim ties new data to its key file, so that no other is ever taken for it.
// It refuses a key file that is not the one of data that was claimed before.
func Claim(ctx context.Context, s Store, sealer *secret.Sealer, now func() time.Time) error {
	a := Access{store: s, sealer: sealer, now: now}
	return a.claim(ctx)
}

func (a *Access) claim(ctx context.Context) error {
	canary, err := a.keep(ctx, purposeCanary, purposeCanary, func() ([]byte, error) { return []byte(canaryText), nil })
	if err == nil && string(canary) != canaryText {
		err = a.wrongKeyFile()
	}
	return err
}

// openData proves the key file and makes what the data lacks. Several nodes may
// do so at once: the store keeps the first record of each name, and everybody
// reads it back.
func (a *Access) openData(ctx context.Context, claimed bool) (err error) {
	if claimed {
		if _, found, err := a.record(ctx, purposeCanary, purposeCanary); err != nil {
			return err
		} else if !found {
			return errUnclaimed
		}
	}
	if err := a.claim(ctx); err != nil {
		return err
	}
	a.fingerprint, err = a.keep(ctx, purposeFingerprint, purposeFingerprint, func() ([]byte, error) {
		key := make([]byte, fingerprintBytes)
		_, err := rand.Read(key)
		return key, err
	})
	if err != nil {
		return err
	}
	// The name is the algorithm's, not the key's own: of two nodes that start
	// on empty data, the second takes the key of the first.
	_, err = a.keep(ctx, purposeSigning, purposeSigning+"-"+string(a.algorithm), func() ([]byte, error) {
		key, err := auth.NewKey(a.algorithm)
		if err != nil {
			return nil, err
		}
		return []byte(key.Marshal().Reveal()), nil
	})
	return err
}

// keep returns the plain bytes of a record, which it makes when there is none.
func (a *Access) keep(ctx context.Context, purpose, id string, fresh func() ([]byte, error)) ([]byte, error) {
	record, found, err := a.record(ctx, purpose, id)
	if err == nil && !found {
		if err := a.add(ctx, purpose, id, fresh); err != nil {
			return nil, err
		}
		record, found, err = a.record(ctx, purpose, id)
	}
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("key %s is gone right after it was stored", id)
	}
	return a.open(record)
}

func (a *Access) record(ctx context.Context, purpose, id string) (store.SealedKey, bool, error) {
	records, err := a.store.Keys(ctx, purpose)
	if err != nil {
		return store.SealedKey{}, false, fmt.Errorf("read the %s keys: %w", purpose, err)
	}
	i := slices.IndexFunc(records, func(r store.SealedKey) bool { return r.ID == id })
	if i < 0 {
		return store.SealedKey{}, false, nil
	}
	return records[i], true, nil
}

func (a *Access) add(ctx context.Context, purpose, id string, fresh func() ([]byte, error)) error {
	plain, err := fresh()
	if err != nil {
		return err
	}
	record := store.SealedKey{ID: id, Purpose: purpose, CreatedAt: a.now().UTC().Truncate(time.Microsecond)}
	if record.Sealed, err = a.sealer.Seal(plain, record.Context()); err != nil {
		return fmt.Errorf("seal the %s key: %w", purpose, err)
	}
	if err := a.store.AddKey(ctx, record); err != nil {
		return fmt.Errorf("store the %s key: %w", purpose, err)
	}
	return nil
}

func (a *Access) open(record store.SealedKey) ([]byte, error) {
	plain, err := a.sealer.Open(record.Sealed, record.Context())
	if err != nil {
		return nil, a.wrongKeyFile()
	}
	return plain, nil
}

// ErrKeyFile is what a refused key file is, for errors.Is.
var ErrKeyFile = errors.New("is not the one that this data was sealed with: name the right one with --key-file")

var errUnclaimed = errors.New("this database was never initialised to its end: do it with `mooring init`")

func (a *Access) wrongKeyFile() error {
	return fmt.Errorf("key file %s %w", a.sealer.KeyFile(), ErrKeyFile)
}

// loadKeyring reads the signing keys and puts them to use. It leaves the keys
// in use alone when the records are the same.
func (a *Access) loadKeyring(ctx context.Context) error {
	records, err := a.store.Keys(ctx, purposeSigning)
	if err != nil {
		return fmt.Errorf("read the signing keys: %w", err)
	}
	slices.SortFunc(records, func(a, b store.SealedKey) int { return a.CreatedAt.Compare(b.CreatedAt) })
	var names []string
	for _, r := range records {
		names = append(names, r.ID)
	}
	if used := a.keyring.Load(); used != nil && slices.Equal(used.records, names) {
		return nil
	}
	ring, err := a.openKeyring(records)
	if err != nil {
		return err
	}
	a.keyring.Store(&keyring{ring, names})
	return nil
}

func (a *Access) openKeyring(records []store.SealedKey) (*auth.Keyring, error) {
	var keys []*auth.Key
	for _, r := range records {
		der, err := a.open(r)
		if err != nil {
			return nil, err
		}
		key, err := auth.ParseKey(der)
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", r.ID, err)
		}
		keys = append(keys, key)
	}
	return auth.NewKeyring(keys, a.algorithm, a.audiences)
}
