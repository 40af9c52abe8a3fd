// Package access turns credentials into callers against current state: it
// issues access tokens for client secrets and callback tokens for signups, and
// tells the gate who stands behind a token.
//
// It promises that every refused credential gets the same answer whatever the
// reason, that a caller never has more than its grant has now (within the
// second in which nodes learn of a change, five when the database is away),
// and that nobody tries secrets without limit; an assertion, which nobody can
// guess, is verified before a limit is asked. It must never answer with a
// reason, and must never trust what it remembers longer than it says here.
package access

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/telemetry"
)

// DefaultTokenLife is what the documented API was seen to use.
const DefaultTokenLife = 14400 * time.Second

// Store is what this room asks of the database.
type Store interface {
	// Client gives a client with its secrets and grants, and its account; a
	// NotFound fault when there is none.
	Client(ctx context.Context, clientID string) (auth.Client, account.Account, error)
	// Account gives an account that the caller may know of, else a NotFound fault.
	Account(ctx context.Context, caller auth.Caller, id account.ID) (account.Account, error)
	// SignupExists says whether a reference names a signup of the connection.
	SignupExists(ctx context.Context, at store.Place, reference string) (bool, error)
	// ClientsUsed writes down when clients logged in.
	ClientsUsed(ctx context.Context, uses []store.Use) error
	// Epoch moves with every change of clients, grants, accounts and keys.
	Epoch(ctx context.Context) (int64, error)
	// AddKey keeps the first record of a purpose and id.
	AddKey(ctx context.Context, key store.SealedKey) error
	Keys(ctx context.Context, purpose string) ([]store.SealedKey, error)
	// WhenMoved has f run after each change of this process that moves the epoch.
	WhenMoved(f func())
	// IsSpent says whether a token was used up or revoked.
	IsSpent(ctx context.Context, id account.ID, token string) (bool, error)
	// Spend uses up a token as the deed of whom it lets in; Denied when it was before.
	Spend(ctx context.Context, d store.Deed, token store.Spent) error
	// SpendOnce uses up what proved a client; Denied when it was before.
	SpendOnce(ctx context.Context, token store.Spent) error
	// KeySources lists the accounts behind one that publish keys, in order.
	KeySources(ctx context.Context, after account.ID, limit int) ([]store.KeySource, error)
	// KeysAt is where an account publishes its keys; "" when nowhere.
	KeysAt(ctx context.Context, id account.ID) (string, error)
	// Revoke ends a token before its time.
	Revoke(ctx context.Context, d store.Deed, token store.Spent) error
}

// Config is what New needs.
type Config struct {
	Store          Store
	Sealer         *secret.Sealer
	Claimed        bool                  // refuse data that no key file was tied to yet
	PublicURL      string                // base of the issuer and of audiences, without user info, query and fragment
	DocumentedHost bool                  // also take audiences that name the documented host
	Algorithm      auth.Algorithm        // what new tokens are signed with
	Serves         func(account.ID) bool // whether this process serves an account's world
	Now            func() time.Time
	Log            *slog.Logger
	Metrics        *telemetry.Metrics // counts of tokens and logins

	// Fetch gets the public keys of an account from where it publishes them; nil
	// when nobody proves itself by an assertion.
	Fetch func(ctx context.Context, uri string) ([]byte, error)

	TokenLife              time.Duration // whole seconds; 0 means DefaultTokenLife
	LoginFailuresPerMinute int           // per address and client id; ten times as many per address; at least 1
}

// Access knows the keys, and remembers tokens that it has verified.
type Access struct {
	store     Store
	sealer    *secret.Sealer
	audiences auth.Audiences
	algorithm auth.Algorithm
	serves    func(account.ID) bool
	life      time.Duration
	now       func() time.Time
	log       *slog.Logger

	fingerprint []byte
	keyring     atomic.Pointer[keyring]
	watch       *watch
	cache       *cache
	logins      *logins
	issuers     *issuers
	uses        uses
	counts      counts
}

// counts is what operators can watch.
type counts struct {
	issued, callback, exchange, revoked, refused, throttled, checked interface{ Inc() }
}

func newCounts(m *telemetry.Metrics) counts {
	return counts{
		issued:    m.Counter("mooring_tokens_issued_total", "Access tokens that were issued."),
		callback:  m.Counter("mooring_callback_tokens_issued_total", "Callback tokens that were issued."),
		exchange:  m.Counter("mooring_exchange_tokens_issued_total", "Exchange tokens that were issued."),
		revoked:   m.Counter("mooring_tokens_revoked_total", "Tokens that were revoked."),
		refused:   m.Counter("mooring_logins_refused_total", "Token requests that were refused for their credentials."),
		throttled: m.Counter("mooring_logins_throttled_total", "Token requests that were turned away because too many before them had failed."),
		checked:   m.Counter("mooring_tokens_checked_total", "Bearer tokens that were checked in full, because they were not remembered."),
	}
}

// New opens the keys of the data with the key file. On the first use of the
// data it makes them. It refuses a key file that is not the one of the data.
func New(ctx context.Context, cfg Config) (*Access, error) {
	a := &Access{
		store: cfg.Store, sealer: cfg.Sealer, algorithm: cfg.Algorithm, serves: cfg.Serves, now: cfg.Now, log: cfg.Log,
		audiences: auth.NewAudiences(cfg.PublicURL, cfg.DocumentedHost),
		life:      tokenLife(cfg.TokenLife),
		logins:    newLogins(cfg.LoginFailuresPerMinute),
		cache:     newCache(),
		watch:     newWatch(),
		issuers:   newIssuers(cfg.Fetch),
		counts:    newCounts(cfg.Metrics),
	}
	if err := a.openData(ctx, cfg.Claimed); err != nil {
		return nil, err
	}
	// The epoch comes before the keys, so that a key which arrives between
	// the two is seen by the next poll.
	begun := a.watch.clock()
	epoch, err := cfg.Store.Epoch(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the epoch: %w", err)
	}
	if err := a.loadKeyring(ctx); err != nil {
		return nil, err
	}
	a.watch.saw(epoch, begun)
	cfg.Store.WhenMoved(a.cache.clear)
	return a, nil
}

func tokenLife(configured time.Duration) time.Duration {
	if configured <= 0 {
		return DefaultTokenLife
	}
	return configured.Truncate(time.Second)
}

// PublicKeys lists the public keys of tokens, all or those of some algorithms.
func (a *Access) PublicKeys(only ...auth.Algorithm) []auth.JWK {
	return a.keyring.Load().PublicKeys(only...)
}

// FingerprintKey is the secret key, equal on all nodes, under which requests
// with an idempotency key are fingerprinted. 32 bytes; not to be changed.
func (a *Access) FingerprintKey() []byte { return a.fingerprint }

// Audience reads the audience of a request in every spelling that a token may
// be asked for in.
func (a *Access) Audience(text string) (account.ID, error) { return a.audiences.Parse(text) }

// AudienceOf is how an account is shown as an audience: the documented address.
func (a *Access) AudienceOf(id account.ID) string { return a.audiences.Address(id) }
