package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/time/rate"

	"mooring/internal/store"
)

// Released is what a platform opens with its own key.
type Released struct {
	Account    string            `json:"account_id"`
	Connection string            `json:"connection"`
	ReleasedAt time.Time         `json:"released_at"`
	Versions   []ReleasedVersion `json:"versions"` // the one in force first
}

// ReleasedVersion is the secrets of one version of a configuration. The one
// before that in force may still be needed while a change is under way.
type ReleasedVersion struct {
	Version int64                      `json:"version"` // number of the event that brought it
	InForce bool                       `json:"in_force"`
	Secrets map[string]json.RawMessage `json:"secrets"` // by JSON pointer into the configuration
}

// CheckRecipient says whether a text is the public key of a recipient.
func CheckRecipient(key string) error {
	_, err := age.ParseX25519Recipient(key)
	return err
}

// Release encrypts all secrets of the configuration in force, and those of the
// version before it, to recipients: an age file in armour. It is nil when there
// are none in force. Whatever the members are, they leave only encrypted.
func (v *Vault) Release(ctx context.Context, at store.Place, inForce int64, recipients []store.Recipient) ([]byte, error) {
	fields, err := v.store.SealedFields(ctx, at, "")
	if err != nil {
		return nil, err
	}
	out := Released{Account: string(at.Account), Connection: at.Provider, ReleasedAt: v.now()}
	for _, f := range fields { // newest version first
		if f.Pointer == "" { // sealed whole, because it was no object: it has no member to release
			continue
		}
		last := len(out.Versions) - 1
		if last < 0 || out.Versions[last].Version != f.Version {
			if last == 1 {
				break
			}
			out.Versions = append(out.Versions, ReleasedVersion{f.Version, f.Version == inForce, map[string]json.RawMessage{}})
			last++
		}
		part, err := v.openField(ctx, f)
		if err != nil {
			return nil, err
		}
		out.Versions[last].Secrets[f.Pointer] = json.RawMessage(part.Value.Reveal())
	}
	if !slices.ContainsFunc(out.Versions, func(r ReleasedVersion) bool { return r.InForce }) {
		return nil, nil
	}
	plain, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode the secrets of %s/%s: %w", at.Account, at.Provider, errors.New("a member is no JSON"))
	}
	return encrypt(plain, recipients)
}

func encrypt(plain []byte, recipients []store.Recipient) ([]byte, error) {
	keys := make([]age.Recipient, 0, len(recipients))
	for _, r := range recipients {
		key, err := age.ParseX25519Recipient(r.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("the key of recipient %s: %w", r.Name, err)
		}
		keys = append(keys, key)
	}
	var text bytes.Buffer
	armoured := armor.NewWriter(&text)
	w, err := age.Encrypt(armoured, keys...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	err = errors.Join(w.Close(), armoured.Close())
	return text.Bytes(), err
}

// A client may have the credentials of one connection released so often.
const (
	releasesAtOnce = 10
	releaseEvery   = 6 * time.Second
	maxLimits      = 10_000
)

// Limits slows down who asks again and again.
type Limits struct {
	mu  sync.Mutex
	all map[limited]*rate.Limiter
}

type limited struct {
	client string
	at     store.Place
}

// Take has a client take one of its releases of the credentials of a connection.
// It says how long to wait when there is none now, and otherwise how to give it
// back, for a release that came to nothing.
func (l *Limits) Take(client string, at store.Place, now time.Time) (wait time.Duration, giveBack func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := limited{client, at}
	one, ok := l.all[name]
	if !ok {
		if l.all == nil || len(l.all) >= maxLimits {
			l.all = map[limited]*rate.Limiter{}
		}
		one = rate.NewLimiter(rate.Every(releaseEvery), releasesAtOnce)
		l.all[name] = one
	}
	r := one.ReserveN(now, 1)
	giveBack = func() { r.CancelAt(now) }
	if wait = r.DelayFrom(now); wait > 0 {
		giveBack()
	}
	return wait, giveBack
}
