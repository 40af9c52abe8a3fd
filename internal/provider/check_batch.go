package provider

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checkBatch makes sure that files can be written from signups, and that what
// comes back can be taken in.
func checkBatch(f file, d *document) {
	if f.Batch == nil {
		return
	}
	from := map[string]bool{}
	for i, c := range f.Batch.Columns {
		at := fmt.Sprintf("/batch/columns/%d", i)
		if from["column "+c.Name] {
			d.refuse(at+"/name", "there is a column %s already", c.Name)
		}
		from["column "+c.Name], from[c.From] = true, true
		if !strings.HasPrefix(c.From, "/") {
			continue
		}
		member := memberAt(f.current().Request, tokens(c.From))
		switch {
		case member == nil:
			d.refuse(at+"/from", "%s is not in the request", c.From)
		case member["type"] == "object" || member["type"] == "array":
			d.refuse(at+"/from", "a column has room for one value, and %s holds several", c.From)
		case classOf(member) == Secret:
			d.refuse(at+"/from", "%s is secret and the file is not", c.From)
		}
	}
	if !from["reference"] {
		d.refuse("/batch/columns", "without a column from reference no answer can be matched")
	}
	outcomes := f.Batch.Answer.Outcomes
	for _, text := range slices.Sorted(maps.Keys(outcomes)) {
		checkOutcome(f, d, pointerTo("batch", "answer", "outcomes", text), outcomes[text])
	}
}
