package outbound_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/outbound"
)

// zone is a name server that answers each question with the next of a name's
// answers, and the last of them for ever.
type zone struct {
	mu      sync.Mutex
	answers map[string][]answer
}

// answer is what a name has at one moment. A name without any does not exist.
type answer struct {
	addresses []string
	alias     string // CNAME; its addresses are those of the answer
	broken    bool   // SERVFAIL
}

// resolver starts the server and gives a resolver that asks nobody else.
func (z *zone) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			conn.WriteTo(packet(z.reply(buffer[:n])), from)
		}
	}()
	long := z.overTCP(t)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if strings.HasPrefix(network, "tcp") {
			return new(net.Dialer).DialContext(ctx, "tcp", long)
		}
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// overTCP answers what is too long for a packet.
func (z *zone) overTCP(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var length uint16
			binary.Read(conn, binary.BigEndian, &length)
			question := make([]byte, length)
			io.ReadFull(conn, question)
			reply := z.reply(question)
			conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// maxPacket is how long an answer over UDP may be; a longer one is cut off
// behind the question.
const maxPacket = 1200

func packet(reply []byte) []byte {
	if len(reply) <= maxPacket {
		return reply
	}
	end := 12
	for reply[end] != 0 {
		end += 1 + int(reply[end])
	}
	reply = reply[:end+5]
	reply[2] |= 2
	binary.BigEndian.PutUint16(reply[6:], 0)
	return reply
}

const (
	typeA, typeCNAME, typeAAAA = 1, 5, 28
	servFail, noSuchName       = 2, 3
)

// reply answers one question (RFC 1035). The answers of a name move on with its
// A question, of which there is one each time that it is resolved.
func (z *zone) reply(question []byte) []byte {
	end := 12
	var labels []string
	for question[end] != 0 {
		n := int(question[end])
		labels = append(labels, string(question[end+1:end+1+n]))
		end += 1 + n
	}
	kind := binary.BigEndian.Uint16(question[end+1:])
	name := strings.ToLower(strings.Join(labels, "."))
	a, known := z.next(name, kind)

	out := append([]byte{}, question[:end+5]...)
	out[2], out[3] = 0x84, 0x00
	binary.BigEndian.PutUint16(out[6:], 0)
	binary.BigEndian.PutUint16(out[8:], 0)
	binary.BigEndian.PutUint16(out[10:], 0)
	switch {
	case a.broken:
		out[3] = servFail
		return out
	case !known:
		out[3] = noSuchName
		return out
	}
	count := uint16(0)
	owner := []byte{0xc0, 12}
	if a.alias != "" {
		target := encodeName(a.alias)
		out = appendRecord(out, owner, typeCNAME, target)
		owner, count = target, count+1
	}
	for _, text := range a.addresses {
		address := netip.MustParseAddr(text)
		if address.Is4() && kind == typeA || address.Is6() && kind == typeAAAA {
			out = appendRecord(out, owner, kind, address.AsSlice())
			count++
		}
	}
	binary.BigEndian.PutUint16(out[6:], count)
	return out
}

func (z *zone) next(name string, kind uint16) (answer, bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	all := z.answers[name]
	if len(all) == 0 {
		return answer{}, false
	}
	if kind == typeA && len(all) > 1 {
		z.answers[name] = all[1:]
	}
	return all[0], true
}

func appendRecord(out, owner []byte, kind uint16, data []byte) []byte {
	out = append(out, owner...)
	out = binary.BigEndian.AppendUint16(out, kind)
	out = binary.BigEndian.AppendUint16(out, 1)
	out = binary.BigEndian.AppendUint32(out, 0) // good for no time at all
	out = binary.BigEndian.AppendUint16(out, uint16(len(data)))
	return append(out, data...)
}

func encodeName(name string) []byte {
	var out []byte
	for label := range strings.SplitSeq(name, ".") {
		out = append(append(out, byte(len(label))), label...)
	}
	return append(out, 0)
}

// TestANameIsJudgedByAllItsAddresses asks for a port on which nothing listens:
// whatever was let through ends in a connection that failed, or in one that
// took too long where the sandbox swallows it.
func TestANameIsJudgedByAllItsAddresses(t *testing.T) {
	many := make([]string, 100)
	for i := range many {
		many[i] = "127.0.0.1"
	}
	z := &zone{answers: map[string][]answer{
		"private.example":  {{addresses: []string{"10.0.0.1"}}},
		"loopback.example": {{addresses: []string{"127.0.0.1"}}},
		"six.example":      {{addresses: []string{"::1"}}},
		"mixed.example":    {{addresses: []string{"93.184.216.34", "10.0.0.1"}}},
		"families.example": {{addresses: []string{"93.184.216.34", "fd00::1"}}},
		"alias.example":    {{alias: "localhost", addresses: []string{"127.0.0.1"}}},
		"metadata.example": {{addresses: []string{"169.254.169.254"}}},
		"mapped.example":   {{addresses: []string{"::ffff:127.0.0.1"}}},
		"empty.example":    {{}},
		"broken.example":   {{broken: true}},
		"many.example":     {{addresses: many[:64]}},
		"local.internal":   {{addresses: []string{"93.184.216.34"}}},
		"a.localhost":      {{addresses: []string{"93.184.216.34"}}},
		"printer.local":    {{addresses: []string{"93.184.216.34"}}},
	}}
	for _, row := range denied { // each row of the table as a name's answer, and beside a public one
		address := netip.MustParsePrefix(row.prefix).Addr().String()
		z.answers["row-"+safe(row.prefix)+".example"] = []answer{{addresses: []string{address}}}
		z.answers["mix-"+safe(row.prefix)+".example"] = []answer{{addresses: []string{"93.184.216.34", address}}}
	}
	c := outbound.NewWith(outbound.Config{MaxBody: 1}, z.resolver(t), nil, 10*time.Second, 10*time.Second)
	for name := range z.answers {
		t.Run(name, func(t *testing.T) {
			_, err := get(t, c, "https://"+name+":444/")
			want := outbound.BadAddress
			switch name {
			case "empty.example", "broken.example":
				want = outbound.BadName
			case "mapped.example":
				if err == nil {
					t.Error("it was let through")
				}
				return
			}
			expect(t, err, want)
		})
	}
	t.Run("no such name", func(t *testing.T) {
		_, err := get(t, c, "https://nobody.example/")
		expect(t, err, outbound.BadName)
	})
}

func safe(prefix string) string {
	return strings.NewReplacer(".", "-", ":", "-", "/", "-").Replace(prefix)
}

func TestANameThatChangesItsMindIsJudgedEachTime(t *testing.T) {
	s, came := receiver(t, func(http.ResponseWriter, *http.Request) {})
	s.Start()
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	z := &zone{answers: map[string][]answer{
		"turncoat.example": {{addresses: []string{"127.0.0.1"}}, {addresses: []string{"127.0.0.2"}}},
		"flaky.example":    {{broken: true}, {broken: true}, {broken: true}, {broken: true}, {addresses: []string{"127.0.0.2"}}},
	}}
	first := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c := outbound.NewWith(outbound.Config{Allow: first, MaxBody: 1}, z.resolver(t), nil, 5*time.Second, 5*time.Second)

	if _, err := get(t, c, "http://turncoat.example:"+port); err != nil {
		t.Fatal(err)
	}
	_, err := get(t, c, "http://turncoat.example:"+port)
	expect(t, err, outbound.BadAddress)
	_, err = get(t, c, "http://flaky.example:"+port)
	expect(t, err, outbound.BadName)
	if n := came.Load(); n != 1 {
		t.Errorf("%d connections were made, want the one that was allowed", n)
	}
}

func TestANameOfTheDatabaseIsRefusedUnderAnyOther(t *testing.T) {
	z := &zone{answers: map[string][]answer{
		"db.example":    {{addresses: []string{"127.0.0.3"}}},
		"other.example": {{addresses: []string{"127.0.0.3"}}},
	}}
	cfg := outbound.Config{Allow: loopback, Never: []string{"db.example"}, MaxBody: 1}
	c := outbound.NewWith(cfg, z.resolver(t), nil, 10*time.Second, 10*time.Second)
	for _, host := range []string{"db.example", "DB.example.", "other.example", "127.0.0.3"} {
		u := &url.URL{Scheme: "http", Host: host + ":81"}
		_, err := c.Do(context.Background(), http.MethodGet, u, nil, nil)
		expect(t, err, outbound.BadAddress)
	}
}
