package store

import (
	"context"
	"errors"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
)

var errNotBuilt = errors.New("store: not built yet")

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

// Recipient is a public key that a platform registered to have credentials
// encrypted to.
type Recipient struct {
	Platform  account.ID
	Name      string
	PublicKey string // age recipient, "age1..."
	CreatedAt time.Time
	CreatedBy string
	EndedAt   time.Time // zero while it is good
}

// Place names a connection.
type Place struct {
	Account  account.ID
	Provider string
}

// LockClock gives the clock of a test account to whoever calls until the lease
// ends: the account, a fencing number, and Conflict while another has it.
func (s *Store) LockClock(ctx context.Context, id account.ID, now time.Time, lease time.Duration) (account.Account, int64, error) {
	return account.Account{}, 0, errNotBuilt
}

// MoveClock moves a locked clock ahead; it never goes back. UnlockClock lets
// go of it. Both are refused with Conflict when the fence is an old one.
func (s *Store) MoveClock(ctx context.Context, id account.ID, fence int64, ahead time.Duration) error {
	return errNotBuilt
}

// UnlockClock lets go of a locked clock.
func (s *Store) UnlockClock(ctx context.Context, id account.ID, fence int64) error {
	return errNotBuilt
}

// SaveSync writes what is known of asking a provider.
func (s *Store) SaveSync(ctx context.Context, state SyncState) error { return errNotBuilt }

// Sync reads it; the zero state when nobody ever asked.
func (s *Store) Sync(ctx context.Context, at Place) (SyncState, error) {
	return SyncState{}, errNotBuilt
}

// DueForSync lists connections of the providers that nobody asked about since
// a time: the pending ones first, then enabled ones, least recently asked
// first.
func (s *Store) DueForSync(ctx context.Context, world account.World, providers []string, before time.Time, limit int) ([]Place, error) {
	return nil, errNotBuilt
}

// Drifting lists connections whose provider says something else, after a place.
func (s *Store) Drifting(ctx context.Context, caller auth.Caller, after Place, limit int) ([]SyncState, error) {
	return nil, errNotBuilt
}

// AddRecipient registers a recipient; Conflict when the name is taken.
func (s *Store) AddRecipient(ctx context.Context, r Recipient, record AuditRecord) error {
	return errNotBuilt
}

// Recipients lists those of a platform, ended ones included, by name.
func (s *Store) Recipients(ctx context.Context, platform account.ID) ([]Recipient, error) {
	return nil, errNotBuilt
}

// EndRecipient ends one; Missing when there is none.
func (s *Store) EndRecipient(ctx context.Context, platform account.ID, name string, at time.Time, record AuditRecord) error {
	return errNotBuilt
}

// Rewrap hands wrapped keys, data keys and sealed keys alike, to rewrap, which
// returns what is to be stored instead (SealedKey.Context and DataKey.Context
// name them); a row that was written meanwhile is left alone. after is where the last call ended, ""
// at first. It returns where it ended, and "" when all were seen.
func (s *Store) Rewrap(ctx context.Context, after string, limit int, rewrap func(context string, wrapped []byte) ([]byte, error)) (string, error) {
	return "", errNotBuilt
}
