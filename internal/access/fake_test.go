package access_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"mooring/internal/access"
	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/telemetry"
)

const (
	merchant = account.ID("T11223351")
	neighbor = account.ID("T11223352")
	partner  = account.ID("T11200000")
	public   = "https://pay.example.com"
)

// memory is a store in a map. It promises of the real one what access asks:
// the first record of a key stays, and changes move the epoch.
type memory struct {
	mu       sync.Mutex
	accounts map[account.ID]account.Account
	clients  map[string]auth.Client
	keys     map[string]store.SealedKey
	signups  map[string]store.Place // by reference
	spent    map[store.Spent]bool   // without the end
	sources  map[account.ID]string  // where accounts publish keys
	used     []store.Use
	epoch    int64
	fail     error
	hang     bool            // Epoch answers only when the caller gives up
	lookups  []string        // what was asked, in order
	during   func(id string) // runs while a client is being looked up
}

var owners = map[account.Kind]account.ID{account.KindMerchant: partner, account.KindPartner: "T00000000"}

func newMemory() *memory {
	m := &memory{accounts: map[account.ID]account.Account{}, clients: map[string]auth.Client{}, keys: map[string]store.SealedKey{}, spent: map[store.Spent]bool{}, sources: map[account.ID]string{}}
	for id, kind := range map[account.ID]account.Kind{
		merchant: account.KindMerchant, neighbor: account.KindMerchant, partner: account.KindPartner, "T00000000": account.KindPlatform,
	} {
		m.accounts[id] = account.Account{ID: id, Kind: kind, Owner: owners[kind]}
	}
	return m
}

func (m *memory) Client(_ context.Context, id string) (auth.Client, account.Account, error) {
	m.mu.Lock()
	m.lookups = append(m.lookups, "client "+id)
	c, ok := m.clients[id]
	home, fail, during := m.accounts[c.Account], m.fail, m.during
	m.mu.Unlock()
	if during != nil {
		during(id)
	}
	if fail != nil {
		return auth.Client{}, account.Account{}, fail
	}
	if !ok {
		return auth.Client{}, account.Account{}, fault.Missing()
	}
	return c, home, nil
}

func (m *memory) ClientsUsed(_ context.Context, uses []store.Use) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used = append(m.used, uses...)
	return m.fail
}

func (m *memory) Account(_ context.Context, caller auth.Caller, id account.ID) (account.Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lookups = append(m.lookups, "account "+string(id))
	if found, ok := m.accounts[id]; ok && !found.Deleted() && (caller.Covers(id) || found.Owner == caller.Account) {
		return found, m.fail
	}
	return account.Account{}, fault.Missing()
}

func (m *memory) SignupExists(_ context.Context, at store.Place, reference string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lookups = append(m.lookups, "signup "+reference)
	found, ok := m.signups[reference]
	return ok && found == at, m.fail
}

func (m *memory) WhenMoved(func()) {}

func (m *memory) IsSpent(_ context.Context, id account.ID, token string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spent[store.Spent{Account: id, ID: token}], m.fail
}

func (m *memory) Spend(_ context.Context, _ store.Deed, token store.Spent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	token.ExpiresAt = time.Time{}
	if m.spent[token] {
		return fault.Denied(errors.New("spent"))
	}
	m.spent[token] = true
	return m.fail
}

func (m *memory) Revoke(_ context.Context, _ store.Deed, token store.Spent) error {
	token.ExpiresAt = time.Time{}
	m.change(func() { m.spent[token] = true })
	return m.fail
}

func (m *memory) SpendOnce(ctx context.Context, token store.Spent) error {
	return m.Spend(ctx, store.Deed{}, token)
}

func (m *memory) KeySources(_ context.Context, after account.ID, limit int) ([]store.KeySource, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []store.KeySource
	for _, id := range slices.Sorted(maps.Keys(m.sources)) {
		if id > after && len(found) < limit {
			found = append(found, store.KeySource{Account: id, Owner: m.accounts[id].Owner, URI: m.sources[id]})
		}
	}
	return found, m.fail
}

func (m *memory) KeysAt(_ context.Context, id account.ID) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sources[id], m.fail
}

func (m *memory) Epoch(ctx context.Context) (int64, error) {
	m.mu.Lock()
	epoch, fail, hang := m.epoch, m.fail, m.hang
	m.mu.Unlock()
	if hang {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return epoch, fail
}

func (m *memory) AddKey(_ context.Context, key store.SealedKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := key.Purpose + " " + key.ID
	if _, there := m.keys[name]; !there {
		m.keys[name] = key
		m.epoch++
	}
	return m.fail
}

func (m *memory) Keys(_ context.Context, purpose string) ([]store.SealedKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []store.SealedKey
	for _, name := range slices.Sorted(maps.Keys(m.keys)) {
		if m.keys[name].Purpose == purpose {
			found = append(found, m.keys[name])
		}
	}
	return found, m.fail
}

// change changes the records as another node would: with the epoch.
func (m *memory) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	m.epoch++
}

func (m *memory) setFailing(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) setHanging(hang bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hang = hang
}

func (m *memory) looked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	looked := m.lookups
	m.lookups = nil
	return looked
}

// login is a client as its owner knows it.
type login struct{ id, secret string }

var allScopes = auth.Scopes{auth.ScopeAdminAccounts, auth.ScopeWriteAccounts, auth.ScopeReadAccounts}

// addClient adds a client of an account, with grants for itself and others.
func (m *memory) addClient(home account.ID, others ...account.ID) login {
	plain, hash := auth.NewSecret(time.Now(), uuid.NewString)
	c := auth.Client{ID: uuid.NewString(), Account: home, Secrets: []auth.SecretHash{hash}}
	for _, audience := range append([]account.ID{home}, others...) {
		c.Grants = append(c.Grants, auth.Grant{ID: uuid.NewString(), Audience: audience, Scopes: allScopes})
	}
	m.change(func() { m.clients[c.ID] = c })
	return login{c.ID, plain.Reveal()}
}

// edit changes one client.
func (m *memory) edit(id string, f func(c *auth.Client)) {
	m.change(func() {
		c := m.clients[id]
		c.Grants = slices.Clone(c.Grants)
		f(&c)
		m.clients[id] = c
	})
}

func newSealer(t testing.TB) *secret.Sealer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := secret.CreateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	sealer, err := secret.OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

// config is what tests start from: EdDSA, since it is quick, and no limit that
// a test would meet by chance.
func config(t testing.TB, s access.Store) access.Config {
	t.Helper()
	return access.Config{
		Store: s, Sealer: newSealer(t), PublicURL: public, DocumentedHost: true, Algorithm: auth.EdDSA, Serves: func(account.ID) bool { return true },
		LoginFailuresPerMinute: 1e6, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: telemetry.NewMetrics(),
	}
}

func open(t testing.TB, cfg access.Config) *access.Access {
	t.Helper()
	a, err := access.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask is a good request of a client for its own account, by the documented
// call.
func ask(l login, home account.ID) access.Ask {
	return access.Ask{
		Account: home, ClientID: l.id, Secret: l.secret, GrantType: "client_credentials",
		Audience: public + "/v1/accounts/" + string(home),
	}
}

// issue takes a token and returns the Authorization header for it.
func issue(t testing.TB, a *access.Access, l login, home account.ID) []string {
	t.Helper()
	token, err := a.Issue(t.Context(), ask(l, home))
	if err != nil {
		t.Fatal(err)
	}
	return []string{"Bearer " + token.AccessToken.Reveal()}
}

// denied wants the one refusal, which must tell the caller nothing.
func denied(t testing.TB, name string, err error) {
	t.Helper()
	f := fault.From(err)
	if f.Kind != fault.Unauthenticated || f.Message != "UNAUTHORIZED" || f.Code != "" || f.Problems != nil || f.RetryAfter != 0 {
		t.Errorf("%s: %#v, want the one refusal", name, f)
	}
	if f.Unwrap() == nil {
		t.Errorf("%s: no cause for the log", name)
	}
}
