package store

import (
	"context"
	"maps"
	"slices"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
)

// Import is one account as another system kept it.
type Import struct {
	account.Whole
	New         bool // the account is to be made; else it must be there and have none of these connections
	Told        bool // it is told of what is made, as if it happened now; else not even of what stalled before
	Connections []ImportedConnection
}

// ImportedConnection is a whole connection with what rests beside it.
type ImportedConnection struct {
	Connection *connection.Connection
	Keys       []DataKey
	Fields     []SealedField
	References map[string]string // signup by the name that providers call it
}

// Known is what there is of an account that is to be imported.
type Known struct {
	account.Whole
	Connections map[string]*connection.Connection
	References  map[string]map[string]string // by provider, as in ImportedConnection
}

var (
	referencesAdded = batches(
		`INSERT INTO callback_reference (account, provider, reference, signup) VALUES ($1, $2, $3, $4)`,
		`INSERT INTO callback_reference (account, provider, reference, signup)
		SELECT account, provider, reference, signup::uuid FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
			AS u (account, provider, reference, signup)`)

	connectionsOfAccount = reads(`SELECT ` + connectionColumns + ` FROM connection WHERE account = $1 ORDER BY provider`)

	wholeAccount = reads(`SELECT ` + wholeColumns + ` FROM account AS a WHERE a.id = $1`)

	referencesOfAccount = reads(`SELECT provider, reference, signup FROM callback_reference WHERE account = $1`)

	referenceNamed = reads(`SELECT signup FROM callback_reference WHERE account = $1 AND provider = $2 AND reference = $3`)
)

// Known reads what there is of some accounts, of one moment, whoever owns them
// and also when they were deleted. Those that are not there are not in it.
func (s *Store) Known(ctx context.Context, ids []account.ID) (map[account.ID]Known, error) {
	var all map[account.ID]Known
	err := s.snapshot(ctx, func(t *tx) error {
		all = map[account.ID]Known{}
		for _, id := range ids {
			k, err := t.known(ctx, id)
			if err != nil {
				return err
			}
			if k != nil {
				all[id] = *k
			}
		}
		return nil
	})
	return all, err
}

func (t *tx) known(ctx context.Context, id account.ID) (*Known, error) {
	var k *Known
	if err := t.load(ctx, wholeAccount, func(r row) error {
		w, err := scanWhole(r)
		k = &Known{w, map[string]*connection.Connection{}, map[string]map[string]string{}}
		return err
	}, id); err != nil || k == nil {
		return nil, err
	}
	if err := t.load(ctx, connectionsOfAccount, func(r row) error {
		c, err := scanConnection(r)
		k.Connections[c.Provider] = c
		return err
	}, id); err != nil {
		return nil, err
	}
	for _, c := range k.Connections {
		if err := t.history(ctx, c); err != nil {
			return nil, err
		}
	}
	return k, t.load(ctx, referencesOfAccount, func(r row) error {
		var provider, reference, signup string
		err := r.Scan(&provider, &reference, &signup)
		if k.References[provider] == nil {
			k.References[provider] = map[string]string{}
		}
		k.References[provider][reference] = signup
		return err
	}, id)
}

// history fills in the signups and events of a connection.
func (t *tx) history(ctx context.Context, c *connection.Connection) error {
	c.Signups = make([]connection.Signup, 0, c.LastSignup)
	c.Events = make([]connection.Event, 0, c.LastSeq)
	if err := t.load(ctx, signupsAll, func(r row) error {
		signup, err := scanSignup(r)
		c.Signups = append(c.Signups, signup)
		return err
	}, c.Account, c.Provider); err != nil {
		return err
	}
	return t.load(ctx, eventsAll, func(r row) error {
		event, err := scanEvent(r)
		c.Events = append(c.Events, event)
		return err
	}, c.Account, c.Provider)
}

// SignupByReference finds the id of the signup of a connection that a name of
// another system stands for; "" when there is none.
func (s *Store) SignupByReference(ctx context.Context, at Place, reference string) (string, error) {
	if !isText(reference) {
		return "", nil
	}
	found, err := list(ctx, s, referenceNamed, func(r row) (id string, err error) {
		err = r.Scan(&id)
		return id, err
	}, string(at.Account), at.Provider, reference)
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0], nil
}

// Import writes accounts with all that they bring, in one transaction. It is a
// Conflict, and nothing is written, when what there is is not what the rows were
// made for: look again with Known. Who may not import is Denied, or Missing, and
// Forbidden when he may not say where the keys of an account are.
func (s *Store) Import(ctx context.Context, d Deed, rows []Import) error {
	for _, r := range rows {
		d.With = append(d.With, r.ID, r.Owner)
	}
	_, err := s.perform(ctx, d, func(ctx context.Context, t *tx, _ account.Account) (Answer, error) {
		if err := t.stillSo(ctx, rows); err != nil {
			return Answer{}, err
		}
		for _, r := range rows {
			if !r.New || r.Profile[account.MemberKeys] == nil {
				continue
			}
			if err := t.mayPublishKeys(ctx, d.Caller, r.ID); err != nil {
				return Answer{}, err
			}
		}
		return Answer{}, s.bring(ctx, t, rows)
	})
	return err
}

var errNotSo = conflicting("what was to be imported has come into being, or has changed its owner, in the meantime")

// stillSo checks what rows expect of the accounts that they are about, which
// are locked.
func (t *tx) stillSo(ctx context.Context, rows []Import) error {
	var ids, places keys
	wanted := map[account.ID]Import{}
	for _, r := range rows {
		ids.add(string(r.ID))
		wanted[r.ID] = r
		if r.New {
			ids.add(string(r.Owner))
			continue
		}
		for _, c := range r.Connections {
			places.add(string(r.ID), c.Connection.Provider)
		}
	}
	there := map[account.ID]account.Account{}
	if err := t.loadMany(ctx, accountLocked, ids.sorted(), func(r row) error {
		a, err := scanAccount(r)
		there[a.ID] = a
		return err
	}); err != nil {
		return err
	}
	for id, r := range wanted {
		is, found := there[id]
		if r.New == found || found && (is.Deleted() || is.Owner != r.Owner) {
			return errNotSo
		}
		if _, new := wanted[r.Owner]; !r.New || new {
			continue
		}
		if owner, ok := there[r.Owner]; !ok || owner.Deleted() {
			return errNotSo
		}
	}
	return t.loadMany(ctx, connectionsOfBatch, places.sorted(), func(row) error { return errNotSo })
}

// bring writes rows: owners before what they own.
func (s *Store) bring(ctx context.Context, t *tx, rows []Import) error {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b Import) int { return rank(a.Kind) - rank(b.Kind) })
	var e effects
	counted := tally{}
	var connections, signups, events, references, labels [][]any
	for _, r := range rows {
		if r.New {
			if err := t.addAccount(ctx, r.Whole); err != nil {
				return err
			}
		}
		for _, c := range r.Connections {
			p := place{r.ID, c.Connection.Provider}
			connections = append(connections, made(c.Connection, r.Account))
			counted.move(ownerOf(r.Account), nil, c.Connection)
			for _, signup := range c.Connection.Signups {
				signups = append(signups, signupValues(p, signup))
			}
			for _, event := range c.Connection.Events {
				events = append(events, eventValues(p, event))
			}
			for _, reference := range slices.Sorted(maps.Keys(c.References)) {
				references = append(references, []any{string(p.account), p.provider, reference, c.References[reference]})
			}
			for _, label := range optionLabels(r.Account, c.Connection) {
				labels = append(labels, []any{string(r.Owner), label, string(r.ID)})
			}
			e.keys, e.fields = append(e.keys, c.Keys...), append(e.fields, c.Fields...)
		}
	}
	for _, part := range []struct {
		st   *statement
		rows [][]any
	}{
		{connectionAdded, connections},
		{signupAdded, signups},
		{eventAdded, events},
		{referencesAdded, references},
		{labelAdded, labels},
	} {
		if err := t.changeMany(ctx, part.st, part.rows); err != nil {
			return err
		}
	}
	if err := s.noteVersions(ctx, t, func(use func(version)) {
		for _, r := range rows {
			for _, c := range r.Connections {
				versionsOf(c.Connection, c.Connection.Signups, use)
			}
		}
	}); err != nil {
		return err
	}
	if err := s.tally(ctx, t, counted); err != nil {
		return err
	}
	if err := t.tellImport(ctx, rows, s.now()); err != nil {
		return err
	}
	return e.write(ctx, t, nil)
}

// optionLabels are what an account is found by for the payment options of a
// connection: those that are open, else those that it was signed up for.
func optionLabels(acc account.Account, c *connection.Connection) []string {
	if acc.Owner == "" { // in no list
		return nil
	}
	options := connection.PaymentOptions(c.Configuration)
	if len(options) == 0 {
		options = connection.PaymentOptions(c.Signups[len(c.Signups)-1].Data)
	}
	for i, option := range options {
		options[i] = account.Label(account.LabelPaymentOptions+c.Provider, option)
	}
	slices.Sort(options)
	return slices.Compact(options)
}

// rank is lower for accounts that may own others.
func rank(k account.Kind) int {
	return slices.Index([]account.Kind{account.KindPlatform, account.KindPartner, account.KindMerchant}, k)
}

// Moved says whether an import found something else than it was made for.
func Moved(err error) bool { return fault.From(err) == errNotSo }
