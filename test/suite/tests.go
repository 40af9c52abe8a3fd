package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"mooring/test/drive"
)

// event is one line of `go test -json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// tests runs every test of every package once, under the race detector. A
// package that hangs is ended, and shows what it was doing.
func tests(t *tally) {
	args := append([]string{"test", "-race"}, drive.Untraced...)
	cmd := exec.Command("go", append(args, "-count=1", "-timeout=30m", "-json", "./...")...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Println(err)
		t.count("go test", false)
		return
	}
	run := &testRun{tally: t, output: map[string]*strings.Builder{}, parents: map[string]bool{}}
	run.follow(stdout)
	if err := cmd.Wait(); err != nil && !run.failed {
		t.count("go test: "+err.Error(), false)
	}
}

// testRun is what is known of a run of tests while it goes on.
type testRun struct {
	*tally
	output  map[string]*strings.Builder // of what has not passed, by package and test
	parents map[string]bool             // tests that have subtests, which are counted instead
	failed  bool
}

// follow reads the events of a run to its end.
func (r *testRun) follow(events io.Reader) {
	for dec := json.NewDecoder(events); ; {
		var e event
		if dec.Decode(&e) != nil {
			return
		}
		name := strings.TrimSuffix(e.Package+" "+e.Test, " ")
		switch e.Action {
		case "run":
			r.started(e, name)
		case "output":
			if r.output[name] == nil {
				r.output[name] = &strings.Builder{}
			}
			r.output[name].WriteString(e.Output)
		case "build-output":
			fmt.Print(e.Output)
		case "pass", "fail", "skip":
			r.ended(e, name)
		}
	}
}

func (r *testRun) started(e event, name string) {
	if i := strings.LastIndex(name, "/"); i > len(e.Package) {
		r.parents[name[:i]] = true
	} else if strings.HasPrefix(e.Test, "Fuzz") {
		r.fuzz = append(r.fuzz, fuzzTarget{e.Package, e.Test})
	}
}

// ended counts a finished test. A skipped one counts as failed: what is not run
// is not known to hold.
func (r *testRun) ended(e event, name string) {
	ok := e.Action == "pass" || e.Action == "skip" && e.Test == ""
	if !ok {
		r.failed = true
		r.show(name)
	}
	delete(r.output, name)
	switch {
	case e.Test != "":
		if !r.parents[name] || !ok {
			r.count(name, ok)
		}
	case !ok:
		r.showUnfinished(e.Package)
		r.count(name, false)
		fallthrough
	case e.Elapsed >= 0.05:
		fmt.Printf("   %-4s %-40s %6.1f s\n", e.Action, e.Package, e.Elapsed)
	}
}

func (r *testRun) show(name string) {
	if output := r.output[name]; output != nil {
		fmt.Print(output)
	}
}

// showUnfinished shows the tests of a package that never ended.
func (r *testRun) showUnfinished(pkg string) {
	for _, name := range slices.Sorted(maps.Keys(r.output)) {
		if strings.HasPrefix(name, pkg+" ") {
			r.show(name)
			delete(r.output, name)
		}
	}
}
