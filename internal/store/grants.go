package store

import (
	"context"
	"database/sql"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

const grantListed = `g.client, g.id, g.audience, g.scopes, g.type,
	coalesce(g.created_at, c.created_at), coalesce(nullif(g.created_by, ''), c.created_by)
	FROM client_grant AS g JOIN client AS c ON c.account = g.account AND c.id = g.client`

var (
	grantsOfAccount = reads(`SELECT ` + grantListed + ` JOIN account AS a ON a.id = g.account
		WHERE g.account = $1 AND $2 AND a.deleted_at IS NULL
		AND g.client >= $3 AND g.client <= $4 AND ($5 = '' OR g.audience = $5) ORDER BY g.id`)

	grantOwn = writes(`SELECT ` + grantListed + ` WHERE g.account = $1 AND g.id = $2`)

	grantsCounted = writes(`SELECT count(*) FROM client_grant WHERE account = $1 AND client = $2`)

	grantTaken = writes(`SELECT id FROM client_grant WHERE account = $1 AND client = $2 AND audience = $3`)

	grantDropped = writes(`DELETE FROM client_grant WHERE account = $1 AND client = $2 AND id = $3`)
)

// GrantFilter narrows a list of grants; empty members do not.
type GrantFilter struct {
	Client   string
	Audience account.ID
}

// Grants lists the grants of an account's clients, oldest first; nothing of an
// account that the caller does not cover.
func (s *Store) Grants(ctx context.Context, caller auth.Caller, id account.ID, filter GrantFilter) ([]auth.Grant, error) {
	from, to := firstID, lastID
	if filter.Client != "" {
		if !isID(filter.Client) {
			return nil, nil
		}
		from, to = filter.Client, filter.Client
	}
	return list(ctx, s, grantsOfAccount, scanListedGrant, id, caller.Covers(id), from, to, filter.Audience)
}

func scanListedGrant(r row) (auth.Grant, error) {
	var (
		grant   auth.Grant
		scopes  string
		created sql.NullInt64
	)
	err := r.Scan(&grant.Client, &grant.ID, &grant.Audience, &scopes, &grant.Type, &created, &grant.CreatedBy)
	grant.Scopes, grant.CreatedAt = auth.ParseScopes(scopes), instant(created)
	return grant, err
}

// AddGrant gives a client of the deed's account a grant, for that account or one
// that it owns now. The caller must hold what it gives. The client and the
// audience are Missing when they are not the account's; a second grant for one
// audience is a Conflict. show is what is answered, and kept under a key.
func (s *Store) AddGrant(ctx context.Context, d Deed, g auth.Grant, show func(auth.Grant) ([]byte, error)) (Answer, error) {
	if !isID(g.ID) {
		return Answer{}, errNoUUID
	}
	d.With = []account.ID{g.Audience}
	return s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		client, err := t.clientOf(ctx, acc.ID, g.Client)
		if err != nil {
			return Answer{}, err
		}
		audience, err := t.reachable(ctx, acc, g.Audience)
		if err != nil {
			return Answer{}, err
		}
		if g.CreatedAt.Before(audience.OwnedSince) { // by another node's clock
			g.CreatedAt = audience.OwnedSince
		}
		held, err := t.heldBy(ctx, d.Caller)
		if err != nil {
			return Answer{}, err
		}
		if err := auth.CheckGrant(g, audience, d.Caller.Kind, held); err != nil {
			return Answer{}, err
		}
		if err := t.roomForGrant(ctx, client, g.Audience); err != nil {
			return Answer{}, err
		}
		if err := t.addGrant(ctx, client, g); err != nil {
			return Answer{}, err
		}
		body, err := show(g)
		if err != nil {
			return Answer{}, err
		}
		return Answer{Body: body}, t.moveEpoch(ctx)
	})
}

// reachable is an account that clients of another may have grants for. It is
// locked with it, so that it does not change hands meanwhile.
func (t *tx) reachable(ctx context.Context, from account.Account, id account.ID) (account.Account, error) {
	if id == from.ID {
		return from, nil
	}
	var found *account.Account
	if err := t.loadMany(ctx, accountLocked, [][]any{{string(id)}}, intoAccount(&found)); err != nil {
		return account.Account{}, err
	}
	platform := from.Kind == account.KindPlatform && id.World() == from.ID.World()
	if found == nil || found.Deleted() || found.Owner != from.ID && !platform {
		return account.Account{}, fault.Missing()
	}
	return *found, nil
}

func (t *tx) roomForGrant(ctx context.Context, c auth.Client, audience account.ID) error {
	if taken, err := t.exists(ctx, grantTaken, c.Account, c.ID, audience); err != nil {
		return err
	} else if taken {
		return fault.New(fault.Conflict, fault.CodeConflict, "the client has a grant for this audience already; delete it first")
	}
	var there int
	if err := t.load(ctx, grantsCounted, func(r row) error { return r.Scan(&there) }, c.Account, c.ID); err != nil {
		return err
	}
	if there >= auth.MaxGrants {
		return fault.New(fault.Invalid, fault.CodeLimitReached, "a client has at most %d grants", auth.MaxGrants)
	}
	return nil
}

// EndGrant takes a grant away from a client all of whose scopes the caller
// holds. show is what is answered, and kept under a key.
func (s *Store) EndGrant(ctx context.Context, d Deed, id string, show func(auth.Grant) ([]byte, error)) (Answer, error) {
	return s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		var found *auth.Grant
		if isID(id) {
			err := t.load(ctx, grantOwn, func(r row) error {
				g, err := scanListedGrant(r)
				found = &g
				return err
			}, acc.ID, id)
			if err != nil {
				return Answer{}, err
			}
		}
		if found == nil {
			return Answer{}, fault.Missing()
		}
		if err := t.holdsAll(ctx, d.Caller, auth.Client{Account: acc.ID, ID: found.Client}, takes); err != nil {
			return Answer{}, err
		}
		before, err := t.admins(ctx, acc)
		if err != nil {
			return Answer{}, err
		}
		if _, err := t.change(ctx, grantDropped, acc.ID, found.Client, found.ID); err != nil {
			return Answer{}, err
		}
		if err := t.keepsAdmin(ctx, acc, before); err != nil {
			return Answer{}, err
		}
		body, err := show(*found)
		if err != nil {
			return Answer{}, err
		}
		return Answer{Body: body}, t.moveEpoch(ctx)
	})
}
