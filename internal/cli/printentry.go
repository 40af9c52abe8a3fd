package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"mooring/internal/hook"
)

// entryLine is an entry of the feed for people: when, whose, what, and how
// things stand after it.
func entryLine(e hook.Entry) string {
	var of struct {
		Connection struct{ Connection, Status, Turn string }
		Event      struct{ Event, Description string } `json:"connection_event"`
	}
	_ = json.Unmarshal(e.Body, &of) // what has no connection leaves it empty
	words := []string{e.At.UTC().Format(time.RFC3339), string(e.Account)}
	if of.Connection.Connection == "" {
		return printable(strings.Join(append(words, e.Type), "  "))
	}
	happened := of.Event.Event
	if happened == "" {
		happened = e.Type
	}
	line := fmt.Sprintf("%s  %-14s  %-8s  %s", strings.Join(words, "  "), of.Connection.Connection, of.Connection.Status, happened)
	return printable(line)
}

// printEntry prints one entry. In the text form it is shown before its answer is
// known, on the same line.
type printedEntry struct {
	Cursor    string          `json:"cursor"`
	Event     json.RawMessage `json:"event"`
	Forwarded *forwarded      `json:"forwarded,omitempty"`
}

func (p printedEntry) finish(out io.Writer, form string) error {
	if form == "json" {
		line, err := json.Marshal(p)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", line)
		return err
	}
	if p.Forwarded != nil {
		fmt.Fprintf(out, "  -> %s", p.Forwarded)
	}
	_, err := fmt.Fprintln(out)
	return err
}
