package store

import (
	"context"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/scale.md tells how each table is distributed, by its primary key.
func TestScaleNamesEveryTable(t *testing.T) {
	text, err := os.ReadFile("../../docs/scale.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `([\\w, ]+)` \\| .+ \\| .+ \\| .+ \\|$").FindAllStringSubmatch(string(text), -1) {
		told = append(told, row[1]+" ("+row[2]+")")
	}
	rows, err := openStore(t, newPostgres(t)).read.db.QueryContext(context.Background(), `
		SELECT t.relname || ' (' || string_agg(a.attname, ', ' ORDER BY k.place) || ')'
		FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid JOIN pg_namespace AS n ON n.oid = t.relnamespace
		CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
		JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.attnum
		WHERE i.indisprimary AND n.nspname = 'public' AND t.relname NOT LIKE 'goose_%' GROUP BY t.relname`)
	var there []string
	if err := each(rows, err, func(r row) error {
		there = append(there, "")
		return r.Scan(&there[len(there)-1])
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(told)
	slices.Sort(there)
	if diff := cmp.Diff(there, told); diff != "" {
		t.Errorf("docs/scale.md (-the schema +told):\n%s", diff)
	}
}
