package product

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/test/drive"
)

// TestTheReadmeDoesWhatItSays pastes the README's session into a shell beside
// a fresh server, and compares what comes back with what is printed there, ids
// and times aside.
func TestTheReadmeDoesWhatItSays(t *testing.T) {
	session := block(t, "../../README.md", "is()")
	s := dev(t, "--listen", "127.0.0.1:0")
	dir := t.TempDir()
	ready, err := json.MarshalIndent(s.Ready, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ready.json"), ready, 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(promised(session), vague(paste(t, dir, session))); diff != "" {
		t.Errorf("the README prints (-), the server answers (+):\n%s", diff)
	}
}

// TestTheReadmesClockDoesWhatItSays pastes what the README says of the clocks of
// test accounts, as somebody who stands in the repository.
func TestTheReadmesClockDoesWhatItSays(t *testing.T) {
	s := dev(t, "--listen", "127.0.0.1:0")
	session := block(t, "../../README.md", "clock advance")
	t.Setenv("MOORING_CACHE_DIR", s.CacheDir)
	if diff := cmp.Diff(promised(session), vague(paste(t, "../..", session))); diff != "" {
		t.Errorf("the README prints (-), the server answers (+):\n%s", diff)
	}
}

// TestASecondTerminalShowsWhatAThirdTriggers does what the README says, and then
// what the banner of dev says.
func TestASecondTerminalShowsWhatAThirdTriggers(t *testing.T) {
	s := dev(t, "--listen", "127.0.0.1:0")
	t.Setenv("MOORING_CACHE_DIR", s.CacheDir)
	session := block(t, "../../README.md", "mooring trigger")
	second := listening(t, s, "--connection", "swish")
	if diff := cmp.Diff(promised(session), vague(paste(t, "../..", session))); diff != "" {
		t.Errorf("the README prints (-), the server answers (+):\n%s", diff)
	}
	await(t, second, func() bool { return vague(second.Printed()) == promised(session) })

	_, lines, _ := strings.Cut(bannerOf(t, s), "let something happen from a third")
	lines, _, _ = strings.Cut(lines, "# to have it sent")
	first, trigger, found := strings.Cut(strings.TrimSpace(lines[strings.Index(lines, "\n"):]), "\n")
	if !found || !strings.HasSuffix(first, " listen") {
		t.Fatalf("the banner has no lines to paste:\n%s", s.Printed())
	}
	third := dev(t, "--listen", "127.0.0.1:0")
	t.Setenv("MOORING_CACHE_DIR", third.CacheDir)
	second = listening(t, third)
	out := paste(t, t.TempDir(), trigger)
	review, decision, _ := strings.Cut(out, "\n")
	await(t, second, func() bool {
		_, later, found := strings.Cut(second.Printed(), review)
		return found && review != "" && decision != "" && strings.Contains(later, decision)
	})
}

// listening starts the second terminal.
func listening(t *testing.T, s *drive.Server, filters ...string) *drive.Server {
	t.Helper()
	second := launch(t, s, append([]string{"listen"}, filters...)...)
	await(t, second, func() bool { return strings.Contains(second.Log(), "Ctrl-C ends it") })
	return second
}

// promised is what a session says comes back, without what differs from run to
// run.
func promised(session string) string {
	var printed strings.Builder
	for line := range strings.Lines(session) {
		if answer, ok := strings.CutPrefix(line, "# -> "); ok {
			printed.WriteString(vague(answer))
		}
	}
	return printed.String()
}

// TestTheBannerOfDevCanBePasted runs the lines that `mooring dev` prints.
func TestTheBannerOfDevCanBePasted(t *testing.T) {
	s := dev(t, "--listen", "127.0.0.1:0")
	_, lines, found := strings.Cut(bannerOf(t, s), "Paste into another terminal")
	lines, _, ended := strings.Cut(lines, "The API is described at")
	if !found || !ended {
		t.Fatalf("the banner has no lines to paste:\n%s", s.Printed())
	}
	lines, notes, _ := strings.Cut(lines, "See what happens")
	t.Setenv("MOORING_CACHE_DIR", s.CacheDir)
	calls, moves, _ := strings.Cut(lines, "# let the providers")
	if moved := paste(t, t.TempDir(), "# "+moves); !strings.Contains(notes, "Mooring-Scenario") ||
		strings.Count(moved, "4 days ahead of real time") != 2 || strings.Count(moved, "4 days 4 hours ahead of real time") != 1 || strings.Contains(moved, "refused") {
		t.Errorf("the clock does not do what the banner says:\n%s", moved)
	}
	out := paste(t, t.TempDir(), calls)
	answers := strings.Split(strings.TrimSpace(out), "\n")
	if len(answers) < 4 {
		t.Errorf("only %d answers:\n%s", len(answers), out)
	}
	for _, answer := range answers {
		var object map[string]any
		if err := json.Unmarshal([]byte(answer), &object); err != nil || object["error"] != nil {
			t.Errorf("%v: %s", err, answer)
		}
	}
}

// bannerOf waits for all that dev prints: it comes after the server answers.
func bannerOf(t *testing.T, s *drive.Server) string {
	t.Helper()
	await(t, s, func() bool { return strings.Contains(s.Printed(), "The API is described at") })
	return s.Printed()
}

// TestTheReadmesMakeTargetsExist keeps the commands of the first screen real.
func TestTheReadmesMakeTargetsExist(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`make ([a-z-]+) `).FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(string(makefile), "\n"+m[1]+":") {
			t.Errorf("the README says make %s, and the Makefile has no such target", m[1])
		}
	}
}

// block is the fenced block of a document that contains a word.
func block(t *testing.T, file, word string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(m[1], word) {
			return m[1]
		}
	}
	t.Fatalf("%s has no block with %s", file, word)
	return ""
}

func paste(t *testing.T, dir, lines string) string {
	t.Helper()
	cmd := exec.Command("sh", "-e")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(lines)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the pasted lines failed: %v\n%s", err, out)
	}
	return string(out)
}

var (
	uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
)

// vague replaces what differs from run to run.
func vague(text string) string {
	return times.ReplaceAllString(uuids.ReplaceAllString(text, "UUID"), "TIME")
}
