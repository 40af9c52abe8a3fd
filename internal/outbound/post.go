package outbound

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// KeptBody is how many bytes of the answer to a message are kept.
const KeptBody = 1 << 10

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
	switch {
	case !m.To.valid:
		return Answer{}, badURL("there is none")
	case m.Unverified && !c.unverified:
		return Answer{}, &Error{BadTLS, errNoLeave}
	}
	r := &request{to: m.To, way: m.To.way, asked: asPost, header: m.Header, body: m.Body, keep: true}
	r.way.unverified = m.Unverified && !r.way.plain
	x, err := c.begin(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	if x.isRedirect() {
		x.finish(false)
		return Answer{}, &Error{Redirect, errors.New(x.Status)}
	}
	body, err := x.body(KeptBody)
	x.finish(err == nil && x.rest())
	return Answer{Status: x.StatusCode, Header: shown(x.Header), Body: body}, nil
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
