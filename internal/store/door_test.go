package store

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/store/storetest"
)

// door makes the configuration of a fresh database.
type door func(tb testing.TB) Config

var doors = map[string]door{"sqlite": newSQLite, "postgres": newPostgres}

func newSQLite(tb testing.TB) Config {
	return Config{DataDir: filepath.Join(tb.TempDir(), "data")}
}

var migrated storetest.Template

func newPostgres(tb testing.TB) Config {
	return Config{Database: migrated.Cloned(tb, func(dsn string) {
		if err := openStore(tb, Config{Database: dsn}).Close(); err != nil {
			tb.Fatal(err)
		}
	})}
}

func openStore(tb testing.TB, cfg Config) *Store {
	tb.Helper()
	return openTuned(tb, cfg, standard)
}

func openTuned(tb testing.TB, cfg Config, tune tuning) *Store {
	tb.Helper()
	s, err := open(context.Background(), cfg, tune)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return s
}

// The small world that the tests live in.
const (
	platformID = account.ID("T00000000")
	partnerID  = account.ID("T11200000")
	otherID    = account.ID("T11300000")
	merchantID = account.ID("T11223351")
	secondID   = account.ID("T11223352")
)

var (
	platform = auth.Caller{Account: platformID, Kind: account.KindPlatform, Client: newID()}
	partner  = auth.Caller{Account: partnerID, Kind: account.KindPartner, Client: newID()}
	other    = auth.Caller{Account: otherID, Kind: account.KindPartner, Client: newID()}
	merchant = auth.Caller{Account: merchantID, Kind: account.KindMerchant, Client: newID()}
	second   = auth.Caller{Account: secondID, Kind: account.KindMerchant, Client: newID()}
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 123_456_000, time.UTC)

// inhabit makes the accounts and a client in each.
func inhabit(tb testing.TB, s *Store) *Store {
	tb.Helper()
	for _, who := range []struct {
		caller auth.Caller
		owner  account.ID
	}{{platform, ""}, {partner, platformID}, {other, platformID}, {merchant, partnerID}, {second, partnerID}} {
		addAccount(tb, s, who.caller, who.owner)
	}
	return s
}

func addAccount(tb testing.TB, s *Store, caller auth.Caller, owner account.ID) {
	tb.Helper()
	a := account.Account{
		ID: caller.Account, Kind: caller.Kind, Owner: owner,
		Company:   account.Company{BusinessName: "Fjord & Sønner", OrganizationNumber: "923456783"},
		CreatedAt: noon, CreatedBy: "test",
	}
	if err := s.CreateAccount(context.Background(), a); err != nil {
		tb.Fatal(err)
	}
	if err := s.CreateClient(context.Background(), clientOf(caller)); err != nil {
		tb.Fatal(err)
	}
}

func clientOf(caller auth.Caller) auth.Client {
	return auth.Client{
		ID: caller.Client, Account: caller.Account, Name: "till", CreatedAt: noon, CreatedBy: "test",
		Secrets: []auth.SecretHash{{ID: newID(), Hash: []byte{1, 2, 3}, CreatedAt: noon}},
		Grants:  []auth.Grant{{ID: newID(), Audience: caller.Account, Scopes: auth.Scopes{"read:accounts", "write:accounts"}}},
	}
}

func fresh(tb testing.TB, d door) *Store {
	tb.Helper()
	return inhabit(tb, openStore(tb, d(tb)))
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func act(by auth.Caller) connection.Act {
	return connection.Act{At: noon, By: by.Client, NewID: newID, NewToken: newID}
}

// vipps stands for any provider.
var vipps = &provider.Provider{Slug: "vipps", Title: "Vipps", Schema: 3}

// signing is a change that starts a connection by hand, as a signup would.
func signing(who auth.Caller) Change {
	return Change{
		Caller: who, Account: who.Account, Provider: vipps.Slug, Whole: true,
		Decide: func(f Found) (Decision, error) {
			c := f.Connection
			if c == nil {
				c = &connection.Connection{
					Account: who.Account, Provider: vipps.Slug, Schema: vipps.Schema,
					CreatedAt: noon, CreatedBy: who.Client, UpdatedAt: noon,
				}
			}
			if _, err := connection.Append(c, vipps, connection.NewEvent{Status: connection.Pending, Name: connection.SignupReceived}, act(who)); err != nil {
				return Decision{}, err
			}
			c.LastSignup++
			c.Signups = append(c.Signups, connection.Signup{
				Seq: c.LastSignup, ID: newID(), Key: fmt.Sprint(c.LastSignup), Data: []byte(`{"case_id":"x"}`), Token: newID(),
				Schema: vipps.Schema, CreatedAt: noon, CreatedBy: who.Client, ExpiresAt: noon.Add(connection.SignupLife),
			})
			return Decision{Connection: c, Answer: Answer{Body: []byte("signed")}}, nil
		},
	}
}

// posting is a change by the partner that appends an event to the merchant's
// connection.
func posting(in connection.NewEvent) Change {
	return Change{
		Caller: partner, Owner: partnerID, Account: merchantID, Provider: vipps.Slug, ExternalID: in.ExternalID,
		Decide: func(f Found) (Decision, error) {
			if f.Duplicate != nil {
				return Decision{Answer: Answer{Header: map[string]string{"Mooring-Effect": "duplicate"}, Body: []byte(f.Duplicate.ID)}}, nil
			}
			if f.Connection == nil {
				return Decision{}, errNoSignup
			}
			e, err := connection.Append(f.Connection, vipps, in, act(partner))
			if err != nil {
				return Decision{}, err
			}
			return Decision{Connection: f.Connection, Answer: Answer{
				Header: map[string]string{"Mooring-Effect": string(connection.EffectOf(e))}, Body: []byte(e.ID),
			}}, nil
		},
	}
}

func enabled(name string) connection.NewEvent {
	return connection.NewEvent{Status: connection.Enabled, Name: name}
}

var keyNumber atomic.Int64

// keyed gives a change an idempotency key; "" makes a fresh one.
func keyed(c Change, key, fingerprint string) Change {
	if key == "" {
		key = fmt.Sprint("key-", keyNumber.Add(1))
	}
	c.Key = &Idempotency{Operation: "post", Path: "/v1/x", Key: key, Fingerprint: []byte(fingerprint)}
	return c
}

func mustChange(tb testing.TB, s *Store, c Change) Answer {
	tb.Helper()
	a, err := s.Change(context.Background(), c)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func signed(tb testing.TB, d door) *Store {
	tb.Helper()
	s := fresh(tb, d)
	mustChange(tb, s, signing(merchant))
	return s
}

func whole(tb testing.TB, s *Store) *connection.Connection {
	tb.Helper()
	c, err := s.Connection(context.Background(), merchant, merchantID, vipps.Slug)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}
