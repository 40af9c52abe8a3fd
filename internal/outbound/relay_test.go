package outbound_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"mooring/internal/outbound"
)

// TestARelayMayBeNearAndNothingElse: who runs the deployment named it, which
// opens its network to nobody else.
func TestARelayMayBeNearAndNothingElse(t *testing.T) {
	address, came := near(t)
	client := outbound.New(outbound.Config{Relay: address, MaxBody: 100})
	defer client.Close()
	conn, err := client.DialRelay(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if n := <-came; n != 1 {
		t.Errorf("it is connection %d", n)
	}
	for _, target := range []string{"https://" + address + "/", "http://" + address + "/"} {
		to, err := outbound.ParseEndpoint(target)
		if err != nil {
			continue
		}
		if _, err := client.Post(t.Context(), outbound.Message{To: to}); kindOf(err) != outbound.BadAddress {
			t.Errorf("a hook to the relay's %s: %v", target, err)
		}
	}
	select {
	case <-came:
		t.Error("a hook came to the relay")
	default:
	}
}

func TestARelayIsNeverOurselvesNorMetadata(t *testing.T) {
	address, came := near(t)
	here := netip.MustParseAddrPort(address)
	everywhere := netip.AddrPortFrom(netip.IPv6Unspecified(), here.Port())
	z := zone{answers: map[string][]answer{
		"relay.test":    {{addresses: []string{here.Addr().String()}}},
		"metadata.test": {{addresses: []string{"169.254.169.254"}}},
		"mixed.test":    {{addresses: []string{"93.184.216.34", "169.254.169.254"}}},
	}}
	resolver := z.resolver(t)
	byName := net.JoinHostPort("relay.test", "25")
	for name, cfg := range map[string]outbound.Config{
		"what we listen on":               {Relay: address, Own: []netip.AddrPort{here}},
		"what we listen on everywhere":    {Relay: address, Own: []netip.AddrPort{everywhere}},
		"ourselves by a name":             {Relay: byName, Own: []netip.AddrPort{netip.AddrPortFrom(here.Addr(), 25)}},
		"the database":                    {Relay: address, Never: []string{address}},
		"the database, by a name":         {Relay: byName, Never: []string{"127.0.0.1:25"}},
		"a cloud's metadata":              {Relay: "169.254.169.254:25"},
		"a cloud's metadata, disguised":   {Relay: "[::ffff:169.254.169.254]:25"},
		"a cloud's metadata, by IPv6":     {Relay: "[fd00:ec2::254]:25"},
		"a cloud's metadata, by a name":   {Relay: "metadata.test:25"},
		"one of two that is metadata":     {Relay: "mixed.test:25"},
		"nobody in particular":            {Relay: net.JoinHostPort("0.0.0.0", "25")},
		"nobody in particular, by IPv6":   {Relay: "[::]:25"},
		"whatever else the operator says": {Relay: "169.254.170.2:25", Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
	} {
		t.Run(name, func(t *testing.T) {
			client := outbound.Watched(cfg, resolver, func(netip.AddrPort) {})
			defer client.Close()
			conn, err := client.DialRelay(t.Context())
			if err == nil {
				conn.Close()
			}
			if kindOf(err) != outbound.BadAddress {
				t.Errorf("dialling gave %v", err)
			}
		})
	}
	select {
	case <-came:
		t.Error("somebody was connected")
	default:
	}
}

func TestWithoutARelayNobodyIsDialled(t *testing.T) {
	if _, err := outbound.New(outbound.Config{}).DialRelay(t.Context()); kindOf(err) != outbound.BadURL {
		t.Errorf("dialling gave %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	address, _ := near(t)
	if _, err := outbound.New(outbound.Config{Relay: address}).DialRelay(ended); err == nil {
		t.Error("it was dialled when there was no time left")
	}
}

// near listens on this machine and counts who connects.
func near(t *testing.T) (address string, came <-chan int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	told := make(chan int, 16)
	go func() {
		for n := 1; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
			told <- n
		}
	}()
	return l.Addr().String(), told
}

func kindOf(err error) outbound.Kind {
	if e, ok := errors.AsType[*outbound.Error](err); ok {
		return e.Kind
	}
	return ""
}
