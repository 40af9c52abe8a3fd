package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Next appends one whole HTTP/1.1 request to buf.
type Next func(r *rand.Rand, buf []byte) []byte

// patience is how long one exchange may take.
const patience = 30 * time.Second

// client is one connection that is kept open. Requests are written as bytes
// that were made before, so that little of the processor goes to asking.
type client struct {
	addr   string
	next   Next
	random *rand.Rand
	conn   net.Conn
	in     *bufio.Reader
	buf    []byte
}

var seeds atomic.Uint64

func newClient(addr string, next Next) *client {
	return &client{addr: addr, next: next, random: rand.New(rand.NewPCG(1, seeds.Add(1)))}
}

// ask makes one exchange and gives its status.
func (c *client) ask() (int, error) {
	if c.conn == nil {
		conn, err := net.DialTimeout("tcp", c.addr, patience)
		if err != nil {
			return 0, err
		}
		c.conn, c.in = conn, bufio.NewReaderSize(conn, 16<<10)
	}
	c.buf = c.next(c.random, c.buf[:0])
	status, err := c.exchange()
	if err != nil {
		c.close()
	}
	return status, err
}

func (c *client) exchange() (int, error) {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(c.buf); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	var body bytes.Buffer
	if answer.StatusCode >= 300 {
		_, err = body.ReadFrom(answer.Body)
	} else {
		_, err = io.Copy(io.Discard, answer.Body)
	}
	if err != nil {
		return 0, err
	}
	if answer.Close {
		c.close()
	}
	if answer.StatusCode >= 300 && answer.StatusCode != http.StatusServiceUnavailable && answer.StatusCode != http.StatusTooManyRequests {
		return answer.StatusCode, fmt.Errorf("%s: %.300s", answer.Status, body.Bytes())
	}
	return answer.StatusCode, nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
