package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

const (
	clientColumns = `account, id, name, disabled, created_at, created_by, description, callbacks, updated_at, deleted_at, deleted_by, last_used_at`
	secretColumns = `id, hash, created_at, expires_at, last_used_at, created_by`
	grantColumns  = `id, audience, scopes, type, created_at, created_by`
)

var (
	clientOfAccount = reads(`SELECT id FROM client WHERE account = $1 LIMIT 1`)

	// A client may act while it is enabled, its account is there, has a grant for
	// an account that is there and is its account's own or owned by it, and its
	// token was not revoked. What a partner's client was granted ends when the account
	// is moved, also if it comes back.
	clientsOfBatch = batches(
		`SELECT c.id, g.audience, $3, $4 FROM client AS c
		JOIN account AS h ON h.id = c.account
		JOIN client_grant AS g ON g.account = c.account AND g.client = c.id
		JOIN account AS a ON a.id = g.audience
		WHERE NOT c.disabled AND c.deleted_at IS NULL AND h.deleted_at IS NULL AND a.deleted_at IS NULL
		AND (a.id = h.id OR h.kind = 'platform' AND substr(a.id, 1, 1) = substr(h.id, 1, 1)
			OR a.owner = h.id AND (a.owned_since IS NULL OR coalesce(g.created_at, c.created_at) >= a.owned_since))
		AND NOT EXISTS (SELECT 1 FROM spent_token AS s WHERE s.account = $3 AND s.id = $4)
		AND c.id = $1 AND g.audience = $2`,
		`SELECT c.id, g.audience, u.account, u.token
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS u (client, audience, account, token)
		JOIN client AS c ON c.id = u.client::uuid
		JOIN account AS h ON h.id = c.account
		JOIN client_grant AS g ON g.account = c.account AND g.client = c.id AND g.audience = u.audience
		JOIN account AS a ON a.id = g.audience
		WHERE NOT c.disabled AND c.deleted_at IS NULL AND h.deleted_at IS NULL AND a.deleted_at IS NULL
		AND (a.id = h.id OR h.kind = 'platform' AND substr(a.id, 1, 1) = substr(h.id, 1, 1)
			OR a.owner = h.id AND (a.owned_since IS NULL OR coalesce(g.created_at, c.created_at) >= a.owned_since))
		AND NOT EXISTS (SELECT 1 FROM spent_token AS s WHERE s.account = u.account AND s.id = u.token)`)

	clientTaken = writes(`SELECT id FROM client WHERE id = $1`)

	clientAdded = writes(`INSERT INTO client (` + clientColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`)

	secretAdded = writes(`INSERT INTO client_secret (account, client, ` + secretColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`)

	grantAdded = writes(`INSERT INTO client_grant (account, client, ` + grantColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`)
)

// CreateClient adds a client with its secrets and grants. All ids are UUIDs.
// It is a Conflict when the id is taken, and Missing when the account is not
// there.
func (s *Store) CreateClient(ctx context.Context, c auth.Client) error {
	if err := checkClientIDs(c); err != nil {
		return err
	}
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		if there, err := t.exists(ctx, accountTaken, c.Account); err != nil {
			return err
		} else if !there {
			return fault.Missing()
		}
		if taken, err := t.exists(ctx, clientTaken, c.ID); err != nil {
			return err
		} else if taken {
			return fault.New(fault.Conflict, fault.CodeConflict, "the client exists already")
		}
		return t.addClient(ctx, c)
	})
}

func checkClientIDs(c auth.Client) error {
	if !isID(c.ID) {
		return errors.New("the id of a client must be a UUID in lower case")
	}
	for _, secret := range c.Secrets {
		if !isID(secret.ID) {
			return fmt.Errorf("a secret of client %s has an id that is not a UUID in lower case", c.ID)
		}
	}
	for _, grant := range c.Grants {
		if !isID(grant.ID) {
			return fmt.Errorf("a grant of client %s has an id that is not a UUID in lower case", c.ID)
		}
	}
	return nil
}

func (t *tx) addClient(ctx context.Context, c auth.Client) error {
	callbacks, err := json.Marshal(append([]string{}, c.Callbacks...))
	if err != nil {
		return fmt.Errorf("encode the callbacks of a client: %w", err)
	}
	if _, err := t.change(ctx, clientAdded, c.Account, c.ID, c.Name, c.Disabled, micros(c.CreatedAt), c.CreatedBy,
		c.Description, string(callbacks), micros(c.UpdatedAt), micros(c.DeletedAt), c.DeletedBy, micros(c.LastUsedAt)); err != nil {
		return err
	}
	for _, secret := range c.Secrets {
		if err := t.addSecret(ctx, c, secret); err != nil {
			return err
		}
	}
	for _, grant := range c.Grants {
		if err := t.addGrant(ctx, c, grant); err != nil {
			return err
		}
	}
	return t.moveEpoch(ctx)
}

func (t *tx) addSecret(ctx context.Context, c auth.Client, secret auth.SecretHash) error {
	_, err := t.change(ctx, secretAdded, c.Account, c.ID, secret.ID, blob(secret.Hash),
		micros(secret.CreatedAt), micros(secret.ExpiresAt), micros(secret.LastUsedAt), secret.CreatedBy)
	return err
}

func (t *tx) addGrant(ctx context.Context, c auth.Client, grant auth.Grant) error {
	kind := grant.Type
	if kind == "" {
		kind = auth.GrantClientCredentials
	}
	_, err := t.change(ctx, grantAdded, c.Account, c.ID, grant.ID, grant.Audience, grant.Scopes.String(),
		kind, micros(grant.CreatedAt), grant.CreatedBy)
	return err
}

// HasClient says whether an account has a client, which is how a world that
// init has finished is told from one that it has not.
func (s *Store) HasClient(ctx context.Context, id account.ID) (bool, error) {
	found := false
	err := s.lookup(ctx, clientOfAccount, func(row) error {
		found = true
		return nil
	}, string(id))
	return found, err
}

func intoClient(found **auth.Client) func(row) error {
	return func(r row) error {
		c, err := scanClient(r)
		*found = &c
		return err
	}
}

func scanClient(r row) (auth.Client, error) {
	var c clientRow
	if err := r.Scan(c.columns()...); err != nil {
		return auth.Client{}, err
	}
	return c.client()
}

// clientRow is a row of clientColumns.
type clientRow struct {
	auth.Client
	callbacks                       []byte
	created, updated, deleted, used sql.NullInt64
}

func (r *clientRow) columns() []any {
	return []any{
		&r.Account, &r.ID, &r.Name, &r.Disabled, &r.created, &r.CreatedBy,
		&r.Description, &r.callbacks, &r.updated, &r.deleted, &r.DeletedBy, &r.used,
	}
}

func (r *clientRow) client() (auth.Client, error) {
	c := r.Client
	c.CreatedAt, c.UpdatedAt = instant(r.created), instant(r.updated)
	c.DeletedAt, c.LastUsedAt = instant(r.deleted), instant(r.used)
	if err := json.Unmarshal(r.callbacks, &c.Callbacks); err != nil {
		return c, fmt.Errorf("decode the callbacks of client %s: %w", c.ID, err)
	}
	if len(c.Callbacks) == 0 {
		c.Callbacks = nil
	}
	return c, nil
}

func intoSecrets(c *auth.Client) func(row) error {
	return func(r row) error {
		var secret secretRow
		err := r.Scan(secret.columns()...)
		c.Secrets = append(c.Secrets, secret.secret())
		return err
	}
}

func intoGrants(c *auth.Client) func(row) error {
	return func(r row) error {
		var grant grantRow
		err := r.Scan(grant.columns()...)
		c.Grants = append(c.Grants, grant.grant())
		return err
	}
}
