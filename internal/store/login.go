package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// clientWhole reads the client of the first id, or when there is none that of
// the second: each of its secrets beside each of its grants, in no order.
var clientWhole = reads(`SELECT ` + from("h", accountColumns) + `, ` + from("c", clientColumns) + `, ` +
	from("s", secretColumns) + `, ` + from("g", grantColumns) + `
	FROM client AS c JOIN account AS h ON h.id = c.account
	LEFT JOIN client_secret AS s ON s.account = c.account AND s.client = c.id
	LEFT JOIN client_grant AS g ON g.account = c.account AND g.client = c.id
	WHERE c.id = coalesce((SELECT k.id FROM client AS k WHERE k.id = $1 AND k.deleted_at IS NULL), $2)`)

// from says of which table columns are.
func from(table, columns string) string {
	return table + "." + strings.ReplaceAll(columns, ", ", ", "+table+".")
}

// Client finds a client with its secrets, oldest first, its grants, and the
// account it belongs to; Missing when there is none. It is one statement, which
// sees one moment. For an unknown client all is read of one that was found
// before, and dropped, so that time does not tell which ids exist.
func (s *Store) Client(ctx context.Context, clientID string) (auth.Client, account.Account, error) {
	if !isID(clientID) {
		return auth.Client{}, account.Account{}, fault.Missing()
	}
	standIn := firstID
	if before := s.lastClient.Load(); before != nil {
		standIn = *before
	}
	var found wholeClient
	err := s.readAgain(ctx, func() error {
		found = wholeClient{}
		return s.ask(ctx, clientWhole, found.add, clientID, standIn)
	})
	if err != nil {
		return auth.Client{}, account.Account{}, err
	}
	if found.client.ID != clientID || !found.client.DeletedAt.IsZero() {
		return auth.Client{}, account.Account{}, fault.Missing()
	}
	if standIn != clientID {
		s.lastClient.Store(&clientID)
	}
	found.sort()
	return found.client, found.home, nil
}

// wholeClient gathers the rows of clientWhole.
type wholeClient struct {
	client auth.Client
	home   account.Account
}

func (w *wholeClient) add(r row) error {
	var (
		c      clientRow
		secret secretRow
		grant  grantRow
	)
	home, err := scanAccount(r, slices.Concat(c.columns(), secret.columns(), grant.columns())...)
	if err != nil {
		return err
	}
	if w.client.ID == "" {
		if w.client, err = c.client(); err != nil {
			return err
		}
		w.home = home
	}
	known := func(s auth.SecretHash) bool { return s.ID == secret.id.String }
	if secret.id.Valid && !slices.ContainsFunc(w.client.Secrets, known) {
		w.client.Secrets = append(w.client.Secrets, secret.secret())
	}
	if first := w.client.Secrets; grant.id.Valid && (first == nil || known(first[0])) {
		w.client.Grants = append(w.client.Grants, grant.grant())
	}
	return nil
}

// sort puts secrets and grants in the order in which they were made.
func (w *wholeClient) sort() {
	slices.SortFunc(w.client.Secrets, func(a, b auth.SecretHash) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	slices.SortFunc(w.client.Grants, func(a, b auth.Grant) int { return strings.Compare(a.ID, b.ID) })
}

// secretRow is a row of secretColumns, or none.
type secretRow struct {
	id                     sql.NullString
	hash                   []byte
	created, expires, used sql.NullInt64
	by                     sql.NullString
}

func (r *secretRow) columns() []any {
	return []any{&r.id, &r.hash, &r.created, &r.expires, &r.used, &r.by}
}

func (r *secretRow) secret() auth.SecretHash {
	return auth.SecretHash{
		ID: r.id.String, Hash: r.hash, CreatedAt: instant(r.created), ExpiresAt: instant(r.expires), LastUsedAt: instant(r.used),
		CreatedBy: r.by.String,
	}
}

// grantRow is a row of grantColumns, or none.
type grantRow struct {
	id, audience, scopes, kind sql.NullString
	created                    sql.NullInt64
	by                         sql.NullString
}

func (r *grantRow) columns() []any {
	return []any{&r.id, &r.audience, &r.scopes, &r.kind, &r.created, &r.by}
}

func (r *grantRow) grant() auth.Grant {
	return auth.Grant{
		ID: r.id.String, Audience: account.ID(r.audience.String), Scopes: auth.ParseScopes(r.scopes.String), Type: r.kind.String,
		CreatedAt: instant(r.created), CreatedBy: r.by.String,
	}
}
