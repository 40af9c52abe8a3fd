package differential

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// apart are tables that say nothing of what was asked, and why.
var apart = map[string]string{
	"goose_db_version": "when the schema was made",
	"goose_lock":       "who makes the schema; PostgreSQL alone has it",
	"lease":            "who works at something now",
	"feed_arrival":     "empty once everything is told",
	"tally":            "summed up whenever there is time for it; only the sums count, and those are asked for",
	"epoch":            "moves as often as somebody looks",
	"sealed_key":       "made at start, once",
}

// drawn are columns whose values may differ, and why.
var drawn = map[string]string{
	"account.ahead":              "how far it is to a moment, from whenever the clock was asked to go there",
	"data_key.wrapped":           "the number of the key inside takes four bytes or five",
	"subscription.shard":         "follows from the id",
	"client.last_used_at":        "written whenever there is time for it",
	"client_secret.last_used_at": "likewise",
}

// compareRows compares what is stored, table by table.
func (r *run) compareRows() {
	r.t.Helper()
	tables := r.tables(0, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
	if others := r.tables(1, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"); !slices.Equal(tables, others) {
		r.t.Fatalf("the tables are %v and %v", tables, others)
	}
	for _, table := range tables {
		r.compareTable(table)
	}
}

func (r *run) tables(side int, query string) []string {
	r.t.Helper()
	rows, err := r.sides[side].db.QueryContext(r.t.Context(), query)
	must(r.t, err)
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		must(r.t, rows.Scan(&name))
		names = append(names, name)
	}
	must(r.t, rows.Err())
	return slices.DeleteFunc(names, func(name string) bool { return apart[name] != "" })
}

// row is one of a table, as it must be the same.
type row struct {
	key  string // the same on both sides, and perhaps of several
	text string
}

func (r *run) compareTable(table string) {
	r.t.Helper()
	a, b := r.rows(0, table), r.rows(1, table)
	if len(a) != len(b) {
		r.t.Errorf("%s has %d rows and %d\n%s", table, len(a), len(b), onlyIn(a, b))
		return
	}
	for len(a) > 0 {
		n := slices.IndexFunc(a, func(x row) bool { return x.key != a[0].key })
		if n < 0 {
			n = len(a)
		}
		r.compareGroup(table, a[:n], slices.Clone(b[:n]))
		a, b = a[n:], b[n:]
	}
}

// compareGroup finds for each row another that may stand for it.
func (r *run) compareGroup(table string, a, b []row) {
	r.t.Helper()
	for _, x := range a {
		i := slices.IndexFunc(b, func(y row) bool { return x.key == y.key && r.same.compare(x.text, y.text, false) == "" })
		if i < 0 {
			why := ""
			if len(b) > 0 {
				why = r.same.compare(x.text, b[0].text, false) + "\nthe other side has " + b[0].text
			}
			r.t.Errorf("a row of %s is on one side alone: %.3000s\n%.3000s", table, x.text, why)
			return
		}
		b = slices.Delete(b, i, i+1)
	}
}

func onlyIn(a, b []row) string {
	var text strings.Builder
	for _, pair := range [][2][]row{{a, b}, {b, a}} {
		for _, x := range pair[0] {
			if !slices.ContainsFunc(pair[1], func(y row) bool { return y.key == x.key }) {
				fmt.Fprintf(&text, "%.600s\n", x.text)
			}
		}
	}
	return text.String()
}

// rows are all of a table, in the order of their keys.
func (r *run) rows(side int, table string) []row {
	r.t.Helper()
	found, err := r.sides[side].db.QueryContext(r.t.Context(), "SELECT * FROM "+table)
	must(r.t, err)
	defer found.Close()
	columns, err := found.Columns()
	must(r.t, err)
	order := slices.Sorted(slices.Values(columns))
	var all []row
	for found.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		must(r.t, found.Scan(into...))
		var text strings.Builder
		for _, name := range order {
			if drawn[table+"."+name] == "" {
				fmt.Fprintf(&text, "%s=%s\n", name, r.stored(values[slices.Index(columns, name)]))
			}
		}
		all = append(all, row{r.key(side, text.String()), text.String()})
	}
	must(r.t, found.Err())
	slices.SortFunc(all, func(a, b row) int { return strings.Compare(a.key, b.key) })
	return all
}

// key is a text with everything made up replaced by what the first side calls
// it, if it ever said so.
func (r *run) key(side int, text string) string {
	return madeUp.ReplaceAllStringFunc(text, func(word string) string {
		if at, err := time.Parse(time.RFC3339, word); err == nil {
			return r.same.moment(at)
		}
		if other := r.same.by[side][word]; other != "" {
			if side == 1 {
				return other
			}
			return word
		}
		return "?"
	})
}

// stored is a value as it must be the same, whatever its type in the database.
// What is sealed, signed or hashed is as long as on the other side.
func (r *run) stored(value any) string {
	switch v := value.(type) {
	case nil:
		return "NULL"
	case bool:
		if v {
			return "1"
		}
		return "0"
	case int64:
		if at := time.UnixMicro(v); at.After(began) && at.Year() < 2200 {
			return r.same.moment(at)
		}
		return fmt.Sprint(v)
	case []byte:
		if len(v) > 0 && utf8.Valid(v) && strings.ContainsRune(`{["`, rune(v[0])) {
			return clocks.ReplaceAllString(string(v), `"ahead_seconds":0`)
		}
		return fmt.Sprintf("%d bytes", len(v))
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprintf("%T %v", value, value)
}
