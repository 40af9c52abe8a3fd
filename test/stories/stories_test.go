// Package stories tells the product in requests and answers.
//
// Each .txtar file is one story. It is run against the built binary, through
// real HTTP, once on SQLite and once on PostgreSQL. Every answer is checked
// against the contract that the server itself publishes, with unknown members
// forbidden; README.md in this directory explains the words.
package stories

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mooring-stories-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary, err = drive.Build(dir, raceDetector); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func TestStories(t *testing.T) {
	seen := newCoverage()
	t.Run("sqlite", func(t *testing.T) {
		tell(t, seen, func(testing.TB) string { return "" })
	})
	t.Run("postgres", func(t *testing.T) {
		tell(t, seen, storetest.Postgres)
	})
	if flag.Lookup("test.run").Value.String() == "" {
		seen.demandEverything(t)
	}
	if *printTable {
		fmt.Println(seen.table())
	}
}

// tell runs every story; database names a fresh PostgreSQL database, or
// nothing for SQLite.
func tell(t *testing.T, seen *coverage, database func(testing.TB) string) {
	testscript.Run(t, testscript.Params{
		Dir:                ".",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			tb := env.T().(testing.TB)
			env.Values[storyKey{}] = &story{seen: seen, database: database(tb), dir: env.WorkDir}
			env.Setenv("database", env.Values[storyKey{}].(*story).database)
			return nil
		},
		Cmds: words,
	})
}
