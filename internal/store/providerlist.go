package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

var (
	providersOfOwner = providerRange("owner")
	providersOfWorld = providerRange("world")

	// Of an owner's accounts ($3), or of a platform's world ($4).
	providerConnectionSeen = reads(`SELECT ` + connectionColumns + `, (SELECT a.ahead FROM account AS a WHERE a.id = $1) FROM connection
		WHERE account = $1 AND provider = $2 AND stands_at <> ''
		AND EXISTS (SELECT 1 FROM account AS a WHERE a.id = $1 AND a.deleted_at IS NULL AND (a.owner = $3 OR substr(a.id, 1, 1) = $4))`)
)

// providerRange reads connections to one provider in one status, by account.
func providerRange(whose string) *statement {
	return reads(`SELECT ` + queueRow + ` FROM (SELECT ` + queueColumns + `, last_signup FROM connection
		WHERE ` + whose + ` = $1 AND provider = $2 AND status = $3 AND stands_at <> '' AND account > $4
		ORDER BY account LIMIT $5)` + queueAround + `ORDER BY c.account`)
}

// ProviderConnections lists at most limit connections to a provider, of an
// owner's accounts, or of the world when the owner is a platform, by account;
// those in some statuses, nil for all. It is Missing when the owner, or the
// provider, is not the caller's to speak for.
func (s *Store) ProviderConnections(
	ctx context.Context, caller auth.Caller, owner account.ID, provider string, statuses []connection.Status, after account.ID, limit int,
) (page []QueueRow, err error) {
	if !speaksFor(caller, owner, provider) {
		return nil, fault.Missing()
	}
	if len(statuses) == 0 {
		statuses = connection.Statuses
	}
	st := providersOfOwner
	if owner.IsPlatform() {
		st = providersOfWorld
	}
	err = s.snapshot(ctx, func(t *tx) error {
		page = nil
		for _, status := range statuses {
			if err := t.load(ctx, st, func(r row) error {
				row, err := scanQueueRow(r)
				page = append(page, row)
				return err
			}, countedAs(owner), provider, string(status), string(after), limit); err != nil {
				return err
			}
		}
		return nil
	})
	slices.SortFunc(page, func(a, b QueueRow) int { return strings.Compare(string(a.Account.ID), string(b.Account.ID)) })
	return page[:min(limit, len(page))], err
}

// ProviderConnection reads a whole connection to a provider, of one of an
// owner's accounts, and how far that one's clock is ahead. It is Missing when there is none, or when the owner, or the
// provider, is not the caller's to speak for.
func (s *Store) ProviderConnection(
	ctx context.Context, caller auth.Caller, owner, id account.ID, provider string,
) (*connection.Connection, time.Duration, error) {
	if !speaksFor(caller, owner, provider) {
		return nil, 0, fault.Missing()
	}
	world := ""
	if owner.IsPlatform() {
		world = worldOf(owner)
	}
	slug, ahead := cmp.Or(caller.Provider, provider), int64(0)
	c, err := s.wholeConnection(ctx, func(t *tx) (c *connection.Connection, err error) {
		err = t.load(ctx, providerConnectionSeen, func(r row) error {
			c, err = scanConnection(r, &ahead)
			return err
		}, id, slug, string(owner), world)
		return c, err
	})
	return c, time.Duration(ahead) * time.Microsecond, err
}

// speaksFor says whether a caller may ask about an owner's connections to a
// provider: a provider's client may about its own alone.
func speaksFor(caller auth.Caller, owner account.ID, provider string) bool {
	return caller.Covers(owner) && (caller.Provider == "" || caller.Provider == provider)
}
