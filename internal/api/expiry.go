package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/gate"
)

type expiring struct {
	Account    account.ID `json:"account_id"`
	Connection string     `json:"connection"`
	Member     string     `json:"member"`
	Version    int64      `json:"version"`
	NotAfter   string     `json:"not_after"`
	Days       int        `json:"days"`
}

// listExpiring lists the certificates in force that end soon, by the clocks of
// their accounts.
func (o operations) listExpiring(ctx context.Context, call *gate.Call, _ struct{}) ([]expiring, error) {
	days := 60
	if s, ok := call.Query("within"); ok {
		days, _ = strconv.Atoi(strings.TrimSuffix(s, "d")) // the contract bounds it
	}
	found, err := o.Vault.Expiring(ctx, call.Caller, time.Duration(days)*24*time.Hour)
	all := []expiring{}
	for _, e := range found[:min(limitOf(call), len(found))] {
		all = append(all, expiring{
			e.Place.Account, e.Place.Provider, e.Member, e.Version, onWire(e.NotAfter), e.Days(),
		})
	}
	return all, err
}
