// Package seed makes what `mooring init` and `mooring dev` start with.
//
// It promises to write only through the functions of the store that real calls
// use, so that seeded data is as real as any. It must never run in a process
// that serves somebody else's data without being asked to.
package seed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// Credentials are a new API client with its secret, which is shown once.
type Credentials struct {
	Account account.ID
	ID      string
	Secret  secret.Plain
}

// World is what Dev made.
type World struct {
	Platform, Partner, Merchant, SecondMerchant Credentials
}

// The accounts of Dev.
const (
	DevPlatform account.ID = "T00000000"
	DevPartner  account.ID = "T11200000"
	DevMerchant account.ID = "T11223351" // nothing signed up
	DevSecond   account.ID = "T11223352" // all connections of the partner endpoint pending
)

var (
	accountScopes  = auth.Scopes{auth.ScopeAdminAccounts, auth.ScopeWriteAccounts, auth.ScopeReadAccounts, auth.ScopeAdminHooks}
	platformScopes = append(auth.Scopes{auth.ScopeOperator, auth.ScopeRelease}, accountScopes...)
)

// Seeder writes into one store. Platform needs neither Catalogue, Vault nor Due.
type Seeder struct {
	Store     *store.Store
	Catalogue *provider.Catalogue
	Vault     *vault.Vault
	Due       func(account.Account, *provider.Provider, connection.Signup) []store.Task // what a new signup makes due
	Now       func() time.Time
	NewID     func() string // ids of events and signups
	NewToken  func() string // tokens of signup links
}

// Platform makes the root account of a world, when it is missing, and a new
// client of it.
func (s Seeder) Platform(ctx context.Context, w account.World) (Credentials, error) {
	id := account.Platform(w)
	err := s.account(ctx, account.Account{ID: id, Kind: account.KindPlatform, Company: account.Company{BusinessName: "Platform"}})
	if err != nil {
		return Credentials{}, err
	}
	return s.client(ctx, id, "first client", platformScopes)
}

// Dev makes a small test world: the platform, a partner and two merchants.
// What exists is left as it is; clients are new each time, since secrets can't
// be shown again.
func (s Seeder) Dev(ctx context.Context) (World, error) {
	var w World
	var err error
	if w.Platform, err = s.Platform(ctx, account.Test); err != nil {
		return w, err
	}
	for _, step := range []struct {
		account account.Account
		into    *Credentials
	}{
		{account.Account{ID: DevPartner, Kind: account.KindPartner, Owner: DevPlatform, Company: account.Company{
			BusinessName: "Fjord Partner AS", OrganizationNumber: "912345678",
		}}, &w.Partner},
		{account.Account{ID: DevMerchant, Kind: account.KindMerchant, Owner: DevPartner, Company: account.Company{
			BusinessName: "Havn Kaffe AS", OrganizationNumber: "923456789",
		}}, &w.Merchant},
		{account.Account{ID: DevSecond, Kind: account.KindMerchant, Owner: DevPartner, Company: account.Company{
			BusinessName: "Brygge Bok AS", OrganizationNumber: "934567890",
		}}, &w.SecondMerchant},
	} {
		if err := s.account(ctx, step.account); err != nil {
			return w, err
		}
		if *step.into, err = s.client(ctx, step.account.ID, "dev", accountScopes); err != nil {
			return w, err
		}
	}
	return w, s.signups(ctx, w.SecondMerchant)
}

// account makes an account unless it is there.
func (s Seeder) account(ctx context.Context, a account.Account) error {
	a.CreatedAt, a.CreatedBy = s.Now(), "seed"
	err := s.Store.AddAccount(ctx, account.Whole{Account: a, Profile: profileOf(a.Company)})
	if f := new(fault.Fault); errors.As(err, &f) && f.Kind == fault.Conflict {
		return nil
	}
	return err
}

// profileOf is what an account says that was made like any other: so it can be
// read, changed and written back.
func profileOf(c account.Company) account.Profile {
	p := account.ProfileOf(c)
	address := map[string]any{"address_line": "Havnegata 1", "postal_code": "0150", "postal_place": "Oslo"}
	p.Object("company")["address"] = address
	p["billing"] = map[string]any{"business_name": c.BusinessName, "address": address}
	p["applicant"] = map[string]any{"email": "owner@mooring.example", "agreement": map[string]any{"accepted": true}}
	return p
}

func (s Seeder) client(ctx context.Context, id account.ID, name string, scopes auth.Scopes) (Credentials, error) {
	plain, hash := auth.NewSecret(s.Now(), s.NewID)
	c := auth.Client{
		ID: uuid.NewString(), Account: id, Name: name, Secrets: []auth.SecretHash{hash},
		Grants:    []auth.Grant{{ID: s.NewID(), Audience: id, Scopes: scopes}},
		CreatedAt: s.Now(), CreatedBy: "seed",
	}
	return Credentials{Account: id, ID: c.ID, Secret: plain}, s.Store.CreateClient(ctx, c)
}

// signups applies to every provider of the partner endpoint with the first
// example of its file, in the merchant's own name. Each provider plays another
// scenario, so that there is something of everything to see as time passes.
func (s Seeder) signups(ctx context.Context, merchant Credentials) error {
	caller := auth.Caller{Account: merchant.Account, Kind: account.KindMerchant, Client: merchant.ID, Scopes: accountScopes}
	played := 0
	for _, p := range s.Catalogue.All() {
		if !p.PartnerEvents {
			continue
		}
		names := p.ScenarioNames()
		if err := s.signup(ctx, caller, p, names[played%len(names)]); err != nil {
			return fmt.Errorf("sign up for %s: %w", p.Slug, err)
		}
		played++
	}
	return nil
}

func (s Seeder) signup(ctx context.Context, caller auth.Caller, p *provider.Provider, scenario string) error {
	at := store.Place{Account: caller.Account, Provider: p.Slug}
	application, sealed, err := s.Vault.Application(ctx, at, p, s.NewID(), p.Example(), scenario)
	if err != nil {
		return err
	}
	_, err = s.Store.Change(ctx, store.Change{
		Caller: caller, Account: caller.Account, Provider: p.Slug, Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			if f.Connection != nil {
				return store.Decision{}, nil
			}
			act := connection.Act{At: f.Account.Now(s.Now()), By: caller.Client, NewID: s.NewID, NewToken: s.NewToken}
			c, err := connection.Apply(nil, f.Account, p, application, act)
			if err != nil {
				return store.Decision{}, err
			}
			due := s.Due(f.Account, p, c.Signups[0])
			return store.Decision{Connection: c, Keys: sealed.Keys, Fields: sealed.Fields, Tasks: due}, nil
		},
	})
	return err
}
