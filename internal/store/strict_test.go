package store

import (
	"flag"
	"strings"
	"testing"

	"mooring/internal/store/storetest"
)

var wholeStrict = flag.Bool("strict", false, "run everything that can run on a strict database on one, not only what meets others most")

// meeting are the promises that are about transactions that meet, or that are
// kept by long ones. The others are kept by the same few functions.
var meeting = []string{
	"a key gives one effect and one answer", "many writers number events densely", "an external id is taken once",
	"one of 64 judgements applies", "one of 64 calls that say the same applies", "two claims never meet",
	"many who look for stalls tell of each once", "counters are folded by two nodes at once",
	"one of many takes a lease", "what stands on a lost lease is refused", "the feed tells each connection's events in order",
	"keys, fields, tasks and audit come with their decision", "a moved account is its new owner's alone",
	"an erasure takes what was told", "clients are made, rotated and ended by their account", "what came of attempts comes back",
	"every wrapped key is wrapped again", "a subscription is changed, deleted and touched",
	"versions of providers are in use while rows have them", "a batch of many connections lands whole",
}

func TestStrict(t *testing.T) {
	if *wholeStrict {
		suite(t, newStrict)
		return
	}
	suite(t, newStrict, meeting...)
}

// calm are tests of the suite that faults tell nothing of, and why.
var calm = map[string]string{
	"ids that are taken are passed over":                "a transaction of thousands of statements meets a fault each time",
	"the tally is what counting would say":              "so does one that folds a hundred groups, often enough",
	"one state is moved, whatever is written meanwhile": "who has begun to read one state can't begin again with the same: the export fails, and is run again",
}

// newStrict is a database with the manners, and the faults, of a distributed
// one. Commits whose outcome nobody knows are left to the tests that ask again.
func newStrict(tb testing.TB) Config {
	faults := storetest.Often
	if !*wholeStrict {
		faults = storetest.Faults{} // where a fault falls is chance: with -strict
	}
	for name := range calm {
		if strings.HasSuffix(tb.Name(), "/"+strings.ReplaceAll(name, " ", "_")) {
			faults = storetest.Faults{}
		}
	}
	return Config{Database: storetest.StrictBefore(tb, newPostgres(tb).Database, faults).URL}
}
