package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/store"
)

// Expiry is a certificate in force that ends.
type Expiry struct {
	Place    store.Place
	Member   string // of the configuration: a JSON pointer without its first slash, such as "cert"
	Version  int64
	NotAfter time.Time
	Now      time.Time // of the account
}

// Days is how many whole days are left; below zero once it has ended.
func (e Expiry) Days() int {
	left := e.NotAfter.Sub(e.Now)
	days := int(left / (24 * time.Hour))
	if left < 0 { // the day that has begun counts
		days--
	}
	return days
}

// The days before the end of a certificate at which an event is recorded, the
// earliest first.
var thresholds = []int{60, 30, 7}

// maxExpiring is how many certificates are looked at in one go.
const maxExpiring = 10_000

// farAhead is further than the clock of a test account can go.
const farAhead = 100 * 366 * 24 * time.Hour

// Expiring lists the certificates in force that end within a time, by the
// clock of each account, of the accounts that the caller may see. Soonest
// first.
func (v *Vault) Expiring(ctx context.Context, caller auth.Caller, within time.Duration) ([]Expiry, error) {
	real := v.now()
	until := real.Add(within)
	if caller.Account.World() == account.Test {
		until = until.Add(farAhead) // who is ahead by how much is seen below
	}
	fields, err := v.store.Expiring(ctx, caller, until, maxExpiring)
	if err != nil {
		return nil, err
	}
	clocks := map[account.ID]time.Time{}
	var found []Expiry
	for _, f := range fields {
		now, ok := clocks[f.Account]
		if !ok {
			acc, err := v.store.Account(ctx, caller, f.Account)
			if fault.From(err).Kind == fault.NotFound && err != nil {
				continue
			}
			if err != nil {
				return nil, err
			}
			now = acc.Now(real)
			clocks[f.Account] = now
		}
		if !f.NotAfter.After(now.Add(within)) {
			found = append(found, Expiry{store.Place{Account: f.Account, Provider: f.Provider}, strings.TrimPrefix(f.Pointer, "/"), f.Version, f.NotAfter, now})
		}
	}
	slices.SortStableFunc(found, func(a, b Expiry) int { return cmp.Compare(a.NotAfter.Sub(a.Now), b.NotAfter.Sub(b.Now)) })
	return found, nil
}

// Remind records on the connections that the caller may see which certificates
// end soon: one event for each certificate and threshold, in the account's own
// time. When several thresholds have passed at once only the last is recorded.
func (v *Vault) Remind(ctx context.Context, caller auth.Caller) error {
	found, err := v.Expiring(ctx, caller, time.Duration(thresholds[0])*24*time.Hour)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range found {
		if err := v.remind(ctx, e); err != nil {
			errs = append(errs, fmt.Errorf("remind %s/%s: %w", e.Place.Account, e.Place.Provider, err))
		}
	}
	return errors.Join(errs...)
}

func (v *Vault) remind(ctx context.Context, e Expiry) error {
	threshold := thresholds[0]
	for _, days := range thresholds {
		if !e.NotAfter.After(e.Now.Add(time.Duration(days) * 24 * time.Hour)) {
			threshold = days
		}
	}
	name := fmt.Sprintf("expiry/%d/%s/%d", e.Version, e.Member, threshold)
	if v.reminded(e.Place, name) {
		return nil
	}
	metadata, err := json.Marshal(map[string]any{
		"member": e.Member, "not_after": e.NotAfter.UTC().Format(time.RFC3339), "days": e.Days(),
	})
	if err != nil {
		return err
	}
	_, err = v.store.Change(ctx, store.Change{
		System: true, Account: e.Place.Account, Provider: e.Place.Provider, ExternalID: name,
		Decide: func(f store.Found) (store.Decision, error) {
			if f.Connection == nil || f.Duplicate != nil || f.Connection.ConfiguredSeq != e.Version {
				return store.Decision{}, nil
			}
			act := connection.Act{At: f.Account.Now(v.now()), By: remindedBy, NewID: v.newID}
			_, err := connection.Append(f.Connection, connection.NewEvent{
				Status: f.Connection.Status, Name: connection.CredentialExpiring, Metadata: metadata, ExternalID: name,
			}, act)
			return store.Decision{Connection: f.Connection}, err
		},
	})
	if err == nil {
		v.remember(e.Place, name)
	}
	return err
}

// remindedBy is the author of the events: nobody but the service.
const remindedBy = "mooring"

// reminded says whether this process has recorded a reminder already; the
// connection itself knows in any case.
func (v *Vault) reminded(at store.Place, name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.reminders[reminder{at, name}]
}

type reminder struct {
	at   store.Place
	name string
}

func (v *Vault) remember(at store.Place, name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.reminders == nil || len(v.reminders) >= maxExpiring {
		v.reminders = map[reminder]bool{}
	}
	v.reminders[reminder{at, name}] = true
}
