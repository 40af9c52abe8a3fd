package outbound_test

import (
	"net/netip"
	"testing"

	"mooring/internal/outbound"
)

// denied are the ranges that no one may be talked to in, each with the nearest
// addresses outside of it that may, "" where there is none.
var denied = []struct{ what, prefix, below, above string }{
	{"this network", "0.0.0.0/8", "", "1.0.0.0"},
	{"private", "10.0.0.0/8", "9.255.255.255", "11.0.0.0"},
	{"carrier", "100.64.0.0/10", "100.63.255.255", "100.128.0.0"},
	{"a cloud's metadata in the carrier's range", "100.100.100.200/32", "", ""},
	{"loopback", "127.0.0.0/8", "126.255.255.255", "128.0.0.0"},
	{"link-local", "169.254.0.0/16", "169.253.255.255", "169.255.0.0"},
	{"cloud metadata", "169.254.169.254/32", "", ""},
	{"private", "172.16.0.0/12", "172.15.255.255", "172.32.0.0"},
	{"IETF", "192.0.0.0/24", "191.255.255.255", "192.0.1.0"},
	{"a cloud's metadata", "192.0.0.192/32", "", ""},
	{"documentation", "192.0.2.0/24", "192.0.1.255", "192.0.3.0"},
	{"AS112", "192.31.196.0/24", "192.31.195.255", "192.31.197.0"},
	{"AMT", "192.52.193.0/24", "192.52.192.255", "192.52.194.0"},
	{"6to4 relays", "192.88.99.0/24", "192.88.98.255", "192.88.100.0"},
	{"private", "192.168.0.0/16", "192.167.255.255", "192.169.0.0"},
	{"AS112", "192.175.48.0/24", "192.175.47.255", "192.175.49.0"},
	{"benchmark", "198.18.0.0/15", "198.17.255.255", "198.20.0.0"},
	{"documentation", "198.51.100.0/24", "198.51.99.255", "198.51.101.0"},
	{"documentation", "203.0.113.0/24", "203.0.112.255", "203.0.114.0"},
	{"multicast", "224.0.0.0/4", "223.255.255.255", ""},
	{"class E", "240.0.0.0/4", "", ""},
	{"broadcast", "255.255.255.255/32", "", ""},

	{"unspecified", "::/128", "", ""},
	{"loopback", "::1/128", "", ""},
	{"IPv4-compatible", "::/96", "", ""},
	{"IPv4-mapped", "::ffff:0:0/96", "", ""},
	{"IPv4-translated", "::ffff:0:0:0/96", "", ""},
	{"NAT64", "64:ff9b::/96", "", ""},
	{"NAT64 of a network", "64:ff9b:1::/48", "", ""},
	{"discard", "100::/64", "", ""},
	{"below global unicast", "1fff::/16", "", "2000::"},
	{"Teredo", "2001::/32", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
	{"ORCHID", "2001:10::/28", "", ""},
	{"ORCHIDv2", "2001:20::/28", "", ""},
	{"IETF", "2001::/23", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
	{"documentation", "2001:db8::/32", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
	{"6to4", "2002::/16", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
	{"AS112", "2620:4f:8000::/48", "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::"},
	{"documentation", "3fff::/20", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
	{"above global unicast", "4000::/3", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
	{"SRv6", "5f00::/16", "", ""},
	{"ULA", "fc00::/7", "", ""},
	{"a cloud's metadata", "fd00:ec2::254/128", "", ""},
	{"link-local", "fe80::/10", "", ""},
	{"site-local", "fec0::/10", "", ""},
	{"multicast", "ff00::/8", "", ""},
}

func TestEachRangeIsRefusedFromItsFirstToItsLastAddressAndNoFurther(t *testing.T) {
	for _, row := range denied {
		prefix := netip.MustParsePrefix(row.prefix)
		for _, address := range []netip.Addr{prefix.Masked().Addr(), prefix.Addr(), last(prefix)} {
			if err := check(outbound.Config{}, address.String()); err == nil {
				t.Errorf("%s: %s was let through", row.what, address)
			}
		}
		for _, neighbour := range []string{row.below, row.above} {
			if neighbour == "" {
				continue
			}
			if err := check(outbound.Config{}, neighbour); err != nil {
				t.Errorf("%s: the neighbour %s was refused: %v", row.what, neighbour, err)
			}
		}
	}
}

func TestAnIPv4AddressIsNotLetThroughInDisguise(t *testing.T) {
	for _, row := range denied {
		first := netip.MustParsePrefix(row.prefix).Addr()
		if !first.Is4() {
			continue
		}
		four := first.As4()
		mapped := netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff, 12: four[0], 13: four[1], 14: four[2], 15: four[3]})
		nat := netip.AddrFrom16([16]byte{0: 0, 1: 0x64, 2: 0xff, 3: 0x9b, 12: four[0], 13: four[1], 14: four[2], 15: four[3]})
		six := netip.AddrFrom16([16]byte{0: 0x20, 1: 0x02, 2: four[0], 3: four[1], 4: four[2], 5: four[3]})
		for _, disguised := range []netip.Addr{mapped, nat, six} {
			if err := check(outbound.Config{}, disguised.String()); err == nil {
				t.Errorf("%s was let through as %s", first, disguised)
			}
		}
	}
}

func TestAZoneIsRefused(t *testing.T) {
	everything := outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("::/0")}}
	if err := check(everything, "fe80::1%lo"); err == nil {
		t.Error("an address with a zone was let through")
	}
}

func TestTheOperatorAllowsRangesAndNothingBesideThem(t *testing.T) {
	cfg := outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd12::/16")}}
	for address, allowed := range map[string]bool{
		"10.1.0.0": true, "10.1.255.255": true, "10.0.255.255": false, "10.2.0.0": false, "127.0.0.1": false,
		"fd12::1": true, "fd13::1": false, "::ffff:10.1.0.1": false, "93.184.216.34": true,
	} {
		if err := check(cfg, address); (err == nil) != allowed {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestNobodyCanAllowMetadataNorOurselves(t *testing.T) {
	cfg := outbound.Config{
		Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
		Own:   []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:443"), netip.MustParseAddrPort("10.0.0.7:443")},
	}
	for _, address := range []string{
		"169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "::ffff:169.254.169.254",
		"0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "127.0.0.1", "::ffff:127.0.0.1", "10.0.0.7",
	} {
		if err := check(cfg, address); err == nil {
			t.Errorf("%s was let through", address)
		}
	}
	if err := check(cfg, "10.0.0.8"); err != nil {
		t.Error(err)
	}
}

func TestAListenerOnAllAddressesIsOursOnEachOfThem(t *testing.T) {
	cfg := outbound.Config{
		Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
		Own:   []netip.AddrPort{netip.MustParseAddrPort("[::]:8080")},
	}
	for target, allowed := range map[string]bool{
		"127.0.0.1:8080": false, "127.9.9.9:8080": false, "[::1]:8080": false, "127.0.0.1:8081": true, "10.200.1.1:8080": true,
	} {
		if err := outbound.Check(cfg, netip.MustParseAddrPort(target), false); (err == nil) != allowed {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestPlainHTTPGoesOnlyWhereItWasAllowedTo(t *testing.T) {
	cfg := outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	for target, allowed := range map[string]bool{"10.1.0.1:80": true, "93.184.216.34:80": false} {
		if err := outbound.Check(cfg, netip.MustParseAddrPort(target), true); (err == nil) != allowed {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func check(cfg outbound.Config, address string) error {
	return outbound.Check(cfg, netip.AddrPortFrom(netip.MustParseAddr(address), 443), false)
}

// last is the highest address of a prefix.
func last(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	address, _ := netip.AddrFromSlice(bytes)
	return address
}
