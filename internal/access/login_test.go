package access

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestWhatIsCountedOfLoginsIsBounded(t *testing.T) {
	l, now := newLogins(2), time.Now()
	here := netip.MustParseAddr("192.0.2.1")
	for range 2 {
		l.attempt(here, "client", "guess").failed(now)
	}
	for i := range 5 * loginsPerGeneration {
		from := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
		l.attempt(from, fmt.Sprint("client ", i), "guess").failed(now)
		if i%1000 == 0 && l.attempt(here, "client", "guess").allowed(now) == nil {
			t.Fatalf("failures of a source in use are forgotten after %d others", i)
		}
	}
	if held := len(l.counts.young) + len(l.counts.old); held > 2*loginsPerGeneration {
		t.Errorf("it holds %d", held)
	}
}

func TestASourceIsANetworkAndAnId(t *testing.T) {
	for _, c := range []struct {
		one, other string
		same       bool
	}{
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		if same := network(netip.MustParseAddr(c.one)) == network(netip.MustParseAddr(c.other)); same != c.same {
			t.Errorf("%s and %s: same is %v", c.one, c.other, same)
		}
	}
	if network(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("no address is some network")
	}
	l, now := newLogins(1), time.Now()
	l.attempt(netip.Addr{}, "", "").failed(now) // an empty id must not count as the whole address
	if err := l.attempt(netip.Addr{}, "client", "").allowed(now); err != nil {
		t.Errorf("another client: %v", err)
	}
}
