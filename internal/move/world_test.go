package move

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"mooring/internal/store"
	"mooring/internal/store/storetest"
)

var ctx = context.Background()

// quiet is told of progress and says nothing.
func quiet(string, int64, int64) {}

// door makes the configuration of a database that is not there yet.
type door func(t *testing.T) store.Config

var doors = map[string]door{"sqlite": sqlite, "postgres": postgres}

func sqlite(t *testing.T) store.Config {
	return store.Config{DataDir: filepath.Join(t.TempDir(), "data")}
}

// migrated is a database with tables and no rows.
var migrated storetest.Template

func postgres(t *testing.T) store.Config {
	return store.Config{Database: migrated.Cloned(t, func(dsn string) {
		target, err := store.OpenTarget(ctx, store.Config{Database: dsn})
		if err == nil {
			err = target.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	})}
}

// odd is a text that an encoding could lose something of.
const odd = "Fjord & Sønner \"quoted\" \\ /</>\n\r\t\x01\x1f\x7f  日本 😀é"

// valueOf makes up the nth value of a column. Rows refer to those of the same
// number in the tables before.
func valueOf(t store.Table, c store.Column, n, size int) any {
	merchant := n > 1
	switch at := t.Name + "." + c.Name; {
	case at == "account.id" || c.Name == "account":
		return accountOf(n)
	case at == "account.kind":
		return []string{"platform", "partner", "merchant"}[min(n, 2)]
	case at == "account.owner" && merchant:
		return accountOf(1)
	case at == "account.owner" && n == 1:
		return accountOf(0)
	case at == "account.owner":
		return nil
	case at == "id_block.owner":
		return accountOf(n)
	case t.Name == "epoch":
		return int64(map[string]int{"id": 1, "value": 77}[c.Name])
	case t.Name == "feed" && c.Name == "position", c.Name == "seq", c.Name == "version", t.Name == "provider_version" && c.Name == "schema":
		return int64(n + 1)
	case c.Null && n%2 == 1:
		return nil
	case c.Name == "provider":
		return "vipps"
	}
	switch c.Kind {
	case store.KindID:
		entity := c.Name
		if c.Name == "id" {
			entity = t.Name
		}
		return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, entity, n)).String()
	case store.KindNumber:
		return []int64{int64(n), -int64(n), math.MaxInt64, math.MinInt64, 0}[n%5]
	case store.KindFlag:
		return n%3 == 0
	case store.KindBytes:
		sum := sha256.Sum256(fmt.Append(nil, t.Name, c.Name, n))
		return bytes.Repeat(sum[:], size)[:(n%3)*16*size] // now and then empty
	}
	return fmt.Sprint(c.Name, n, odd, strings.Repeat("x", size))
}

// accountOf names a platform, a partner behind all of its merchants, and those.
func accountOf(n int) string {
	switch n {
	case 0:
		return "T00000000"
	case 1:
		return "T99900000"
	}
	return fmt.Sprintf("T%08d", 11200000+n)
}

// filled is a database with rows in every table.
func filled(t *testing.T, cfg store.Config, rows, size int) store.Config {
	t.Helper()
	target, err := store.OpenTarget(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	for _, table := range store.Tables() {
		n := rows
		if table.Name == "epoch" {
			n = 1
		}
		var batch [][]any
		for i := range n {
			var row []any
			for _, c := range table.Columns {
				row = append(row, valueOf(table, c, i, size))
			}
			if batch = append(batch, row); len(batch) == 500 || i == n-1 {
				if err := target.Write(ctx, table, batch); err != nil {
					t.Fatalf("%s: %v", table.Name, err)
				}
				batch = nil
			}
		}
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// exported is the path of an export of a database.
func exported(t *testing.T, cfg store.Config) string {
	t.Helper()
	src, err := store.OpenSource(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "export"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := Export(ctx, src, file, quiet); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// imported checks a file and fills a database with it.
func imported(ctx context.Context, cfg store.Config, path string, dry bool, tell Progress) (sum Summary, err error) {
	file, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer file.Close()
	if _, err := Check(ctx, file, quiet); err != nil {
		return sum, err
	}
	open := store.OpenTarget
	if dry {
		open = store.LookAtTarget
	}
	target, err := open(ctx, cfg)
	if err != nil {
		return sum, err
	}
	defer target.Close()
	return Import(ctx, file, target, dry, tell)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
