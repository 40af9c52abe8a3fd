package product

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mooring/test/drive"
)

// TestListenShowsAScenarioAsItHappens is the experience of three terminals: a
// server, a listener that forwards to a program which verifies what it gets, and
// scenarios that are played. Then the listener goes on from where it was.
func TestListenShowsAScenarioAsItHappens(t *testing.T) {
	onBothEngines(t, func(t *testing.T, args ...string) {
		s := dev(t, append(args, "--listen", "127.0.0.1:0")...)
		program := startReceiver(t, s)
		listener := launch(t, s, "listen", "--account", "T11223352", "--forward-to", program.hook, "--format", "json")
		await(t, listener, func() bool { return strings.Contains(listener.Log(), "each event goes to") })

		told := mooring(t, s, "trigger", "--account", "T11223352", "vipps", "declined", "--play")
		if names := lastWords(told); names != "signup_finished application_declined" {
			t.Fatalf("trigger tells of %q:\n%s", names, told)
		}
		await(t, listener, func() bool { return strings.Contains(listener.Printed(), "application_declined") })
		await(t, program.Server, func() bool {
			return strings.Contains(program.Printed(), "account_connection_update T11223352 vipps declined")
		})
		heard := entries(t, listener.Printed())
		for _, e := range heard {
			if e.Forwarded.Status != 204 || e.Event.Account != "T11223352" {
				t.Errorf("an event that was not taken: %+v", e)
			}
		}
		cursor := interrupt(t, listener)
		if cursor != heard[len(heard)-1].Cursor {
			t.Errorf("to go on from %s, not behind the last event", cursor)
		}

		mooring(t, s, "trigger", "--account", "T11223352", "swish", "declined", "--play") // nobody listens
		later := entries(t, mooring(t, s, "events", "tail", "--account", "T11223352", "--connection", "swish", "--replay-from", cursor, "--count", "2", "--format", "json"))
		for i, name := range []string{"under_review", "application_declined"} {
			if later[i].Event.name() != name {
				t.Errorf("behind the cursor comes %s, not %s", later[i].Event.name(), name)
			}
		}
		whole := entries(t, mooring(t, s, "events", "tail", "--account", "T11223352", "--replay-from", "start", "--connection", "vipps", "--count", "3", "--format", "json"))
		if whole[0].Event.name() != "signup_received" || whole[1].Event.ID != named(heard, "signup_finished") {
			t.Errorf("from the start: %+v", whole)
		}
	})
}

// program is the example receiver, and where it takes hooks.
type program struct {
	*drive.Server
	hook string
}

func startReceiver(t *testing.T, s *drive.Server) program {
	t.Helper()
	dir := t.TempDir()
	binary, secret := filepath.Join(dir, "receiver"), filepath.Join(dir, "secret")
	if out, err := exec.Command("go", "build", "-o", binary, "mooring/examples/receiver").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(secret, []byte(mooring(t, s, "listen", "--print-secret")), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := drive.Launch(binary, "--listen", "127.0.0.1:0", "--secret-file", secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	await(t, p, func() bool { return strings.HasSuffix(p.Printed(), "/hook\n") })
	return program{p, strings.Fields(p.Printed())[2]}
}

// launch starts a command that talks to a dev server until the test is over.
func launch(t *testing.T, s *drive.Server, args ...string) *drive.Server {
	t.Helper()
	command, err := drive.Launch(binary, append(args, "--cache-dir", s.CacheDir)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(command.Kill)
	return command
}

// mooring runs a command that talks to a dev server to its end.
func mooring(t *testing.T, s *drive.Server, args ...string) string {
	t.Helper()
	command := launch(t, s, args...)
	if code, err := command.Wait(); code != 0 || err != nil {
		t.Fatalf("%v: exit %d, %v\n%s%s", args, code, err, command.Printed(), command.Log())
	}
	return command.Printed()
}

// interrupt is Ctrl-C, and gives the cursor to go on from.
func interrupt(t *testing.T, listener *drive.Server) string {
	t.Helper()
	if err := listener.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	code, err := listener.Wait()
	_, cursor, found := strings.Cut(listener.Log(), "go on with: mooring listen --replay-from ")
	if code != 0 || err != nil || !found {
		t.Fatalf("exit %d, %v\n%s", code, err, listener.Log())
	}
	return strings.TrimSpace(cursor)
}

// await waits until a process has got somewhere.
func await(t *testing.T, s *drive.Server, arrived func() bool) {
	t.Helper()
	tick, late := time.NewTicker(10*time.Millisecond), time.After(drive.Patience)
	defer tick.Stop()
	for !arrived() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it never came:\n%s%s", s.Printed(), s.Log())
		}
	}
}

// entry is a line of what a listener prints.
type entry struct {
	Cursor    string
	Event     entryEvent
	Forwarded struct{ Status int }
}

type entryEvent struct {
	ID      string
	Account string `json:"account_id"`
	Data    struct {
		Event struct{ Event string } `json:"connection_event"`
	}
}

func (e entryEvent) name() string { return e.Data.Event.Event }

func entries(t *testing.T, lines string) []entry {
	t.Helper()
	var all []entry
	for line := range strings.Lines(lines) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

func named(all []entry, name string) string {
	for _, e := range all {
		if e.Event.name() == name {
			return e.Event.ID
		}
	}
	return ""
}

// lastWords are the last words of each line.
func lastWords(lines string) string {
	var words []string
	for line := range strings.Lines(lines) {
		fields := strings.Fields(line)
		words = append(words, fields[len(fields)-1])
	}
	return strings.Join(words, " ")
}

// TestDevSendsHooksToThisMachineAndNeverToItself: whoever tries hooks out has
// the receiver at hand, and needs no flag for it.
func TestDevSendsHooksToThisMachineAndNeverToItself(t *testing.T) {
	s := dev(t, "--listen", "127.0.0.1:0")
	events := make(chan string, 16)
	program := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { events <- r.Header.Get("event") }))
	defer program.Close()
	create := []string{"hooks", "create", "--account", "T11223352", "--events", "account_connection_update"}
	mooring(t, s, append(create, strings.Replace(program.URL, "127.0.0.1", "localhost", 1)+"/hook")...)
	mooring(t, s, "trigger", "--account", "T11223352", "vipps", "declined", "--play")
	late := time.After(drive.Patience)
	for _, want := range []string{"ping", "account_connection_update"} {
		select {
		case got := <-events:
			if got != want {
				t.Errorf("%s comes, not %s", got, want)
			}
		case <-late:
			t.Fatalf("no %s comes\n%s", want, s.Log())
		}
	}
	command := launch(t, s, append(create, s.BaseURL+"/healthz")...)
	if code, err := command.Wait(); code != 1 || err != nil || !strings.Contains(command.Log(), "it is this service's own") {
		t.Errorf("a hook to the server itself: exit %d, %v\n%s%s", code, err, command.Printed(), command.Log())
	}
}
