package vault

import (
	"cmp"
	"context"
	"slices"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
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
			found = append(found, expiryOf(f, now))
		}
	}
	slices.SortStableFunc(found, func(a, b Expiry) int { return cmp.Compare(a.NotAfter.Sub(a.Now), b.NotAfter.Sub(b.Now)) })
	return found, nil
}
