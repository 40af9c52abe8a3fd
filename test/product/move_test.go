package product

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// TestAMovedServiceIsTheSameService moves what a server has from SQLite to
// PostgreSQL, lives on there, and moves back what a running server has.
func TestAMovedServiceIsTheSameService(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := dev(t, "--data", dir, "--listen", "127.0.0.1:0")
	old := house{t, drive.NewClient(s.BaseURL), s.Clients()}
	old.signUp("vipps", "")
	was := old.read()
	page := old.feed("since=2020-01-01T00:00:00Z")
	if len(page.Items) == 0 {
		t.Fatal("the feed is empty")
	}
	clients := s.Clients()
	if code, err := s.Stop(); code != 0 || err != nil {
		t.Fatal(code, err)
	}

	database := storetest.Postgres(t)
	first := exportOf(t, "--data", dir)
	runs(t, "import", first, "--into-database", database)
	second := exportOf(t, "--database", database)
	wantSame(t, first, second)

	address := freeAddress(t)
	s, err := drive.Serve(context.Background(), binary, "http://"+address, "serve", "--database", database, "--key-file", dir+".key",
		"--listen", address, "--public-url", "http://"+address, "--world", "T")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	now := house{t, drive.NewClient(s.BaseURL), clients}
	if is := now.read(); is != was {
		t.Errorf("the connection was\n%s\nand is\n%s", was, is)
	}
	if rest := now.feed("after=" + page.Next); len(rest.Items) != 0 {
		t.Errorf("behind the cursor of before %d are told again", len(rest.Items))
	}
	now.signUp("mastercard-3ds", `{"signup": {"case_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}}`)
	end := time.Now().Add(drive.Patience)
	rest := now.feed("after=" + page.Next)
	for len(rest.Items) == 0 && time.Now().Before(end) { // each question takes a round trip
		rest = now.feed("after=" + page.Next)
	}
	if len(rest.Items) == 0 {
		t.Error("what happens now is not told behind the cursor of before")
	}

	third := exportOf(t, "--database", database) // of a server that runs
	if code, err := s.Stop(); code != 0 || err != nil {
		t.Fatal(code, err)
	}
	back := filepath.Join(t.TempDir(), "back")
	runs(t, "import", third, "--into-data", back)
	wantSame(t, third, exportOf(t, "--data", back))
	runs(t, "keys", "verify", "--data", back, "--key-file", dir+".key")
}

// TestAnImportThatIsKilledGoesOn kills an import into each engine a few times.
func TestAnImportThatIsKilledGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := dev(t, "--data", dir, "--listen", "127.0.0.1:0")
	if code, err := s.Stop(); code != 0 || err != nil {
		t.Fatal(code, err)
	}
	file := exportOf(t, "--data", dir)
	for into, from := range map[[2]string]string{
		{"--into-data", filepath.Join(t.TempDir(), "new")}: "--data",
		{"--into-database", storetest.Postgres(t)}:         "--database",
	} {
		for i := range 5 {
			ctx, kill := context.WithTimeout(context.Background(), time.Duration(20+30*i)*time.Millisecond)
			_ = exec.CommandContext(ctx, binary, "import", file, into[0], into[1]).Run() // killed, or done
			kill()
		}
		runs(t, "import", file, into[0], into[1])
		wantSame(t, file, exportOf(t, from, into[1]))
	}
}

// runs runs a command that is to succeed.
func runs(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(binary, args...).CombinedOutput(); err != nil {
		t.Fatalf("mooring %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func exportOf(t *testing.T, from ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "export")
	runs(t, append([]string{"export", "--out", path}, from...)...)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("an export is open to others: %v, %v", info.Mode(), err)
	}
	return path
}

func wantSame(t *testing.T, one, other string) {
	t.Helper()
	a, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("the exports differ: %d and %d bytes", len(a), len(b))
	}
}

// house is a server that has the accounts of `mooring dev`.
type house struct {
	t       *testing.T
	client  *drive.Client
	clients map[string]drive.Credentials
}

func (h house) do(method, target, body string) drive.Answer {
	h.t.Helper()
	token, err := h.client.Token(h.clients["merchant"])
	if err != nil {
		h.t.Fatal(err)
	}
	var sent []byte
	if body != "" {
		sent = []byte(body)
	}
	answer, err := h.client.Do(method, target, bearer(token), sent)
	if err != nil || answer.Status != http.StatusOK {
		h.t.Fatalf("%s %s: %v %d %s", method, target, err, answer.Status, answer.Body)
	}
	return answer
}

func (h house) path() string {
	return "/v1/accounts/" + h.clients["merchant"].Account + "/management/settings/connections/"
}

func (h house) signUp(slug, body string) { h.t.Helper(); h.do(http.MethodPost, h.path()+slug, body) }

// read is a connection, whose link begins where the server is.
func (h house) read() string {
	h.t.Helper()
	return strings.ReplaceAll(string(h.do(http.MethodGet, h.path()+"vipps", "").Body), h.client.BaseURL, "")
}

type feedOfHouse struct {
	Items []json.RawMessage `json:"items"`
	Next  string            `json:"cursor"`
}

func (h house) feed(query string) feedOfHouse {
	h.t.Helper()
	return decode[feedOfHouse](h.t, h.do(http.MethodGet, "/v1/accounts/"+h.clients["merchant"].Account+"/feed?"+query, ""))
}
