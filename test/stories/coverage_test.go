package stories

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mooring/internal/gate/gatetest"
)

// coverage remembers which answers of which operations the stories have seen.
type coverage struct {
	mu         sync.Mutex
	operations []operation
	promised   map[answer]bool // what the contract lists
	seen       map[answer]bool
	checkers   map[string]*gatetest.Checker // by what was published, which is the same for most stories
}

type answer struct {
	operation string
	status    int
}

func newCoverage() *coverage {
	return &coverage{promised: map[answer]bool{}, seen: map[answer]bool{}, checkers: map[string]*gatetest.Checker{}}
}

// checker is what checks answers against a published contract, made once.
func (c *coverage) checker(document []byte) (*gatetest.Checker, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if made := c.checkers[string(document)]; made != nil {
		return made, nil
	}
	made, err := gatetest.FromJSON(document)
	if err == nil {
		c.checkers[string(document)] = made
	}
	return made, err
}

// contract takes in which operations and statuses a published contract lists.
func (c *coverage) contract(document []byte) error {
	operations, err := read(document)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.operations = operations
	for _, op := range operations {
		for status := range op.Responses {
			n, err := strconv.Atoi(status)
			if err != nil {
				return fmt.Errorf("%s lists the status %s", op.OperationID, status)
			}
			c.promised[answer{op.OperationID, n}] = true
		}
	}
	return err
}

func (c *coverage) saw(operation string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[answer{operation, status}] = true
}

// demandEverything fails for each answer of the contract that no story got and
// exceptions.list does not excuse, and for each excuse that is not needed.
func (c *coverage) demandEverything(t *testing.T) {
	excused := exceptions(t)
	for _, a := range slices.SortedFunc(maps.Keys(c.promised), compare) {
		switch reason := excused.reason(a); {
		case !c.seen[a] && reason == "":
			t.Errorf("no story gets %d from %s", a.status, a.operation)
		case c.seen[a] && excused[a] != "":
			t.Errorf("a story gets %d from %s, so exceptions.list need not excuse it", a.status, a.operation)
		}
	}
	for a := range excused {
		if a.operation != "*" && !c.promised[a] {
			t.Errorf("exceptions.list excuses %d of %s, which the contract does not list", a.status, a.operation)
		}
	}
}

func compare(a, b answer) int {
	return cmp.Or(strings.Compare(a.operation, b.operation), a.status-b.status)
}

// excuses are reasons why an answer is not provoked; the operation * stands
// for all.
type excuses map[answer]string

func (e excuses) reason(a answer) string {
	return e[a] + e[answer{"*", a.status}]
}

// exceptions reads lines of "operation status reason".
func exceptions(t *testing.T) excuses {
	t.Helper()
	text, err := os.ReadFile("exceptions.list")
	if err != nil {
		t.Fatal(err)
	}
	found := excuses{}
	for line := range strings.Lines(string(text)) {
		if words := strings.SplitN(strings.TrimSpace(line), " ", 3); len(words) == 3 && words[0] != "#" {
			status, err := strconv.Atoi(words[1])
			if err != nil {
				t.Fatal(err)
			}
			found[answer{words[0], status}] = words[2]
		}
	}
	return found
}
