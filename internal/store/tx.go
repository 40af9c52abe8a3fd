package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/pressly/goose/v3"

	"mooring/internal/account"
	"mooring/internal/fault"
)

// engine is what differs between SQLite and PostgreSQL beyond column types.
type engine interface {
	name() string
	arrays() bool                  // whether a statement takes the rows of a whole batch as arrays
	committers() int               // how many batches may be under way at once
	deeds() int                    // how many deeds may be; 0 means any number
	alone() bool                   // whether one process has the database for itself, and one transaction at a time writes
	snapshot() *sql.TxOptions      // how to begin a read that sees one state
	deadline() time.Duration       // how long a writing transaction may take; 0 means without end
	trouble(error) trouble         // what the failure of a statement means; nothing was committed
	troubleAtCommit(error) trouble // what the failure of a commit means

	open(ctx context.Context, wrap func(driver.Connector) driver.Connector) (write, read *sql.DB, err error)
	reader(ctx context.Context) (*sql.DB, error) // connections for reading alone, beside whoever uses the database
	mark(ctx context.Context, db *sql.DB) string // of the state of the database, before it is read; "" when there is none
	refusal(err error) error                     // one sentence for a first connection that failed
	migrator(write *sql.DB, files fs.FS) (*goose.Provider, error)
	ourTables() string                    // a query that counts the tables of the first migration
	chores(ctx context.Context, s *Store) // work beside the committers, until ctx ends
	close(read, write *pool, sound bool) error
}

// trouble is what a failure means for the batch it hit.
type trouble uint8

const (
	guilty   trouble = iota // one of the changes can't be written: find it
	conflict                // another transaction was in the way: run the batch again
	raced                   // a unique value is taken: by a racing node, or for good
	down                    // the database does not answer; nothing was written
	stuck                   // the database answers but can't write, such as on a full disk; nothing was written
	unknown                 // the commit may or may not have happened
	broken                  // the storage failed: stop
)

const (
	patience = 5 * time.Second // how long conflicts are retried
	tries    = 5               // how often other troubles that may pass are
)

// tx is a transaction with the prepared statements of its pool.
type tx struct {
	*sql.Tx
	direct  *readingConn // in the place of Tx and bound, of a read of a file of ours
	engine  engine
	pool    *pool
	arrays  bool
	bound   []*sql.Stmt // the pool's statements bound to this transaction, as they are needed
	gathers bool        // what changes many rows is sent together, where that can be
	waiting []asked     // what was gathered and is not sent yet
	moved   bool        // it moved the epoch
	touched bool        // it wrote to a subscription
	told    bool        // it wrote what is to be told
	noted   []version   // those that it noted as in use

	recalled bool         // it wrote what may be remembered elsewhere
	about    []account.ID // the accounts of which it did; nil when that may be any
}

func (s *Store) begin(ctx context.Context, p *pool, opts *sql.TxOptions) (*tx, error) {
	t, err := p.db.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &tx{Tx: t, engine: s.engine, pool: p, arrays: s.engine.arrays(), bound: make([]*sql.Stmt, len(statements))}, nil
}

func (t *tx) bind(ctx context.Context, st *statement) *sql.Stmt {
	if t.bound[st.id] == nil {
		t.bound[st.id] = t.StmtContext(ctx, t.pool.prepared[st.id])
		t.recalled = t.recalled || st.recalled()
	}
	return t.bound[st.id]
}

// load runs a query and hands every row to scan.
func (t *tx) load(ctx context.Context, st *statement, scan func(row) error, args ...any) error {
	if t.direct != nil {
		return t.direct.load(ctx, st, scan, args)
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	rows, err := t.bind(ctx, st).QueryContext(ctx, args...)
	return each(rows, err, scan)
}

// change runs a statement and returns how many rows it touched.
func (t *tx) change(ctx context.Context, st *statement, args ...any) (int64, error) {
	if err := t.flush(ctx); err != nil {
		return 0, err
	}
	result, err := t.bind(ctx, st).ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// snapshot runs fn in a read-only transaction that sees one state.
func (s *Store) snapshot(ctx context.Context, fn func(t *tx) error) error {
	return s.readAgain(ctx, func() error {
		if err := s.directly(ctx, fn); !errors.Is(err, errIndirect) {
			return err
		}
		t, err := s.begin(ctx, s.read, s.engine.snapshot())
		if err != nil {
			return err
		}
		defer t.Rollback()
		return fn(t)
	})
}

// lookup runs one reading statement and hands every row to scan, which may get
// rows again: it must not add up.
func (s *Store) lookup(ctx context.Context, st *statement, scan func(row) error, args ...any) error {
	return s.readAgain(ctx, func() error { return s.ask(ctx, st, scan, args...) })
}

// list reads all rows of one reading statement; nil when there are none.
func list[T any](ctx context.Context, s *Store, st *statement, scan func(row) (T, error), args ...any) ([]T, error) {
	var found []T
	err := s.readAgain(ctx, func() error {
		found = nil
		return s.ask(ctx, st, func(r row) error {
			one, err := scan(r)
			found = append(found, one)
			return err
		}, args...)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// one reads the first row of one reading statement; Missing when there is none.
func one[T any](ctx context.Context, s *Store, st *statement, scan func(row) (T, error), args ...any) (found T, err error) {
	all, err := list(ctx, s, st, scan, args...)
	if err == nil && all == nil {
		err = fault.Missing()
	}
	if err == nil {
		found = all[0]
	}
	return found, err
}

// readAgain repeats a read that met a conflict, and tells a database that does
// not answer from a fault of ours. fn must begin anew each time.
func (s *Store) readAgain(ctx context.Context, fn func() error) error {
	again := newRetries()
	for {
		err := fn()
		if _, ok := errors.AsType[*fault.Fault](err); err == nil || ok {
			return err
		}
		switch kind := s.engine.trouble(err); {
		case ctx.Err() != nil:
			return unavailable("the request ended before the database answered", err)
		case kind == guilty || kind == raced:
			return err
		case again.worth(kind):
			s.read.renew(kind)
			again.pause()
		default:
			return unavailable("the database does not answer", err)
		}
	}
}

// transact runs fn in a writing transaction and commits it. fn may run more
// than once; a context that ends does not interrupt it.
func (s *Store) transact(ctx context.Context, fn func(ctx context.Context, t *tx) error) error {
	return s.insist(ctx, fn, unknown)
}

// transactSame is transact of what is the same when it was done before: it is
// also tried again when nobody knows whether it was.
func (s *Store) transactSame(ctx context.Context, fn func(ctx context.Context, t *tx) error) error {
	return s.insist(ctx, fn, down)
}

// insist tries a transaction again after what is worth it. An unknown outcome
// is taken as another trouble.
func (s *Store) insist(ctx context.Context, fn func(ctx context.Context, t *tx) error, unsure trouble) error {
	if err := s.sound(); err != nil {
		return err
	}
	again := newRetries()
	for {
		kind, err := s.attempt(context.WithoutCancel(ctx), fn)
		if _, ok := errors.AsType[*fault.Fault](err); err == nil || ok {
			return err
		}
		taken := kind
		if kind == unknown {
			taken = unsure
		}
		if !again.worth(taken) {
			return s.explain(kind, err)
		}
		s.write.renew(kind)
		again.pause()
	}
}

// retries are how often something was tried, and for how long.
type retries struct {
	end     time.Time
	n       int
	strange int // those that failed by more than a conflict
}

func newRetries() *retries { return &retries{end: time.Now().Add(patience)} }

// worth says whether to try again after a try that wrote nothing. Conflicts
// are retried as long as there is time: they do not use up what other troubles
// are given.
func (r *retries) worth(kind trouble) bool {
	r.n++
	switch kind {
	case conflict:
	case raced, down:
		r.strange++
	default:
		return false
	}
	return r.strange < tries && time.Now().Before(r.end)
}

// pause waits before the next try, with jitter so that two nodes do not meet
// again.
func (r *retries) pause() {
	time.Sleep(time.Duration(1+rand.IntN(4<<min(r.n, 6))) * time.Millisecond)
}

// attempt is one try of a writing transaction. When fn fails with a fault the
// transaction is rolled back and the fault returned.
func (s *Store) attempt(ctx context.Context, fn func(ctx context.Context, t *tx) error) (trouble, error) {
	if limit := s.engine.deadline(); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	t, err := s.begin(ctx, s.write, nil)
	if err != nil {
		return s.judge(s.engine.trouble(err), err)
	}
	defer s.writer.end(s.writer.begin())
	if err = fn(ctx, t); err == nil {
		err = t.flush(ctx)
	}
	if err != nil {
		defer t.Rollback()
		if errors.Is(err, errMoved) {
			return conflict, err
		}
		return s.judge(s.engine.trouble(err), err)
	}
	if t.recalled {
		defer s.recall.changing(t.about)()
	}
	if err := t.Commit(); err != nil {
		kind := s.engine.troubleAtCommit(err)
		if kind == unknown {
			s.follow(t) // who asks again is told that it was done
		}
		return s.judge(kind, err)
	}
	s.commits.Add(1)
	s.noted.add(t.noted)
	s.follow(t)
	return 0, nil
}

// follow has this process forget what a transaction changed, and go on with
// what it brought. It does no harm when nothing was committed.
func (s *Store) follow(t *tx) {
	if t.moved {
		s.moves.Add(1)
		if moved := s.epochMoved.Load(); moved != nil {
			(*moved)()
		}
	}
	if touched := s.subscriptionTouched.Load(); t.touched && touched != nil {
		(*touched)()
	}
	if t.told {
		s.toldSomething()
	}
}

// judge stops the store when the storage is broken.
func (s *Store) judge(kind trouble, err error) (trouble, error) {
	if kind == broken {
		s.fail(err)
	}
	return kind, err
}

// explain is what callers are told of a write that did not succeed.
func (s *Store) explain(kind trouble, err error) error {
	switch kind {
	case conflict:
		return unavailable("too many writes met; nothing was written", err)
	case down:
		return unavailable("the database does not answer; nothing was written", err)
	case stuck:
		return unavailable("the database can't write now; nothing was written", err)
	case unknown, broken:
		return unavailable("the outcome is unknown; retry with the same Idempotency-Key", err)
	default:
		return err
	}
}
