package outbound

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// What is read of an answer beyond what is kept of it, so that the line can
// serve again.
const (
	maxRest     = 64 << 10
	maxRestTime = 500 * time.Millisecond
)

// Endpoint is a URL that has been read once, for many exchanges. Its zero value
// is none.
type Endpoint struct {
	text  string
	way   way
	host  string // as the header has it
	name  string // as its certificate must have it
	path  string
	valid bool
}

// ParseEndpoint reads a URL as ParseURL does.
func ParseEndpoint(raw string) (Endpoint, error) {
	u, err := ParseURL(raw)
	if err != nil {
		return Endpoint{}, err
	}
	return endpointOf(u), nil
}

func endpointOf(u *url.URL) Endpoint {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	return Endpoint{
		text: u.String(), host: u.Host, name: u.Hostname(), path: u.RequestURI(), valid: true,
		way: way{address: net.JoinHostPort(u.Hostname(), port), plain: u.Scheme == "http"},
	}
}

// String is the one spelling of the URL.
func (e Endpoint) String() string { return e.text }

// request is what goes out in one exchange.
type request struct {
	to     Endpoint
	way    way
	asked  *http.Request // what the answer is read as one to
	header http.Header
	body   []byte
	keep   bool
}

var asPost = &http.Request{Method: http.MethodPost}

// exchange is one request whose answer has begun to come.
type exchange struct {
	*http.Response
	client *Client
	ctx    context.Context
	line   *line
	end    time.Time
	ended  func() bool // stops watching whether the caller gave up
}

var longAgo = time.Unix(1, 0)

// begin sends a request and waits for the head of the answer. A line that was
// kept may have been closed by the other side at this very moment, unread: the
// request goes out once more, on a new one.
func (c *Client) begin(ctx context.Context, r *request) (*exchange, error) {
	now := time.Now()
	x := &exchange{client: c, ctx: ctx, end: now.Add(c.limits.total)}
	until := now.Add(c.limits.header)
	if r.keep {
		x.line = c.pool.take(r.way, now, until)
	}
	for {
		if x.line == nil {
			var err error
			if x.line, err = c.connect(ctx, r, until); err != nil {
				return nil, classify(ctx, err)
			}
		}
		err := x.ask(r)
		if err == nil {
			return x, nil
		}
		x.finish(false)
		if !x.line.kept || x.line.came || isTimeout(err) {
			return nil, classify(ctx, err)
		}
		x.line = nil
	}
}

func (x *exchange) ask(r *request) (err error) {
	conn := x.line.conn
	x.ended = context.AfterFunc(x.ctx, func() { conn.SetDeadline(longAgo) })
	x.Response, err = x.line.ask(r)
	return err
}

// connect makes a new line, decided on by the guard.
func (c *Client) connect(ctx context.Context, r *request, until time.Time) (*line, error) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	conn, err := c.guard.dial(ctx, r.way.address, r.way.plain)
	if err != nil {
		return nil, err
	}
	below := conn
	if !r.way.plain {
		secure := tls.Client(conn, &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: c.roots, ServerName: r.to.name, InsecureSkipVerify: r.way.unverified,
		})
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		conn = secure
	}
	if err := conn.SetDeadline(until); err != nil {
		conn.Close()
		return nil, err
	}
	return newLine(r.way, conn, below, time.Now().Add(c.limits.life)), nil
}

// wait gives what is still to come until a time, unless the caller gave up.
func (x *exchange) wait(until time.Time) {
	x.line.conn.SetDeadline(until)
	if x.ctx.Err() != nil {
		x.line.conn.SetDeadline(longAgo)
	}
}

// finish keeps the line for the next exchange where it is good for one, and
// closes it where it is not.
func (x *exchange) finish(good bool) {
	if x.ended() && good && x.line.in.Buffered() == 0 {
		x.client.pool.put(x.line, time.Now())
		return
	}
	x.line.conn.Close()
}

// body reads no more than limit bytes of the body, until the exchange ends.
func (x *exchange) body(limit int64) ([]byte, error) {
	if x.Body == http.NoBody {
		return nil, nil
	}
	if x.ContentLength < 0 || x.ContentLength > int64(x.line.in.Buffered()) {
		x.wait(x.end)
	}
	return io.ReadAll(io.LimitReader(x.Body, limit))
}

// rest drops what is left of the body, and says whether it came to its end
// soon: waiting for more of it would cost more than a new line.
func (x *exchange) rest() bool {
	if x.Close || x.Body == http.NoBody {
		return !x.Close
	}
	if x.ContentLength < 0 || x.ContentLength > int64(x.line.in.Size()) {
		if soon := time.Now().Add(maxRestTime); soon.Before(x.end) {
			x.wait(soon)
		}
	}
	_, err := io.CopyN(io.Discard, x.Body, maxRest)
	return err == io.EOF
}

func (x *exchange) isRedirect() bool { return x.StatusCode >= 300 && x.StatusCode < 400 }
