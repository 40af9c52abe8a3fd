package store

import (
	"context"
	"database/sql"
	"time"
)

// SealedKey is a key as it rests: sealed by the key file, opened by nobody
// here. Its purpose is "signing", "canary" or "fingerprint".
type SealedKey struct {
	ID, Purpose string
	Sealed      []byte
	CreatedAt   time.Time
}

// Context is what the key is sealed for: it opens nowhere else.
func (k SealedKey) Context() string { return "key/" + k.Purpose + "/" + k.ID }

var (
	// Two nodes that start at the same moment may add the same key: the first stays.
	keyAdded = writes(`INSERT INTO sealed_key (purpose, id, sealed, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (purpose, id) DO NOTHING`)

	keysOfPurpose = reads(`SELECT purpose, id, sealed, created_at FROM sealed_key
		WHERE purpose = $1 ORDER BY created_at, id`)

	epochMoved = writes(`UPDATE epoch SET value = value + 1 WHERE id = 1`)

	epochPlain = reads(`SELECT value FROM epoch WHERE id = 1`)
)

// AddKey keeps a sealed key, unless one with this purpose and id is kept
// already.
func (s *Store) AddKey(ctx context.Context, k SealedKey) error {
	return s.transact(ctx, func(ctx context.Context, t *tx) error {
		added, err := t.change(ctx, keyAdded, k.Purpose, k.ID, blob(k.Sealed), micros(k.CreatedAt))
		if err != nil || added == 0 {
			return err
		}
		return t.moveEpoch(ctx)
	})
}

// Keys lists the sealed keys of a purpose, oldest first.
func (s *Store) Keys(ctx context.Context, purpose string) ([]SealedKey, error) {
	return list(ctx, s, keysOfPurpose, scanSealedKey, purpose)
}

func scanSealedKey(r row) (SealedKey, error) {
	var (
		k       SealedKey
		created sql.NullInt64
	)
	err := r.Scan(&k.Purpose, &k.ID, &k.Sealed, &created)
	k.CreatedAt = instant(created)
	return k, err
}

// Epoch is a number that moves with every change of accounts, clients, grants
// and keys, on whichever node it was made.
func (s *Store) Epoch(ctx context.Context) (int64, error) {
	var epoch int64
	err := s.lookup(ctx, epochPlain, func(r row) error { return r.Scan(&epoch) })
	return epoch, err
}

// epochAge is how old what RecentEpoch says may be of other nodes.
const epochAge = 10 * time.Millisecond

// seenEpoch is the epoch as it was read.
type seenEpoch struct {
	value, moves int64
	at           time.Time
}

// RecentEpoch is Epoch for whoever asks all the time: it knows of every move
// that this process answered, and of those of other nodes after epochAge.
func (s *Store) RecentEpoch(ctx context.Context) (int64, error) {
	moves, at := s.moves.Load(), time.Now()
	if seen, fresh := s.EpochSeen(); fresh {
		return seen, nil
	}
	value, err := s.Epoch(ctx)
	if err == nil {
		s.epochSeen.Store(&seenEpoch{value, moves, at})
	}
	return value, err
}

// EpochSeen is RecentEpoch where that has nothing to read.
func (s *Store) EpochSeen() (epoch int64, fresh bool) {
	seen := s.epochSeen.Load()
	if seen == nil || seen.moves != s.moves.Load() || time.Since(seen.at) >= epochAge {
		return 0, false
	}
	return seen.value, true
}

// WhenMoved has f run after each commit of this process that moved the epoch, or may have,
// before the write is answered.
func (s *Store) WhenMoved(f func()) { s.epochMoved.Store(&f) }

func (t *tx) moveEpoch(ctx context.Context) error {
	t.moved = true
	_, err := t.change(ctx, epochMoved)
	return err
}
