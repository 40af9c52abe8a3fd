package cli

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"mooring/internal/provider"
)

// printProvider writes a provider for people: a head, and a table of each
// thing that it has.
func printProvider(out io.Writer, s provider.Summary) {
	fmt.Fprintf(out, "%s (%s), version %d, from %s\n\n%s\n", s.Title, s.Slug, s.Version, s.File, wrapped(s.About, 100))
	signups := "one signup, which a new one replaces"
	if s.Many {
		signups = "many signups, unique by " + strings.Join(s.Key, " and ")
	}
	fmt.Fprintf(out, "An account has %s.\n", signups)
	printSection(out, "Operations", s.Operations, func(o provider.OperationLine) []string { return []string{o.Method, o.Path} })
	printSection(out, "What a signup says", s.Signup, fieldRow)
	printSection(out, "What the provider gives back", s.Configuration, fieldRow)
	printSection(out, "Events", s.Events, func(e provider.EventLine) []string { return []string{e.Name, e.Status, turn(e), e.Meaning} })
	printSection(out, "Scenarios of the simulated provider", s.Scenarios, func(one provider.ScenarioLine) []string {
		return []string{one.Name, one.Lasts, one.Summary}
	})
	printSection(out, "Values of "+s.MagicMember+" that choose one", slices.Sorted(maps.Keys(s.MagicValues)), func(value string) []string {
		return []string{value, s.MagicValues[value]}
	})
}

// printSection prints a table under a title, unless it is empty.
func printSection[T any](out io.Writer, title string, items []T, row func(T) []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", title)
	rows := make([][]string, len(items))
	for i, item := range items {
		rows[i] = append([]string{""}, row(item)...)
	}
	printTable(out, rows)
}

// printTable prints rows with their columns aligned and nothing at the ends of
// lines.
func printTable(out io.Writer, rows [][]string) {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
}

// wrapped breaks a text into lines of at most width bytes, between words.
func wrapped(text string, width int) string {
	var b strings.Builder
	used := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case used == 0:
		case used+1+len(word) > width:
			b.WriteByte('\n')
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += len(word)
	}
	return b.String()
}

// turn is whose turn it is after an event, and for how long.
func turn(e provider.EventLine) string {
	if e.Turn == "" || e.Wait == "" {
		return e.Turn
	}
	return e.Turn + ", " + e.Wait
}

// fieldRow is a member, and how it is handled.
func fieldRow(f provider.Field) []string {
	var words []string
	if f.Required {
		words = append(words, "required")
	}
	if f.Class != "" {
		words = append(words, f.Class)
	}
	if f.WriteOnly {
		words = append(words, "never shown")
	}
	return []string{f.Pointer, f.Type, strings.Join(words, ", ")}
}
