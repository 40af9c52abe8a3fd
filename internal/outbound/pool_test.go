package outbound_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/outbound"
)

func TestConnectionsAreKept(t *testing.T) {
	s, came := receiver(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	s.Start()
	defer s.Close()
	c := patient(outbound.Config{})
	defer c.Close()
	for range 10 {
		if a, err := post(c, s.URL); err != nil || string(a.Body) != "{}" {
			t.Error(a, err)
		}
	}
	if n := came.Load(); n != 1 {
		t.Errorf("ten messages took %d connections", n)
	}
}

func TestWhatComesUnaskedEndsAConnection(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	for name, serve := range map[string]func(conn net.Conn, sent chan<- bool, in *bufio.Reader){
		"at once": func(conn net.Conn, sent chan<- bool, in *bufio.Reader) {
			io.WriteString(conn, good+evil)
			sent <- true
			hang(0, conn, in)
		},
		"later": func(conn net.Conn, sent chan<- bool, in *bufio.Reader) {
			io.WriteString(conn, good)
			io.WriteString(conn, evil)
			sent <- true
			hang(0, conn, in)
		},
		"the end": func(conn net.Conn, sent chan<- bool, _ *bufio.Reader) {
			io.WriteString(conn, good)
			conn.Close()
			sent <- true
		},
	} {
		t.Run(name, func(t *testing.T) {
			sent := make(chan bool, 4)
			url, came := script(t, func(_ int64, conn net.Conn, in *bufio.Reader) { serve(conn, sent, in) })
			c := patient(outbound.Config{})
			defer c.Close()
			for range 4 {
				if a, err := post(c, url); err != nil || string(a.Body) != "good" {
					t.Error(string(a.Body), err)
				}
				<-sent
			}
			if n := came.Load(); n != 4 {
				t.Errorf("four messages took %d connections, though each was spoilt", n)
			}
		})
	}
}

// TestAConnectionThatEndsWhenItIsUsedAgainIsMadeAnew has the receiver read the
// second request of its first connection, and go without an answer.
func TestAConnectionThatEndsWhenItIsUsedAgainIsMadeAnew(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	url, came := script(t, func(number int64, conn net.Conn, in *bufio.Reader) {
		if io.WriteString(conn, good); readRequest(in) == nil && number > 1 {
			io.WriteString(conn, good)
		}
	})
	c := patient(outbound.Config{})
	defer c.Close()
	for range 3 {
		if a, err := post(c, url); err != nil || a.Status != 200 {
			t.Error(a, err)
		}
	}
	if n := came.Load(); n != 2 {
		t.Errorf("it took %d connections", n)
	}
}

func TestAnAddressThatBecameDeniedServesNoLongerThanAConnectionLives(t *testing.T) {
	s, came := receiver(t, func(http.ResponseWriter, *http.Request) {})
	s.Start()
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	turncoat := func() *zone {
		return &zone{answers: map[string][]answer{"turncoat.example": {{addresses: []string{"127.0.0.1"}}, {addresses: []string{"10.0.0.1"}}}}}
	}
	long := outbound.Brief(outbound.Config{Allow: loopback}, turncoat().resolver(t), time.Hour)
	defer long.Close()
	short := outbound.Brief(outbound.Config{Allow: loopback}, turncoat().resolver(t), 0)
	defer short.Close()
	for _, c := range []*outbound.Client{long, long, short} {
		if _, err := post(c, "http://turncoat.example:"+port); err != nil {
			t.Error(err)
		}
	}
	_, err := post(short, "http://turncoat.example:"+port)
	expect(t, err, outbound.BadAddress)
	if n := came.Load(); n != 2 {
		t.Errorf("%d connections were made", n)
	}
}

func TestNoMoreConnectionsToOneHostAreKeptThanItsShare(t *testing.T) {
	const at = outbound.KeptPerHost + 16
	all := make(chan bool)
	var waiting atomic.Int64
	var open atomic.Int64
	closed := make(chan bool, at)
	s, _ := receiver(t, func(http.ResponseWriter, *http.Request) {
		if waiting.Add(1) == at {
			close(all)
		}
		<-all
	})
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
			closed <- true
		}
	}
	s.Start()
	defer s.Close()
	c := quick(outbound.Config{Allow: loopback}, nil)
	defer c.Close()
	var posting sync.WaitGroup
	for range at {
		posting.Go(func() {
			if _, err := post(c, s.URL); err != nil {
				t.Error(err)
			}
		})
	}
	posting.Wait()
	for range at - outbound.KeptPerHost {
		<-closed
	}
	if n := open.Load(); n != outbound.KeptPerHost {
		t.Errorf("%d connections are kept", n)
	}
	c.Close()
	for range outbound.KeptPerHost {
		<-closed
	}
}
