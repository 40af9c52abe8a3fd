// Command suite runs everything that must be green before a change is taken,
// and ends with one line that counts: "N passed, N failed".
//
// The pass with the race detector is the pass of the unit tests, the layout
// test and the stories too: no test runs twice.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	steps := []struct {
		name string
		run  func(*tally)
	}{
		{"format (gofumpt)", quiet("go", "tool", "-modfile=tools.mod", "gofumpt", "-l", ".")},
		{"vet", quiet("go", "vet", "./...")},
		{"staticcheck", quiet("go", "tool", "-modfile=tools.mod", "staticcheck", "./...")},
		{"tests with the race detector", tests},
		{"fuzz", fuzz},
	}
	total := &tally{}
	for _, step := range steps {
		start := time.Now()
		fmt.Println("==", step.name)
		step.run(total)
		fmt.Printf("   %.0f s\n", time.Since(start).Seconds())
	}
	for _, name := range total.failures {
		fmt.Println("FAILED:", name)
	}
	fmt.Printf("%d passed, %d failed\n", total.passed, total.failed)
	if total.failed > 0 || total.passed == 0 {
		os.Exit(1)
	}
}

// tally counts what passed, names what failed, and remembers the fuzz targets
// that ran with their seeds.
type tally struct {
	passed, failed int
	failures       []string
	fuzz           []fuzzTarget
}

type fuzzTarget struct{ pkg, name string }

func (t *tally) count(name string, ok bool) {
	if ok {
		t.passed++
		return
	}
	t.failed++
	t.failures = append(t.failures, name)
}

// quiet makes a step of a command that must find nothing to say and exit with
// 0. What goes to the error stream is shown and no finding: on a new machine
// that is where Go tells what it downloads.
func quiet(name string, args ...string) func(*tally) {
	return func(t *tally) {
		cmd := exec.Command(name, args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		ok := err == nil && len(bytes.TrimSpace(out)) == 0
		if !ok {
			fmt.Printf("%s\n%v\n", out, err)
		}
		t.count(strings.Join(append([]string{name}, args...), " "), ok)
	}
}
