package store

import (
	"context"
	"maps"
	"slices"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/hook"
)

// batch is one try of some changes in one transaction: load what they stand
// on, let each decide in order, write what they decided.
type batch struct {
	store    *Store
	jobs     []*job
	outcomes []outcome // of jobs, valid once the transaction is committed
	erased   bool      // whether some of them erased a person
}

func (b *batch) write(ctx context.Context, t *tx) error {
	g := newGround(b.store.log, b.store.now())
	t.about = b.accounts()
	if err := b.load(ctx, t, g); err != nil {
		return err
	}
	b.outcomes = make([]outcome, len(b.jobs))
	for i, j := range b.jobs {
		b.outcomes[i].answer, b.outcomes[i].err = g.decide(j)
	}
	b.erased = len(g.effects.erased) > 0
	if err := g.keepOwners(ctx, t); err != nil {
		return err
	}
	t.gather()
	if err := g.write(ctx, t); err != nil {
		return err
	}
	if err := b.store.noteVersions(ctx, t, g.versions); err != nil {
		return err
	}
	return b.store.tally(ctx, t, g.tally())
}

// accounts are those that the changes are about, each once.
func (b *batch) accounts() []account.ID {
	ids := make([]account.ID, len(b.jobs))
	for i, j := range b.jobs {
		ids[i] = j.change.Account
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// answer tells every caller its outcome, each on its own channel.
func (b *batch) answer() {
	for i, j := range b.jobs {
		j.done <- b.outcomes[i]
	}
}

// load reads what the batch stands on. Connections come first: on PostgreSQL
// that locks them, so that everything read after it is current. Of one that
// was not there yet, what another node writes meanwhile is not taken in: the
// decision starts a connection, and then loses the race for its row.
func (b *batch) load(ctx context.Context, t *tx, g *ground) error {
	w := b.wanted()
	return t.loadAll(ctx,
		loading{connectionsOfBatch, w.connections, g.scanConnection},
		loading{signupsOfBatch, w.whole, g.scanSignup},
		loading{eventsOfBatch, w.whole, g.scanEvent},
		loading{duplicatesOfBatch, w.duplicates, g.scanDuplicate},
		loading{accountsOfBatch, w.accounts, g.scanAccount},
		loading{clientsOfBatch, w.clients, g.scanClient},
		loading{referencesOfBatch, w.references, g.scanReference},
		loading{callsOfBatch, w.calls, g.inbox.scan},
		loading{answersOfBatch, w.answers, g.scanAnswer},
	)
}

// wanted are the keys of what a batch stands on, sorted and each once.
type wanted struct {
	connections, whole, duplicates, accounts, clients, references, calls, answers [][]any
}

func (b *batch) wanted() wanted {
	var connections, whole, duplicates, accounts, clients, references, calls, answers keys
	for _, j := range b.jobs {
		c := j.change
		id := string(c.Account)
		connections.add(id, c.Provider)
		accounts.add(id)
		if c.Whole {
			whole.add(id, c.Provider)
		}
		if c.ExternalID != "" {
			duplicates.add(id, c.Provider, c.ExternalID)
		}
		if c.Inbox != nil && isID(c.Inbox.ID) {
			calls.add(id, c.Provider, c.Inbox.ID)
		}
		switch {
		case c.System:
			continue
		case c.Caller.Callback != nil:
			if isID(c.Caller.Callback.Reference) {
				references.add(id, c.Provider, c.Caller.Callback.Reference)
			}
		case isID(c.Caller.Client):
			clients.add(actorOf(c.Caller).key()...)
		}
		if c.Key != nil && isID(c.Caller.Client) {
			k := j.scope()
			answers.add(k.account, k.client, k.operation, k.path, k.key)
		}
	}
	return wanted{
		connections.sorted(), whole.sorted(), duplicates.sorted(),
		accounts.sorted(), clients.sorted(), references.sorted(), calls.sorted(), answers.sorted(),
	}
}

// keys collects keys of one kind.
type keys [][]string

func (k *keys) add(parts ...string) { *k = append(*k, parts) }

func (k keys) sorted() [][]any {
	slices.SortFunc(k, slices.Compare[[]string])
	k = slices.CompactFunc(k, slices.Equal[[]string])
	values := make([][]any, len(k))
	for i, parts := range k {
		values[i] = make([]any, len(parts))
		for j, part := range parts {
			values[i][j] = part
		}
	}
	return values
}

// write stores what the decisions came to: each connection's row once.
func (g *ground) write(ctx context.Context, t *tx) error {
	var added, moves, advance, signups, movedSignups, events [][]any
	var told []hook.Entry
	touched := g.changed()
	for _, l := range touched {
		switch {
		case l.stored == nil:
			added = append(added, made(l.head, g.accounts[l.account]))
		case !sameHead(l.stored, l.head):
			if advances(l.stored, l.head) {
				advance = append(advance, advanced(l.head))
			} else {
				moves = append(moves, moved(l.head))
			}
		}
		for _, i := range slices.Sorted(maps.Keys(l.moved)) {
			movedSignups = append(movedSignups, movedSignup(l.place, l.signups[i]))
		}
		for _, s := range l.signups[l.oldSignups:] {
			signups = append(signups, signupValues(l.place, s))
		}
		for _, e := range l.events[l.oldEvents:] {
			events = append(events, eventValues(l.place, e))
		}
		told = append(told, l.told...)
	}
	answers := make([][]any, 0, len(g.fresh))
	for _, k := range g.fresh {
		values, err := k.with(g.answers[k], g.now)
		if err != nil {
			return err
		}
		answers = append(answers, values)
	}
	for _, part := range []struct {
		st   *statement
		rows [][]any
	}{
		{connectionAdded, added},
		{connectionMoved, moves},
		{connectionAdvanced, advance},
		{signupAdded, signups},
		{signupMoved, movedSignups},
		{eventAdded, events},
		{callJudged, g.inbox.rows()},
		{answerAdded, answers},
	} {
		if err := t.changeMany(ctx, part.st, part.rows); err != nil {
			return err
		}
	}
	if err := t.tell(ctx, told); err != nil {
		return err
	}
	if err := g.label(ctx, t, touched); err != nil {
		return err
	}
	return g.effects.write(ctx, t, touched)
}

// tally is what the batch changes in how many connections stand how.
func (g *ground) tally() tally {
	all := tally{}
	for _, l := range g.changed() {
		all.move(ownerOf(g.accounts[l.account]), l.stored, l.head)
	}
	return all
}

// changed lists the connections that decisions touched, in the order in which
// they are locked.
func (g *ground) changed() []*line {
	var touched []*line
	for _, l := range g.lines {
		if l.head != nil {
			touched = append(touched, l)
		}
	}
	slices.SortFunc(touched, func(a, b *line) int { return a.place.compare(b.place) })
	return touched
}

// clone is a copy of a connection that shares no slice with it that could
// grow or be reordered.
func clone(head *connection.Connection, signups []connection.Signup, events []connection.Event) *connection.Connection {
	c := *head
	c.Signups, c.Events = slices.Clip(slices.Clone(signups)), slices.Clip(slices.Clone(events))
	return &c
}
