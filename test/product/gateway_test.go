package product

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/test/drive"
)

// TestASignupGoesThroughAGatewayUntilItIsEnabled runs the example gateway beside
// a server, from a signup to the callback that enables it, and asks for the
// status after.
func TestASignupGoesThroughAGatewayUntilItIsEnabled(t *testing.T) {
	secretFile := gatewaySecret(t)
	adapter := filepath.Join(t.TempDir(), "gateway")
	if out, err := exec.Command("go", "build", "-o", adapter, "mooring/examples/gateway").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	address := freeAddress(t)
	example := exec.Command(adapter, "--listen", address, "--secret-file", secretFile, "--after", "50ms")
	example.Stderr = os.Stderr
	if err := example.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { example.Process.Kill(); example.Wait() })

	g := newGatewayed(t, "http://"+address, secretFile)
	g.signUp()
	g.await("enabled")
	answer := g.read("?sync=true")
	if word := answer.Header.Get("Mooring-Sync"); word != "unchanged" {
		t.Errorf("Mooring-Sync is %q\n%s", word, g.server.Log())
	}
}

// TestASignupSurvivesACrashBetweenTheStepsOfItsSubmission kills the server in
// the moment in which the gateway has the signup and has not answered, and
// again when it has. The gateway sees one id all the time, and nothing is lost.
func TestASignupSurvivesACrashBetweenTheStepsOfItsSubmission(t *testing.T) {
	var (
		mu  sync.Mutex
		ids []string
	)
	held := make(chan struct{}, 8)
	release := make(chan int)
	adapter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		mu.Lock()
		ids = append(ids, r.Header.Get("webhook-id"))
		mu.Unlock()
		held <- struct{}{}
		select {
		case status := <-release:
			w.WriteHeader(status)
			if status == http.StatusOK {
				io.WriteString(w, `{"report":{"status":"enabled","event":"enrolled"}}`)
			}
		case <-r.Context().Done():
		}
	}))
	defer adapter.Close()

	g := newGatewayed(t, adapter.URL, gatewaySecret(t))
	g.signUp()
	<-held // the gateway has it, and we will never know
	g.server.Kill()
	g.expireLeases()
	g.start()
	<-held
	release <- http.StatusServiceUnavailable // known to have failed, and due again
	<-held
	release <- http.StatusOK
	g.await("enabled")

	mu.Lock()
	defer mu.Unlock()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Errorf("the gateway saw the ids %v", ids)
		}
	}
	if n := len(strings.Split(string(g.read("").Body), `"enrolled"`)) - 1; n != 1 {
		t.Errorf("the report was recorded %d times", n)
	}
}

// gatewayed is a production server with a gateway, and a client of its platform.
type gatewayed struct {
	t                    *testing.T
	dir, gateway, secret string
	platform             drive.Credentials
	server               *drive.Server
	client               *drive.Client
	token                string
}

func newGatewayed(t *testing.T, gateway, secretFile string) *gatewayed {
	t.Helper()
	dir, platform, _ := initialised(t)
	g := &gatewayed{t: t, dir: dir, gateway: gateway, secret: secretFile, platform: platform}
	g.start()
	return g
}

func (g *gatewayed) start() {
	g.t.Helper()
	address := freeAddress(g.t)
	var err error
	g.server, err = drive.Serve(context.Background(), binary, "http://"+address,
		"serve", "--data", g.dir, "--listen", address, "--public-url", "http://"+address,
		"--gateway", "mastercard-3ds="+g.gateway, "--gateway-secret-file", g.secret, "--outbound-allow", "127.0.0.0/8")
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(g.server.Kill)
	g.client = drive.NewClient(g.server.BaseURL)
	if g.token, err = g.client.Token(g.platform); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gatewayed) path() string {
	return fmt.Sprintf("/v1/accounts/%s/management/settings/connections/mastercard-3ds", g.platform.Account)
}

func (g *gatewayed) signUp() {
	g.t.Helper()
	answer, err := g.client.Do(http.MethodPost, g.path(), bearer(g.token), []byte(`{"signup":{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}}`))
	if err != nil || answer.Status != http.StatusOK {
		g.t.Fatal(answer.Status, err, string(answer.Body))
	}
}

func (g *gatewayed) read(query string) drive.Answer {
	g.t.Helper()
	answer, err := g.client.Do(http.MethodGet, g.path()+query, bearer(g.token), nil)
	if err != nil || answer.Status != http.StatusOK {
		g.t.Fatal(answer.Status, err, string(answer.Body))
	}
	return answer
}

// await asks until the connection has a status.
func (g *gatewayed) await(status string) {
	g.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(drive.Patience); time.Now().Before(deadline); <-tick.C {
		if decode[struct{ Status string }](g.t, g.read("")).Status == status {
			return
		}
	}
	g.t.Fatalf("it is not %s\n%s", status, g.server.Log())
}

// expireLeases lets what a killed server had in hand be claimed at once, as
// happens by itself when the lease ends.
func (g *gatewayed) expireLeases() {
	g.t.Helper()
	expireLeases(g.t, filepath.Join(g.dir, "mooring.db"))
}

func gatewaySecret(t *testing.T) string {
	t.Helper()
	var raw [32]byte
	rand.Read(raw[:])
	file := filepath.Join(t.TempDir(), "gateway.secret")
	if err := os.WriteFile(file, []byte("whsec_"+base64.StdEncoding.EncodeToString(raw[:])+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func expireLeases(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE task SET lease = NULL WHERE state = 'due'`); err != nil {
		t.Fatal(err)
	}
}
