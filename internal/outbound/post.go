package outbound

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// KeptBody is how many bytes of the answer to a message are kept.
const KeptBody = 1 << 10

// Endpoint is a URL that messages are posted to, read once. Its zero value is
// none.
type Endpoint struct{ url *url.URL }

// ParseEndpoint reads a URL as ParseURL does.
func ParseEndpoint(raw string) (Endpoint, error) {
	u, err := ParseURL(raw)
	return Endpoint{u}, err
}

// String is the one spelling of the URL.
func (e Endpoint) String() string { return e.url.String() }

// Message is what Post sends.
type Message struct {
	To     Endpoint
	Header http.Header // only read: it may be shared
	Body   []byte
	// Unverified sends it to whoever answers, whatever certificate they show.
	// It takes the operator's leave, Config.Unverified.
	Unverified bool
}

var errNoLeave = errors.New("the operator has not allowed TLS that is not verified")

// Post makes one delivery of a message. The answer is its status, its head
// without what could let somebody in, and the first KeptBody bytes of its body;
// the rest is dropped, and a body that breaks off or never ends fails nothing:
// the receiver has spoken. A redirect is not followed and fails. Every error is
// an *Error, and carries nothing of an answer.
func (c *Client) Post(ctx context.Context, m Message) (Answer, error) {
	way, err := c.wayFor(m)
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.limits.total)
	defer cancel()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	headTooSlow := time.AfterFunc(c.limits.header, stop)
	defer headTooSlow.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.To.String(), bytesReader(m.Body))
	if err != nil {
		return Answer{}, &Error{BadURL, err}
	}
	req.Header = m.Header
	res, err := way.RoundTrip(req)
	if err != nil {
		return Answer{}, classify(ctx, err)
	}
	defer res.Body.Close()
	headTooSlow.Stop()
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		return Answer{}, &Error{Redirect, errors.New(res.Status)}
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, KeptBody))
	return Answer{Status: res.StatusCode, Header: shown(res.Header), Body: body}, nil
}

func (c *Client) wayFor(m Message) (*http.Transport, error) {
	switch {
	case m.To.url == nil:
		return nil, badURL("there is none")
	case m.To.url.Scheme == "http":
		return c.plain, nil
	case !m.Unverified:
		return c.secure, nil
	case c.unverified == nil:
		return nil, &Error{BadTLS, errNoLeave}
	}
	return c.unverified, nil
}

// shown is the head of an answer as it may be kept and shown: without cookies
// and whatever else could let somebody in.
func shown(h http.Header) http.Header {
	for name := range h {
		lower := strings.ToLower(name)
		for _, part := range []string{"auth", "cookie", "token", "secret", "session", "password", "credential", "api-key", "apikey", "signature"} {
			if strings.Contains(lower, part) {
				delete(h, name)
				break
			}
		}
	}
	return h
}
