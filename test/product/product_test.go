// Package product holds the built binary to promises that no single room can
// keep: nothing acknowledged is lost in a crash, no secret leaves the house, a
// stop finishes what was accepted, and what is unsafe does not start.
package product

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// binary is built without the race detector: these tests are about time and
// processes; the stories drive a binary with it.
var binary string

func TestMain(m *testing.M) {
	os.Exit(drive.Main(m, func(dir string) (err error) {
		binary, err = drive.Build(dir, false)
		return err
	}))
}

// dev starts a `mooring dev` that is gone when the test is over.
func dev(t *testing.T, args ...string) *drive.Server {
	t.Helper()
	s, err := drive.Start(context.Background(), binary, append([]string{"dev"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

// onBothEngines runs a test with what makes `mooring dev` use each of them.
func onBothEngines(t *testing.T, test func(t *testing.T, args ...string)) {
	t.Run("sqlite", func(t *testing.T) { test(t) })
	t.Run("postgres", func(t *testing.T) {
		test(t, "--database", storetest.Postgres(t), "--data", filepath.Join(t.TempDir(), "data"))
	})
}

// tokens gets one access token for each client of a `mooring dev`.
func tokens(t *testing.T, s *drive.Server) map[string]string {
	t.Helper()
	client, found := drive.NewClient(s.BaseURL), map[string]string{}
	for name, who := range s.Clients() {
		token, err := client.Token(who)
		if err != nil {
			t.Fatal(err)
		}
		found[name] = token
	}
	return found
}

// bearer is the header of a request with a token and, for a body, its type.
func bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
}

// initialised makes a data directory and returns the clients that `mooring
// init` printed: of production and of the test world.
func initialised(t *testing.T) (dir string, production, test drive.Credentials) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	out, err := exec.Command(binary, "init", "--data", dir).Output()
	if err != nil {
		t.Fatalf("mooring init: %v", err)
	}
	found := map[string]*drive.Credentials{"P00000000": &production, "T00000000": &test}
	var who *drive.Credentials
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		switch {
		case len(words) < 2:
		case words[0] == "account":
			who = found[words[1]]
			who.Account = words[1]
		case words[0] == "client":
			who.ID = words[1]
		case words[0] == "secret":
			who.Secret = words[1]
		}
	}
	return dir, production, test
}

// freeAddress is a loopback address that nobody listens on at the moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func decode[T any](t *testing.T, answer drive.Answer) T {
	t.Helper()
	var v T
	if answer.Status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", answer.Method, answer.Target, answer.Status, answer.Body)
	}
	if err := json.Unmarshal(answer.Body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
