package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// maxAnswers is how many addresses a name may have, and maxDialled how many of
// them are tried.
const (
	maxAnswers = 64
	maxDialled = 4
)

// never are addresses that nobody may allow: those that mean this machine
// without saying so, and those where a cloud tells a machine its secrets.
var never = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("::/128"),
	netip.MustParsePrefix("224.0.0.0/4"),
	netip.MustParsePrefix("255.255.255.255/32"),
	netip.MustParsePrefix("ff00::/8"),
	netip.MustParsePrefix("169.254.169.254/32"),
	netip.MustParsePrefix("169.254.170.2/32"),
	netip.MustParsePrefix("169.254.170.23/32"),
	netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("192.0.0.192/32"),
	netip.MustParsePrefix("fd00:ec2::/32"),
	netip.MustParsePrefix("fd20:ce::254/128"),
}

// guard decides which addresses are talked to.
type guard struct {
	public   *ssrf.Guardian
	allow    []netip.Prefix
	own      []netip.AddrPort
	never    []place
	resolver *net.Resolver
	open     func(ctx context.Context, dialer *net.Dialer, address string) (net.Conn, error)
}

// place is a host that is never talked to, at any port when port is "".
type place struct{ host, port string }

func newGuard(cfg Config, resolver *net.Resolver) *guard {
	g := &guard{public: ssrf.New(ssrf.WithAnyPort()), allow: cfg.Allow, own: cfg.Own, resolver: resolver, open: open}
	for _, text := range cfg.Never {
		host, port, err := net.SplitHostPort(text)
		if err != nil {
			host, port = strings.Trim(text, "[]"), ""
		}
		g.never = append(g.never, place{strings.TrimSuffix(strings.ToLower(host), "."), port})
	}
	return g
}

func open(ctx context.Context, dialer *net.Dialer, address string) (net.Conn, error) {
	return dialer.DialContext(ctx, "tcp", address)
}

// dial resolves a host, and connects when each of its addresses may be talked
// to. One that may not spoils the whole name: whoever answers so is not to be
// trusted with a second question. What is not encrypted goes only where it was
// allowed to.
func (g *guard) dial(ctx context.Context, address string, onlyAllowed bool) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &Error{BadURL, err}
	}
	onlyAllowed = onlyAllowed || isLocalName(host)
	targets, err := g.resolve(ctx, host, port)
	if err != nil {
		return nil, err
	}
	if err := g.refusesName(ctx, host, port, targets); err != nil {
		return nil, err
	}
	for _, target := range targets {
		if err := g.check(target, onlyAllowed); err != nil {
			return nil, &Error{BadAddress, err}
		}
	}
	dialer := &net.Dialer{Control: func(_, actual string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(actual)
		if err == nil {
			err = g.check(target, onlyAllowed)
		}
		if err != nil {
			return &Error{BadAddress, err}
		}
		return nil
	}}
	for _, target := range targets[:min(len(targets), maxDialled)] {
		var conn net.Conn
		if conn, err = g.open(ctx, dialer, target.String()); err == nil {
			return conn, nil
		}
	}
	if refused, ok := errors.AsType[*Error](err); ok {
		return nil, refused
	}
	return nil, &Error{NoWay, err}
}

// resolve gives all addresses of a host. None is a failure like any other.
func (g *guard) resolve(ctx context.Context, host, port string) ([]netip.AddrPort, error) {
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return nil, &Error{BadURL, err}
	}
	addresses, err := g.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	targets := make([]netip.AddrPort, len(addresses))
	for i, a := range addresses {
		targets[i] = netip.AddrPortFrom(a, uint16(number))
	}
	return targets, nil
}

func (g *guard) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{literal}, nil
	}
	found, err := g.resolver.LookupNetIP(ctx, "ip", host)
	switch {
	case err != nil:
		return nil, &Error{BadName, err}
	case len(found) == 0 || len(found) > maxAnswers:
		return nil, &Error{BadName, fmt.Errorf("%d addresses", len(found))}
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found, nil
}

var (
	errNever      = errors.New("nobody may talk to this address from here")
	errOurselves  = errors.New("this is our own address")
	errNotAllowed = errors.New("neither plain HTTP nor a local name leads outside the ranges that were allowed")
)

// checkURL refuses what dial would, as far as that can be known of a URL
// without asking for its addresses.
func (g *guard) checkURL(to *url.URL) error {
	onlyAllowed := to.Scheme == "http" || isLocalName(to.Hostname())
	address, err := netip.ParseAddr(to.Hostname())
	switch {
	case err == nil:
		return g.check(netip.AddrPortFrom(address, portOf(to)), onlyAllowed)
	case onlyAllowed && len(g.allow) == 0:
		return errNotAllowed
	}
	return nil
}

// portOf is where a URL leads that ParseURL has read.
func portOf(to *url.URL) uint16 {
	if number, err := strconv.ParseUint(to.Port(), 10, 16); err == nil {
		return uint16(number)
	}
	if to.Scheme == "http" {
		return 80
	}
	return 443
}

// check decides on one address.
func (g *guard) check(target netip.AddrPort, onlyAllowed bool) error {
	address := target.Addr()
	switch {
	case address.Zone() != "" || containedIn(never, address.Unmap()):
		return errNever
	case g.isOurs(target):
		return errOurselves
	case containedIn(g.allow, address):
		return nil
	case onlyAllowed:
		return errNotAllowed
	}
	return g.public.SafeAddr(address)
}

// isOurs says whether this process listens there. A listener on all addresses
// is on each that this machine has.
func (g *guard) isOurs(target netip.AddrPort) bool {
	address := target.Addr().Unmap()
	for _, own := range g.own {
		if own.Port() != target.Port() {
			continue
		}
		if own.Addr().Unmap() == address || own.Addr().IsUnspecified() && (address.IsLoopback() || onThisMachine(address)) {
			return true
		}
	}
	return false
}

func onThisMachine(address netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return true // rather refuse than talk to ourselves
	}
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap() == address
	})
}

// refusesName refuses the hosts that are never talked to, by their names and
// by the addresses that these have now.
func (g *guard) refusesName(ctx context.Context, host, port string, targets []netip.AddrPort) error {
	for _, p := range g.never {
		if p.port != "" && p.port != port {
			continue
		}
		if strings.EqualFold(p.host, strings.TrimSuffix(host, ".")) {
			return &Error{BadAddress, errNever}
		}
		addresses, err := g.addresses(ctx, p.host)
		if err != nil {
			continue // it has no address that could be met
		}
		for _, t := range targets {
			if slices.Contains(addresses, t.Addr().Unmap()) {
				return &Error{BadAddress, errNever}
			}
		}
	}
	return nil
}

func containedIn(prefixes []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(address) })
}

// isLocalName says whether a name means something else in each network.
func isLocalName(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, suffix := range []string{"localhost", "local", "internal", "localdomain", "home.arpa", "lan"} {
		if host == suffix || strings.HasSuffix(host, "."+suffix) {
			return true
		}
	}
	return false
}
