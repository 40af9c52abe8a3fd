package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
)

// print prints an attempt: what it came to, then both sides as they were.
func (a attempt) print(out io.Writer) {
	rows := [][]string{
		{"attempt", printable(a.ID)},
		{"delivery", printable(a.Delivery)},
		{"event", printable(a.Event)},
		{"event id", printable(a.EventID)},
		{"try", strconv.Itoa(a.Number)},
		{"endpoint", printable(a.URL)},
		{"at", printable(a.CreatedAt)},
		{"took", fmt.Sprintf("%.0f ms", a.Details.Duration*1000)},
		{"answer", a.outcome()},
	}
	printTable(out, rows)
	side(out, "sent", a.Request.Headers, bodyText(a.Request.Body))
	if a.Status != 0 {
		side(out, "answered", a.Response.Headers, a.Response.Body)
	}
}

func side(out io.Writer, title string, headers map[string]string, body string) {
	fmt.Fprintf(out, "\n%s:\n", title)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		fmt.Fprintf(out, "  %s: %s\n", printable(name), printable(headers[name]))
	}
	if body != "" {
		fmt.Fprintf(out, "\n  %s\n", printable(body))
	}
}

// bodyText is a body that may be shown as JSON or as a string.
func bodyText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}
