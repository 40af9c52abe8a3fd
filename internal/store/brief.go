package store

import (
	"context"

	"mooring/internal/account"
	"mooring/internal/connection"
)

// briefly is how many of the newest events and signups of a connection are
// shown with its account: an account must not grow with its history.
const briefly = "20"

// pageWeight is about how many bytes of accounts a page of a list holds: it
// ends with the account that reaches it.
const pageWeight = 4 << 20

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
		`SELECT a.id, `+weighed+` FROM account AS a WHERE a.id = ANY ($1::text[])`).
		asked(1, `SELECT a.id, `+weighed+` FROM account AS a WHERE a.id IN (%s)`)

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

// connections loads the connections of accounts, by provider, each with the
// newest of its signups and events.
func (t *tx) connections(ctx context.Context, ids ...account.ID) (map[account.ID][]*connection.Connection, error) {
	keys := make([][]any, len(ids))
	for i, id := range ids {
		keys[i] = []any{string(id)}
	}
	of, at := map[account.ID][]*connection.Connection{}, map[place]*connection.Connection{}
	if err := t.loadEither(ctx, connectionsOfAccounts, keys, func(r row) error {
		c, err := scanConnection(r)
		of[c.Account], at[place{c.Account, c.Provider}] = append(of[c.Account], c), c
		return err
	}); err != nil {
		return nil, err
	}
	if len(at) == 0 {
		return of, nil
	}
	if err := t.loadEither(ctx, signupsOfAccounts, keys, func(r row) error {
		var p place
		s, err := scanSignup(r, &p.account, &p.provider)
		if c := at[p]; c != nil {
			c.Signups = append(c.Signups, s)
		}
		return err
	}); err != nil {
		return nil, err
	}
	return of, t.loadEither(ctx, eventsOfAccounts, keys, func(r row) error {
		var p place
		e, err := scanEvent(r, &p.account, &p.provider)
		if c := at[p]; c != nil {
			c.Events = append(c.Events, e)
		}
		return err
	})
}

// fitting are the first of some accounts, as many as a page has room for; one
// at least.
func (t *tx) fitting(ctx context.Context, ids []account.ID) ([]account.ID, error) {
	keys, weight := make([][]any, len(ids)), map[account.ID]int64{}
	for i, id := range ids {
		keys[i] = []any{string(id)}
	}
	if err := t.loadMany(ctx, weights, keys, func(r row) error {
		var (
			id account.ID
			n  int64
		)
		err := r.Scan(&id, &n)
		weight[id] = n
		return err
	}); err != nil {
		return nil, err
	}
	sum := int64(0)
	for i, id := range ids {
		if sum += weight[id]; sum >= pageWeight {
			return ids[:i+1], nil
		}
	}
	return ids, nil
}
