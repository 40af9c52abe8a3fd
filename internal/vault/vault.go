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
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// Vault seals and opens. It is safe for concurrent use.
type Vault struct {
	store     *store.Store
	sealer    *secret.Sealer
	digestKey []byte
	now       func() time.Time
	newID     func() string

	// Limits is for releases.
	Limits Limits

	mu        sync.Mutex
	own       map[account.ID]ownKey // of accounts only: a person's key must be able to die
	reminders map[reminder]bool     // that were recorded
}

// ownKey is the one key of an account.
type ownKey struct {
	id  string
	key secret.DataKey
}

// maxKeys bounds how many accounts' keys are remembered.
const maxKeys = 10_000

// New makes a vault over a store, with the key file that wraps its keys and
// the key of its digests, which is equal on all nodes.
func New(s *store.Store, sealer *secret.Sealer, digestKey []byte, now func() time.Time, newID func() string) *Vault {
	return &Vault{store: s, sealer: sealer, digestKey: digestKey, now: now, newID: newID, own: map[account.ID]ownKey{}}
}

// Sealed is what a decision has to write: new keys, and fields under them.
type Sealed struct {
	Keys   []store.DataKey
	Fields []store.SealedField
}

// Signup seals the parts of a new signup under a key of its own. It is empty
// when there are no parts.
func (v *Vault) Signup(ctx context.Context, at store.Place, signup string, parts []provider.Part) (Sealed, error) {
	if len(parts) == 0 {
		return Sealed{}, nil
	}
	record, key, err := v.newKey(at.Account, signup)
	if err != nil {
		return Sealed{}, err
	}
	fields, err := v.seal(key, record.ID, at, signup, parts)
	return Sealed{Keys: []store.DataKey{record}, Fields: fields}, err
}

// Configuration seals the parts of a configuration under the account's key.
// The Version of the fields is for the decision to set. certificates says which
// members hold one: their NotAfter is read, and one that can't be is refused.
func (v *Vault) Configuration(ctx context.Context, at store.Place, parts []provider.Part, certificates []provider.Certificate) (Sealed, error) {
	if len(parts) == 0 {
		return Sealed{}, nil
	}
	id, key, err := v.accountKey(ctx, at.Account)
	if err != nil {
		return Sealed{}, err
	}
	fields, err := v.seal(key, id, at, "", parts)
	if err != nil {
		return Sealed{}, err
	}
	return Sealed{Fields: fields}, readCertificates(fields, parts, certificates)
}

// Shown opens what the connection's own GET may show of its configuration in
// force, the fields of the given version.
func (v *Vault) Shown(ctx context.Context, at store.Place, version int64) ([]provider.Part, error) {
	return v.open(ctx, at, "", func(f store.SealedField) bool { return f.Shown && f.Version == version })
}

// Renews says whether some part of a configuration is not the one in force,
// among the fields of the given version.
func (v *Vault) Renews(ctx context.Context, at store.Place, version int64, parts []provider.Part) (bool, error) {
	if len(parts) == 0 {
		return false, nil
	}
	held, err := v.open(ctx, at, "", func(f store.SealedField) bool { return f.Version == version })
	return slices.ContainsFunc(parts, func(p provider.Part) bool {
		return !slices.ContainsFunc(held, func(h provider.Part) bool {
			return h.Pointer == p.Pointer && h.Value.Equal(p.Value)
		})
	}), err
}

// OpenSignup opens what was sealed of a signup, for the provider that it is
// handed to. There is nothing once the person was erased.
func (v *Vault) OpenSignup(ctx context.Context, at store.Place, signup string) ([]provider.Part, error) {
	return v.open(ctx, at, signup, func(store.SealedField) bool { return true })
}

// Digest is a keyed digest of something that may be guessed, such as a body.
// Each kind of thing has its own digests.
func (v *Vault) Digest(kind string, data []byte) []byte {
	mac := hmac.New(sha256.New, v.digestKey)
	mac.Write([]byte("vault/" + strconv.Itoa(len(kind)) + ":" + kind))
	mac.Write(data)
	return mac.Sum(nil)
}

// The purposes that sealed bytes are bound to, beside their place.
const (
	purposeField = "field"
	purposeBody  = "inbox"
)

// SealBody seals the raw body of a received call, which is described already;
// it returns the id of the key.
func (v *Vault) SealBody(ctx context.Context, r store.Received, body []byte) (key string, sealed []byte, err error) {
	key, box, err := v.accountKey(ctx, r.Account)
	if err != nil {
		return "", nil, err
	}
	sealed, err = box.Seal(body, placeOfBody(r)...)
	return key, sealed, err
}

// OpenBody opens it again. It is Missing once the body was taken away.
func (v *Vault) OpenBody(ctx context.Context, r store.Received) ([]byte, error) {
	if len(r.Body) == 0 {
		return nil, fault.Missing()
	}
	box, err := v.key(ctx, r.Account, r.Key)
	if err != nil {
		return nil, err
	}
	body, err := box.Open(r.Body, placeOfBody(r)...)
	if err != nil {
		return nil, fmt.Errorf("open the body of received call %s: %w", r.ID, err)
	}
	return body, nil
}

// placeOfBody is what a body is bound to. Who writes to the database can't have
// it judged as what was said of another signup, or by another operation.
func placeOfBody(r store.Received) []string {
	return []string{purposeBody, string(r.Account), r.Provider, r.Signup, r.Operation, r.ID}
}

// seal seals parts for a holder of a connection.
func (v *Vault) seal(key secret.DataKey, id string, at store.Place, holder string, parts []provider.Part) ([]store.SealedField, error) {
	fields := make([]store.SealedField, 0, len(parts))
	for _, part := range parts {
		f := store.SealedField{
			Account: at.Account, Provider: at.Provider, Holder: holder, Pointer: part.Pointer,
			Class: string(part.Class), Shown: part.Shown, Key: id, CreatedAt: v.now(),
		}
		var err error
		if f.Sealed, err = key.Seal([]byte(part.Value.Reveal()), placeOf(f)...); err != nil {
			return nil, fmt.Errorf("seal %s: %w", part.Pointer, err)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// open opens the fields of a holder that are wanted.
func (v *Vault) open(ctx context.Context, at store.Place, holder string, wanted func(store.SealedField) bool) ([]provider.Part, error) {
	fields, err := v.store.SealedFields(ctx, at, holder)
	if err != nil {
		return nil, err
	}
	var parts []provider.Part
	for _, f := range fields {
		if !wanted(f) {
			continue
		}
		part, err := v.openField(ctx, f)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func (v *Vault) openField(ctx context.Context, f store.SealedField) (provider.Part, error) {
	key, err := v.key(ctx, f.Account, f.Key)
	if err != nil {
		return provider.Part{}, err
	}
	plain, err := key.Open(f.Sealed, placeOf(f)...)
	if err != nil {
		return provider.Part{}, fmt.Errorf("open %s of %s/%s: %w", f.Pointer, f.Account, f.Provider, err)
	}
	return provider.Part{Pointer: f.Pointer, Class: provider.Class(f.Class), Value: secret.NewPlain(string(plain)), Shown: f.Shown}, nil
}

// placeOf is what a field is bound to. Its treatment is part of it: who writes
// to the database can't make a member shown that never is.
func placeOf(f store.SealedField) []string {
	return []string{
		purposeField, string(f.Account), f.Provider, f.Holder, f.Pointer, f.Class, strconv.FormatBool(f.Shown),
	}
}

// newKey makes a key for an account or for one of its signups.
func (v *Vault) newKey(id account.ID, subject string) (store.DataKey, secret.DataKey, error) {
	record := store.DataKey{Account: id, ID: v.newID(), Subject: subject, CreatedAt: v.now()}
	key, wrapped, err := v.sealer.NewDataKey(record.Context())
	if err != nil {
		return store.DataKey{}, secret.DataKey{}, fmt.Errorf("make a data key: %w", err)
	}
	record.Wrapped = wrapped
	return record, key, nil
}

// accountKey is the account's own key, made on first need. Of two nodes that
// make one, the second takes the key of the first.
func (v *Vault) accountKey(ctx context.Context, id account.ID) (string, secret.DataKey, error) {
	if known, ok := v.known(id); ok {
		return known.id, known.key, nil
	}
	record, err := v.store.DataKey(ctx, id)
	if f := new(fault.Fault); errors.As(err, &f) && f.Kind == fault.NotFound {
		if record, _, err = v.newKey(id, ""); err == nil {
			record, err = v.store.AddDataKey(ctx, record)
		}
	}
	if err != nil {
		return "", secret.DataKey{}, err
	}
	key, err := v.unwrap(record)
	return record.ID, key, err
}

// key finds a key by its id.
func (v *Vault) key(ctx context.Context, id account.ID, key string) (secret.DataKey, error) {
	if known, ok := v.known(id); ok && known.id == key {
		return known.key, nil
	}
	record, err := v.store.DataKeyByID(ctx, id, key)
	if err != nil {
		return secret.DataKey{}, err
	}
	return v.unwrap(record)
}

func (v *Vault) known(id account.ID) (ownKey, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	known, ok := v.own[id]
	return known, ok
}

// unwrap opens a key, and remembers it when it is an account's own.
func (v *Vault) unwrap(record store.DataKey) (secret.DataKey, error) {
	key, err := v.sealer.OpenDataKey(record.Wrapped, record.Context())
	if err != nil {
		return key, fmt.Errorf("data key %s of %s: %w", record.ID, record.Account, err)
	}
	if record.Subject != "" {
		return key, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.own) >= maxKeys {
		clear(v.own)
	}
	v.own[record.Account] = ownKey{record.ID, key}
	return key, nil
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
