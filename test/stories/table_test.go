package stories

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

var printTable = flag.Bool("table", false, "print which answers of the documented connection operations the stories saw")

// table has a row for each documented operation of connections and a column
// for each status: a tick for an answer that was seen, an o for one that was
// not, nothing for one that the contract does not list.
func (c *coverage) table() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var rows []operation
	statuses := map[string]bool{}
	for _, op := range c.operations {
		if op.Evidence != "extension" && strings.Contains(op.OperationID, "_connections_") {
			rows = append(rows, op)
			for status := range op.Responses {
				statuses[status] = true
			}
		}
	}
	columns := slices.Sorted(maps.Keys(statuses))
	var b strings.Builder
	fmt.Fprintf(&b, "| operation | path | evidence | %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat(" --- |", 3+len(columns)))
	for _, op := range rows {
		fmt.Fprintf(&b, "| `%s` | %s `%s` | %s |", op.OperationID, op.Method, op.Path, op.Evidence)
		for _, status := range columns {
			fmt.Fprintf(&b, " %s |", c.mark(op, status))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (c *coverage) mark(op operation, status string) string {
	n, err := strconv.Atoi(status)
	_, listed := op.Responses[status]
	switch {
	case err != nil || !listed:
		return " "
	case c.seen[answer{op.OperationID, n}]:
		return "✓"
	}
	return "o"
}
