// Package storetest gives tests a real PostgreSQL: one server per test
// process, started from the server programs on this machine, and an empty
// database per test. StrictBefore puts a proxy before one, which stands in for
// distributed engines.
//
// It promises that a database it hands out is fresh and gone after the test,
// and that the server ends with the process however the process ends. A
// machine without the server programs fails the test; it is never skipped.
// It must never be imported by code that is not a test.
package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// adminVariable names the environment variable that holds the connection
// string of a server to use instead of starting one. Its role must be allowed
// to create databases.
const adminVariable = "MOORING_TEST_POSTGRES"

var (
	shared    = sync.OnceValues(start)
	databases atomic.Int64
	process   = rand.Uint64() // a process id may come again on a borrowed server
)

// Postgres makes an empty database and returns its connection string, as a
// postgres:// URL. The database is dropped when the test ends.
func Postgres(tb testing.TB) string {
	tb.Helper()
	return create(tb, "template0")
}

// Template is a prepared database that tests get copies of. The zero Template
// is ready for use.
type Template struct {
	once sync.Once
	name string
}

// Cloned makes a copy of the database that prepare makes. The first call in a
// process runs prepare on an empty database, which becomes the template;
// prepare must leave no connection to it open. On a borrowed server, where a
// template would stay behind, each copy is prepared by itself.
func (t *Template) Cloned(tb testing.TB, prepare func(dsn string)) string {
	tb.Helper()
	if os.Getenv(adminVariable) != "" {
		dsn := Postgres(tb)
		prepare(dsn)
		return dsn
	}
	t.once.Do(func() {
		name := uniqueName()
		run(tb, "CREATE DATABASE "+name+" TEMPLATE template0")
		prepare(database(tb, name))
		t.name = name
	})
	if t.name == "" {
		tb.Fatal("the template database could not be prepared; see the first failure")
	}
	return create(tb, t.name)
}

func create(tb testing.TB, template string) string {
	tb.Helper()
	name := uniqueName()
	run(tb, "CREATE DATABASE "+name+" TEMPLATE "+template)
	tb.Cleanup(func() { run(tb, "DROP DATABASE "+name+" WITH (FORCE)") })
	return database(tb, name)
}

func uniqueName() string {
	return fmt.Sprintf("mooring_test_%x_%d", process, databases.Add(1))
}

// run executes one statement on the server's own database.
func run(tb testing.TB, statement string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, admin(tb))
	if err != nil {
		tb.Fatalf("connect to the test server: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

// database is the admin connection string with another database in it.
func database(tb testing.TB, name string) string {
	tb.Helper()
	u, err := url.Parse(admin(tb))
	if err != nil || u.Scheme == "" {
		tb.Fatalf("%s must be a postgres:// URL", adminVariable)
	}
	u.Path = "/" + name
	return u.String()
}

// admin is the connection string of the server's own database.
func admin(tb testing.TB) string {
	tb.Helper()
	s, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	return s.admin
}
