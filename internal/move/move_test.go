package move

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mooring/internal/store"
	"mooring/internal/store/storetest"
)

// From SQLite to PostgreSQL and back, each export has the same bytes.
func TestWhatGoesRoundComesBackByteForByte(t *testing.T) {
	first := exported(t, filled(t, sqlite(t), 7, 3))
	want := read(t, first)
	for _, table := range store.Tables() {
		if !bytes.Contains(want, []byte(`{"`+table.Name+`":{`)) {
			t.Errorf("no row of %s is in the export", table.Name)
		}
	}
	path := first
	for i, d := range []door{postgres, sqlite} {
		cfg := d(t)
		sum, err := imported(ctx, cfg, path, false, quiet)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if sum.Resumed != 0 || sum.Rows == 0 {
			t.Errorf("step %d: %+v", i, sum)
		}
		path = exported(t, cfg)
		if got := read(t, path); !bytes.Equal(got, want) {
			t.Fatalf("step %d: the export has changed:\n%s", i, firstDifference(want, got))
		}
	}
}

func firstDifference(want, got []byte) string {
	a, b := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n-%s\n+%s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines and %d lines", len(a), len(b))
}

// A file that was cut or changed is refused, with its line, before anything
// is made.
func TestAFileThatWasCutOrChangedIsRefused(t *testing.T) {
	path := exported(t, filled(t, sqlite(t), 40, 3))
	whole := read(t, path)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	lines = lines[:len(lines)-1]
	last := len(lines)
	replace := func(line int, old, with string) []byte {
		changed := append([][]byte(nil), lines...)
		if changed[line-1] = bytes.Replace(changed[line-1], []byte(old), []byte(with), 1); bytes.Equal(changed[line-1], lines[line-1]) {
			t.Fatalf("line %d has no %s: %s", line, old, lines[line-1])
		}
		return bytes.Join(changed, nil)
	}
	without := func(line int) []byte {
		return bytes.Join(append(append([][]byte(nil), lines[:line-1]...), lines[line:]...), nil)
	}
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"empty":                 {nil, "line 1: the file ends here"},
		"cut in its first line": {whole[:50], "line 1: the file ends here"},
		"cut in a row":          {whole[:len(bytes.Join(lines[:9], nil))+20], "line 10: the file ends here"},
		"cut behind a row":      {bytes.Join(lines[:20], nil), "line 21: the file ends here"},
		"without its last line": {bytes.Join(lines[:last-1], nil), fmt.Sprintf("line %d: the file ends here", last)},
		"cut in its last line":  {whole[:len(whole)-1], fmt.Sprintf("line %d: the file ends here", last)},
		"longer than it says":   {append(bytes.Clone(whole), '\n'), fmt.Sprintf("line %d: the file goes on", last)},
		"another form":          {replace(1, `"version":1`, `"version":2`), "line 1: it has form 2"},
		"another schema":        {replace(1, `"schema":`, `"schema":1`), "line 1: it was made of schema 1"},
		"a table less":          {replace(1, `{"table":"account_label","rows":40},`, ``), "line 1: it does not name the tables"},
		"a row less":            {without(10), "line 41: a row of account was to come"},
		"a changed word":        {replace(10, "Sønner", "Sohner"), "behind line 0"},
		"a changed late word":   {replace(last-60, "Sønner", "Sohner"), fmt.Sprintf("behind line %d", 1002)},
		"a changed number":      {replace(1002, `{"check":"`, `{"check":"0`), "line 1002: the file was changed"},
		"a changed end":         {replace(last, `"sha256":"`, `"sha256":"0`), fmt.Sprintf("line %d: the file was changed", last)},
		"a column less":         {replace(2, `"kind":"platform",`, ``), "line 2: the column kind of account was to come"},
		"a column more":         {replace(2, `"kind":`, `"more":1,"kind":`), "line 2: the column kind of account was to come"},
		"a text for a number":   {replace(2, `"created_at":0`, `"created_at":"0"`), "line 2: the column created_at of account holds what it can't hold"},
		"nothing for a text":    {replace(2, `"kind":"platform"`, `"kind":null`), "line 2: the column kind of account holds what it can't hold"},
		"a zero byte":           {replace(2, `"kind":"platform"`, `"kind":"plat\u0000form"`), "line 2: the column kind of account holds what it can't hold"},
		"a text behind a row":   {replace(2, "}}\n", "}} \n"), "line 2: a row of account goes on"},
	} {
		t.Run(name, func(t *testing.T) {
			path, cfg := filepath.Join(t.TempDir(), "file"), sqlite(t)
			if err := os.WriteFile(path, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := imported(ctx, cfg, path, false, quiet); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %s", err, c.says)
			}
			if _, err := os.Stat(cfg.DataDir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was made: %v", err)
			}
		})
	}
}

// An import that is interrupted goes on with what is missing, and ends the same.
func TestAnImportGoesOnWhereItStopped(t *testing.T) {
	path := exported(t, filled(t, sqlite(t), 20, 3))
	want := read(t, path)
	for name, d := range doors {
		t.Run(name, func(t *testing.T) {
			cfg, before, rounds := d(t), int64(-1), 0
			for done := false; !done; rounds++ {
				interruptible, stop := context.WithCancel(ctx)
				writes := 0
				sum, err := imported(interruptible, cfg, path, false, func(doing string, _, _ int64) {
					if doing == "written" {
						if writes++; writes == 9 {
							stop()
						}
					}
				})
				stop()
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				if done = err == nil; done && sum.Resumed <= before {
					t.Errorf("it went on behind %d rows and before behind %d", sum.Resumed, before)
				}
				before = max(before, sum.Resumed)
			}
			if rounds < 4 {
				t.Errorf("it was interrupted %d times only", rounds-1)
			}
			if got := read(t, exported(t, cfg)); !bytes.Equal(got, want) {
				t.Errorf("it ends otherwise:\n%s", firstDifference(want, got))
			}
			sum, err := imported(ctx, cfg, path, false, quiet)
			if err != nil || !sum.Already {
				t.Errorf("once more: %+v, %v", sum, err)
			}
		})
	}
}

// What is not empty is not filled, whether it was used or another file was begun.
func TestAnImportMixesWithNothing(t *testing.T) {
	path, other := exported(t, filled(t, sqlite(t), 20, 3)), exported(t, filled(t, sqlite(t), 20, 4))
	for name, d := range doors {
		t.Run(name, func(t *testing.T) {
			used := filled(t, d(t), 3, 3)
			if _, err := imported(ctx, used, path, false, quiet); !errors.Is(err, errFilled) {
				t.Errorf("a used database: %v", err)
			}
			begun := d(t)
			interruptible, stop := context.WithCancel(ctx)
			if _, err := imported(interruptible, begun, path, false, func(doing string, _, _ int64) {
				if doing == "written" {
					stop()
				}
			}); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			for _, dry := range []bool{true, false} {
				_, err := imported(ctx, begun, other, dry, quiet)
				if !errors.Is(err, errOther) || !regexp.MustCompile(`\(line \d+\)`).MatchString(err.Error()) {
					t.Errorf("another file, dry %t: %v", dry, err)
				}
			}
			if _, err := imported(ctx, begun, path, false, quiet); err != nil {
				t.Error(err)
			}
		})
	}
}

// What came into the database beside the import keeps it from being whole.
func TestAnImportThatIsWrittenIntoIsNotFinished(t *testing.T) {
	path, cfg := exported(t, filled(t, sqlite(t), 3, 3)), sqlite(t)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	target, err := store.OpenTarget(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	account, row := store.Tables()[0], []any(nil)
	for _, c := range account.Columns {
		row = append(row, valueOf(account, c, 7, 3))
	}
	written := 0
	_, err = Import(ctx, file, target, false, func(doing string, _, _ int64) {
		if written++; written == 1 {
			if err := target.Write(ctx, account, [][]any{row}); err != nil {
				t.Error(err)
			}
		}
	})
	if err == nil || !strings.Contains(err.Error(), "it has 4 rows of account, and the file 3") {
		t.Errorf("it ends with %v", err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	if src, err := store.OpenSource(ctx, cfg); err == nil {
		src.Close()
		t.Error("it is a whole database")
	}
}

// A dry run says what would become of it, and makes nothing.
func TestADryRunWritesNothing(t *testing.T) {
	path := exported(t, filled(t, sqlite(t), 20, 3))
	cfg := sqlite(t)
	for _, cfg := range []store.Config{cfg, {Database: storetest.Postgres(t)}} {
		if sum, err := imported(ctx, cfg, path, true, quiet); err != nil || sum.Rows == 0 || sum.Already {
			t.Errorf("%+v, %v", sum, err)
		}
		if src, err := store.OpenSource(ctx, cfg); err == nil {
			src.Close()
			t.Error("there is a database")
		}
	}
	if _, err := os.Stat(cfg.DataDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory was made: %v", err)
	}
	if _, err := imported(ctx, filled(t, sqlite(t), 3, 3), path, true, quiet); !errors.Is(err, errFilled) {
		t.Errorf("a used database: %v", err)
	}
}

// An export that broke off anywhere goes on behind what its checks prove, and
// ends the same; what no check proves is written anew.
func TestAnExportGoesOnWhereItStopped(t *testing.T) {
	for name, d := range doors {
		t.Run(name, func(t *testing.T) {
			cfg := filled(t, d(t), 120, 0)
			whole := read(t, exported(t, cfg))
			third := len(whole) / 3
			broken := bytes.Clone(whole[:2*third])
			broken[third] ^= 1
			src, err := store.OpenSource(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			for what, part := range map[string]struct {
				begun   []byte
				resumed bool
			}{
				"nothing": {}, "half a line": {whole[:20], false}, "a third": {whole[:third], true}, "half": {whole[:len(whole)/2], true},
				"all but the end": {whole[:len(whole)-10], true}, "all": {whole, true}, "what was damaged": {broken, true},
				"of another database": {append([]byte(`{"mooring_export":{}}`+"\n"), whole...), false},
			} {
				file, err := os.Create(filepath.Join(t.TempDir(), "part"))
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				if _, err := file.Write(part.begun); err != nil {
					t.Fatal(err)
				}
				sum, err := Continue(ctx, src, file, quiet)
				if err != nil || (sum.Resumed > 0) != part.resumed {
					t.Errorf("%s: %+v, %v", what, sum, err)
				}
				if got := read(t, file.Name()); !bytes.Equal(got, whole) {
					t.Errorf("%s: it ends otherwise:\n%s", what, firstDifference(whole, got))
				}
			}
		})
	}
}
