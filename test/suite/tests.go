package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// event is one line of `go test -json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// tests runs every test of every package once, under the race detector.
func tests(t *tally) {
	cmd := exec.Command("go", "test", "-race", "-count=1", "-timeout=20m", "-json", "./...")
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
	failed := follow(stdout, t)
	if err := cmd.Wait(); err != nil && !failed {
		t.count("go test: "+err.Error(), false)
	}
}

// follow reads the events of a test run, shows what failed and counts each
// test that has no subtests of its own. It says whether anything failed.
func follow(r io.Reader, t *tally) (failed bool) {
	output := map[string]*strings.Builder{}
	parents := map[string]bool{}
	for dec := json.NewDecoder(r); ; {
		var e event
		if dec.Decode(&e) != nil {
			return failed
		}
		name := strings.TrimSuffix(e.Package+" "+e.Test, " ")
		switch e.Action {
		case "run":
			if strings.HasPrefix(e.Test, "Fuzz") && !strings.Contains(e.Test, "/") {
				t.fuzz = append(t.fuzz, fuzzTarget{e.Package, e.Test})
			}
			if i := strings.LastIndex(name, "/"); e.Test != "" && i > len(e.Package) {
				parents[name[:i]] = true
			}
		case "output", "build-output":
			if output[name] == nil {
				output[name] = &strings.Builder{}
			}
			output[name].WriteString(e.Output)
		case "pass", "fail", "skip":
			ok := e.Action == "pass"
			failed = failed || e.Action == "fail"
			report(e, name, output[name], t, parents[name])
			if ok {
				delete(output, name)
			}
		}
	}
}

// report shows one finished test or package. A skipped test counts as failed:
// what is not run is not known to hold.
func report(e event, name string, output *strings.Builder, t *tally, parent bool) {
	ok := e.Action == "pass" || e.Action == "skip" && e.Test == ""
	if !ok && output != nil {
		fmt.Print(output)
	}
	switch {
	case e.Test == "" && (!ok || e.Elapsed >= 0.05):
		fmt.Printf("   %-4s %-40s %6.1f s\n", e.Action, e.Package, e.Elapsed)
		if !ok {
			t.count(name, false)
		}
	case e.Test != "" && (!parent || !ok):
		t.count(name, ok)
	}
}
