package store

import (
	"context"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

var (
	clientsCounted = writes(`SELECT count(*) FROM client WHERE account = $1 AND deleted_at IS NULL`)

	clientOwn = writes(`SELECT ` + clientColumns + ` FROM client WHERE account = $1 AND id = $2 AND deleted_at IS NULL`)

	secretsOwn = writes(`SELECT ` + secretColumns + ` FROM client_secret WHERE account = $1 AND client = $2 ORDER BY created_at, id`)

	grantsOwn = writes(`SELECT ` + grantColumns + ` FROM client_grant WHERE account = $1 AND client = $2 ORDER BY id`)

	clientSwitched = writes(`UPDATE client SET disabled = $3, updated_at = $4 WHERE account = $1 AND id = $2`)

	clientDeleted = writes(`UPDATE client SET deleted_at = $3, deleted_by = $4, updated_at = $3 WHERE account = $1 AND id = $2`)

	clientTouched = writes(`UPDATE client SET updated_at = $3 WHERE account = $1 AND id = $2`)

	secretsDropped = writes(`DELETE FROM client_secret WHERE account = $1 AND client = $2`)

	grantsDropped = writes(`DELETE FROM client_grant WHERE account = $1 AND client = $2`)

	grantsHeld = writes(`SELECT g.scopes FROM client AS c
		JOIN client_grant AS g ON g.account = c.account AND g.client = c.id
		WHERE c.id = $1 AND g.audience = $2`)

	adminsOfAccount = writes(`SELECT g.scopes FROM client AS c
		JOIN client_grant AS g ON g.account = c.account AND g.client = c.id
		WHERE c.account = $1 AND g.audience = $1 AND NOT c.disabled AND c.deleted_at IS NULL`)
)

// AddClient makes a client of the account of a deed, within its limit.
func (s *Store) AddClient(ctx context.Context, d Deed, c auth.Client) error {
	if err := checkClientIDs(c); err != nil {
		return err
	}
	_, err := s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		var there int
		if err := t.load(ctx, clientsCounted, func(r row) error { return r.Scan(&there) }, acc.ID); err != nil {
			return Answer{}, err
		}
		if there >= auth.MaxClients {
			return Answer{}, fault.New(fault.Invalid, fault.CodeLimitReached, "an account has at most %d clients", auth.MaxClients)
		}
		c.Account = acc.ID
		return Answer{}, t.addClient(ctx, c)
	})
	return err
}

// EndClient deletes a client with its secrets and grants. show is what is
// answered, and kept under a key.
func (s *Store) EndClient(ctx context.Context, d Deed, id string, at time.Time, show ShowClient) (Answer, error) {
	return s.onClient(ctx, d, id, takes, show, func(ctx context.Context, t *tx, c *auth.Client) error {
		c.UpdatedAt, c.DeletedAt, c.DeletedBy = at, at, d.Caller.Client
		for _, drop := range []*statement{secretsDropped, grantsDropped} {
			if _, err := t.change(ctx, drop, c.Account, c.ID); err != nil {
				return err
			}
		}
		_, err := t.change(ctx, clientDeleted, c.Account, c.ID, micros(at), c.DeletedBy)
		return err
	})
}

// SwitchClient disables a client or enables it again. show is what is answered,
// and kept under a key.
func (s *Store) SwitchClient(ctx context.Context, d Deed, id string, disabled bool, at time.Time, show ShowClient) (Answer, error) {
	does := gives
	if disabled {
		does = takes
	}
	return s.onClient(ctx, d, id, does, show, func(ctx context.Context, t *tx, c *auth.Client) error {
		if err := t.load(ctx, secretsOwn, intoSecrets(c), c.Account, c.ID); err != nil {
			return err
		}
		if c.Disabled == disabled {
			return nil
		}
		c.Disabled, c.UpdatedAt = disabled, at
		_, err := t.change(ctx, clientSwitched, c.Account, c.ID, disabled, micros(at))
		return err
	})
}

// RotateSecret gives a client a new secret. Of those it has, the newest stays
// good until ends, or its own end if that comes first; the others end at once.
func (s *Store) RotateSecret(ctx context.Context, d Deed, id string, fresh auth.SecretHash, ends time.Time, show ShowClient) (Answer, error) {
	return s.onClient(ctx, d, id, gives, show, func(ctx context.Context, t *tx, c *auth.Client) error {
		if err := t.load(ctx, secretsOwn, intoSecrets(c), c.Account, c.ID); err != nil {
			return err
		}
		fresh.CreatedBy = d.Caller.Client
		c.Secrets = append(overlapping(c.Secrets, fresh.CreatedAt, ends), fresh)
		if _, err := t.change(ctx, secretsDropped, c.Account, c.ID); err != nil {
			return err
		}
		for _, secret := range c.Secrets {
			if err := t.addSecret(ctx, *c, secret); err != nil {
				return err
			}
		}
		c.UpdatedAt = fresh.CreatedAt
		_, err := t.change(ctx, clientTouched, c.Account, c.ID, micros(c.UpdatedAt))
		return err
	})
}

// overlapping is what stays of secrets, oldest first, when a new one comes: the
// newest that has not ended, for a while.
func overlapping(secrets []auth.SecretHash, now, ends time.Time) []auth.SecretHash {
	for i := len(secrets) - 1; i >= 0; i-- {
		last := secrets[i]
		if !last.ExpiresAt.IsZero() && !now.Before(last.ExpiresAt) {
			continue
		}
		if last.ExpiresAt.IsZero() || ends.Before(last.ExpiresAt) {
			last.ExpiresAt = ends
		}
		if now.Before(last.ExpiresAt) {
			return []auth.SecretHash{last}
		}
		return nil
	}
	return nil
}

// ShowClient is how a client is answered with.
type ShowClient func(auth.Client) ([]byte, error)

// effect is what a deed to a client does with all that it may do. Who sees its
// secret, or lets it in again, gives that; who ends it takes that.
type effect int

const (
	gives effect = iota
	takes
)

// onClient does a deed to one client of an account: Missing when it has none of
// this id. The caller must hold what the client may do. A platform keeps a
// client that may administrate it, or nobody could get in any more.
func (s *Store) onClient(
	ctx context.Context, d Deed, id string, does effect, show ShowClient, do func(ctx context.Context, t *tx, c *auth.Client) error,
) (Answer, error) {
	return s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		client, err := t.clientOf(ctx, acc.ID, id)
		if err != nil {
			return Answer{}, err
		}
		if err := t.holdsAll(ctx, d.Caller, client, does); err != nil {
			return Answer{}, err
		}
		before, err := t.admins(ctx, acc)
		if err != nil {
			return Answer{}, err
		}
		if err := do(ctx, t, &client); err != nil {
			return Answer{}, err
		}
		if err := t.keepsAdmin(ctx, acc, before); err != nil {
			return Answer{}, err
		}
		body, err := show(client)
		if err != nil {
			return Answer{}, err
		}
		return Answer{Body: body}, t.moveEpoch(ctx)
	})
}

func (t *tx) clientOf(ctx context.Context, owner account.ID, id string) (auth.Client, error) {
	var found *auth.Client
	if isID(id) {
		if err := t.load(ctx, clientOwn, intoClient(&found), owner, id); err != nil {
			return auth.Client{}, err
		}
	}
	if found == nil {
		return auth.Client{}, fault.Missing()
	}
	return *found, nil
}

// heldBy is what a caller's token may do, as far as its grant still says so.
func (t *tx) heldBy(ctx context.Context, caller auth.Caller) (auth.Scopes, error) {
	var granted auth.Scopes
	err := t.load(ctx, grantsHeld, func(r row) error {
		var scopes string
		err := r.Scan(&scopes)
		granted = auth.ParseScopes(scopes)
		return err
	}, caller.Client, through(caller))
	return caller.Scopes.And(granted), err
}

// holdsAll refuses a caller who does not hold all that a client may do. What
// only a platform gives to the clients of others, their admins may still take:
// a secret that leaked can't wait.
func (t *tx) holdsAll(ctx context.Context, caller auth.Caller, c auth.Client, does effect) error {
	kind := caller.Kind
	if does == takes {
		kind = account.KindPlatform
	}
	held, err := t.heldBy(ctx, caller)
	if err != nil {
		return err
	}
	if err := t.load(ctx, grantsOwn, intoGrants(&c), c.Account, c.ID); err != nil {
		return err
	}
	for _, grant := range c.Grants {
		if err := auth.MayHandOut(grant.Scopes, kind, held); err != nil {
			return err
		}
	}
	return nil
}

// admins are what the clients of a platform may do to it; of no other account
// does anybody have to stay.
func (t *tx) admins(ctx context.Context, acc account.Account) ([]auth.Scopes, error) {
	if acc.Kind != account.KindPlatform {
		return nil, nil
	}
	var all []auth.Scopes
	err := t.load(ctx, adminsOfAccount, func(r row) error {
		var scopes string
		err := r.Scan(&scopes)
		all = append(all, auth.ParseScopes(scopes))
		return err
	}, acc.ID)
	return all, err
}

// keepsAdmin refuses what leaves a platform without a client that administrates
// it and may grant each of the operator's scopes that some client had before:
// once nobody has one, nobody can grant it any more.
func (t *tx) keepsAdmin(ctx context.Context, acc account.Account, before []auth.Scopes) error {
	after, err := t.admins(ctx, acc)
	if err != nil || acc.Kind != account.KindPlatform || auth.Administrated(before, after) {
		return err
	}
	return fault.New(fault.Invalid, fault.CodeLastClient,
		"this is the last client that may administrate the platform and grant all that its clients hold; make another one first")
}
