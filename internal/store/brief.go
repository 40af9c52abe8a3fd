package store

import (
	"context"
	"errors"

	"mooring/internal/account"
	"mooring/internal/connection"
)

// briefly is how many of the newest events and signups of a connection are
// shown with its account: an account must not grow with its history.
const briefly = "20"

// pageWeight is about how many bytes of accounts a page of a list holds: it
// ends with the account that reaches it.
const pageWeight = 4 << 20

// rowWeight is what a row weighs beside its texts.
const rowWeight = 512

// either is one text for readers and writers alike: a statement is prepared on
// the connections of one use.
type either struct{ read, write *statement }

func readsAndBatches(one, many string) either {
	return either{define(reading, one, many), define(writing, one, many)}
}

// asked defines the text for some keys of one column beside that for one.
func (st either) asked(text string) either {
	st.read.asked(1, text)
	st.write.asked(1, text)
	return st
}

// loadEither runs a statement for every key on whichever connection t has.
func (t *tx) loadEither(ctx context.Context, st either, keys [][]any, scan func(row) error) error {
	if t.pool.prepared[st.read.id] != nil {
		return t.loadMany(ctx, st.read, keys, scan)
	}
	return t.loadMany(ctx, st.write, keys, scan)
}

var (
	connectionsOfAccounts = readsAndBatches(
		`SELECT `+connectionColumns+` FROM connection WHERE account = $1 ORDER BY account, provider`,
		`SELECT `+connectionColumns+` FROM connection WHERE account = ANY ($1::text[]) ORDER BY account, provider`).
		asked(`SELECT ` + connectionColumns + ` FROM connection WHERE account IN (%s) ORDER BY account, provider`)

	// Numbers are dense, so the newest are those above the last less their number.
	// In the single model signups have no key, and the newest alone is shown.
	signupsOfAccounts = readsAndBatches(
		`SELECT s.account, s.provider, `+signupsBriefly+` WHERE c.account = $1 ORDER BY s.account, s.provider, s.seq`,
		`SELECT s.account, s.provider, `+signupsBriefly+` WHERE c.account = ANY ($1::text[]) ORDER BY s.account, s.provider, s.seq`).
		asked(`SELECT s.account, s.provider, ` + signupsBriefly + ` WHERE c.account IN (%s) ORDER BY s.account, s.provider, s.seq`)

	// What accounts weigh that are shown, in bytes; a row is more than its texts.
	weights = define(reading,
		`SELECT a.id, `+weighed+` FROM account AS a WHERE a.id = $1`,
		`SELECT a.id, `+weighed+` FROM account AS a WHERE a.id = ANY ($1::text[])`)

	eventsOfAccounts = readsAndBatches(
		`SELECT e.account, e.provider, `+eventsBriefly+` WHERE c.account = $1 ORDER BY e.account, e.provider, e.seq`,
		`SELECT e.account, e.provider, `+eventsBriefly+` WHERE c.account = ANY ($1::text[]) ORDER BY e.account, e.provider, e.seq`).
		asked(`SELECT e.account, e.provider, ` + eventsBriefly + ` WHERE c.account IN (%s) ORDER BY e.account, e.provider, e.seq`)
)

const (
	signupsBriefly = `s.seq, s.id, s.signup_key, s.data, s.token, s.schema, s.created_at, s.created_by, s.callback_at,
			s.expires_at, s.digest, s.scenario, s.erased_at
		FROM connection AS c ` + signupsJoined

	signupsJoined = `JOIN signup AS s
		ON s.account = c.account AND s.provider = c.provider AND s.seq > c.last_signup - ` + briefly + `
			AND (s.signup_key <> '' OR s.seq = c.last_signup)`

	eventsBriefly = `e.seq, e.id, e.status, e.name, e.description, e.metadata, e.created_at, e.created_by,
			e.external_id, e.occurred_at, e.stale, e.reason, e.signup, e.code, e.provider_code
		FROM connection AS c ` + eventsJoined

	eventsJoined = `JOIN event AS e
		ON e.account = c.account AND e.provider = c.provider AND e.seq > c.last_seq - ` + briefly

	weighed = `coalesce((SELECT octet_length(p.profile) FROM account_profile AS p WHERE p.account = a.id), 0)
		+ coalesce((SELECT sum(512 + octet_length(coalesce(c.metadata, '')) + octet_length(coalesce(c.configuration, '')))
			FROM connection AS c WHERE c.account = a.id), 0)
		+ coalesce((SELECT sum(512 + octet_length(s.data)) FROM connection AS c ` + signupsJoined + ` WHERE c.account = a.id), 0)
		+ coalesce((SELECT sum(512 + octet_length(coalesce(e.metadata, '')) + octet_length(coalesce(e.description, '')))
			FROM connection AS c ` + eventsJoined + ` WHERE c.account = a.id), 0)`
)

// connections loads the connections of an account, by provider, each with the
// newest of its signups and events.
func (t *tx) connections(ctx context.Context, id account.ID) ([]*connection.Connection, error) {
	b := newBrief([]account.ID{id})
	err := b.load(ctx, t)
	return b.of[id], err
}

// brief collects accounts of a page as they are shown. What stands behind the
// account that fills the page is not read to the end, and left out.
type brief struct {
	ids    []account.ID // sorted, as are the rows of each statement
	number map[account.ID]int
	weight []int // of each, in bytes; a row is more than its texts
	of     map[account.ID][]*connection.Connection
	at     map[place]*connection.Connection

	passed, before int // how many accounts stand before the row that was read last, and what they weigh
}

func newBrief(ids []account.ID) *brief {
	b := &brief{
		ids: ids, number: make(map[account.ID]int, len(ids)), weight: make([]int, len(ids)),
		of: make(map[account.ID][]*connection.Connection, len(ids)), at: make(map[place]*connection.Connection, len(ids)),
	}
	for i, id := range ids {
		b.number[id] = i
	}
	return b
}

// errFull ends the reading of rows that no page has room for.
var errFull = errors.New("the page is full")

// add says that a row of an account weighs so much.
func (b *brief) add(id account.ID, texts ...[]byte) error {
	i := b.number[id]
	for ; b.passed < i; b.passed++ {
		b.before += b.weight[b.passed]
	}
	if b.before >= pageWeight {
		b.ids = b.ids[:i]
		return errFull
	}
	b.weight[i] += rowWeight
	for _, text := range texts {
		b.weight[i] += len(text)
	}
	return nil
}

// read runs a statement for the accounts that there is room for as yet.
func (b *brief) read(ctx context.Context, load func(context.Context, [][]any, func(row) error) error, scan func(row) error) error {
	b.passed, b.before = 0, 0
	keys := make([][]any, len(b.ids))
	for i, id := range b.ids {
		keys[i] = []any{string(id)}
	}
	err := load(ctx, keys, scan)
	if errors.Is(err, errFull) {
		return nil
	}
	return err
}

// either is read of a statement on whichever connection t has.
func (b *brief) either(ctx context.Context, t *tx, st either, scan func(row) error) error {
	return b.read(ctx, func(ctx context.Context, keys [][]any, scan func(row) error) error {
		return t.loadEither(ctx, st, keys, scan)
	}, scan)
}

// load reads the connections, then what belongs to them.
func (b *brief) load(ctx context.Context, t *tx) error {
	if err := b.either(ctx, t, connectionsOfAccounts, func(r row) error {
		c, err := scanConnection(r)
		if err == nil {
			err = b.add(c.Account, c.Metadata, c.Configuration)
		}
		if err == nil {
			b.of[c.Account], b.at[place{c.Account, c.Provider}] = append(b.of[c.Account], c), c
		}
		return err
	}); err != nil || len(b.at) == 0 {
		return err
	}
	if err := b.either(ctx, t, signupsOfAccounts, func(r row) error {
		var p place
		s, err := scanSignup(r, &p.account, &p.provider)
		if err == nil {
			err = b.add(p.account, s.Data)
		}
		if c := b.at[p]; c != nil && err == nil {
			c.Signups = append(c.Signups, s)
		}
		return err
	}); err != nil {
		return err
	}
	return b.either(ctx, t, eventsOfAccounts, func(r row) error {
		var p place
		e, err := scanEvent(r, &p.account, &p.provider)
		if err == nil {
			err = b.add(p.account, e.Metadata)
		}
		if e.Description != nil {
			b.weight[b.number[p.account]] += len(*e.Description)
		}
		if c := b.at[p]; c != nil && err == nil {
			c.Events = append(c.Events, e)
		}
		return err
	})
}

// fitting are the first of the accounts, as many as a page has room for; one
// at least.
func (b *brief) fitting() []account.ID {
	sum := 0
	for i := range b.ids {
		if sum += b.weight[i]; sum >= pageWeight {
			return b.ids[:i+1]
		}
	}
	return b.ids
}

// fitting asks which accounts a page will have room for. A server that sends all
// that it was asked for is asked for no more.
func (t *tx) fitting(ctx context.Context, ids []account.ID) ([]account.ID, error) {
	b := newBrief(ids)
	err := b.read(ctx, func(ctx context.Context, keys [][]any, scan func(row) error) error {
		return t.loadMany(ctx, weights, keys, scan)
	}, func(r row) error {
		var (
			id account.ID
			n  int
		)
		err := r.Scan(&id, &n)
		b.weight[b.number[id]] = n
		return err
	})
	return b.fitting(), err
}
