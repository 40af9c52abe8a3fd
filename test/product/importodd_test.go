package product

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// oddRows are lines of a file that no server takes, whatever they stand beside,
// and why.
var oddRows = []struct{ row, code string }{
	{`{"id":"T31000001","owner":"T000","owner":"T000"}`, "DUPLICATE_MEMBER"},
	{`{"id":"T31000002","owner":"T112","profile":{"services":{"a":1e999}}}`, "NUMBER_RANGE"},
	{`{"id":"T31000003","owner":"T112","profile":{"services":{"a":"\u0000"}}}`, "NUL_CHARACTER"},
	{`{"id":"T31000004","owner":"T112","profile":{"services":{"a":"` + "\xff" + `"}}}`, "INVALID_JSON"},
	{`{"id":"T31000005","owner":"T112","profile":{"services":{"a":"\ud800"}}}`, "INVALID_JSON"},
	{`{"id":"T31000006","owner":"T112","profile":{"services":` + strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20) + `}}`, "DEPTH"},
	{`{"id":"T31000007","owner":"T112","profile":{"services":{"a":"` + strings.Repeat("x", 64<<10+1) + `"}}}`, "MAX_LENGTH"},
	{`{"id":"T31000008","owner":"T112","profile":{"services":{` + strings.TrimSuffix(strings.Repeat(`"a?":1,`, 257), ",") + `}}}`, "DUPLICATE_MEMBER"},
	{`{"id":"T31000009","owner":"T112","created_at":"0001-01-01T00:00:00Z"}`, "PATTERN"},
	{`5`, "INVALID_JSON"},
	{`null`, "INVALID_JSON"},
	{`{"id":"T31000010","owner":"T112"`, "INVALID_JSON"},
	{`{"id":"T31000011","owner":"T112","profile":{"services":{"a":"` + strings.Repeat("<", 4<<20-2000) + `"}}}`, "MAX_LENGTH"},
}

// TestAnOddRowStopsNoOther imports a file in which every other line is odd: all
// the good ones are taken, and of each of the others it is said where it stands.
func TestAnOddRowStopsNoOther(t *testing.T) {
	dir := t.TempDir()
	s := dev(t, "--listen", "127.0.0.1:0")
	path := filepath.Join(dir, "odd.jsonl")
	var file bytes.Buffer
	for i, odd := range oddRows {
		fmt.Fprintf(&file, "{\"id\":\"T112001%02d\",\"owner\":\"T112\"}\n%s\n", i, odd.row)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"created    13\n", "unchanged  13\n"} {
		c := exec.Command(binary, "import", path)
		c.Env = append(os.Environ(), "MOORING_CACHE_DIR="+s.CacheDir)
		out, _ := c.CombinedOutput()
		if c.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), want) || !strings.Contains(string(out), "refused    13\n") {
			t.Fatalf("it ends with %d and\n%s", c.ProcessState.ExitCode(), out)
		}
	}
	text, err := os.ReadFile(path + ".errors.csv")
	if err != nil {
		t.Fatal(err)
	}
	told, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, line := range told[1:] {
		found[line[0]] += " " + line[3]
	}
	for i, odd := range oddRows {
		line := strconv.Itoa(2 * (i + 1))
		if !strings.Contains(found[line], odd.code) {
			t.Errorf("of line %s it says %q, not %s", line, found[line], odd.code)
		}
		delete(found, line)
	}
	if len(found) > 0 {
		t.Errorf("it also speaks of %v", found)
	}
}
