package product

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"mooring/test/drive"
)

// TestAStopFinishesWhatWasAccepted sends half a request, asks the server to
// stop, sees it say that it is not ready, sends the other half, and expects the
// answer and then a clean end.
func TestAStopFinishesWhatWasAccepted(t *testing.T) {
	dir, platform, _ := initialised(t)
	address := freeAddress(t)
	base := "http://" + address
	s, err := drive.Serve(context.Background(), binary, base,
		"serve", "--data", dir, "--listen", address, "--public-url", base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)

	body := fmt.Sprintf(`{"grant_type":"client_credentials","audience":"%s/v1/accounts/%s"}`, base, platform.Account)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/accounts/%s/auth/token HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		platform.Account, address, drive.Basic(platform), len(body), body[:10])

	started := time.Now()
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	awaitNotReady(t, base)
	if _, err := io.WriteString(conn, body[10:]); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the accepted request got no answer: %v\n%s", err, s.Log())
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the accepted request was answered with %d", resp.StatusCode)
	}
	code, err := s.Wait()
	if err != nil || code != 0 {
		t.Errorf("the server ended with %d, %v\n%s", code, err, s.Log())
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("stopping took %s", took)
	}
}

// awaitNotReady asks until the server says that it is not ready, which it must
// do before it refuses connections.
func awaitNotReady(t *testing.T, base string) {
	t.Helper()
	client := drive.NewClient(base)
	for range 10_000 {
		answer, err := client.Do(http.MethodGet, "/readyz", http.Header{}, nil)
		if err != nil {
			t.Fatalf("no connection, and it was never said that the server is not ready: %v", err)
		}
		if answer.Status == http.StatusServiceUnavailable {
			return
		}
	}
	t.Fatal("ready all the time")
}

// TestDevStopsAtOnce: nobody routes requests to it, so it does not linger.
func TestDevStopsAtOnce(t *testing.T) {
	s := dev(t, "--listen", "127.0.0.1:0")
	started := time.Now()
	if code, err := s.Stop(); err != nil || code != 0 {
		t.Errorf("ended with %d, %v", code, err)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if strings.Contains(s.Log(), "panic") {
		t.Error(s.Log())
	}
}
