package gate_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Bytes that two HTTP parsers could read in two ways must be refused, or have
// the one meaning that is safe.
func TestAmbiguousRequestsHaveOneMeaning(t *testing.T) {
	b := newBench(t)
	const auth = "Authorization: Bearer partner\r\nContent-Type: application/json\r\n"
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(goodEvent), goodEvent)
	for name, c := range map[string]struct {
		request string
		want    int
		runs    bool
	}{
		"absolute form":              {"GET http://elsewhere/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, true},
		"absolute form, wrong path":  {"GET http://elsewhere/../healthz HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		"authority form":             {"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		"connect to a path":          {"CONNECT /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405, false},
		"asterisk for get":           {"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		"no slash":                   {"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
		"backslashes":                {"GET /v1\\..\\healthz HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		"two slashes and a host":     {"GET //elsewhere/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		"fragment in the target":     {"GET /healthz#x HTTP/1.1\r\nHost: x\r\n\r\n", 404, false},
		"space in the target":        {"GET /health z HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
		"no host":                    {"GET /healthz HTTP/1.1\r\n\r\n", 400, false},
		"two hosts":                  {"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, false},
		"host with a space":          {"GET /healthz HTTP/1.1\r\nHost: x y\r\n\r\n", 400, false},
		"host with a path":           {"GET /nothing HTTP/1.1\r\nHost: x/healthz\r\n\r\n", 400, false},
		"host with a strange port":   {"GET /healthz HTTP/1.1\r\nHost: x:99999\r\n\r\n", 200, true},
		"space before the colon":     {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n", 400, false},
		"nul in a header":            {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n", 400, false},
		"two equal lengths":          {"POST " + eventPath + " HTTP/1.1\r\nHost: x\r\n" + auth + fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n\r\n%s", len(goodEvent), len(goodEvent), goodEvent), 200, true},
		"two different lengths":      {"POST " + eventPath + " HTTP/1.1\r\nHost: x\r\n" + auth + fmt.Sprintf("Content-Length: 1\r\nContent-Length: %d\r\n\r\n%s", len(goodEvent), goodEvent), 400, false},
		"length and chunks":          {"POST " + eventPath + " HTTP/1.1\r\nHost: x\r\n" + auth + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked, 200, true},
		"chunks of an unknown kind":  {"POST " + eventPath + " HTTP/1.1\r\nHost: x\r\n" + auth + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked, 501, false},
		"length with a sign":         {"POST " + eventPath + " HTTP/1.1\r\nHost: x\r\n" + auth + fmt.Sprintf("Content-Length: +%d\r\n\r\n%s", len(goodEvent), goodEvent), 400, false},
		"negative length":            {"POST " + eventPath + " HTTP/1.1\r\nHost: x\r\n" + auth + "Content-Length: -1\r\n\r\n" + goodEvent, 400, false},
		"chunk size that overflows":  {"POST " + eventPath + " HTTP/1.1\r\nHost: x\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400, false},
		"chunk size that is no size": {"POST " + eventPath + " HTTP/1.1\r\nHost: x\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\nxx\r\n", 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			b.mu.Lock()
			b.last = nil
			b.mu.Unlock()
			conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := conn.Write([]byte(c.request)); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != c.want || (b.call() != nil) != c.runs {
				t.Fatalf("got %d, the function ran: %v", resp.StatusCode, b.call() != nil)
			}
		})
	}
}
