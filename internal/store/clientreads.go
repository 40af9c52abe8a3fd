package store

import (
	"context"
	"database/sql"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

const clientListed = `c.account, c.id, c.name, c.disabled, c.created_at, c.created_by, c.description, c.callbacks,
	c.updated_at, c.deleted_at, c.deleted_by, c.last_used_at
	FROM client AS c JOIN account AS a ON a.id = c.account
	WHERE c.account = $1 AND $2 AND a.deleted_at IS NULL AND c.deleted_at IS NULL`

var (
	clientsOfAccount = reads(`SELECT ` + clientListed + ` ORDER BY c.created_at, c.id`)

	clientOfAccountOne = reads(`SELECT ` + clientListed + ` AND c.id = $3`)

	secretsOfAccount = reads(`SELECT client, id, created_at, expires_at, last_used_at FROM client_secret
		WHERE account = $1 AND client >= $2 AND client <= $3 ORDER BY created_at, id`)
)

// Clients lists the clients of an account, oldest first, with what is known of
// their secrets but the hashes, and without grants; none of an account that the
// caller does not cover.
func (s *Store) Clients(ctx context.Context, caller auth.Caller, id account.ID) (clients []auth.Client, err error) {
	err = s.snapshot(ctx, func(t *tx) error {
		clients = nil
		err := t.load(ctx, clientsOfAccount, func(r row) error {
			c, err := scanClient(r)
			clients = append(clients, c)
			return err
		}, id, caller.Covers(id))
		if err != nil {
			return err
		}
		return t.secretsOf(ctx, clients, id, firstID, lastID)
	})
	return clients, err
}

// ClientOf is one of them; Missing when it is not there.
func (s *Store) ClientOf(ctx context.Context, caller auth.Caller, id account.ID, client string) (auth.Client, error) {
	var found *auth.Client
	if !isID(client) {
		return auth.Client{}, fault.Missing()
	}
	err := s.snapshot(ctx, func(t *tx) error {
		found = nil
		if err := t.load(ctx, clientOfAccountOne, intoClient(&found), id, caller.Covers(id), client); err != nil || found == nil {
			return err
		}
		one := []auth.Client{*found}
		err := t.secretsOf(ctx, one, id, client, client)
		found = &one[0]
		return err
	})
	if err != nil {
		return auth.Client{}, err
	}
	if found == nil {
		return auth.Client{}, fault.Missing()
	}
	return *found, nil
}

// secretsOf fills in the secrets of clients whose ids lie between two.
func (t *tx) secretsOf(ctx context.Context, clients []auth.Client, id account.ID, from, to string) error {
	at := make(map[string]int, len(clients))
	for i, c := range clients {
		at[c.ID] = i
	}
	return t.load(ctx, secretsOfAccount, func(r row) error {
		var (
			client                 string
			secret                 auth.SecretHash
			created, expires, used sql.NullInt64
		)
		err := r.Scan(&client, &secret.ID, &created, &expires, &used)
		secret.CreatedAt, secret.ExpiresAt, secret.LastUsedAt = instant(created), instant(expires), instant(used)
		if i, ok := at[client]; ok {
			clients[i].Secrets = append(clients[i].Secrets, secret)
		}
		return err
	}, id, from, to)
}
