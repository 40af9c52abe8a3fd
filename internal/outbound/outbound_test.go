package outbound_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/outbound"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

const bodyLimit = 4 << 10

// quick is a client that may talk to this machine and has little patience.
func quick(cfg outbound.Config, roots *x509.CertPool) *outbound.Client {
	cfg.MaxBody = bodyLimit
	return outbound.NewWith(cfg, net.DefaultResolver, roots, 2*time.Second, 3*time.Second)
}

func get(t *testing.T, c *outbound.Client, raw string) (outbound.Answer, error) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(context.Background(), http.MethodGet, u, nil, nil)
}

func expect(t *testing.T, err error, want outbound.Kind) {
	t.Helper()
	if e, ok := errors.AsType[*outbound.Error](err); !ok || e.Kind != want {
		t.Errorf("got %v (%v), want %q", err, errors.Unwrap(err), want)
	}
}

// receiver is a server that counts who came.
func receiver(t testing.TB, handler http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var came atomic.Int64
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			came.Add(1)
		}
	}
	return s, &came
}

func TestAnAnswerComesBackAsItIs(t *testing.T) {
	s, came := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Header.Get("X-Sent"))
		w.WriteHeader(http.StatusTeapot)
		w.Write(bytes.ToUpper(body))
	})
	s.Start()
	defer s.Close()
	u, _ := url.Parse(s.URL)
	c := quick(outbound.Config{Allow: loopback}, nil)
	for range 2 {
		a, err := c.Do(context.Background(), http.MethodPost, u, http.Header{"X-Sent": {"yes"}}, []byte("hello"))
		if err != nil || a.Status != http.StatusTeapot || string(a.Body) != "HELLO" || a.Header.Get("X-Seen") != "yes" {
			t.Error(a, err)
		}
	}
	if n := came.Load(); n != 2 {
		t.Errorf("two exchanges took %d connections, want one decision each", n)
	}
}

func TestWhatIsNotAllowedIsNeverTalkedTo(t *testing.T) {
	s, came := receiver(t, func(http.ResponseWriter, *http.Request) {})
	s.Start()
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for name, cfg := range map[string]outbound.Config{
		"nothing was allowed":  {},
		"another range was":    {Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		"it is our listener":   {Allow: loopback, Own: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:" + port)}},
		"it is the database":   {Allow: loopback, Never: []string{"localhost:" + port}},
		"its host is never to": {Allow: loopback, Never: []string{"127.0.0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := get(t, quick(cfg, nil), s.URL)
			expect(t, err, outbound.BadAddress)
			if strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("the refusal names the address: %v", err)
			}
		})
	}
	if n := came.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestTheProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	s, came := receiver(t, func(http.ResponseWriter, *http.Request) {})
	s.Start()
	defer s.Close()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, s.URL)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	_, err = get(t, quick(outbound.Config{Allow: loopback}, nil), "http://"+closed.Addr().String())
	expect(t, err, outbound.NoWay)
	if came.Load() != 0 {
		t.Error("the proxy was asked")
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	inner, came := receiver(t, func(http.ResponseWriter, *http.Request) {})
	inner.Start()
	defer inner.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", inner.URL)
			w.WriteHeader(status)
		})
		s.Start()
		_, err := get(t, quick(outbound.Config{Allow: loopback}, nil), s.URL)
		expect(t, err, outbound.Redirect)
		s.Close()
	}
	if came.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestAnAnswerThatIsTooSlowOrTooLargeEnds(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	}
	hold := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	drip := func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for r.Context().Err() == nil {
			w.Write([]byte(" "))
			w.(http.Flusher).Flush()
			<-tick.C
		}
	}
	var packed bytes.Buffer // before anybody waits for it
	z := gzip.NewWriter(&packed)
	z.Write(make([]byte, 16<<20))
	z.Close()
	bomb := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes())
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   outbound.Kind
	}{
		"never answers":    {hold, outbound.TooSlow},
		"a byte at a time": {drip, outbound.TooSlow},
		"endless":          {endless, outbound.TooLarge},
		"10 MB, announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10485760")
			w.Write(make([]byte, 10<<20))
		}, outbound.TooLarge},
		"a zip bomb": {bomb, outbound.TooLarge},
		"one byte over": {func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, bodyLimit+1))
		}, outbound.TooLarge},
		"a head of 10 MB": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 10<<20))
		}, outbound.TooLarge},
		"ends in the middle": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("short"))
		}, outbound.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := receiver(t, c.answer)
			s.Start()
			defer s.Close()
			began := time.Now()
			_, err := get(t, quick(outbound.Config{Allow: loopback}, nil), s.URL)
			expect(t, err, c.want)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestAnAnswerOfExactlyTheLimitIsRead(t *testing.T) {
	s, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, bodyLimit)) })
	s.Start()
	defer s.Close()
	if a, err := get(t, quick(outbound.Config{Allow: loopback}, nil), s.URL); err != nil || len(a.Body) != bodyLimit {
		t.Error(len(a.Body), err)
	}
}

func TestACompressedAnswerStaysCompressed(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte("hello"))
	z.Close()
	s, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Error("we asked for compression")
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(zipped.Bytes())
	})
	s.Start()
	defer s.Close()
	if a, err := get(t, quick(outbound.Config{Allow: loopback}, nil), s.URL); err != nil || !bytes.Equal(a.Body, zipped.Bytes()) {
		t.Error(a, err)
	}
}

func TestAConnectionThatIsResetHasFailed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 1<<10)) // the request, without which the reset could come before it
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}()
	_, err = get(t, quick(outbound.Config{Allow: loopback}, nil), "http://"+l.Addr().String())
	expect(t, err, outbound.Broken)
}

func TestTLSIsVerified(t *testing.T) {
	ok := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }
	good, _ := receiver(t, ok)
	good.StartTLS()
	defer good.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(good.Certificate())

	old, _ := receiver(t, ok)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	defer old.Close()

	if a, err := get(t, quick(outbound.Config{Allow: loopback}, trusted), good.URL); err != nil || a.Status != 200 {
		t.Error(a, err)
	}
	for name, c := range map[string]struct {
		url   string
		roots *x509.CertPool
	}{
		"signed by nobody we know": {good.URL, nil},
		"made for another name":    {strings.Replace(good.URL, "127.0.0.1", "localhost", 1), trusted},
		"TLS 1.1":                  {old.URL, trusted},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := get(t, quick(outbound.Config{Allow: loopback}, c.roots), c.url)
			expect(t, err, outbound.BadTLS)
		})
	}
	t.Run("no TLS at all", func(t *testing.T) {
		plain, _ := receiver(t, ok)
		plain.Start()
		defer plain.Close()
		_, err := get(t, quick(outbound.Config{Allow: loopback}, nil), strings.Replace(plain.URL, "http:", "https:", 1))
		expect(t, err, outbound.BadTLS)
	})
}

func TestTheCallerEndsAnExchange(t *testing.T) {
	came := make(chan struct{})
	s, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) { close(came); <-r.Context().Done() })
	s.Start()
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-came; cancel() }()
	u, _ := url.Parse(s.URL)
	c := outbound.New(outbound.Config{Allow: loopback, MaxBody: bodyLimit})
	if _, err := c.Do(ctx, http.MethodGet, u, nil, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
