package main

import (
	"slices"
	"strings"
	"testing"
)

// TestTestsAreCountedOnce reads a run with each kind of ending: a test with
// subtests counts through them, a skipped one is not known to hold, and a
// package that dies counts though none of its tests failed.
func TestTestsAreCountedOnce(t *testing.T) {
	r := &testRun{tally: &tally{}, output: map[string]*strings.Builder{}, parents: map[string]bool{}}
	r.follow(strings.NewReader(`
{"Action":"run","Package":"a","Test":"TestOne"}
{"Action":"run","Package":"a","Test":"TestOne/first"}
{"Action":"run","Package":"a","Test":"TestOne/second"}
{"Action":"pass","Package":"a","Test":"TestOne/first"}
{"Action":"pass","Package":"a","Test":"TestOne/second"}
{"Action":"pass","Package":"a","Test":"TestOne"}
{"Action":"run","Package":"a","Test":"FuzzTwo"}
{"Action":"run","Package":"a","Test":"FuzzTwo/seed#0"}
{"Action":"pass","Package":"a","Test":"FuzzTwo/seed#0"}
{"Action":"pass","Package":"a","Test":"FuzzTwo"}
{"Action":"pass","Package":"a"}
{"Action":"run","Package":"b","Test":"TestThree"}
{"Action":"skip","Package":"b","Test":"TestThree"}
{"Action":"run","Package":"b","Test":"TestFour"}
{"Action":"fail","Package":"b"}
{"Action":"skip","Package":"c"}
`))
	if r.passed != 3 || !slices.Equal(r.failures, []string{"b TestThree", "b"}) || !r.failed {
		t.Errorf("%d passed, failures: %q", r.passed, r.failures)
	}
	if !slices.Equal(r.fuzz, []fuzzTarget{{"a", "FuzzTwo"}}) {
		t.Errorf("fuzz targets: %v", r.fuzz)
	}
}
