// Package mooring_test holds the code to what ARCHITECTURE.md says of it.
package mooring_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arrow is one "who -> what" of a table in ARCHITECTURE.md.
type arrow struct{ from, to string }

// arrows is a set, with where each member was seen.
type arrows map[arrow]string

// TestImportsBetweenRoomsAreThoseOfTheTable compares the import table with the
// code in both directions: an import that the table does not allow and an
// arrow that no import uses are equally wrong.
func TestImportsBetweenRoomsAreThoseOfTheTable(t *testing.T) {
	used := arrows{}
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			from, to := room(p.ImportPath), room(imported)
			if to != "" && from != to {
				used[arrow{from, to}] = p.ImportPath
			}
		}
	}
	compare(t, table(t, "imports"), used)
}

// TestEveryRoomIsInTheTable fails for a room that the table forgot and for one
// that it still lists.
func TestEveryRoomIsInTheTable(t *testing.T) {
	listed, found := arrows{}, arrows{}
	for a := range table(t, "rooms") {
		listed[arrow{from: a.from}] = ""
	}
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 {
			found[arrow{from: room(p.ImportPath)}] = p.ImportPath
		}
	}
	compare(t, listed, found)
}

// TestThirdPartiesStayInTheirRooms compares the allowance with the code, again
// in both directions.
func TestThirdPartiesStayInTheirRooms(t *testing.T) {
	allowed := table(t, "third parties")
	used := arrows{}
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if name := thirdParty(imported, allowed); name != "" {
				used[arrow{name, room(p.ImportPath)}] = p.ImportPath
			}
		}
	}
	compare(t, allowed, used)
}

// TestAidsForTestsStayOutOfTheProduct keeps gatetest and storetest out of
// everything but tests.
func TestAidsForTestsStayOutOfTheProduct(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if strings.HasSuffix(imported, "test") && room(imported) != "" && room(p.ImportPath) != "test" {
				t.Errorf("%s imports %s outside a test", p.ImportPath, imported)
			}
		}
	}
}

// TestSecretsAreRevealedOnlyWhereListed finds every call of a method named
// Reveal; there is one such method, that of secret.Plain.
func TestSecretsAreRevealedOnlyWhereListed(t *testing.T) {
	used := arrows{}
	eachSelector(t, func(file, function string, s *ast.SelectorExpr) {
		if s.Sel.Name == "Reveal" {
			used[arrow{file, function}] = file
		}
	})
	compare(t, table(t, "reveals"), used)
}

// TestNothingOpensAnOutwardConnection looks for the doors of net and net/http
// outside the rooms that ARCHITECTURE.md lists for it.
func TestNothingOpensAnOutwardConnection(t *testing.T) {
	doors := map[string][]string{
		"http": {"DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm", "Client", "Transport"},
		"net":  {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialUnix", "DialIP", "Dialer"},
		"tls":  {"Dial", "DialWithDialer", "Dialer"},
	}
	allowed := table(t, "doors")
	used := arrows{}
	eachSelector(t, func(file, _ string, s *ast.SelectorExpr) {
		pkg, ok := s.X.(*ast.Ident)
		if ok && slices.Contains(doors[pkg.Name], s.Sel.Name) {
			used[arrow{filepath.ToSlash(filepath.Dir(file)), pkg.Name + "." + s.Sel.Name}] = file
		}
	})
	compare(t, allowed, used)
}

// TestTestsDoNotSleep: a test that waits by the clock is slow on a good day
// and wrong on a bad one.
func TestTestsDoNotSleep(t *testing.T) {
	for _, file := range files(t, ".go") {
		if (strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "test/")) && !usesVirtualTime(t, file) {
			selectors(t, file, func(function string, s *ast.SelectorExpr) {
				if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "time" && s.Sel.Name == "Sleep" {
					t.Errorf("%s: %s sleeps", file, function)
				}
			})
		}
	}
}

// usesVirtualTime says whether a test sleeps in a bubble, where it costs nothing
// and is exact.
func usesVirtualTime(t *testing.T, file string) bool {
	for line := range lines(t, file) {
		if strings.TrimSpace(line) == `"testing/synctest"` {
			return true
		}
	}
	return false
}

// TestTheProjectStandsAlone refuses paths of one machine and addresses of
// package registries in any file.
func TestTheProjectStandsAlone(t *testing.T) {
	words := []string{
		"/" + "work/", "/" + "home/", "/" + "root/", ".." + "/shared", "shared" + "/contract", "shared" + "/notes",
		"registry." + "npmjs", "proxy." + "golang", "sum." + "golang", "registry." + "yarnpkg",
	}
	for _, file := range files(t, "") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if strings.Contains(string(text), word) {
				t.Errorf("%s mentions %q", file, word)
			}
		}
	}
}

// TestDependenciesAreExplained compares docs/dependencies.md with go.mod: each
// direct module with its version, and no other.
func TestDependenciesAreExplained(t *testing.T) {
	explained, required := arrows{}, arrows{}
	for line := range lines(t, "docs/dependencies.md") {
		cells := strings.Split(line, "|")
		if len(cells) > 3 && strings.HasPrefix(cells[1], " `") {
			explained[arrow{strings.Trim(cells[1], " `"), strings.TrimSpace(cells[2])}] = ""
		}
	}
	for line := range lines(t, "go.mod") {
		words := strings.Fields(line)
		if len(words) == 2 && strings.HasPrefix(words[1], "v") {
			required[arrow{words[0], words[1]}] = "go.mod"
		}
	}
	compare(t, explained, required)
}

// compare fails for each arrow that is on one side only.
func compare(t *testing.T, documented, found arrows) {
	t.Helper()
	for _, a := range sorted(found) {
		if _, ok := documented[a]; !ok {
			t.Errorf("%s -> %s is in the code (%s) and not documented", a.from, a.to, found[a])
		}
	}
	for _, a := range sorted(documented) {
		if _, ok := found[a]; !ok {
			t.Errorf("%s -> %s is documented and not in the code", a.from, a.to)
		}
	}
}

func sorted(set arrows) []arrow {
	return slices.SortedFunc(maps.Keys(set), func(a, b arrow) int {
		return strings.Compare(a.from+" "+a.to, b.from+" "+b.to)
	})
}

// table reads the fenced block of ARCHITECTURE.md whose first line is "# name".
// Each further line is "from, from -> to, to"; a line without an arrow names
// something that points nowhere.
func table(t *testing.T, name string) arrows {
	t.Helper()
	found, inside := arrows{}, false
	for line := range lines(t, "ARCHITECTURE.md") {
		switch {
		case line == "# "+name:
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside:
			from, to, _ := strings.Cut(line, "->")
			for f := range strings.SplitSeq(from, ",") {
				for o := range strings.SplitSeq(to, ",") {
					if name == "rooms" || strings.TrimSpace(o) != "" {
						found[arrow{strings.TrimSpace(f), strings.TrimSpace(o)}] = ""
					}
				}
			}
		}
	}
	return found
}

func lines(t *testing.T, file string) func(yield func(string) bool) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	scan := bufio.NewScanner(f)
	return func(yield func(string) bool) {
		for scan.Scan() && yield(scan.Text()) {
		}
	}
}

type goPackage struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// room names the room that a package belongs to: the first element below the
// root or below internal. It is "" for what is not ours.
func room(importPath string) string {
	path, ours := strings.CutPrefix(importPath, "mooring/")
	if !ours {
		return ""
	}
	path = strings.TrimPrefix(path, "internal/")
	first, _, _ := strings.Cut(path, "/")
	return first
}

// thirdParty names what the allowance calls an import: the listed path that it
// lies under, itself when nothing lists it, and "" for ours and for the parts
// of the standard library that are not listed.
func thirdParty(imported string, allowed arrows) string {
	for a := range allowed {
		if imported == a.from || strings.HasPrefix(imported, a.from+"/") {
			return a.from
		}
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		return ""
	}
	return imported
}

// files lists what belongs to the project and ends in suffix.
func files(t *testing.T, suffix string) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var found []string
	for file := range strings.Lines(string(out)) {
		file = strings.TrimSpace(file)
		if _, err := os.Stat(file); err == nil && strings.HasSuffix(file, suffix) {
			found = append(found, file)
		}
	}
	return found
}

// eachSelector visits every x.y of the product's own code: not of tests, nor
// of the programs under test/ and bench/.
func eachSelector(t *testing.T, visit func(file, function string, s *ast.SelectorExpr)) {
	t.Helper()
	for _, file := range files(t, ".go") {
		if !strings.HasSuffix(file, "_test.go") && !strings.HasPrefix(file, "test/") && !strings.HasPrefix(file, "bench/") {
			selectors(t, file, func(function string, s *ast.SelectorExpr) { visit(file, function, s) })
		}
	}
}

func selectors(t *testing.T, file string, visit func(function string, s *ast.SelectorExpr)) {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range tree.Decls {
		name := ""
		if f, ok := decl.(*ast.FuncDecl); ok {
			name = f.Name.Name
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				visit(name, s)
			}
			return true
		})
	}
}
