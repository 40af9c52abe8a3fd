// Package store is where everything that outlives a request is kept: all SQL,
// for SQLite and for PostgreSQL, and the migrations of both.
//
// It promises that what it acknowledged is on disk; that a write happens
// whole, with its idempotency record, or not at all; that writes to one
// connection follow one another and none is lost; and that no account sees
// another's rows. What was erased is overwritten in the file of SQLite, whose
// log is cut as soon as no reader needs an older state of it; PostgreSQL keeps
// it, out of reach of queries, until it vacuums and its log is recycled. It
// must never decide a rule of the domain: decisions come in as pure functions
// and may be run more than once. No SQL of it reads a clock.
package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"mooring/internal/fault"
)

// Config says where the data is. Exactly one of DataDir and Database is
// needed; Database wins.
type Config struct {
	DataDir   string           // directory of the SQLite file; made with mode 0700 when it does not exist
	Database  string           // postgres:// URL
	MustExist bool             // refuse a database that was never made, rather than make it
	Now       func() time.Time // the age of idempotency records; nil means time.Now
	Log       *slog.Logger     // nil means silence
}

// Store is an open database. All methods may be called at the same time.
type Store struct {
	engine      engine
	write, read *pool
	now         func() time.Time
	log         *slog.Logger

	gate       sync.RWMutex // held for reading while a change is queued, for writing to close the queues
	closed     bool
	committers []*committer
	deeds      crowd
	folding    folding
	recall     *recall // nil where others write, too
	noted      noted
	feed       feedSignal
	running    sync.WaitGroup
	stopChores context.CancelFunc

	commits    atomic.Int64           // how many transactions were committed
	erased     atomic.Int64           // how many of them erased a person
	lastClient atomic.Pointer[string] // the id of the client whose rows stand in for those of an unknown client
	epochMoved atomic.Pointer[func()] // runs after each commit of this process that moved the epoch, or may have; may be nil
	epochSeen  atomic.Pointer[seenEpoch]
	moves      atomic.Int64 // commits of this process that moved the epoch

	subscriptionTouched atomic.Pointer[func()] // likewise, of those that wrote to a subscription

	writer writer        // of a file of ours
	slow   time.Duration // how long one transaction may hold it before it counts as stuck

	known   int64                   // the newest schema that this program knows
	failure atomic.Pointer[failure] // why the store stopped for good; nil while it is sound
}

// tuning is what only tests change.
type tuning struct {
	queue int                                     // how many changes wait for one committer
	batch int                                     // how many changes share one transaction
	wrap  func(driver.Connector) driver.Connector // stands between the store and its driver
	idle  bool                                    // do not do the engine's chores
	limit time.Duration                           // how long a writing transaction may take where others may block it
	slow  time.Duration                           // how long one may take where none do, until the store is not ready
}

var standard = tuning{
	queue: 1024,
	batch: 512,
	limit: 15 * time.Second,
	slow:  15 * time.Second,
	wrap:  func(c driver.Connector) driver.Connector { return c },
}

// Open checks that the database is safe to use, brings its schema up to date
// and starts the committers. An error is one sentence that says what to do.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	return open(ctx, cfg, standard)
}

func open(ctx context.Context, cfg Config, tune tuning) (*Store, error) {
	s, err := unstarted(ctx, cfg, tune)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		_ = s.disconnect() // the first failure is the one to tell
		return nil, err
	}
	if s.engine.alone() {
		if err := s.endLeases(ctx); err != nil {
			_ = s.disconnect()
			return nil, err
		}
	}
	s.start(tune)
	return s, nil
}

// engineOf is the engine that a configuration asks for, where a writing
// transaction may take so long if others may block it.
func engineOf(cfg Config, limit time.Duration) (engine, error) {
	switch {
	case cfg.Database != "":
		log := cfg.Log
		if log == nil {
			log = slog.New(slog.DiscardHandler)
		}
		return &postgres{url: cfg.Database, log: log, limit: limit}, nil
	case cfg.DataDir != "":
		return &sqlite{dir: cfg.DataDir, mustExist: cfg.MustExist}, nil
	default:
		return nil, errors.New("no place for the data was given: name a data directory or a postgres:// URL")
	}
}

// unstarted is a store that is migrated and does nothing yet.
func unstarted(ctx context.Context, cfg Config, tune tuning) (*Store, error) {
	s := &Store{now: cfg.Now, log: cfg.Log, slow: tune.slow, folding: folding{rows: map[group]int64{}}, feed: newFeedSignal()}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.engine, err = engineOf(cfg, tune.limit); err != nil {
		return nil, err
	}
	if s.engine.alone() {
		s.recall = newRecall()
	}
	if err := s.connect(ctx, cfg.MustExist, tune.wrap); err != nil {
		_ = s.disconnect() // the first failure is the one to tell
		return nil, err
	}
	return s, nil
}

// connect opens both pools and migrates.
func (s *Store) connect(ctx context.Context, mustExist bool, wrap func(driver.Connector) driver.Connector) error {
	write, read, err := s.engine.open(ctx, wrap)
	if err != nil {
		return err
	}
	s.write, s.read = &pool{db: write}, &pool{db: read}
	if err := reach(ctx, s.engine, write); err != nil {
		return err
	}
	if err := s.migrate(ctx, mustExist); err != nil {
		return err
	}
	return reach(ctx, s.engine, read)
}

// prepare makes the statements ready, of a database that is whole.
func (s *Store) prepare(ctx context.Context) error {
	whole := false
	if err := s.readAgain(ctx, func() (err error) {
		whole, err = isWhole(ctx, s.read.db)
		return err
	}); err != nil {
		return err
	}
	if !whole {
		return errUnfinished
	}
	if err := s.write.prepare(ctx, s.engine, writing); err != nil {
		return err
	}
	return s.read.prepare(ctx, s.engine, reading)
}

func (s *Store) start(tune tuning) {
	if n := s.engine.deeds(); n > 0 {
		s.deeds.places = make(chan struct{}, n)
	}
	for range s.engine.committers() {
		c := &committer{store: s, queue: make(chan *job, tune.queue), batch: tune.batch}
		s.committers = append(s.committers, c)
		s.running.Go(c.run)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stopChores = cancel
	if !tune.idle {
		s.running.Go(func() { s.engine.chores(ctx, s) })
	}
	s.running.Go(func() { s.foldTallies(ctx) })
	if !s.engine.alone() {
		s.running.Go(func() { s.watchSchema(ctx) })
	}
}

// Close finishes the writes that were accepted, refuses new ones, and leaves
// the database. It returns when everything acknowledged is in its final place.
func (s *Store) Close() error {
	s.gate.Lock()
	if s.closed {
		s.gate.Unlock()
		return nil
	}
	s.closed = true
	for _, c := range s.committers {
		close(c.queue)
	}
	s.gate.Unlock()
	s.stopChores()
	s.running.Wait()
	return s.disconnect()
}

func (s *Store) disconnect() error {
	return s.engine.close(s.read, s.write, s.failure.Load() == nil)
}

// Ping says whether the store can take writes: nothing broke it, and the
// database answers. It does not wait in the queue of the one connection that
// writes to a file of ours: as long as that is at work, it is the one to tell.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.sound(); err != nil {
		return err
	}
	err := s.read.db.PingContext(ctx)
	switch {
	case err != nil:
	case s.engine.alone():
		err = s.writer.stuck(s.slow)
	default:
		err = s.write.db.PingContext(ctx)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return unavailable("the request ended before the database answered", err)
	default:
		return unavailable("the database does not answer", err)
	}
}

// Engine is "sqlite" or "postgres".
func (s *Store) Engine() string { return s.engine.name() }

// failure is why a store stopped for good, and what callers are told.
type failure struct {
	says  string
	cause error
}

// fail stops the store for good: after a failed sync nobody knows what the
// disk holds, and only a restart, which reads it again, can tell.
func (s *Store) fail(cause error) {
	if s.failure.CompareAndSwap(nil, &failure{"the storage failed; the service must be restarted", cause}) {
		s.log.Error("the store stopped: the storage failed; restart to recover what it holds", "cause", cause)
	}
}

// sound is the refusal of a store that has stopped or is closed.
func (s *Store) sound() error {
	if failed := s.failure.Load(); failed != nil {
		return unavailable(failed.says, failed.cause)
	}
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return unavailable("the service is stopping", nil)
	}
	return nil
}

// conflicting is the refusal of a write that somebody else was before.
func conflicting(message string) *fault.Fault {
	return fault.New(fault.Conflict, fault.CodeConflict, "%s", message)
}

// unavailable is the answer when trying again later may help.
func unavailable(message string, cause error) *fault.Fault {
	f := fault.New(fault.Unavailable, fault.CodeUnavailable, "%s", message).Because(cause)
	f.RetryAfter = time.Second
	return f
}
