package product

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/store"
	"mooring/test/drive"
)

// importAccounts is how many accounts with six connections each are imported.
// MOORING_IMPORT_ACCOUNTS=60000 is the size that docs/import.md gives figures of.
func importAccounts(t *testing.T) int {
	text := os.Getenv("MOORING_IMPORT_ACCOUNTS")
	if text == "" {
		return 1000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAnImportGoesOnAfterEitherSideWasKilled imports many accounts, kills the
// command, and then the server, in the middle, and looks at what is there when
// the command has come to its end.
func TestAnImportGoesOnAfterEitherSideWasKilled(t *testing.T) {
	onBothEngines(t, func(t *testing.T, args ...string) {
		args = append(args, "--data", filepath.Join(t.TempDir(), "data"))
		s := dev(t, append(args, "--listen", "127.0.0.1:0")...)
		args = append(args, "--listen", strings.TrimPrefix(s.BaseURL, "http://"))
		n := importAccounts(t)
		i := &importRun{t: t, file: importFile(t, n), server: s}

		killed := i.start()
		i.await(n / 4)
		killed.kill()
		began, from := time.Now(), i.sent()
		if from == 0 || from >= n {
			t.Fatalf("%d of %d accounts were sent when the command was killed", from, n)
		}
		second := i.start()
		i.await(n * 2 / 3)
		s.Kill()
		s = dev(t, args...)
		second.ends(0)
		if !strings.Contains(second.out.String(), fmt.Sprintf("going on after %s accounts", grouped(from))) {
			t.Errorf("the command does not go on where it stopped:\n%s", second.out.String())
		}
		t.Logf("%d accounts with %d connections in %s", n-from, 6*(n-from), time.Since(began).Round(time.Millisecond))
		created, unchanged := second.count("created"), second.count("unchanged")
		if created+unchanged != n+1 || second.count("refused")+second.count("updated") != 0 {
			t.Errorf("it ends with\n%s", second.out.String())
		}
		i.server = s
		began = time.Now()
		third := i.start()
		third.ends(0)
		if third.count("unchanged") != n+1 {
			t.Errorf("the same again ends with\n%s", third.out.String())
		}
		t.Logf("the same again in %s", time.Since(began).Round(time.Millisecond))
		callBack(t, s, n)
		if code, err := s.Stop(); code != 0 || err != nil {
			t.Fatal(code, err)
		}
		verifyImport(t, args, n)
	})
}

// importFile writes a partner and n merchants.
func importFile(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accounts.jsonl")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fmt.Fprintln(file, `{"id": "T30000000", "owner": "T000", "profile": {"company": {"business_name": "Nordlys Partner AS"}}}`)
	for i := range n {
		var connections []string
		for k, slug := range importSlugs {
			at := time.Date(2024, time.Month(1+i%12), 1+i%28, 10, k, 0, 0, time.UTC)
			configuration, status := "", statuses[(i+k)%len(statuses)]
			if slug == "vipps" && status == "enabled" {
				configuration = `, "configuration": {"merchant_serial_number": "` + strconv.Itoa(i) + `", "client_secret": "open sesame"}`
			}
			connections = append(connections, fmt.Sprintf(`{"connection": %q, "status": %q, "created_at": %q, "signups": [{"callback_reference": "R-%d-%d"}], "events": [
				{"status": "pending", "event": "signup_received", "created_at": %[3]q}, {"status": "pending", "event": "under_review", "created_at": %[3]q},
				{"status": %[2]q, "event": "decided", "created_at": %[6]q, "description": "by hand"}]%s}`,
				slug, status, at.Format(time.RFC3339), i, k, at.Add(72*time.Hour).Format(time.RFC3339), configuration))
		}
		fmt.Fprintln(file, strings.NewReplacer("\n", "", "\t", "").Replace(fmt.Sprintf(
			`{"id": "T300%05d", "owner": "T300", "created_at": "2023-05-01T00:00:00Z", "profile": {"company": {"business_name": "Butikk %d AS", "organization_number": "8%08d", "address": {"country": "NO"}}}, "connections": [%s]}`,
			i+1, i, i, strings.Join(connections, ", "))))
	}
	return path
}

var importSlugs = []string{"vipps", "payex", "swish", "collector", "bambora", "mastercard-3ds"}

// importRun runs the command on one file.
type importRun struct {
	t      *testing.T
	file   string
	server *drive.Server
}

// sent is how many accounts the command knows to be there.
func (i *importRun) sent() int {
	text, err := os.ReadFile(i.file + ".import")
	if err != nil {
		return 0
	}
	var state struct{ Counts map[string]int }
	if err := json.Unmarshal(text, &state); err != nil {
		i.t.Fatal(err)
	}
	sum := 0
	for _, n := range state.Counts {
		sum += n
	}
	return sum
}

// await returns when so many are there.
func (i *importRun) await(n int) {
	i.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(20 * time.Minute)
	defer end.Stop()
	for i.sent() < n {
		select {
		case <-tick.C:
		case <-end.C:
			i.t.Fatalf("only %d accounts are there", i.sent())
		}
	}
}

// importing is one run of the command.
type importing struct {
	t   *testing.T
	cmd *exec.Cmd
	out bytes.Buffer
}

func (i *importRun) start() *importing {
	i.t.Helper()
	c := exec.Command(binary, "import", "--url", i.server.BaseURL, "--client", i.server.PlatformClientID, i.file)
	c.Env = append(os.Environ(), "MOORING_CLIENT_SECRET="+i.server.PlatformSecret)
	run := &importing{t: i.t, cmd: c}
	c.Stdout, c.Stderr = &run.out, &run.out
	if err := c.Start(); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { _ = c.Process.Kill() })
	return run
}

func (r *importing) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *importing) ends(code int) {
	r.t.Helper()
	_ = r.cmd.Wait()
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		r.t.Fatalf("the import exits with %d:\n%s", got, r.out.String())
	}
}

// count is the number behind a word of the summary.
func (r *importing) count(word string) int {
	_, rest, _ := strings.Cut(r.out.String(), "\n"+word+" ")
	if found, ok := strings.CutPrefix(r.out.String(), word+" "); ok {
		rest = found
	}
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		r.t.Fatalf("there is no %s in\n%s", word, r.out.String())
	}
	return n
}

func grouped(n int) string {
	text := strconv.Itoa(n)
	if len(text) > 3 {
		return text[:len(text)-3] + "," + text[len(text)-3:]
	}
	return text
}

// callBack lets a provider call under the name that it knows.
func callBack(t *testing.T, s *drive.Server, n int) {
	t.Helper()
	client := drive.NewClient(s.BaseURL)
	path := fmt.Sprintf("/v1/accounts/T300%05d/connections/vipps/signups/R-%d-0/events", n, n-1)
	answer, err := client.Do(http.MethodPost, path, bearer(tokens(t, s)["platform"]), []byte(`{"status": "pending", "event": "reminder_sent"}`))
	if err != nil || answer.Status != http.StatusOK {
		t.Errorf("%v %d %s", err, answer.Status, answer.Body)
	}
}

// verifyImport reads what a stopped server has: everything, once.
func verifyImport(t *testing.T, args []string, n int) {
	t.Helper()
	cfg := store.Config{MustExist: true}
	for i, arg := range args {
		switch arg {
		case "--data":
			cfg.DataDir = args[i+1]
		case "--database":
			cfg.Database = args[i+1]
		}
	}
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range n {
		if n > 2000 && i%37 != 0 && i != n-1 {
			continue
		}
		id := account.ID(fmt.Sprintf("T300%05d", i+1))
		known, err := db.Known(context.Background(), []account.ID{id})
		if err != nil || len(known[id].Connections) != len(importSlugs) {
			t.Fatalf("%s: %v, %d connections", id, err, len(known[id].Connections))
		}
		for k, slug := range importSlugs {
			c, events := known[id].Connections[slug], 3
			if i == n-1 && k == 0 {
				events = 4 // the provider called back
			}
			if len(c.Events) != events || len(c.Signups) != 1 || events == 3 && string(c.Status) != statuses[(i+k)%4] {
				t.Fatalf("%s/%s has %d events and %d signups and is %s", id, slug, len(c.Events), len(c.Signups), c.Status)
			}
			if known[id].References[slug][fmt.Sprintf("R-%d-%d", i, k)] != c.Signups[0].ID {
				t.Fatalf("%s/%s has lost its reference", id, slug)
			}
		}
	}
}
