package store

import (
	"context"
	"slices"

	"mooring/internal/account"
)

// queue merges sorted piles of connections: each is one exact range of an
// index, and only as much is read of it as its turn needs.
type queue struct {
	t      *tx
	filter QueueFilter
	st     *statement
	piles  map[group]*pile // one under the zero group when they are not read by group
}

// pile is one range.
type pile struct {
	args  []any // what it is found by
	until int64
	rows  []QueueRow // read ahead
	from  QueuePosition
	read  int // how many rows are read at a time
	done  bool
}

// Rows read at a time: few of each pile at first, for there may be many, and
// more of one that has much to give. Rows of one account at one time, one of
// each provider, must fit in the first.
const (
	leastRead = 4
	handRead  = 64
	mostRead  = 256
)

// queue prepares the ranges that hold what the filter asks for.
func (t *tx) queue(ctx context.Context, owner account.ID, f QueueFilter, after QueuePosition, limit int) (*queue, error) {
	world, as, until := owner.IsPlatform(), countedAs(owner), f.until(owner)
	q := &queue{t: t, filter: f, piles: map[group]*pile{}}
	if f.byHand() {
		who := ""
		q.st = snoozed[world]
		if f.Assignee != nil && *f.Assignee != "" {
			who, q.st = *f.Assignee, assigned[world]
		}
		q.piles[group{}] = &pile{args: []any{as, who}, from: after, until: until, read: handRead}
		return q, nil
	}
	q.st = groupsByAge[world]
	if f.SortsByDue() {
		q.st = groupsByDue[world]
	}
	err := t.load(ctx, tallyOf, func(r row) error {
		c, err := scanCount(r)
		g := c.group()
		if c.N != 0 && c.Open() && f.takes(g) {
			q.piles[g] = &pile{args: append([]any{as}, g.values()[1:]...), from: after, until: until}
		}
		return err
	}, as)
	for _, p := range q.piles {
		p.read = max(leastRead, limit/len(q.piles)+1)
	}
	return q, err
}

// next is the next row of all piles; nil at the end.
func (q *queue) next(ctx context.Context) (*QueueRow, error) {
	if err := q.fill(ctx); err != nil {
		return nil, err
	}
	var first *pile
	for _, p := range q.piles {
		if len(p.rows) > 0 && (first == nil || q.filter.Position(p.rows[0]).compare(q.filter.Position(first.rows[0])) < 0) {
			first = p
		}
	}
	if first == nil {
		return nil, nil
	}
	row := first.rows[0]
	first.rows = first.rows[1:]
	return &row, nil
}

// fill reads on in each pile that has nothing left to hand out.
func (q *queue) fill(ctx context.Context) error {
	for {
		var keys [][]any
		var empty []*pile
		for _, p := range q.piles {
			if len(p.rows) == 0 && !p.done {
				empty = append(empty, p)
				keys = append(keys, append(slices.Clone(p.args), p.from.At.UnixMicro(), string(p.from.Account), p.until, int64(p.read)))
			}
		}
		if len(empty) == 0 {
			return nil
		}
		if err := q.load(ctx, keys); err != nil {
			return err
		}
		for _, p := range empty {
			p.settle(q)
		}
	}
}

func (q *queue) load(ctx context.Context, keys [][]any) error {
	if q.filter.byHand() { // there is one range
		return q.t.load(ctx, q.st, q.take, keys[0]...)
	}
	return q.t.loadMany(ctx, q.st, keys, q.take)
}

// take puts a row on its pile.
func (q *queue) take(r row) error {
	row, err := scanQueueRow(r)
	if err != nil {
		return err
	}
	p := q.piles[group{}]
	if p == nil {
		p = q.piles[group{provider: row.Provider, status: string(row.Status), turn: row.Stand.Turn, code: row.Stand.Code}]
	}
	p.rows = append(p.rows, row)
	return nil
}

// settle takes stock of what was read: whether there is more behind it, and
// which rows were handed out before. A range begins with the place that the
// last one ended at.
func (p *pile) settle(q *queue) {
	p.done = len(p.rows) < p.read
	begin := p.from
	if n := len(p.rows); n > 0 {
		p.from = q.filter.Position(p.rows[n-1])
	}
	p.rows = slices.DeleteFunc(p.rows, func(r QueueRow) bool { return q.filter.Position(r).compare(begin) <= 0 })
	p.read = min(2*p.read, mostRead)
}
