package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryStatementIsPreparedOnBothEngines(t *testing.T) {
	for name, d := range doors {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, d(t))
			for _, st := range statements {
				p := map[use]*pool{reading: s.read, writing: s.write}[st.use]
				if p.prepared[st.id] == nil {
					t.Errorf("not prepared: %s", st.text(s.engine))
				}
				// The text for one row must serve PostgreSQL too.
				for _, text := range []string{st.one, st.text(s.engine)} {
					if err := prepareNow(t.Context(), p.db, text); err != nil {
						t.Errorf("prepare %q: %v", text, err)
					}
				}
			}
		})
	}
}

// prepareNow prepares a statement as the driver does.
func prepareNow(ctx context.Context, db *sql.DB, text string) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		if lazy, ok := c.(sqliteConn); ok {
			c = lazy.fileConn
		}
		stmt, err := c.(driver.ConnPrepareContext).PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		return stmt.Close()
	})
}

func TestNoStatementReadsAClock(t *testing.T) {
	clock := regexp.MustCompile(`(?i)\b(now|current_time|current_date|current_timestamp|clock_timestamp|datetime|julianday|unixepoch|strftime)\b`)
	texts := []string{}
	for _, st := range statements {
		texts = append(texts, st.one, st.many)
	}
	for _, dir := range []string{"sqlite", "postgres"} {
		for _, name := range migrationNames(t, dir) {
			text, err := migrations.ReadFile("migrations/" + dir + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
	}
	for _, text := range texts {
		if found := clock.FindString(text); found != "" {
			t.Errorf("%s in: %s", found, text)
		}
	}
}

func TestBothEnginesHaveTheSameMigrations(t *testing.T) {
	sqlite, postgres := migrationNames(t, "sqlite"), migrationNames(t, "postgres")
	if diff := cmp.Diff(sqlite, postgres); diff != "" {
		t.Errorf("migrations (-sqlite +postgres):\n%s", diff)
	}
	for _, dir := range []string{"sqlite", "postgres"} {
		for _, name := range migrationNames(t, dir) {
			text, err := migrations.ReadFile("migrations/" + dir + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "+goose Down") {
				t.Errorf("%s/%s goes back; migrations only go forward", dir, name)
			}
		}
	}
}

func migrationNames(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := fs.ReadDir(migrations, "migrations/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// shape is what both engines must agree on.
type shape struct {
	Columns map[string]string // by "table.column": "null" or "not null"
	Keys    []string          // "table (columns)" of each primary key
	Unique  []string          // the same of each other unique index, with "where" when it is partial
	Plain   []string          // the same of each index that is not unique
	Foreign []string          // "table (columns) table (columns)" of each foreign key
}

func TestBothSchemasAreTheSame(t *testing.T) {
	sqlite := shapeOf(t, openStore(t, newSQLite(t)),
		`SELECT t.name || '.' || c.name, CASE WHEN c."notnull" OR c.pk THEN 'not null' ELSE 'null' END
			FROM pragma_table_list AS t JOIN pragma_table_info(t.name) AS c
			WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE 'goose_%'`,
		`SELECT t.name, i.name, i.origin = 'pk', i."unique", i.partial, c.name
			FROM pragma_table_list AS t JOIN pragma_index_list(t.name) AS i JOIN pragma_index_info(i.name) AS c
			WHERE t.schema = 'main' AND t.name NOT LIKE 'goose_%' ORDER BY 1, 2, c.seqno`,
		`SELECT name || ' (' || group_concat(source, ', ') || ') ' || target || ' (' || group_concat(aim, ', ') || ')' FROM (
			SELECT t.name, f.id, f."from" AS source, f."table" AS target, f."to" AS aim
			FROM pragma_table_list AS t JOIN pragma_foreign_key_list(t.name) AS f
			WHERE t.schema = 'main' ORDER BY t.name, f.id, f.seq) GROUP BY name, id, target`)
	postgres := shapeOf(t, openStore(t, newPostgres(t)),
		`SELECT table_name || '.' || column_name, CASE is_nullable WHEN 'YES' THEN 'null' ELSE 'not null' END
			FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'goose_%'`,
		`SELECT t.relname, x.relname, i.indisprimary, i.indisunique, i.indpred IS NOT NULL, a.attname
			FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid JOIN pg_class AS x ON x.oid = i.indexrelid
			JOIN pg_namespace AS n ON n.oid = t.relnamespace
			CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
			JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.attnum
			WHERE n.nspname = 'public' AND t.relname NOT LIKE 'goose_%' ORDER BY 1, 2, k.place`,
		`SELECT t.relname || ' (' || string_agg(a.attname, ', ' ORDER BY k.place) || ') ' || r.relname || ' (' ||
				string_agg(b.attname, ', ' ORDER BY k.place) || ')'
			FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid JOIN pg_class AS r ON r.oid = c.confrelid
			CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (source, aim, place)
			JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.source
			JOIN pg_attribute AS b ON b.attrelid = c.confrelid AND b.attnum = k.aim
			WHERE c.contype = 'f' GROUP BY c.oid, t.relname, r.relname`)
	// SQLite keeps no index for a primary key that is the row id itself.
	sqlite.Keys = append(sqlite.Keys, "epoch (id)", "feed (position)", "feed_arrival (arrival)", "schema_floor (schema)")
	slices.Sort(sqlite.Keys)
	if diff := cmp.Diff(sqlite, postgres); diff != "" {
		t.Errorf("the schemas differ (-sqlite +postgres):\n%s", diff)
	}
	if len(sqlite.Columns) < 120 || len(sqlite.Foreign) < 15 || len(sqlite.Plain) < 10 {
		t.Errorf("only %d columns, %d foreign keys and %d indexes were compared", len(sqlite.Columns), len(sqlite.Foreign), len(sqlite.Plain))
	}
	for _, key := range sqlite.Keys {
		table, columns, _ := strings.Cut(key, " ")
		first := strings.FieldsFunc(columns, func(r rune) bool { return strings.ContainsRune("(), ", r) })[0]
		if !slices.Contains([]string{"account", "sealed_key", "epoch", "feed", "feed_arrival", "lease", "schema_floor", "provider_version"}, table) && first != "account" && first != "owner" {
			t.Errorf("the primary key of %s does not start with the account", key)
		}
	}
}

func shapeOf(t *testing.T, s *Store, columns, indexes, foreign string) shape {
	t.Helper()
	got := shape{Columns: map[string]string{}}
	rows, err := s.write.db.QueryContext(context.Background(), columns)
	if err := each(rows, err, func(r row) error {
		var column, null string
		err := r.Scan(&column, &null)
		got.Columns[column] = null
		return err
	}); err != nil {
		t.Fatal(err)
	}
	type index struct {
		table, name              string
		primary, unique, partial bool
	}
	var order []index
	parts := map[index][]string{}
	rows, err = s.write.db.QueryContext(context.Background(), indexes)
	if err := each(rows, err, func(r row) error {
		var (
			i      index
			column string
		)
		err := r.Scan(&i.table, &i.name, &i.primary, &i.unique, &i.partial, &column)
		if parts[i] == nil {
			order = append(order, i)
		}
		parts[i] = append(parts[i], column)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, i := range order {
		text := i.table + " (" + strings.Join(parts[i], ", ") + ")"
		if i.partial {
			text += " where"
		}
		switch {
		case i.primary:
			got.Keys = append(got.Keys, text)
		case i.unique:
			got.Unique = append(got.Unique, text)
		default:
			got.Plain = append(got.Plain, text)
		}
	}
	rows, err = s.write.db.QueryContext(context.Background(), foreign)
	if err := each(rows, err, func(r row) error {
		got.Foreign = append(got.Foreign, "")
		return r.Scan(&got.Foreign[len(got.Foreign)-1])
	}); err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]string{got.Keys, got.Unique, got.Plain, got.Foreign} {
		slices.Sort(list)
	}
	return got
}

func TestTablesAreStrict(t *testing.T) {
	s := openStore(t, newSQLite(t))
	loose := `SELECT name, '' FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
		AND NOT strict AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'`
	rows, err := s.write.db.Query(loose)
	if err := each(rows, err, func(r row) error {
		var name, none string
		err := r.Scan(&name, &none)
		t.Errorf("table %s is not STRICT", name)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
