// Package outbound is the only door to the internet: the client that
// everything which leaves goes through.
//
// It promises that a connection is made only to an address that may be talked
// to, decided on the address itself at the moment of connecting, on every
// connection; that no redirect is followed, no proxy is used and no certificate
// goes unverified; and that an answer which is slow or large costs a bounded
// time and a bounded number of bytes. It must never be bypassed: nothing else
// in the program opens a connection outward, except the store to its database.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
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

// Client talks to the outside. It is safe for concurrent use. Do keeps no
// connection open: each exchange is decided on anew.
type Client struct {
	guard      *guard
	secure     *http.Transport
	plain      *http.Transport
	unverified *http.Transport // nil without the operator's leave
	relay      string
	maxBody    int64
	limits     limits
}

type limits struct{ header, total time.Duration }

// New makes a client.
func New(cfg Config) *Client {
	return newClient(cfg, net.DefaultResolver, limits{HeaderTime, TotalTime}, nil)
}

func newClient(cfg Config, resolver *net.Resolver, l limits, roots *x509.CertPool) *Client {
	g := newGuard(cfg, resolver)
	c := &Client{
		guard: g, relay: cfg.Relay, maxBody: cfg.MaxBody, limits: l,
		secure: transport(g.dialSecure, roots), plain: transport(g.dialPlain, roots),
	}
	if cfg.Unverified {
		c.unverified = transport(g.dialSecure, roots)
		c.unverified.TLSClientConfig.InsecureSkipVerify = true
	}
	return c
}

func transport(dial func(ctx context.Context, network, address string) (net.Conn, error), roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// Check says why no exchange with a URL that ParseURL has read can ever come
// about, whatever its name resolves to.
func (c *Client) Check(to *url.URL) error { return c.guard.checkURL(to) }

// Do makes one exchange with a URL that ParseURL has read. Whatever the other
// side answers, in whatever status, is an answer, except a redirect. Every
// error is an *Error.
func (c *Client) Do(ctx context.Context, method string, to *url.URL, header http.Header, body []byte) (Answer, error) {
	to, err := ParseURL(to.String())
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.limits.total)
	defer cancel()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	headTooSlow := time.AfterFunc(c.limits.header, stop)
	defer headTooSlow.Stop()

	req, err := http.NewRequestWithContext(ctx, method, to.String(), bytesReader(body))
	if err != nil {
		return Answer{}, &Error{BadURL, err}
	}
	if header != nil {
		req.Header = header.Clone()
	}
	way := c.secure
	if to.Scheme == "http" {
		way = c.plain
	}
	res, err := way.RoundTrip(req)
	if err != nil {
		return Answer{}, classify(ctx, err)
	}
	defer res.Body.Close()
	headTooSlow.Stop()
	return c.read(ctx, res)
}

// read takes an answer in, as far as it may go.
func (c *Client) read(ctx context.Context, res *http.Response) (Answer, error) {
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		return Answer{}, &Error{Redirect, errors.New(res.Status)}
	}
	if res.ContentLength > c.maxBody {
		return Answer{}, &Error{TooLarge, nil}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, c.maxBody+1))
	switch {
	case err != nil:
		return Answer{}, classify(ctx, err)
	case int64(len(body)) > c.maxBody:
		return Answer{}, &Error{TooLarge, nil}
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}
