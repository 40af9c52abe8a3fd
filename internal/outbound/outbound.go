// Package outbound is the only door to the internet: the client that
// everything which leaves goes through.
//
// It promises that a connection is made only to an address that may be talked
// to, decided on the address itself at the moment of connecting, on every
// connection, of which none lives for more than a minute; that no redirect is
// followed, no proxy is used and no certificate goes unverified unless the
// operator allows it; and that an answer which is slow or large costs a bounded
// time and a bounded number of bytes. It must never be bypassed: nothing else
// in the program opens a connection outward, except the store to its database.
package outbound

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// The limits of one exchange.
const (
	HeaderTime = 15 * time.Second // to connect and to get the whole head of the answer
	TotalTime  = 30 * time.Second // until the last byte of the answer
	maxHeader  = 32 << 10         // bytes of the head of an answer
)

// Config says where a client may go.
type Config struct {
	// Allow are ranges that may be talked to although they are not on the public
	// internet. Only whoever runs the deployment may name them.
	Allow []netip.Prefix
	// Own are the addresses that this process listens on. They are never talked
	// to, whatever is allowed.
	Own []netip.AddrPort
	// Never are hosts that are never talked to, whatever is allowed: the
	// database, and ourselves by our public name. One with a port, as in
	// "127.0.0.1:5432", is refused at that port only.
	Never []string
	// MaxBody is how many bytes of an answer Do reads. A longer one is an error.
	MaxBody int64
	// Unverified is the operator's leave for messages that go to receivers whose
	// certificate is not verified.
	Unverified bool
	// Relay is the operator's mail relay, "host:port": where DialRelay leads.
	Relay string
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Client talks to the outside. It is safe for concurrent use.
type Client struct {
	guard      *guard
	roots      *x509.CertPool // nil for those of the machine
	unverified bool
	relay      string
	maxBody    int64
	limits     limits
	pool       *pool
}

type limits struct {
	header, total time.Duration
	life          time.Duration // of a connection that is kept
}

// New makes a client.
func New(cfg Config) *Client {
	return newClient(cfg, net.DefaultResolver, limits{HeaderTime, TotalTime, lineLife}, nil)
}

func newClient(cfg Config, resolver *net.Resolver, l limits, roots *x509.CertPool) *Client {
	return &Client{
		guard: newGuard(cfg, resolver), roots: roots, unverified: cfg.Unverified, relay: cfg.Relay, maxBody: cfg.MaxBody, limits: l,
		pool: &pool{lines: map[way][]*line{}},
	}
}

// Close closes the connections that were kept. Exchanges under way come to
// their end.
func (c *Client) Close() { c.pool.close() }

// Check says why no exchange with a URL that ParseURL has read can ever come
// about, whatever its name resolves to.
func (c *Client) Check(to *url.URL) error { return c.guard.checkURL(to) }

// Do makes one exchange with a URL that ParseURL has read, over a connection
// of its own. Whatever the other side answers, in whatever status, is an
// answer, except a redirect. Every error is an *Error.
func (c *Client) Do(ctx context.Context, method string, to *url.URL, header http.Header, body []byte) (Answer, error) {
	endpoint, err := ParseEndpoint(to.String())
	if err != nil {
		return Answer{}, err
	}
	x, err := c.begin(ctx, &request{to: endpoint, way: endpoint.way, asked: &http.Request{Method: method}, header: header, body: body})
	if err != nil {
		return Answer{}, err
	}
	defer x.finish(false)
	switch {
	case x.isRedirect():
		return Answer{}, &Error{Redirect, errors.New(x.Status)}
	case x.ContentLength > c.maxBody:
		return Answer{}, &Error{TooLarge, nil}
	}
	read, err := x.body(c.maxBody + 1)
	switch {
	case err != nil:
		return Answer{}, classify(ctx, err)
	case int64(len(read)) > c.maxBody:
		return Answer{}, &Error{TooLarge, nil}
	}
	return Answer{Status: x.StatusCode, Header: x.Header, Body: read}, nil
}
