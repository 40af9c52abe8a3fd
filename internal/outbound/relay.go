package outbound

import (
	"context"
	"errors"
	"net"
)

var errNoRelay = errors.New("no mail relay was named")

// DialRelay connects to the operator's mail relay, Config.Relay, and to nobody
// else, decided on as every connection is. TLS, a deadline and closing it are
// the caller's. Every error is an *Error.
func (c *Client) DialRelay(ctx context.Context) (net.Conn, error) {
	if c.relay == "" {
		return nil, &Error{BadURL, errNoRelay}
	}
	ctx, cancel := context.WithTimeout(ctx, c.limits.header)
	defer cancel()
	conn, err := c.guard.dial(ctx, c.relay, false)
	if err != nil {
		return nil, classify(ctx, err)
	}
	return conn, nil
}
