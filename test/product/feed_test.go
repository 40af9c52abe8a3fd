package product

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

var goExample = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

func TestThePageOnTheFeedShowsTheExampleThatRuns(t *testing.T) {
	page, err := os.ReadFile("../../docs/feed.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("../../examples/ledger/main.go")
	if err != nil {
		t.Fatal(err)
	}
	shown := goExample.FindAllStringSubmatch(string(page), -1)
	if len(shown) == 0 {
		t.Error("the page shows no Go")
	}
	for _, code := range shown {
		if !strings.Contains(string(program), code[1]) {
			t.Errorf("examples/ledger has not:\n%s", code[1])
		}
	}
}

// TestWhoKeepsItsCursorWithItsWriteDoesEachItemOnce kills the example of
// docs/feed.md, and the server, again and again while events are written.
func TestWhoKeepsItsCursorWithItsWriteDoesEachItemOnce(t *testing.T) {
	program := filepath.Join(t.TempDir(), "ledger")
	if out, err := exec.Command("go", "build", "-o", program, "mooring/examples/ledger").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("sqlite", func(t *testing.T) { followFeed(t, program) })
	t.Run("postgres", func(t *testing.T) { followFeed(t, program, "--database", storetest.Postgres(t)) })
}

// followFeed kills the server once: on PostgreSQL it dies as the one who gives
// positions, and its next life has to wait until the lease is over.
func followFeed(t *testing.T, program string, args ...string) {
	const rounds, each = 3, 16
	dir := t.TempDir()
	args = append(args, "--data", filepath.Join(dir, "data"))
	s := dev(t, append(args, "--listen", "127.0.0.1:0")...)
	args = append(args, "--listen", strings.TrimPrefix(s.BaseURL, "http://"))
	who := s.Clients()["partner"]
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte(who.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ledger.json")
	run := func() (kill func()) {
		c := exec.Command(program, "--url", s.BaseURL, "--account", "T11200000", "--client-id", who.ID, "--secret-file", secret, "--file", file)
		c.Stdout, c.Stderr = io.Discard, io.Discard
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return func() { _ = c.Process.Kill(); _ = c.Wait() }
	}
	kill := run()
	written := 1 // the signup of `mooring dev`
	for round := range rounds {
		token := tokens(t, s)["partner"]
		for i := range each {
			if i%4 == 3 {
				kill()
				kill = run()
			}
			status := statuses[(round+i)%len(statuses)]
			answer, err := drive.NewClient(s.BaseURL).Do(http.MethodPost, "/v1/accounts/T112/management/accounts/T11223352/connections/vipps/events",
				bearer(token), fmt.Appendf(nil, `{"status":%q,"event":"step"}`, status))
			if err != nil || answer.Status != http.StatusOK {
				t.Fatal(err, answer.Status)
			}
			written++
		}
		if round == 0 {
			s.Kill()
			s = dev(t, args...)
		}
	}
	defer func() { kill() }()
	want := statuses[(rounds-1+each-1)%len(statuses)]
	var kept ledger
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && kept.Connections["T11223352/vipps"].Events < written; <-look.C {
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &kept)
		}
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if got := kept.Connections["T11223352/vipps"]; got.Events != written || got.Status != want {
		t.Errorf("the ledger has %+v, want %d events and %s", got, written, want)
	}
}

type ledger struct {
	Connections map[string]struct {
		Status string
		Events int
	}
}
