package outbound_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/outbound"
)

// script is a receiver that does with each connection, by its number from 1,
// what it is told to, after it read the first request.
func script(t *testing.T, serve func(number int64, conn net.Conn, in *bufio.Reader)) (url string, came *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came = new(atomic.Int64)
	var working sync.WaitGroup
	t.Cleanup(func() { l.Close(); working.Wait() })
	working.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			number := came.Add(1)
			working.Go(func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				if readRequest(in) == nil {
					serve(number, conn, in)
				}
			})
		}
	})
	return "http://" + l.Addr().String(), came
}

func readRequest(in *bufio.Reader) error {
	r, err := http.ReadRequest(in)
	if err == nil {
		_, err = io.Copy(io.Discard, r.Body)
	}
	return err
}

// answers writes the same to every request until the other side has gone.
func answers(text string) func(int64, net.Conn, *bufio.Reader) {
	return func(_ int64, conn net.Conn, in *bufio.Reader) {
		for {
			if _, err := io.WriteString(conn, text); err != nil || readRequest(in) != nil {
				return
			}
		}
	}
}

// hang waits until the other side has gone.
func hang(_ int64, _ net.Conn, in *bufio.Reader) { io.Copy(io.Discard, in) }

func drip(before string) func(int64, net.Conn, *bufio.Reader) {
	return func(_ int64, conn net.Conn, _ *bufio.Reader) {
		io.WriteString(conn, before)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(conn, "x"); err != nil {
				return
			}
		}
	}
}

func reset(before string) func(int64, net.Conn, *bufio.Reader) {
	return func(_ int64, conn net.Conn, _ *bufio.Reader) {
		io.WriteString(conn, before)
		conn.(*net.TCPConn).SetLinger(0)
	}
}

// impatient is a client that waits for a head for 300 ms, and 600 in all.
func impatient() *outbound.Client {
	return outbound.NewWith(outbound.Config{Allow: loopback}, net.DefaultResolver, nil, 300*time.Millisecond, 600*time.Millisecond)
}

// patient waits for a receiver that does answer, on however busy a machine.
func patient(cfg outbound.Config) *outbound.Client {
	cfg.Allow = loopback
	return outbound.NewWith(cfg, net.DefaultResolver, nil, time.Minute, time.Minute)
}

func TestAReceiverThatDoesNotAnswerProperlyHasNotTakenTheMessage(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, row := range map[string]struct {
		serve func(int64, net.Conn, *bufio.Reader)
		want  outbound.Kind
	}{
		"hangs":                          {hang, outbound.TooSlow},
		"a head, one byte at a time":     {drip(ok + "X: "), outbound.TooSlow},
		"a status, one byte at a time":   {drip("HTTP/1.1 2"), outbound.TooSlow},
		"a head of 10 MB":                {answers(ok + "X: " + strings.Repeat("x", 10<<20) + "\r\n\r\n"), outbound.TooLarge},
		"a head of a million headers":    {answers(ok + strings.Repeat("X: y\r\n", 1<<20) + "\r\n"), outbound.TooLarge},
		"a status of 10 MB":              {answers("HTTP/1.1 200 " + strings.Repeat("x", 10<<20) + "\r\n\r\n"), outbound.TooLarge},
		"closes":                         {answers(""), outbound.TooSlow},
		"resets":                         {reset(""), outbound.Broken},
		"resets within the head":         {reset(ok + "X"), outbound.Broken},
		"another protocol":               {answers("SSH-2.0-OpenSSH\r\n\r\n"), outbound.Broken},
		"HTTP/2":                         {answers("HTTP/2.0 200 OK\r\n\r\n"), outbound.Broken},
		"a status of two digits":         {answers("HTTP/1.1 20 OK\r\n\r\n"), outbound.Broken},
		"two lengths":                    {answers(ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), outbound.Broken},
		"a length below nothing":         {answers(ok + "Content-Length: -1\r\n\r\n"), outbound.Broken},
		"an unknown encoding":            {answers(ok + "Transfer-Encoding: gzip\r\n\r\n"), outbound.Broken},
		"changes the protocol":           {answers("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), outbound.Broken},
		"nothing but promises":           {answers(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 50)), outbound.Broken},
		"a redirect":                     {answers("HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"), outbound.Redirect},
		"a redirect without a place":     {answers("HTTP/1.1 304 Not Modified\r\n\r\n"), outbound.Redirect},
		"a redirect that keeps the body": {answers("HTTP/1.1 308 Permanent Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"), outbound.Redirect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := script(t, row.serve)
			c := patient(outbound.Config{})
			if row.want == outbound.TooSlow {
				c = impatient()
			}
			defer c.Close()
			a, err := post(c, url)
			expect(t, err, row.want)
			if a.Status != 0 || a.Header != nil || a.Body != nil {
				t.Errorf("of the answer this was kept: %+v", a)
			}
		})
	}
}

func TestOnceTheHeadHasComeTheBodyFailsNothing(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(make([]byte, 16<<20))
	z.Close()
	const head = "HTTP/1.1 %d Whatever\r\n"
	many := strings.Repeat("y", 10<<20)
	for name, row := range map[string]struct {
		serve func(status int) func(int64, net.Conn, *bufio.Reader)
		body  string
	}{
		"no body": {func(status int) func(int64, net.Conn, *bufio.Reader) {
			return answers(fmt.Sprintf(head+"Content-Length: 0\r\n\r\n", status))
		}, ""},
		"10 MB": {func(status int) func(int64, net.Conn, *bufio.Reader) {
			return answers(fmt.Sprintf(head+"Content-Length: %d\r\n\r\n", status, len(many)) + many)
		}, many[:outbound.KeptBody]},
		"exactly what is kept": {func(status int) func(int64, net.Conn, *bufio.Reader) {
			return answers(fmt.Sprintf(head+"Content-Length: %d\r\n\r\n", status, outbound.KeptBody) + many[:outbound.KeptBody])
		}, many[:outbound.KeptBody]},
		"endless pieces": {func(status int) func(int64, net.Conn, *bufio.Reader) {
			return answers(fmt.Sprintf(head+"Transfer-Encoding: chunked\r\n\r\n", status) + strings.Repeat("4\r\nyyyy\r\n", 1<<20))
		}, many[:outbound.KeptBody]},
		"a drip": {func(status int) func(int64, net.Conn, *bufio.Reader) {
			return drip(fmt.Sprintf(head+"Content-Length: 5000\r\n\r\n", status))
		}, "x"},
		"a reset": {func(status int) func(int64, net.Conn, *bufio.Reader) {
			return reset(fmt.Sprintf(head+"Content-Length: 100\r\n\r\n", status))
		}, ""},
		"a broken piece": {func(status int) func(int64, net.Conn, *bufio.Reader) {
			return answers(fmt.Sprintf(head+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n", status))
		}, "abc"},
		"a gzip bomb": {func(status int) func(int64, net.Conn, *bufio.Reader) {
			return answers(fmt.Sprintf(head+"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", status, packed.Len()) + packed.String())
		}, packed.String()[:outbound.KeptBody]},
		"promises before it": {func(status int) func(int64, net.Conn, *bufio.Reader) {
			return answers("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + fmt.Sprintf(head+"Content-Length: 2\r\n\r\nok", status))
		}, "ok"},
		"no length, and the end": {func(status int) func(int64, net.Conn, *bufio.Reader) {
			return func(_ int64, conn net.Conn, _ *bufio.Reader) { fmt.Fprintf(conn, head+"\r\nuntil the end", status) }
		}, "until the end"},
	} {
		for _, status := range []int{200, 500} {
			t.Run(fmt.Sprint(name, ", ", status), func(t *testing.T) {
				t.Parallel()
				url, _ := script(t, row.serve(status))
				c := patient(outbound.Config{})
				if name == "a drip" {
					c = impatient()
				}
				defer c.Close()
				for range 2 { // what the first left behind must not be taken for an answer to the second
					a, err := post(c, url)
					if err != nil || a.Status != status || !strings.HasPrefix(string(a.Body), row.body) || len(a.Body) > outbound.KeptBody {
						t.Errorf("status %d, %d bytes, %v", a.Status, len(a.Body), err)
					}
				}
			})
		}
	}
}

func TestWhoCouldNotBeVerifiedIsPostedToWithLeaveAlone(t *testing.T) {
	s, came := receiver(t, func(http.ResponseWriter, *http.Request) {})
	s.StartTLS()
	defer s.Close()
	old, _ := receiver(t, func(http.ResponseWriter, *http.Request) {})
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	defer old.Close()
	to, _ := outbound.ParseEndpoint(s.URL)
	leave := patient(outbound.Config{Unverified: true})
	defer leave.Close()

	_, err := patient(outbound.Config{}).Post(context.Background(), outbound.Message{To: to, Unverified: true})
	expect(t, err, outbound.BadTLS)
	if came.Load() != 0 {
		t.Error("it was talked to without leave")
	}
	if a, err := leave.Post(context.Background(), outbound.Message{To: to, Unverified: true}); err != nil || a.Status != 200 {
		t.Error(a, err)
	}
	_, err = leave.Post(context.Background(), outbound.Message{To: to}) // not over the connection that is there
	expect(t, err, outbound.BadTLS)
	before, _ := outbound.ParseEndpoint(old.URL)
	_, err = leave.Post(context.Background(), outbound.Message{To: before, Unverified: true})
	expect(t, err, outbound.BadTLS)
}

func TestOfAnAnswerNothingIsKeptThatCouldLetSomebodyIn(t *testing.T) {
	s, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"Set-Cookie", "Authorization", "WWW-Authenticate", "Proxy-Authenticate", "X-Api-Key", "X-CSRF-Token", "X-Session-Id", "Client-Secret"} {
			w.Header().Set(name, "canary")
		}
		w.Header().Set("X-Request-Id", "seen")
	})
	s.Start()
	defer s.Close()
	c := patient(outbound.Config{})
	defer c.Close()
	a, err := post(c, s.URL)
	if err != nil || a.Header.Get("X-Request-Id") != "seen" || strings.Contains(fmt.Sprint(a.Header), "canary") {
		t.Error(a.Header, err)
	}
}

func TestAHeaderCanNotCarryAnother(t *testing.T) {
	seen := make(chan http.Header, 1)
	s, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
	s.Start()
	defer s.Close()
	c := patient(outbound.Config{})
	defer c.Close()
	to, _ := outbound.ParseEndpoint(s.URL)
	header := http.Header{"Event": {"a\r\nX-Smuggled: yes"}, "Bad Name": {"x"}, "Content-Length": {"1"}, "Host": {"other"}, "Connection": {"close"}}
	if _, err := c.Post(context.Background(), outbound.Message{To: to, Header: header, Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if h := <-seen; h.Get("X-Smuggled") != "" || h.Get("Content-Length") != "2" || h.Get("Connection") != "" || h.Get("Event") == "" {
		t.Error(h)
	}
}
