package outbound_test

import (
	"context"
	"encoding/binary"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"mooring/internal/outbound"
)

// inside are more of what the two IANA registries list within the ranges of
// denied, and addresses behind which clouds keep secrets.
var inside = []string{
	"0.0.0.0/32", "127.0.0.1/32", "127.0.0.53/32", "169.254.0.0/24", "169.254.169.253/32", "169.254.170.2/32", "169.254.170.23/32", "169.254.255.0/24",
	"192.0.0.0/29", "192.0.0.8/32", "192.0.0.170/31", "192.168.0.0/24", "192.168.1.1/32", "224.0.0.0/24", "232.0.0.0/8", "233.252.0.0/24", "239.0.0.0/8",
	"172.17.0.1/32", "10.96.0.1/32", "100.64.0.0/24", "64:ff9b::7f00:1/128", "64:ff9b::a9fe:a9fe/128", "64:ff9b:1::a9fe:a9fe/128",
	"2001:2::/48", "2001:30::/28", "2001:3::/32", "2001:4:112::/48", "2002:7f00:1::/48", "2002:a9fe:a9fe::/48", "fd00::/8", "fd00:ec2::/32",
	"fd20:ce::254/128", "fe80::1/128", "ff01::/16", "ff02::1/128", "ff05::/16", "::127.0.0.1/128", "::ffff:169.254.169.254/128", "::ffff:0:127.0.0.1/128",
}

// targets are the addresses that nobody may come to, and the neighbours of
// their ranges, to which anybody may.
func targets() (refused, reached []netip.Addr) {
	seen := map[netip.Addr]bool{}
	refuse := func(a netip.Addr) {
		if !seen[a] {
			seen[a] = true
			refused = append(refused, a)
		}
	}
	ends := func(text string) {
		p := netip.MustParsePrefix(text)
		for _, a := range []netip.Addr{p.Masked().Addr(), p.Addr(), last(p)} {
			refuse(a)
			if a.Is4() {
				for _, disguised := range disguises(a) {
					refuse(disguised)
				}
			}
		}
	}
	for _, row := range denied {
		ends(row.prefix)
		for _, neighbour := range []string{row.below, row.above} {
			if neighbour != "" && !slices.Contains(reached, netip.MustParseAddr(neighbour)) {
				reached = append(reached, netip.MustParseAddr(neighbour))
			}
		}
	}
	for _, text := range inside {
		ends(text)
	}
	return refused, reached
}

// disguises are an IPv4 address in the six ways in which an IPv6 address can
// carry one.
func disguises(a netip.Addr) []netip.Addr {
	four := a.As4()
	number := binary.BigEndian.Uint32(four[:])
	var all []netip.Addr
	for _, start := range []string{"::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"} {
		bytes := netip.MustParseAddr(start).As16()
		copy(bytes[12:], four[:])
		all = append(all, netip.AddrFrom16(bytes))
	}
	sixToFour := netip.MustParseAddr("2002::1").As16()
	copy(sixToFour[2:], four[:])
	teredo := netip.MustParseAddr("2001::").As16()
	binary.BigEndian.PutUint32(teredo[12:], ^number)
	return append(all, netip.AddrFrom16(sixToFour), netip.AddrFrom16(teredo))
}

// watch notes where a client would have gone.
type watch struct {
	mu   sync.Mutex
	seen []netip.Addr
}

func (w *watch) note(target netip.AddrPort) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, target.Addr())
}

// since gives what was noted, and forgets it.
func (w *watch) since() []netip.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

func post(c *outbound.Client, raw string) (outbound.Answer, error) {
	to, err := outbound.ParseEndpoint(raw)
	if err != nil {
		return outbound.Answer{}, err
	}
	return c.Post(context.Background(), outbound.Message{To: to, Body: []byte("{}")})
}

func literal(a netip.Addr) string { return "https://" + netip.AddrPortFrom(a, 443).String() + "/hook" }

func TestNoConnectionIsMadeToWhatIsNotOnThePublicInternet(t *testing.T) {
	const public = "93.184.216.34"
	refused, reached := targets()
	if len(refused)+len(reached) < 400 {
		t.Fatalf("only %d targets", len(refused)+len(reached))
	}
	redirecting, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
	})
	redirecting.Start()
	defer redirecting.Close()
	z := &zone{answers: map[string][]answer{}}
	name := func(kind string, a netip.Addr) string { return kind + "-" + safe(a.String()) + "x.example" }
	for _, a := range slices.Concat(refused, reached) {
		z.answers[name("one", a)] = []answer{{addresses: []string{a.String()}}}
		z.answers[name("after", a)] = []answer{{addresses: []string{public, a.String()}}}
		z.answers[name("before", a)] = []answer{{addresses: []string{a.String(), public}}}
	}
	var w watch
	c := outbound.Watched(outbound.Config{Unverified: true}, z.resolver(t), w.note)
	there := outbound.Watched(outbound.Config{Allow: loopback}, z.resolver(t), func(a netip.AddrPort) {
		if !a.Addr().IsLoopback() {
			w.note(a)
		}
	})
	ways := func(a netip.Addr) map[string]func() error {
		to := func(host string) func() error {
			return func() error { _, err := post(c, "https://"+host+"/"); return err }
		}
		return map[string]func() error{
			"literal": func() error { _, err := post(c, literal(a)); return err },
			"answer":  to(name("one", a)), "after a public one": to(name("after", a)), "before a public one": to(name("before", a)),
		}
	}
	for _, a := range refused {
		for way, try := range ways(a) {
			if err := try(); !isRefusal(err) {
				t.Errorf("%s, %s: %v", a, way, err)
			}
		}
		_, err := post(there, redirecting.URL+"/?to="+url.QueryEscape(literal(a)))
		expect(t, err, outbound.Redirect)
		if seen := w.since(); len(seen) > 0 {
			t.Errorf("%s: went to %s", a, seen)
		}
	}
	for _, a := range reached {
		for way, try := range ways(a) {
			try()
			if !slices.Contains(w.since(), a) {
				t.Errorf("%s, %s: is public, and was refused", a, way)
			}
		}
	}
	t.Logf("%d addresses refused, %d neighbours reached", len(refused), len(reached))
}

// isRefusal says whether an error is one of the guard.
func isRefusal(err error) bool {
	e, ok := err.(*outbound.Error)
	return ok && e.Kind == outbound.BadAddress
}

func TestNoSpellingOfAnAddressLeadsPastTheGuard(t *testing.T) {
	hosts := []string{
		"2130706433", "0x7f000001", "0X7F000001", "017700000001", "0x7f.0.0.1", "0177.0.0.1", "0177.0.0.01", "00000177.0.0.1", "127.1", "127.0.1", "127.0x1",
		"127.0.0.1.", "127.0.0.1..", ".127.0.0.1", "127.0.0.01", "127.0.0.0x1", "127.0.0.256", "127.0.0.1.1", "0", "0.0", "0x0", "00", "1", "[::]", "[::1]",
		"[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::1%25lo]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1", "::1", "①②⑦.⓪.⓪.①",
		"１２７.0.0.1", "127。0。0。1", "127．0．0．1", "localhost", "LOCALHOST", "LocalHost", "localhost.", "localhost..", "ｌocalhost", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "a.localhost",
		"a.b.localhost.", "localhost.localdomain", "metadata.google.internal", "METADATA.google.INTERNAL.", "printer.local", "router.lan", "router.home.arpa",
		"user@127.0.0.1", "public.example@127.0.0.1", "public.example:443@127.0.0.1", "127.0.0.1@public.example", "127.0.0.1#@public.example", "127.0.0.1\\@public.example",
		"public.example\\@127.0.0.1", "127.0.0.1%00.public.example", "127.0.0.1%2f.public.example", "127.0.0.1\t", "127.0.0.1\r\nHost: x", " 127.0.0.1", "127.0.0.1 ",
		"%31%32%37.0.0.1", "%6c%6f%63%61%6c%68%6f%73%74", "xn--localhost-.example\x00", "3232235777", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518",
		"0xa9.0xfe.0xa9.0xfe", "169.0xfea9fe", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::ffff:0:127.0.0.1]", "[0000::0001]", "[::FFFF:127.0.0.1]", "[v1.x]", "[127.0.0.1]",
	}
	z := &zone{answers: map[string][]answer{}}
	for _, host := range hosts { // whatever the guard makes a name of means this machine
		z.answers[strings.Trim(strings.ToLower(host), ".")] = []answer{{addresses: []string{"127.0.0.1"}}}
	}
	var w watch
	c := outbound.Watched(outbound.Config{}, z.resolver(t), w.note)
	for _, scheme := range []string{"https://", "http://", "HTTPS://", "hTTp://"} {
		for _, host := range hosts {
			for _, end := range []string{"/", ":8443/", "?x", ""} {
				if _, err := post(c, scheme+host+end); err == nil {
					t.Errorf("%s%s%s was let through", scheme, host, end)
				}
			}
		}
	}
	if seen := w.since(); len(seen) > 0 {
		t.Errorf("went to %s", seen)
	}
}

func TestHowManyAddressesANameHasOpensNothing(t *testing.T) {
	var hundred, public []string
	for i := range 100 {
		hundred = append(hundred, netip.AddrFrom4([4]byte{93, 184, 216, byte(i)}).String())
	}
	public = hundred[:64:64]
	z := &zone{answers: map[string][]answer{
		"hundred.example":  {{addresses: hundred}},
		"spoiled.example":  {{addresses: append(hundred[:99:99], "10.0.0.1")}},
		"last.example":     {{addresses: append(hundred[:63:63], "10.0.0.1")}},
		"full.example":     {{addresses: public}},
		"six.example":      {{addresses: []string{"2606:2800:220:1::1"}}},
		"six-ula.example":  {{addresses: []string{"fd00::1"}}},
		"alias.example":    {{alias: "localhost", addresses: []string{"127.0.0.1"}}},
		"recovers.example": {{broken: true}, {broken: true}, {addresses: []string{"10.0.0.1"}}}, // asked for twice at once
	}}
	var w watch
	c := outbound.Watched(outbound.Config{}, z.resolver(t), w.note)
	for _, row := range []struct {
		name string
		want outbound.Kind
		went int
	}{
		{"hundred", outbound.BadName, 0},
		{"spoiled", outbound.BadName, 0},
		{"last", outbound.BadAddress, 0},
		{"full", outbound.NoWay, 4},
		{"six", outbound.NoWay, 1},
		{"six-ula", outbound.BadAddress, 0},
		{"alias", outbound.BadAddress, 0},
		{"recovers", outbound.BadName, 0},
		{"recovers", outbound.BadAddress, 0},
	} {
		_, err := post(c, "https://"+row.name+".example/")
		expect(t, err, row.want)
		if seen := w.since(); len(seen) != row.went {
			t.Errorf("%s: went to %s", row.name, seen)
		}
	}
}

func TestOurOwnListenersAreNeverPostedToWhateverIsAllowed(t *testing.T) {
	everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	z := &zone{answers: map[string][]answer{
		"us.example":    {{addresses: []string{"127.0.0.1"}}},
		"us6.example":   {{addresses: []string{"::1"}}},
		"half.example":  {{addresses: []string{"93.184.216.34", "127.0.0.1"}}},
		"alias.example": {{alias: "localhost", addresses: []string{"127.0.0.1"}}},
	}}
	for _, own := range []string{"0.0.0.0:8080", "[::]:8080"} {
		var w watch
		cfg := outbound.Config{Allow: everything, Own: []netip.AddrPort{netip.MustParseAddrPort(own)}, Unverified: true}
		c := outbound.Watched(cfg, z.resolver(t), w.note)
		for _, host := range []string{"127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "us.example", "us6.example", "half.example", "alias.example"} {
			for _, scheme := range []string{"http", "https"} {
				_, err := post(c, scheme+"://"+host+":8080/v1/accounts")
				expect(t, err, outbound.BadAddress)
			}
		}
		if seen := w.since(); len(seen) > 0 {
			t.Errorf("went to %s", seen)
		}
	}
}
