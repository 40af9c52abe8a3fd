package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/cdd"
	"mooring/internal/connection"
	"mooring/internal/hook"
)

// aboutSignup is the numbers of the events about a signup, or about all of its
// connection; the one that says that it was erased says nothing else.
const aboutSignup = `(SELECT e.seq FROM signup AS s JOIN event AS e ON e.account = s.account AND e.provider = s.provider
		AND (e.signup = s.seq OR e.signup = 0) AND e.name <> '` + connection.SignupErased + `'
	WHERE s.account = $1 AND s.provider = $2 AND s.id = $3)`

var (
	// In this order: entries move from the one to the other.
	arrivalsErased = writes(`UPDATE feed_arrival SET body = NULL WHERE account = $1 AND provider = $2 AND seq IN ` + aboutSignup)

	entriesErased = writes(`UPDATE feed SET body = NULL WHERE account = $1 AND provider = $2 AND seq IN ` + aboutSignup)

	// What receivers said may say it again.
	echoesErased = writes(`UPDATE attempt SET answer = NULL WHERE answer IS NOT NULL AND position IN (
		SELECT position FROM feed WHERE account = $1 AND provider = $2 AND seq IN ` + aboutSignup + `)`)

	// Whom it was told to, now or by an owner of before, and the platform.
	tellersHeld = func() *statement {
		one := `SELECT s.id FROM subscription AS s
			WHERE s.account = $1 OR s.account = $2 OR s.account IN (SELECT owner FROM feed WHERE account = $1)
			ORDER BY s.account, s.id`
		return define(writing, one, one+` FOR UPDATE`)
	}()

	positionsSilent = batches(
		`SELECT position FROM feed WHERE position = $1 AND body IS NULL`,
		`SELECT position FROM feed WHERE position = ANY ($1::bigint[]) AND body IS NULL`)
)

// holdTellers has those wait who write down what receivers said of an account,
// before it is erased: what is written after that is asked for whether it may be.
func (t *tx) holdTellers(ctx context.Context, id account.ID) error {
	return t.load(ctx, tellersHeld, func(row) error { return nil }, string(id), string(account.Platform(id.World())))
}

// tellAccount writes that an account was added or changed, as it is after it.
func (t *tx) tellAccount(ctx context.Context, kind string, w account.Whole, now time.Time) error {
	e, err := hook.OfAccount(newEntryID(), kind, w, now)
	if err != nil {
		return err
	}
	return t.tell(ctx, []hook.Entry{e})
}

// tellChanged writes that an account stands otherwise now, with its profile as
// the transaction leaves it.
func (t *tx) tellChanged(ctx context.Context, acc account.Account, now time.Time) error {
	profile, err := t.profileOf(ctx, acc.ID)
	if err != nil {
		return err
	}
	return t.tellAccount(ctx, hook.AccountUpdate, account.Whole{Account: acc, Profile: profile}, now)
}

// tellCase writes how a case of an account stands.
func (t *tx) tellCase(ctx context.Context, acc account.Account, c cdd.Case, now time.Time) error {
	profile, err := t.profileOf(ctx, acc.ID)
	if err != nil {
		return err
	}
	e, err := hook.OfCase(newEntryID(), account.Whole{Account: acc, Profile: profile}, c, now)
	if err != nil {
		return err
	}
	return t.tell(ctx, []hook.Entry{e})
}

// tellImport tells of what was taken in, of each connection the newest event.
// Where it is not to be told of, neither is that it stalled before.
func (t *tx) tellImport(ctx context.Context, rows []Import, now time.Time) error {
	var entries []hook.Entry
	var stalled []*connection.Connection
	for _, r := range rows {
		if r.Told && r.New {
			e, err := hook.OfAccount(newEntryID(), hook.AccountAdd, r.Whole, now)
			if err != nil {
				return err
			}
			entries = append(entries, e)
		}
		for _, one := range r.Connections {
			c := one.Connection
			switch {
			case r.Told:
				entries = append(entries, hook.OfEvent(hook.FeedOwner(r.Account), nil, c, c.Events[len(c.Events)-1], now))
			case !c.Stand.Due.IsZero() && c.Stand.Due.Before(r.Now(now)):
				stalled = append(stalled, c)
			}
		}
	}
	if err := t.tell(ctx, entries); err != nil {
		return err
	}
	return t.changeMany(ctx, stallNoted, rowsOf(stalled, stallNote))
}

func newEntryID() string { return uuid.Must(uuid.NewV7()).String() }
