package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Faults say how often a strict database does to its clients what a
// distributed one may do at any time, each as a probability.
type Faults struct {
	Seed      uint64  // of what strikes whom
	Conflicts float64 // a statement, or a commit, fails with 40001 and undoes its transaction
	Unknown   float64 // a commit happens, or does not, or happens later, and the connection ends instead of an answer
	Cuts      float64 // the connection ends instead of the answer to a statement
}

// Often is what suites run with that do not say otherwise.
var Often = Faults{Seed: 1, Conflicts: 0.01, Cuts: 0.001}

// StrictProxy is a database behind a proxy that makes it as strict as distributed
// engines that speak PostgreSQL's protocol are: every transaction is
// SERIALIZABLE, whatever it asks for; advisory locks, LISTEN, NOTIFY, LOCK
// TABLE, temporary tables, what tells of a row's place or transaction, and
// several statements in one query are refused; SKIP LOCKED is not heard. And it
// has faults.
type StrictProxy struct {
	URL   string
	Plain string // of the same database as it is

	network, address string
	dial             pgconn.DialFunc
	frozen           sync.RWMutex // held for writing while nothing is let through

	mu       sync.Mutex
	ended    bool
	sessions map[*session]struct{}
	faults   Faults
	dice     *rand.Rand

	conflicts, unknown, cuts atomic.Int64
}

// StrictBefore makes the database of dsn strict for whoever comes by the URL of
// what it returns, until the test ends.
func StrictBefore(tb testing.TB, dsn string, faults Faults) *StrictProxy {
	tb.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		tb.Fatalf("read the URL of the database: %v", err)
	}
	s := &StrictProxy{Plain: dsn, dial: config.DialFunc, sessions: map[*session]struct{}{}}
	s.network, s.address = pgconn.NetworkAddress(config.Host, config.Port)
	s.Set(faults)
	s.URL = at(tb, dsn, Serve(tb, s.serve))
	tb.Cleanup(func() {
		s.end()
		if tb.Failed() {
			tb.Log(s.told())
		}
	})
	return s
}

// at is a connection string for another address.
func at(tb testing.TB, dsn, address string) string {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		tb.Fatalf("the database must be named by a postgres:// URL")
	}
	u.Host = address
	q := u.Query()
	q.Del("host")
	q.Del("port")
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return u.String()
}

// Set changes the faults from now on.
func (s *StrictProxy) Set(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.dice = f, rand.New(rand.NewPCG(f.Seed, 0))
}

// Freeze lets no request through until what it returns is called: the database
// stands still.
func (s *StrictProxy) Freeze() (thaw func()) {
	s.frozen.Lock()
	return s.frozen.Unlock
}

// told is what there is to know of a test that failed.
func (s *StrictProxy) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("the strict database had seed %d: %d conflicts, %d unknown outcomes, %d cut connections",
		s.faults.Seed, s.Conflicts(), s.Unknown(), s.Cuts())
}

// Conflicts, Unknown and Cuts count the faults that there were.
func (s *StrictProxy) Conflicts() int64 { return s.conflicts.Load() }
func (s *StrictProxy) Unknown() int64   { return s.unknown.Load() }
func (s *StrictProxy) Cuts() int64      { return s.cuts.Load() }

// fate is what becomes of a request.
type fate uint8

const (
	asAsked      fate = iota
	failEarly         // with a conflict, before it did anything
	failLate          // with a conflict, after it answered
	cut               // the connection ends instead of an answer
	cutBefore         // a commit does not happen, and nobody is told
	cutAfter          // it happens, and nobody is told
	cutMeanwhile      // it happens after the connection ended
)

// throw decides the fate of a statement, or of a commit.
func (s *StrictProxy) throw(commit bool) fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, either := s.dice.Float64(), s.dice.IntN(6)
	switch f := s.faults; {
	case at < f.Conflicts:
		s.conflicts.Add(1)
		return []fate{failEarly, failLate}[either%2]
	case at < f.Conflicts+f.Unknown && commit:
		s.unknown.Add(1)
		return []fate{cutBefore, cutAfter, cutMeanwhile}[either%3]
	case at < f.Conflicts+f.Cuts && !commit:
		s.cuts.Add(1)
		return cut
	default:
		return asAsked
	}
}

// serve carries one connection until it ends.
func (s *StrictProxy) serve(client net.Conn) {
	server, err := s.dial(context.Background(), s.network, s.address)
	if err != nil {
		return // who came is told by its connection ending
	}
	defer server.Close()
	n := newSession(s, client, server)
	if !s.keep(n) {
		return
	}
	defer s.forget(n)
	n.run()
}

func (s *StrictProxy) keep(n *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.sessions[n] = struct{}{}
	}
	return !s.ended
}

func (s *StrictProxy) forget(n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, n)
}

// end cuts all connections, and those that still come.
func (s *StrictProxy) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for n := range s.sessions {
		n.end()
	}
}
