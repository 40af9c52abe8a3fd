package store

import (
	"context"
	"database/sql"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// AccountEvent is what an owner notes about an account of its own.
type AccountEvent struct {
	ID         string // UUIDv7
	Type       string // "comment" or "statistics"
	Provider   string // of the connection that it is about; "" when it is about the account
	Visibility string
	Body       *string // of a comment
	Statistics []byte  // JSON object; nil for a comment
	CreatedAt  time.Time
	CreatedBy  string
}

// maxAccountEvents is how many events one account may have.
const maxAccountEvents = 10_000

const accountEventColumns = `id, type, provider, visibility, body, statistics, created_at, created_by`

var (
	// The account in the inner query is the table; the path's owner ($2) is the
	// account's, or a platform ($3) of its world.
	accountEventsAfter = reads(`SELECT ` + accountEventColumns + ` FROM account_event
		WHERE account = $1 AND id > $4 AND ($5 = '' OR type = $5)
		AND EXISTS (SELECT 1 FROM account AS a WHERE a.id = $1 AND a.deleted_at IS NULL
			AND (a.owner = $2 OR ($3 AND substr(a.id, 1, 1) = substr($2, 1, 1))))
		ORDER BY id LIMIT $6`)

	accountEventsSoFar = writes(`SELECT count(*) FROM (SELECT 1 FROM account_event WHERE account = $1 LIMIT $2) AS few`)

	accountEventAdded = writes(`INSERT INTO account_event (account, ` + accountEventColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`)
)

// AddAccountEvent records an event about the deed's account. Its time is the
// account's own.
func (s *Store) AddAccountEvent(
	ctx context.Context, d Deed, e AccountEvent, show func(AccountEvent) (Answer, error),
) (Answer, error) {
	return s.perform(ctx, d, func(ctx context.Context, t *tx, acc account.Account) (Answer, error) {
		if !isID(e.ID) {
			return Answer{}, errNoUUID
		}
		if err := t.roomForEvent(ctx, acc.ID); err != nil {
			return Answer{}, err
		}
		e := e
		e.CreatedAt = acc.Now(e.CreatedAt)
		if _, err := t.change(ctx, accountEventAdded, string(acc.ID), e.ID, e.Type, e.Provider, e.Visibility,
			optional(e.Body), document(e.Statistics), micros(e.CreatedAt), e.CreatedBy); err != nil {
			return Answer{}, err
		}
		return show(e)
	})
}

func (t *tx) roomForEvent(ctx context.Context, id account.ID) error {
	n := 0
	if err := t.load(ctx, accountEventsSoFar, func(r row) error { return r.Scan(&n) }, string(id), maxAccountEvents); err != nil {
		return err
	}
	if n >= maxAccountEvents {
		return fault.New(fault.Invalid, fault.CodeLimitReached, "an account holds at most %d events", maxAccountEvents)
	}
	return nil
}

// AccountEvents lists at most limit events of an account with ids above after,
// oldest first; of one type, or of all when it is "". A partner gets those since
// it owns the account. It is Missing when the
// account is not there, or not the caller's to see as an owner.
func (s *Store) AccountEvents(
	ctx context.Context, caller auth.Caller, owner, id account.ID, kind, after string, limit int,
) ([]AccountEvent, error) {
	if !caller.Covers(owner) {
		return nil, fault.Missing()
	}
	if after == "" {
		after = firstID
	}
	var found []AccountEvent
	err := s.snapshot(ctx, func(t *tx) error {
		found = nil
		var there *account.Whole
		if err := t.load(ctx, profileSeen, func(r row) error {
			w, err := scanWhole(r)
			there = &w
			return err
		}, string(id), string(owner), owner.IsPlatform(), false); err != nil {
			return err
		}
		if there == nil {
			return fault.Missing()
		}
		if !isID(after) {
			return nil
		}
		after := after
		if since := seenSince(caller, there.Account); !since.IsZero() {
			after = max(after, idAt(since))
		}
		return t.load(ctx, accountEventsAfter, func(r row) error {
			e, err := scanAccountEvent(r)
			found = append(found, e)
			return err
		}, string(id), string(owner), owner.IsPlatform(), after, kind, limit)
	})
	return found, err
}

func scanAccountEvent(r row) (e AccountEvent, err error) {
	var created sql.NullInt64
	err = r.Scan(&e.ID, &e.Type, &e.Provider, &e.Visibility, &e.Body, &e.Statistics, &created, &e.CreatedBy)
	e.CreatedAt = instant(created)
	return e, err
}
