package main

import (
	"bytes"
	"fmt"
	"os/exec"
)

// fuzz runs each fuzz target that the test pass came across for two seconds.
func fuzz(t *tally) {
	for _, target := range t.fuzz {
		out, err := target.run()
		if err != nil && endedInTheMiddle(out) {
			out, err = target.run()
		}
		verdict := "pass"
		if err != nil {
			verdict = "fail"
			fmt.Printf("%s\n", out)
		}
		fmt.Printf("   %s %s %s\n", verdict, target.pkg, target.name)
		t.count("fuzzing "+target.pkg+" "+target.name, err == nil)
	}
}

func (f fuzzTarget) run() ([]byte, error) {
	return exec.Command("go", "test", "-run=^$", "-fuzz=^"+f.name+"$", "-fuzztime=2s", f.pkg).CombinedOutput()
}

// endedInTheMiddle says whether Go took the end of the time for a failure of
// the target, which it does now and then: no input
// was found.
func endedInTheMiddle(out []byte) bool {
	return bytes.Contains(out, []byte("context deadline exceeded")) && !bytes.Contains(out, []byte("Failing input"))
}
