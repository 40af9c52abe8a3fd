package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"mooring/internal/connection"
)

// batch is one try of some changes in one transaction: load what they stand
// on, let each decide in order, write what they decided.
type batch struct {
	store    *Store
	jobs     []*job
	outcomes []outcome // of jobs, valid once the transaction is committed
}

func (b *batch) write(ctx context.Context, t *tx) error {
	g := newGround(b.store.log)
	if err := b.load(ctx, t, g); err != nil {
		return err
	}
	b.outcomes = make([]outcome, len(b.jobs))
	for i, j := range b.jobs {
		b.outcomes[i].answer, b.outcomes[i].err = g.decide(j)
	}
	return g.write(ctx, t, b.store.now())
}

// answer tells every caller its outcome, each on its own channel.
func (b *batch) answer() {
	for i, j := range b.jobs {
		j.done <- b.outcomes[i]
	}
}

// load reads what the batch stands on. Connections come first: on PostgreSQL
// that locks them, so that everything read after it is current.
func (b *batch) load(ctx context.Context, t *tx, g *ground) error {
	w := b.wanted()
	for _, part := range []struct {
		st   *statement
		keys [][]any
		scan func(row) error
	}{
		{connectionsOfBatch, w.connections, g.scanConnection},
		{signupsOfBatch, w.whole, g.scanSignup},
		{eventsOfBatch, w.whole, g.scanEvent},
		{duplicatesOfBatch, w.duplicates, g.scanDuplicate},
		{accountsOfBatch, w.accounts, g.scanAccount},
		{clientsOfBatch, w.clients, g.scanClient},
		{answersOfBatch, w.answers, g.scanAnswer},
	} {
		if err := t.loadMany(ctx, part.st, part.keys, part.scan); err != nil {
			return err
		}
	}
	return nil
}

// wanted are the keys of what a batch stands on, sorted and each once.
type wanted struct {
	connections, whole, duplicates, accounts, clients, answers [][]any
}

func (b *batch) wanted() wanted {
	var connections, whole, duplicates, accounts, clients, answers keys
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
		if !isID(c.Caller.Client) {
			continue // nobody's; decide denies it
		}
		clients.add(c.Caller.Client, string(c.Caller.Account))
		if c.Key != nil {
			k := j.scope()
			answers.add(k.account, k.client, k.operation, k.path, k.key)
		}
	}
	return wanted{
		connections.sorted(), whole.sorted(), duplicates.sorted(),
		accounts.sorted(), clients.sorted(), answers.sorted(),
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
func (g *ground) write(ctx context.Context, t *tx, now time.Time) error {
	var added, moves, signups, movedSignups, events [][]any
	for _, l := range g.changed() {
		switch {
		case l.stored == nil:
			added = append(added, made(l.head))
		case !sameHead(l.stored, l.head):
			moves = append(moves, moved(l.head))
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
	}
	answers := make([][]any, 0, len(g.fresh))
	for _, k := range g.fresh {
		values, err := k.with(g.answers[k], now)
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
		{signupAdded, signups},
		{signupMoved, movedSignups},
		{eventAdded, events},
		{answerAdded, answers},
	} {
		if err := t.changeMany(ctx, part.st, part.rows); err != nil {
			return err
		}
	}
	return nil
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
	slices.SortFunc(touched, func(a, b *line) int {
		return cmp.Or(strings.Compare(string(a.account), string(b.account)), strings.Compare(a.provider, b.provider))
	})
	return touched
}

// clone is a copy of a connection that shares no slice with it that could
// grow or be reordered.
func clone(head *connection.Connection, signups []connection.Signup, events []connection.Event) *connection.Connection {
	c := *head
	c.Signups, c.Events = slices.Clip(slices.Clone(signups)), slices.Clip(slices.Clone(events))
	return &c
}
