package main

import (
	"fmt"
	"os/exec"
)

// fuzz runs each fuzz target that the test pass came across for two seconds.
func fuzz(t *tally) {
	for _, target := range t.fuzz {
		cmd := exec.Command("go", "test", "-run=^$", "-fuzz=^"+target.name+"$", "-fuzztime=2s", target.pkg)
		out, err := cmd.CombinedOutput()
		verdict := "pass"
		if err != nil {
			verdict = "fail"
			fmt.Printf("%s\n", out)
		}
		fmt.Printf("   %s %s %s\n", verdict, target.pkg, target.name)
		t.count("fuzzing "+target.pkg+" "+target.name, err == nil)
	}
}
