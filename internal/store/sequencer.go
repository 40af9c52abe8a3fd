package store

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"mooring/internal/fault"
)

// Where transactions run side by side, a number taken before the commit says
// nothing of the order in which others can see what it numbers: who reads "all
// above the last I saw" would lose what a slow transaction commits later. So
// entries get their positions after they are committed, from one hand: the node
// that has the lease of the sequencer. It takes what it sees, in the order in which it came,
// and gives the positions after the last, all in one transaction under its
// fence. What is not committed then gets a later position; none is jumped over.

const (
	sequencerLease  = "sequencer"
	sequencerTerm   = 3 * time.Second // of the lease: how long the feed rests when a node that was killed had it
	sequencerRenews = time.Second
	feedLook        = 100 * time.Millisecond // how often a node looks for what others wrote
	sequencerBatch  = 1000                   // entries that get positions in one transaction
)

var (
	arrivalsThere = reads(`SELECT 1 FROM feed_arrival LIMIT 1`)

	// Nothing of it leaves the server. SQLite, where positions are given at once,
	// has no statement that takes rows and puts them elsewhere.
	sequenced = batches(
		`INSERT INTO feed (`+feedColumns+`) SELECT arrival, `+entryColumns+` FROM feed_arrival ORDER BY arrival LIMIT $1`,
		`WITH came AS (
			DELETE FROM feed_arrival WHERE arrival IN (SELECT arrival FROM feed_arrival ORDER BY arrival LIMIT $1)
			RETURNING arrival, `+entryColumns+`)
		INSERT INTO feed (`+feedColumns+`)
		SELECT (SELECT coalesce(max(position), 0) FROM feed) + row_number() OVER (ORDER BY arrival), `+entryColumns+` FROM came`)
)

// feedSignal wakes those who wait for the feed to go on.
type feedSignal struct {
	sync.Mutex
	next    chan struct{} // closed when it goes on
	awaited bool          // whether somebody asked for next
	arrived chan struct{} // holds one: this process wrote entries that have no positions yet
}

func newFeedSignal() feedSignal {
	return feedSignal{next: make(chan struct{}), arrived: make(chan struct{}, 1)}
}

func (f *feedSignal) wake() {
	f.Lock()
	defer f.Unlock()
	close(f.next)
	f.next, f.awaited = make(chan struct{}), false
}

func (f *feedSignal) isAwaited() bool {
	f.Lock()
	defer f.Unlock()
	return f.awaited
}

// FeedMoved is closed when there is more in the feed, written on whichever
// node. Ask for it first, then read the feed, then wait. It may be closed for
// nothing.
func (s *Store) FeedMoved() <-chan struct{} {
	s.feed.Lock()
	defer s.feed.Unlock()
	s.feed.awaited = true
	return s.feed.next
}

// toldSomething runs after each commit of what is to be told.
func (s *Store) toldSomething() {
	if s.engine.alone() {
		s.feed.wake()
		return
	}
	select {
	case s.feed.arrived <- struct{}{}:
	default: // it will look anyway
	}
}

// sequencer is one node's part in giving positions: it does, or stands by.
type sequencer struct {
	store  *Store
	holder string
	lease  Lease     // zero while another has it
	tried  time.Time // when it last took or renewed the lease, or could not
	seen   int64     // the end of the feed that waiters were woken for
}

// sequence gives positions while this node has the lease, and wakes those who
// wait for the feed, until ctx ends.
func (s *Store) sequence(ctx context.Context) {
	q := &sequencer{store: s, holder: uuid.Must(uuid.NewV7()).String()}
	tick := time.NewTicker(feedLook)
	defer tick.Stop()
	failing := false
	for ctx.Err() == nil {
		nudged := false
		select {
		case <-ctx.Done():
		case <-s.feed.arrived:
			nudged = true
		case <-tick.C:
		}
		err := q.round(ctx, nudged)
		if err != nil && !failing && ctx.Err() == nil {
			s.log.Warn("could not give the newest entries of the feed their positions; trying again", "cause", err)
		}
		failing = err != nil
	}
	if err := q.letGo(context.WithoutCancel(ctx)); err != nil {
		s.log.Warn("could not let go of the lease of the feed; it ends by itself", "cause", err)
	}
}

// goodbye is for how long a node that stops tries to let go of the feed.
const goodbye = 2 * time.Second

// letGo ends the lease before its time, once: the store is closing by now, and
// takes no other write.
func (q *sequencer) letGo(ctx context.Context) error {
	held := q.held()
	if held == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	_, err := q.store.attempt(ctx, func(ctx context.Context, t *tx) error {
		return t.loadMany(ctx, leasesRenewed, fenced(held, 0), func(row) error { return nil })
	})
	return err
}

func (q *sequencer) held() []Lease {
	if q.lease.Fence == 0 {
		return nil
	}
	return []Lease{q.lease}
}

// round does what is to be done now: as the one who gives positions, or as one
// who stands by and looks what another did.
func (q *sequencer) round(ctx context.Context, nudged bool) error {
	if err := q.lead(ctx); err != nil {
		return err
	}
	if q.lease.Fence != 0 {
		if err := q.move(ctx, nudged); err != nil {
			return err
		}
	}
	if !q.store.feed.isAwaited() {
		return nil
	}
	end, err := q.store.FeedEnd(ctx)
	if err == nil && end > q.seen {
		q.seen = end
		q.store.feed.wake()
	}
	return err
}

// lead takes or renews the lease when it is time to.
func (q *sequencer) lead(ctx context.Context) error {
	now := time.Now()
	if now.Sub(q.tried) < sequencerRenews {
		return nil
	}
	q.tried = now
	var (
		got []Lease
		err error
	)
	if held := q.held(); held != nil {
		got, err = q.store.RenewLeases(ctx, now.Add(sequencerTerm), held...)
	} else {
		got, err = q.store.TakeLeases(ctx, q.holder, now, now.Add(sequencerTerm), sequencerLease)
	}
	if err != nil {
		return err
	}
	q.lease = Lease{}
	if len(got) > 0 {
		q.lease = got[0]
	}
	return nil
}

// move gives positions to all that came. Without a nudge it first looks, from
// where no writer waits for it, whether anything did.
func (q *sequencer) move(ctx context.Context, nudged bool) error {
	if !nudged {
		came := false
		if err := q.store.lookup(ctx, arrivalsThere, func(row) error { came = true; return nil }); err != nil || !came {
			return err
		}
	}
	for ctx.Err() == nil {
		moved, err := q.store.giveSequence(ctx, q.lease, sequencerBatch)
		if fault.From(err).Kind == fault.Conflict {
			q.lease = Lease{} // whoever has it now goes on
			return nil
		}
		if err != nil {
			return err
		}
		if moved > 0 {
			q.store.feed.wake()
		}
		if moved < sequencerBatch {
			break
		}
	}
	return nil
}

// giveSequence gives at most limit entries their positions, in the order in
// which they came, and returns how many. Those of one connection came in the
// order of its events: who writes one holds the connection's lock until it is
// committed. It is refused with Conflict when
// another node does that by now.
func (s *Store) giveSequence(ctx context.Context, l Lease, limit int) (moved int, err error) {
	err = s.transact(ctx, func(ctx context.Context, t *tx) error {
		moved = 0
		if err := t.holds(ctx, l); err != nil {
			return err
		}
		n, err := t.change(ctx, sequenced, limit)
		moved = int(n)
		return err
	})
	return moved, err
}
