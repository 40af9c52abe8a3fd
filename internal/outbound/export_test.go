package outbound

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"time"
)

// Check decides on one address as a connection over TLS, or without it, would.
func Check(cfg Config, target netip.AddrPort, plain bool) error {
	return newGuard(cfg, net.DefaultResolver).check(target, plain)
}

// NewWith makes a client with its own resolver, roots and times.
func NewWith(cfg Config, resolver *net.Resolver, roots *x509.CertPool, header, total time.Duration) *Client {
	return newClient(cfg, resolver, limits{header, total, lineLife}, roots)
}

// Brief makes a client whose connections are kept for no longer than life.
func Brief(cfg Config, resolver *net.Resolver, life time.Duration) *Client {
	return newClient(cfg, resolver, limits{5 * time.Second, 5 * time.Second, life}, nil)
}

// KeptPerHost is how many connections to one host are kept.
const KeptPerHost = keptPerHost

// Watched makes a client that decides on each connection, tells of those that
// it would make, and makes only those to this machine.
func Watched(cfg Config, resolver *net.Resolver, told func(netip.AddrPort)) *Client {
	c := newClient(cfg, resolver, limits{5 * time.Second, 5 * time.Second, lineLife}, nil)
	c.guard.open = func(ctx context.Context, dialer *net.Dialer, address string) (net.Conn, error) {
		if err := dialer.Control("tcp", address, nil); err != nil {
			return nil, err
		}
		target := netip.MustParseAddrPort(address)
		told(target)
		if !target.Addr().IsLoopback() {
			return nil, net.ErrClosed
		}
		return dialer.DialContext(ctx, "tcp", address)
	}
	return c
}
