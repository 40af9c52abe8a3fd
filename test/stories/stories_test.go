// Package stories tells the product in requests and answers.
//
// Each .txtar file is one story. It is run against the built binary, through
// real HTTP, once on SQLite and once on PostgreSQL. The race detector, when it
// is asked for, looks on in the server on SQLite. Every answer is checked
// against the contract that the server itself publishes, with unknown members
// forbidden; README.md in this directory explains the words.
package stories

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// The binaries that stories are told to: traced has the race detector in it
// when the tests have it.
var traced, plain string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(drive.Main(m, func(dir string) (err error) {
		plain, err = drive.Build(filepath.Join(dir, "plain"), false)
		traced = plain
		if err == nil && raceDetector {
			traced, err = drive.Build(filepath.Join(dir, "traced"), true)
		}
		return err
	}))
}

func TestStories(t *testing.T) {
	seen := newCoverage()
	t.Run("sqlite", func(t *testing.T) {
		tell(t, seen, traced, func(testing.TB, *story) {})
	})
	t.Run("postgres", func(t *testing.T) {
		tell(t, seen, plain, func(tb testing.TB, s *story) { s.database = storetest.Postgres(tb) })
	})
	t.Run("strict", func(t *testing.T) { tell(t, seen, plain, strictly, strictOnes()...) })
	if flag.Lookup("test.run").Value.String() == "" {
		seen.demandEverything(t)
	}
	if *printTable {
		fmt.Println(seen.table())
	}
}

// tell runs stories to a binary, all of them or those in some files; on gives a story a fresh PostgreSQL
// database, or leaves it to SQLite.
func tell(t *testing.T, seen *coverage, binary string, on func(testing.TB, *story), files ...string) {
	dir := "."
	if files != nil {
		dir = ""
	}
	testscript.Run(t, testscript.Params{
		Dir:                dir,
		Files:              files,
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			s := &story{seen: seen, binary: binary, dir: env.WorkDir}
			on(env.T().(testing.TB), s)
			env.Values[storyKey{}] = s
			return nil
		},
		Cmds: words,
	})
}
