package vault

import (
	"context"
	"errors"

	"mooring/internal/account"
	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// Own is the own key of an account that may not be there yet.
type Own struct {
	vault  *Vault
	record store.DataKey
	key    secret.DataKey
	made   bool // it is to be written with the first thing that it seals
}

// Own finds the key of an account, or makes one that is written with what it
// seals: an account that is imported does not exist before.
func (v *Vault) Own(ctx context.Context, id account.ID) (*Own, error) {
	record, err := v.store.DataKey(ctx, id)
	if f := new(fault.Fault); errors.As(err, &f) && f.Kind == fault.NotFound {
		record, key, err := v.newKey(id, "")
		return &Own{v, record, key, true}, err
	}
	if err != nil {
		return nil, err
	}
	key, err := v.unwrap(record)
	return &Own{v, record, key, false}, err
}

// Configuration seals the parts of a configuration, like that of Vault. The key
// is among what is to be written the first time.
func (o *Own) Configuration(at store.Place, parts []provider.Part, certificates []provider.Certificate) (Sealed, error) {
	fields, err := o.vault.seal(o.key, o.record.ID, at, "", parts)
	if err != nil {
		return Sealed{}, err
	}
	sealed := Sealed{Fields: fields}
	if o.made {
		sealed.Keys, o.made = []store.DataKey{o.record}, false
	}
	return sealed, readCertificates(fields, parts, certificates)
}
