package outbound

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

var errNoRelay = errors.New("no mail relay was named")

// everywhere is where a relay may be: who runs the deployment named it, and it
// opens nothing to anybody else.
var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// DialRelay connects to the operator's mail relay, Config.Relay, and to nobody
// else. It may be off the public internet, but neither ourselves nor where
// nobody may go. TLS, a deadline and closing it are the caller's. Every error is
// an *Error.
func (c *Client) DialRelay(ctx context.Context) (net.Conn, error) {
	if c.relay == "" {
		return nil, &Error{BadURL, errNoRelay}
	}
	ctx, cancel := context.WithTimeout(ctx, c.limits.header)
	defer cancel()
	toRelay := *c.guard
	toRelay.allow = everywhere
	conn, err := toRelay.dial(ctx, c.relay, false)
	if err != nil {
		return nil, classify(ctx, err)
	}
	return conn, nil
}
