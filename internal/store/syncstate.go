package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// Place names a connection.
type Place struct {
	Account  account.ID
	Provider string
}

// SyncState is what is known of asking a provider about a connection.
type SyncState struct {
	Account      account.ID
	Provider     string
	LastAskedAt  time.Time
	LastSyncedAt time.Time // the last question that was answered; zero when none was
	LastError    string    // of the last question; "" when it was answered
	Drift        string    // status that the provider has of an enabled connection when it differs; "" when none
	DriftSince   time.Time
}

const syncColumns = `account, provider, last_asked_at, last_synced_at, last_error, drift, drift_since`

var (
	syncSaved = writes(`INSERT INTO sync_state (` + syncColumns + `)
		SELECT account, provider, $3, $4, $5, $6, $7 FROM connection WHERE account = $1 AND provider = $2
		ON CONFLICT (account, provider) DO UPDATE SET last_asked_at = excluded.last_asked_at,
			last_synced_at = excluded.last_synced_at, last_error = excluded.last_error, drift = excluded.drift,
			drift_since = excluded.drift_since`)

	syncOfConnection = reads(`SELECT ` + syncColumns + ` FROM sync_state WHERE account = $1 AND provider = $2`)

	// The providers ($3) are a text with a comma before and after each, which no
	// slug has. The accounts of a world are those between $1 and $2.
	syncDue = reads(`SELECT c.account, c.provider FROM connection AS c
		LEFT JOIN sync_state AS s ON s.account = c.account AND s.provider = c.provider
		WHERE c.account BETWEEN $1 AND $2 AND c.status IN ('pending', 'enabled')
			AND EXISTS (SELECT 1 FROM account AS a WHERE a.id = c.account AND a.deleted_at IS NULL)
			AND replace($3, ',' || c.provider || ',', '') <> $3
			AND (s.last_asked_at IS NULL OR s.last_asked_at < $4)
		ORDER BY CASE c.status WHEN 'pending' THEN 0 ELSE 1 END, coalesce(s.last_asked_at, 0), c.account, c.provider
		LIMIT $5`)

	// A platform ($2) sees all accounts of its world, others their own and those
	// that they own.
	syncDrifting = reads(`SELECT s.account, s.provider, s.last_asked_at, s.last_synced_at, s.last_error, s.drift, s.drift_since
		FROM sync_state AS s JOIN account AS a ON a.id = s.account
		WHERE s.drift <> '' AND a.deleted_at IS NULL AND (s.account, s.provider) > ($3, $4)
			AND (a.id = $1 OR a.owner = $1 OR ($2 AND substr(a.id, 1, 1) = substr($1, 1, 1)))
		ORDER BY s.account, s.provider LIMIT $5`)
)

// SaveSync writes what is known of asking a provider; Missing when there is no
// such connection.
func (s *Store) SaveSync(ctx context.Context, state SyncState) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		saved, err := t.change(ctx, syncSaved, string(state.Account), state.Provider, micros(state.LastAskedAt),
			micros(state.LastSyncedAt), state.LastError, state.Drift, micros(state.DriftSince))
		if err == nil && saved == 0 {
			err = fault.Missing()
		}
		return err
	})
}

// Sync reads it; the state says nothing when nobody ever asked.
func (s *Store) Sync(ctx context.Context, at Place) (SyncState, error) {
	found, err := list(ctx, s, syncOfConnection, scanSync, string(at.Account), at.Provider)
	if err != nil || found == nil {
		return SyncState{Account: at.Account, Provider: at.Provider}, err
	}
	return found[0], nil
}

// firstOf and lastOf are the ids between which the accounts of a world are.
func firstOf(w account.World) string { return string(account.Platform(w)) }
func lastOf(w account.World) string  { return string(rune(w)) + "99999999" }

// DueForSync lists connections of the providers that nobody asked about since
// a time: the pending ones first, then enabled ones, least recently asked
// first.
func (s *Store) DueForSync(ctx context.Context, world account.World, providers []string, before time.Time, limit int) ([]Place, error) {
	if len(providers) == 0 {
		return nil, nil
	}
	return list(ctx, s, syncDue, func(r row) (p Place, err error) {
		err = r.Scan(&p.Account, &p.Provider)
		return p, err
	}, firstOf(world), lastOf(world), ","+strings.Join(providers, ",")+",", micros(before), limit)
}

// Drifting lists connections that the caller covers or owns and whose provider
// says something else, in order, after a place.
func (s *Store) Drifting(ctx context.Context, caller auth.Caller, after Place, limit int) ([]SyncState, error) {
	return list(ctx, s, syncDrifting, scanSync, string(caller.Account), caller.Account.IsPlatform(),
		string(after.Account), after.Provider, limit)
}

func scanSync(r row) (SyncState, error) {
	var (
		s                    SyncState
		asked, synced, since sql.NullInt64
	)
	err := r.Scan(&s.Account, &s.Provider, &asked, &synced, &s.LastError, &s.Drift, &since)
	s.LastAskedAt, s.LastSyncedAt, s.DriftSince = instant(asked), instant(synced), instant(since)
	return s, err
}
