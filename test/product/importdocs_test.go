package product

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const importPage = "../../docs/import.md"

// example is a file that the page shows, under the name that it gives it.
var example = regexp.MustCompile("(?ms)^```(?:jsonl|csv) (\\S+)\n(.*?)^```$")

// TestThePageOnImportsDoesWhatItSays writes the files of docs/import.md, and
// runs its commands on them.
func TestThePageOnImportsDoesWhatItSays(t *testing.T) {
	page, err := os.ReadFile(importPage)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := dev(t, "--listen", "127.0.0.1:0")
	for _, found := range example.FindAllStringSubmatch(string(page), -1) {
		if err := os.WriteFile(filepath.Join(dir, found[1]), []byte(found[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ran := 0
	for _, line := range strings.Split(string(page), "\n") {
		args, ok := strings.CutPrefix(line, "mooring import accounts.")
		if !ok {
			continue
		}
		c := exec.Command(binary, strings.Fields("import accounts."+args)...)
		c.Dir, c.Env = dir, append(os.Environ(), "MOORING_CACHE_DIR="+s.CacheDir)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		ran++
	}
	if ran < 3 {
		t.Errorf("the page has %d commands to run", ran)
	}
	again := exec.Command(binary, "import", "accounts.csv")
	again.Dir, again.Env = dir, append(os.Environ(), "MOORING_CACHE_DIR="+s.CacheDir)
	if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "unchanged  2\n") {
		t.Errorf("the same again: %v\n%s", err, out)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.*.*")); len(left) > 0 {
		t.Errorf("it leaves %v behind", left)
	}
}

// TestAFileWithMistakesIsToldAllOfThem imports what a spreadsheet may have made
// of a file, and looks at what is said of it.
func TestAFileWithMistakesIsToldAllOfThem(t *testing.T) {
	dir := t.TempDir()
	s := dev(t, "--listen", "127.0.0.1:0")
	path := filepath.Join(dir, "mixed.csv")
	text := "\xef\xbb\xbfsep=;\r\naccount_id;owner;business_name;connection;status;created_at\r\n" +
		"T11200101;T112;Kaffe AS;vipps;enabled;2023-02-14\r\n" +
		"T11200102;T112;Bok \"1\" AS;vipps;enabled;2023-02-14\r\n" +
		"=cmd|'/c calc'!A1;T112;;vipps;maybe;yesterday\r\n" +
		";T112;;vipps;enabled;2023-02-14\r\n" +
		"T11200104;T119;;vipps;enabled;2099-01-01\r\n" +
		"T11200105;T112;Sk\xf8 AS;vipps;enabled;2023-02-14\r\n" +
		"T11200101;T111;;swish;pending;2023-02-14\r\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary, "import", path)
	c.Env = append(os.Environ(), "MOORING_CACHE_DIR="+s.CacheDir)
	out, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "created    1\n") || !strings.Contains(string(out), "refused    6\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	told, err := os.ReadFile(path + ".errors.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"4,", "the line can't be read", "5,'=cmd|'/c calc'!A1,created_at,INVALID_FORMAT", "6,,account_id,REQUIRED",
		"7,T11200104,owner,UNKNOWN_OWNER", "7,T11200104,connections/0/created_at,OUT_OF_RANGE", "8,T11200105,business_name,INVALID_ENCODING", "9,T11200101,owner,CONFLICT",
	} {
		if !strings.Contains(string(told), want) {
			t.Errorf("%q is not told:\n%s", want, told)
		}
	}
}
