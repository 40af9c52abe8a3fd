package store

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/store/storetest"
)

// saboteur stands between the store and its driver and spoils commits and
// statements to order.
type saboteur struct {
	mu     sync.Mutex
	commit []func(driver.Tx) error // what the next commits do instead
	exec   []error                 // what the next statements that write fail with
	met    map[string]int          // texts of which so many queries meet a conflict
	trips  atomic.Int64            // how often writing transactions asked the database something
}

func (b *saboteur) atCommit(do ...func(driver.Tx) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commit = append(b.commit, do...)
}

func (b *saboteur) atExec(errs ...error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.exec = append(b.exec, errs...)
}

func (b *saboteur) nextCommit() func(driver.Tx) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.commit) == 0 {
		return driver.Tx.Commit
	}
	do := b.commit[0]
	b.commit = b.commit[1:]
	return do
}

func (b *saboteur) nextExec() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.exec) == 0 {
		return nil
	}
	err := b.exec[0]
	b.exec = b.exec[1:]
	return err
}

func (b *saboteur) wrap(c driver.Connector) driver.Connector { return &spoiledConnector{c, b} }

type spoiledConnector struct {
	driver.Connector
	by *saboteur
}

func (c *spoiledConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &spoiledConn{conn.(driverConn), c.by, false}, nil
}

type spoiledConn struct {
	driverConn
	by     *saboteur
	writes bool // it began a transaction that writes
}

func (c *spoiledConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.driverConn.BeginTx(ctx, opts)
	c.writes = !opts.ReadOnly
	if err != nil || opts.ReadOnly {
		return tx, err
	}
	c.by.trips.Add(1)
	return &spoiledTx{tx, c.by}, nil
}

func (c *spoiledConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.by.trips.Add(1)
	if query == piped {
		if err := c.by.nextExec(); err != nil {
			return nil, err
		}
	}
	return c.driverConn.ExecContext(ctx, query, args)
}

func (c *spoiledConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.by.mu.Lock()
	met := c.by.met[query]
	c.by.met[query] = max(0, met-1)
	c.by.mu.Unlock()
	if met > 0 {
		return nil, &pgconn.PgError{Code: "40001"}
	}
	return c.driverConn.QueryContext(ctx, query, args)
}

func (c *spoiledConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.driverConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &spoiledStmt{stmt.(fullStmt), c}, nil
}

func (c *spoiledConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.driverConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

type spoiledTx struct {
	driver.Tx
	by *saboteur
}

func (t *spoiledTx) Commit() error {
	t.by.trips.Add(1)
	return t.by.nextCommit()(t.Tx)
}

type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type spoiledStmt struct {
	fullStmt
	on *spoiledConn
}

func (s *spoiledStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.on.by.trips.Add(1)
	if err := s.on.by.nextExec(); err != nil {
		return nil, err
	}
	return s.fullStmt.ExecContext(ctx, args)
}

func (s *spoiledStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if s.on.writes {
		s.on.by.trips.Add(1)
	}
	return s.fullStmt.QueryContext(ctx, args)
}

var errWire = errors.New("the wire was cut")

// lost fails a commit that did not happen; heard fails one that did.
func lost(tx driver.Tx) error  { return errors.Join(errWire, tx.Rollback()) }
func heard(tx driver.Tx) error { return errors.Join(errWire, tx.Commit()) }

// spoiled is a store with a signed connection and a saboteur at its driver.
func spoiled(t *testing.T, d door) (*Store, *saboteur, Config) {
	t.Helper()
	by := &saboteur{met: map[string]int{}}
	tune := standard
	tune.wrap, tune.idle = by.wrap, true
	cfg := d(t)
	s := inhabit(t, openTuned(t, cfg, tune))
	mustChange(t, s, signing(merchant))
	return s, by, cfg
}

// Whichever way a commit went whose answer was lost, everybody in the batch is
// told that nobody knows, and asking again with the same key gives one effect.
func TestALostCommitConverges(t *testing.T) {
	for engine, d := range doors {
		for fate, commit := range map[string]func(driver.Tx) error{"not persisted": lost, "persisted": heard} {
			t.Run(engine+" "+fate, func(t *testing.T) {
				s, by, cfg := spoiled(t, d)
				changes := []Change{keyed(posting(enabled("one")), "", "f"), keyed(posting(enabled("two")), "", "f")}
				by.atCommit(driver.Tx.Commit, commit) // the holder's, then the batch's
				_, errs := together(t, s, changes...)
				for _, err := range errs {
					wantUnavailable(t, err)
				}
				if engine == "sqlite" {
					wantStopped(t, s)
					if err := s.Close(); err != nil {
						t.Errorf("close a stopped store: %v", err)
					}
					s = openStore(t, cfg)
				}
				var answers []Answer
				for range 3 {
					for i, c := range changes {
						a := mustChange(t, s, c)
						a.Replayed = false
						if len(answers) <= i {
							answers = append(answers, a)
						}
						if diff := cmp.Diff(answers[i], a); diff != "" {
							t.Errorf("two answers to one key (-first +later):\n%s", diff)
						}
					}
				}
				wantNames(t, s, "signup_received", "one", "two")
			})
		}
	}
}

// The line is cut at the commit, before it or after it was done: nobody knows,
// and the same key gives one answer and one effect, for ever.
func TestALineThatIsCutAtTheCommitConverges(t *testing.T) {
	proxy := storetest.StrictBefore(t, newPostgres(t).Database, storetest.Faults{})
	tune := standard
	tune.idle = true
	s := inhabit(t, openTuned(t, Config{Database: proxy.URL}, tune))
	mustChange(t, s, signing(merchant))
	names, there := []string{"signup_received"}, map[bool]int{}
	for seed := range uint64(40) {
		name := fmt.Sprint("event-", seed)
		change := keyed(posting(enabled(name)), "", name)
		names = append(names, name)
		proxy.Set(storetest.Faults{Seed: seed, Unknown: 1})
		_, err := s.Change(context.Background(), change)
		proxy.Set(storetest.Faults{})
		wantUnavailable(t, err)
		there[on(t, proxy.Plain, "SELECT count(*) FROM event WHERE name = '"+name+"'") == 1]++
		first, again := mustChange(t, s, change), mustChange(t, s, change)
		if string(first.Body) != string(again.Body) || !again.Replayed {
			t.Errorf("one key has the answers %q and %q", first.Body, again.Body)
		}
		wantNames(t, s, names...)
		if there[true] > 1 && there[false] > 1 {
			return
		}
	}
	t.Errorf("of the commits without an answer %d happened and %d did not: this shows little", there[true], there[false])
}

// After a failed sync nobody knows what the disk holds.
func wantStopped(t *testing.T, s *Store) {
	t.Helper()
	wantUnavailable(t, s.Ping(context.Background()))
	_, err := s.Change(context.Background(), posting(enabled("after")))
	wantUnavailable(t, err)
	wantUnavailable(t, s.AddKey(context.Background(), SealedKey{ID: "k", Purpose: "signing", CreatedAt: noon}))
}

func TestALostCommitOfAnAccountIsUnknownToo(t *testing.T) {
	for engine, d := range doors {
		t.Run(engine, func(t *testing.T) {
			s, by, _ := spoiled(t, d)
			by.atCommit(heard)
			wantUnavailable(t, s.CreateClient(context.Background(), clientOf(withClient(merchant, newID()))))
		})
	}
}

// What PostgreSQL reports when transactions meet is run again, unseen by the
// caller, wherever it strikes.
func TestConflictsAreRetriedUnseen(t *testing.T) {
	for _, code := range []string{"40001", "40P01", "23505"} {
		t.Run(code, func(t *testing.T) {
			s, by, _ := spoiled(t, newPostgres)
			met := &pgconn.PgError{Code: code}
			refuse := func(tx driver.Tx) error { _ = tx.Rollback(); return met }
			by.atExec(met)
			by.atCommit(refuse, driver.Tx.Commit)
			mustChange(t, s, keyed(posting(enabled("one")), "", "f"))
			by.atExec(met)
			by.atCommit(refuse)
			if err := s.CreateClient(context.Background(), clientOf(withClient(merchant, newID()))); err != nil {
				t.Error(err)
			}
			wantNames(t, s, "signup_received", "one")
		})
	}
}

// Conflicts, of which there can be many, leave other troubles the tries that
// they have.
func TestConflictsDoNotUseUpTheTriesOfOthers(t *testing.T) {
	s, by, _ := spoiled(t, newPostgres)
	troubles := append(slices.Repeat([]error{&pgconn.PgError{Code: "40001"}}, 2*tries), driver.ErrBadConn, &pgconn.PgError{Code: "57P01"})
	by.atExec(troubles...)
	mustChange(t, s, posting(enabled("one")))
	by.atExec(troubles...)
	if err := s.CreateClient(context.Background(), clientOf(withClient(merchant, newID()))); err != nil {
		t.Error(err)
	}
}

func TestADatabaseThatGoesAwayBeforeTheCommitWroteNothing(t *testing.T) {
	for _, gone := range []error{driver.ErrBadConn, pgconn.ErrConnClosed, &pgconn.PgError{Code: "57P01"}, context.DeadlineExceeded} {
		s, by, _ := spoiled(t, newPostgres)
		by.atExec(slices.Repeat([]error{gone}, 4*tries)...)
		_, err := s.Change(context.Background(), posting(enabled("one")))
		wantUnavailable(t, err)
		by.mu.Lock()
		by.exec = nil
		by.mu.Unlock()
		mustChange(t, s, posting(enabled("two")))
		wantNames(t, s, "signup_received", "two")
	}
}

func TestWhatAServerErrorMeans(t *testing.T) {
	for code, want := range map[string]trouble{
		"40001": conflict, "40P01": conflict, "23505": raced, "23503": guilty, "22P02": guilty, "42P01": guilty,
		"53100": stuck, "53300": down, "57P01": down, "08006": down, "58030": down, "25006": down, "25P03": down,
	} {
		e := &postgres{}
		if got := e.trouble(fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code})); got != want {
			t.Errorf("%s means %d, want %d", code, got, want)
		}
		atCommit := unknown
		if want == conflict || want == raced {
			atCommit = want
		}
		if got := e.troubleAtCommit(&pgconn.PgError{Code: code}); got != atCommit {
			t.Errorf("%s at commit means %d, want %d", code, got, atCommit)
		}
	}
}

// A full disk refuses writes and nothing else, and is forgotten when there is
// room again.
func TestAFullDiskRefusesWritesOnly(t *testing.T) {
	s := signed(t, newSQLite)
	size := count(t, s, "PRAGMA page_count")
	limit := func(pages int) { count(t, s, fmt.Sprint("PRAGMA max_page_count = ", pages)) }
	limit(size)
	large := connection.NewEvent{Status: connection.Enabled, Name: "large", Metadata: bytes.Repeat([]byte("x"), 1<<16)}
	_, err := s.Change(context.Background(), keyed(posting(large), "k", "f"))
	wantUnavailable(t, err)
	if err := s.Ping(context.Background()); err != nil {
		t.Errorf("a full disk stopped the store: %v", err)
	}
	wantNames(t, s, "signup_received")
	limit(1 << 20)
	mustChange(t, s, keyed(posting(large), "k", "f"))
	wantNames(t, s, "signup_received", "large")
}

func TestAStatementThatFailsForGoodIsInternal(t *testing.T) {
	for engine, d := range doors {
		t.Run(engine, func(t *testing.T) {
			s, by, _ := spoiled(t, d)
			by.atExec(errWire)
			_, err := s.Change(context.Background(), posting(enabled("one")))
			wantKind(t, err, fault.Internal)
			mustChange(t, s, posting(enabled("two")))
			wantNames(t, s, "signup_received", "two")
		})
	}
}
