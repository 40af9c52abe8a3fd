// Package hooks measures how fast hooks are told, beside programs that do a
// part of it: a bare HTTP client, which forgets, and a queue of jobs, which
// sends nothing. It asserts no time.
package hooks

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/dispatch"
	"mooring/internal/hook"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/store/storetest"
	"mooring/internal/telemetry"
	"mooring/providers"
)

const (
	platform account.ID = "T00000000"
	partner  account.ID = "T11200000"
	slug                = "vipps"
)

// world is a store with merchants of one partner, and what sends its hooks.
type world struct {
	store     *store.Store
	provider  *provider.Provider
	merchants []account.ID
}

func newWorld(b *testing.B, engine string, merchants int) *world {
	b.Helper()
	cfg := store.Config{DataDir: filepath.Join(b.TempDir(), "data")}
	if engine == "PostgreSQL" {
		cfg = store.Config{Database: storetest.Postgres(b)}
	}
	s, err := store.Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		b.Fatal(err)
	}
	p, _ := catalogue.Get(slug)
	w := &world{store: s, provider: p}
	w.account(b, platform, account.KindPlatform, "")
	w.account(b, partner, account.KindPartner, platform)
	for i := range merchants {
		id := account.ID(fmt.Sprintf("T112%05d", i+10_000))
		w.account(b, id, account.KindMerchant, partner)
		w.merchants = append(w.merchants, id)
	}
	return w
}

func (w *world) account(b *testing.B, id account.ID, kind account.Kind, owner account.ID) {
	b.Helper()
	err := w.store.CreateAccount(b.Context(), account.Account{
		ID: id, Kind: kind, Owner: owner, CreatedAt: time.Now(), CreatedBy: "bench", Company: account.Company{BusinessName: "Fjord & Sønner"},
	})
	if err != nil {
		b.Fatal(err)
	}
}

// subscribe makes a subscription of an account.
func (w *world) subscribe(b *testing.B, id account.ID, kind account.Kind, target string) {
	b.Helper()
	client := newID()
	grant := auth.Grant{ID: newID(), Audience: id, Scopes: auth.Scopes{auth.ScopeAdminAccounts}}
	err := w.store.CreateClient(b.Context(), auth.Client{
		ID: client, Account: id, Name: "bench", CreatedAt: time.Now(), CreatedBy: "bench", Grants: []auth.Grant{grant},
		Secrets: []auth.SecretHash{{ID: newID(), Hash: []byte{1}, CreatedAt: time.Now()}},
	})
	if err != nil {
		b.Fatal(err)
	}
	deed := store.Deed{Caller: auth.Caller{Client: client, Account: id, Kind: kind, Scopes: grant.Scopes}, About: id}
	sub := store.Subscription{Subscription: hook.Subscription{
		ID: newID(), Kind: hook.KindHook, Target: target, Events: []string{hook.ConnectionUpdate}, Active: true,
		Settings: hook.Settings{ContentType: "application/json", SecretType: hook.SecretHMAC}, CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}}
	_, err = w.store.AddSubscription(b.Context(), deed, sub, "", func(store.Subscription) (store.Answer, error) { return store.Answer{}, nil })
	if err != nil {
		b.Fatal(err)
	}
}

// happen has something happen to a merchant, and gives the id of the event.
func (w *world) happen(ctx context.Context, merchant account.ID) (id string, err error) {
	act := connection.Act{By: "bench", At: time.Now(), NewID: newID}
	_, err = w.store.Change(ctx, store.Change{
		System: true, Account: merchant, Provider: slug,
		Decide: func(f store.Found) (store.Decision, error) {
			c := f.Connection
			if c == nil {
				c = &connection.Connection{
					Account: merchant, Provider: slug, Schema: w.provider.Schema, CreatedAt: act.At, CreatedBy: act.By, UpdatedAt: act.At,
				}
			}
			e, err := connection.Append(c, w.provider, connection.NewEvent{Status: connection.Pending, Name: "document_requested"}, act)
			if err != nil {
				return store.Decision{}, err
			}
			id = e.ID
			return store.Decision{Connection: c}, nil
		},
	})
	return id, err
}

// fill has n things happen, to all merchants in turn.
func (w *world) fill(b *testing.B, n int) {
	b.Helper()
	var writing sync.WaitGroup
	const writers = 128
	for first := range writers {
		writing.Go(func() {
			for i := first; i < n; i += writers {
				if _, err := w.happen(b.Context(), w.merchants[i%len(w.merchants)]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// tell sends hooks until the function that it gives is called, which returns
// when everything that was sent is on disk.
func (w *world) tell(b *testing.B) (stop func()) {
	b.Helper()
	client := outbound.New(outbound.Config{Allow: loopback})
	d := dispatch.New(dispatch.Deps{
		Store:   w.store,
		Senders: map[hook.Kind]dispatch.Sender{hook.KindHook: dispatch.NewHooks(client)},
		Secrets: func(context.Context, account.ID, string, time.Time) (hook.Secrets, error) { return secrets(), nil },
		Serves:  func(account.ID) bool { return true },
		Now:     time.Now, NewID: newID, Chance: rand.Float64, Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewMetrics(),
	})
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return func() {
		end()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		client.Close()
	}
}

func secrets() hook.Secrets {
	return hook.Secrets{Contract: secret.NewPlain("of the subscriber"), Standard: []secret.Plain{hook.NewStandard()}}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }
