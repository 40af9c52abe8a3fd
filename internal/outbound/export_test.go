package outbound

import (
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
	return newClient(cfg, resolver, limits{header, total}, roots)
}
