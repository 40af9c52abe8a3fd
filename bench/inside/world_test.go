// Package inside measures the store without HTTP, beside what stands for its
// limits: a journal, a plain transaction, a transaction for each request. The
// command above runs it; it asserts no time.
package inside

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/store"
	"mooring/providers"
)

var (
	rounds      = flag.Int("rounds", 1, "how often each contestant has its turn")
	span        = flag.Duration("span", 500*time.Millisecond, "how long a turn is")
	connections = flag.Int("connections", 500, "connections in the store")
	stored      = flag.Int("stored", 2_000, "events that are stored before anything is measured")
)

const (
	writers                 = 256
	platform     account.ID = "T00000000"
	partner      account.ID = "T11200000"
	providerSlug            = "vipps"
)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// world is a store with merchants that have a connection each.
type world struct {
	store    *store.Store
	provider *provider.Provider
}

func newWorld(b *testing.B, cfg store.Config) world {
	b.Helper()
	s, err := store.Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		b.Fatal(err)
	}
	p, _ := catalogue.Get(providerSlug)
	w := world{s, p}
	client := newID()
	for _, step := range []func() error{
		func() error { return s.CreateAccount(b.Context(), w.account(platform, account.KindPlatform, "")) },
		func() error { return s.CreateAccount(b.Context(), w.account(partner, account.KindPartner, platform)) },
		func() error {
			return s.CreateClient(b.Context(), auth.Client{
				ID: client, Account: platform, Name: "bench", CreatedAt: time.Now(), CreatedBy: "bench",
				Grants:  []auth.Grant{{ID: newID(), Audience: platform, Scopes: auth.Scopes{auth.ScopeOperator}}},
				Secrets: []auth.SecretHash{{ID: newID(), Hash: []byte{1}, CreatedAt: time.Now()}},
			})
		},
		func() error { return w.fill(b.Context(), client) },
	} {
		if err := step(); err != nil {
			b.Fatal(err)
		}
	}
	return w
}

func (w world) account(id account.ID, kind account.Kind, owner account.ID) account.Account {
	return account.Account{
		ID: id, Kind: kind, Owner: owner, CreatedAt: time.Now(), CreatedBy: "bench",
		Company: account.Company{BusinessName: "Havn Kaffe", OrganizationNumber: "923456789"},
	}
}

func merchant(n int) account.ID { return account.ID(fmt.Sprintf("T2%07d", n)) }

// fill takes merchants in, whose connections have their share of the events.
func (w world) fill(ctx context.Context, client string) error {
	const together = 250
	deed := store.Deed{About: platform, Caller: auth.Caller{
		Account: platform, Kind: account.KindPlatform, Client: client, Scopes: auth.Scopes{auth.ScopeOperator},
	}}
	for from := 0; from < *connections; from += together {
		var rows []store.Import
		for n := from; n < min(from+together, *connections); n++ {
			row, err := w.row(n)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		if err := w.store.Import(ctx, deed, rows); err != nil {
			return err
		}
	}
	return nil
}

func (w world) row(n int) (store.Import, error) {
	acc := w.account(merchant(n), account.KindMerchant, partner)
	c, err := connection.Apply(nil, acc, w.provider, connection.Application{ID: newID(), Data: []byte(`{}`)}, w.act())
	for i := 1; err == nil && i < *stored / *connections; i++ {
		_, err = connection.Append(c, w.provider, w.event(), w.act())
	}
	return store.Import{
		Whole: account.Whole{Account: acc, Profile: account.ProfileOf(acc.Company)}, New: true,
		Connections: []store.ImportedConnection{{Connection: c}},
	}, err
}

func (world) act() connection.Act {
	return connection.Act{At: time.Now().UTC(), By: "bench", NewID: newID, NewToken: newID}
}

func (world) event() connection.NewEvent {
	return connection.NewEvent{Status: connection.Pending, Name: "signature_required"}
}

// happen posts an event to one of all connections.
func (w world) happen(r *rand.Rand) error {
	_, err := w.store.Change(context.Background(), store.Change{
		System: true, Account: merchant(r.IntN(*connections)), Provider: providerSlug,
		Decide: func(f store.Found) (store.Decision, error) {
			if _, err := connection.Append(f.Connection, w.provider, w.event(), w.act()); err != nil {
				return store.Decision{}, err
			}
			return store.Decision{Connection: f.Connection}, nil
		},
	})
	return err
}

// turn is what was seen of a contestant.
type turn struct {
	rate     float64
	p50, p99 time.Duration
}

// keepBusy has so many do one thing over and over for a turn.
func keepBusy(b *testing.B, writers int, do func(*rand.Rand) error) turn {
	b.Helper()
	took := make([][]time.Duration, writers)
	begun := time.Now()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(begun.UnixNano()), uint64(w)))
			for time.Since(begun) < *span {
				at := time.Now()
				if err := do(r); err != nil {
					b.Error(err)
					return
				}
				took[w] = append(took[w], time.Since(at))
			}
		})
	}
	all.Wait()
	passed := time.Since(begun)
	sorted := slices.Sorted(slices.Values(slices.Concat(took...)))
	if len(sorted) == 0 {
		b.Fatal("nothing was done")
	}
	return turn{float64(len(sorted)) / passed.Seconds(), sorted[len(sorted)/2], sorted[len(sorted)*99/100]}
}

// median of one figure of all turns.
func median(turns []turn, figure func(turn) float64) float64 {
	var values []float64
	for _, t := range turns {
		values = append(values, figure(t))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func rate(t turn) float64 { return t.rate }
