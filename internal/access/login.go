package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"mooring/internal/fault"
)

// loginsPerGeneration bounds how many sources and clients are counted, and how
// many are remembered to have logged in: two generations of so many, of about
// 200 bytes each.
const loginsPerGeneration = 8192

// What may fail a minute, in multiples of what one client may at one network.
const (
	networkFactor = 10  // all clients together at one network, such as that of an office
	clientFactor  = 10  // one client at all networks where it failed within the last minute
	strangeFactor = 100 // one client at all networks where it did not
)

// logins counts failed logins: of a client id at a network, of a network, and
// of a client id wherever it is tried. Only failures count, so a client that
// knows its secret never waits for itself. Nor does it wait for those who guess
// it: the secret that a client last logged in with at a network is let through
// to be checked whatever has failed there.
type logins struct {
	perMinute int
	key       [sha256.Size]byte // of the marks of secrets; drawn anew with each process

	mu     sync.Mutex
	counts generations[source, *failures]
	marks  generations[source, [sha256.Size]byte] // of the secrets that clients last logged in with
}

// source is where logins fail: a client id at a network, all of a network, or a
// client id anywhere.
type source struct {
	kind string
	from netip.Prefix
	id   string
}

// failures are those of one source, and when the last of them was.
type failures struct {
	*rate.Limiter
	at time.Time
}

func newLogins(perMinute int) *logins {
	l := &logins{perMinute: perMinute}
	rand.Read(l.key[:]) // never fails (crypto/rand)
	return l
}

// attempt is one login under the limits that hold for it.
type attempt struct {
	logins                     *logins
	mark                       [sha256.Size]byte
	here, network, wide, wider limit
}

// limit is how often logins may fail at a source.
type limit struct {
	source
	factor int
}

// attempt is a login with a client id and a secret, decoded, from an address.
// Spellings of an id that look alike share their limits.
func (l *logins) attempt(remote netip.Addr, id, given string) *attempt {
	mac := hmac.New(sha256.New, l.key[:])
	mac.Write([]byte(id + "\x00" + given))
	from := network(remote)
	id = strings.Clone(strings.ToLower(strings.TrimSpace(id[:min(len(id), 64)])))
	a := &attempt{
		logins:  l,
		here:    limit{source{"client at a network", from, id}, 1},
		network: limit{source{kind: "network", from: from}, networkFactor},
		wide:    limit{source{kind: "client", id: id}, clientFactor},
		wider:   limit{source{kind: "client at strange networks", id: id}, strangeFactor},
	}
	mac.Sum(a.mark[:0])
	return a
}

// network is the address, or for IPv6 the /64 that one customer usually has.
func network(remote netip.Addr) netip.Prefix {
	remote = remote.Unmap().WithZone("")
	bits := remote.BitLen()
	if remote.Is6() {
		bits = 64
	}
	prefix, _ := remote.Prefix(bits) // the zero Prefix for the zero Addr
	return prefix
}

// allowed refuses, before any secret is looked at, with the time after which
// one more attempt is free.
func (a *attempt) allowed(now time.Time) error {
	a.logins.mu.Lock()
	defer a.logins.mu.Unlock()
	if a.known() {
		return nil
	}
	return a.held(now)
}

// known says whether the client last logged in here with this very secret. The
// caller holds the lock, here and below.
func (a *attempt) known() bool {
	mark, _ := a.logins.marks.get(a.here.source)
	return subtle.ConstantTimeCompare(mark[:], a.mark[:]) == 1
}

// limits are those that hold now. A network where the client has failed lately
// shares a limit with all others like it, and any other has a share in a wider
// one: who guesses from everywhere holds back himself before a client that
// begins somewhere new.
func (a *attempt) limits(now time.Time) []limit {
	if last, ok := a.logins.counts.get(a.here.source); ok && now.Sub(last.at) < time.Minute {
		return []limit{a.here, a.network, a.wide}
	}
	return []limit{a.here, a.network, a.wider}
}

// held refuses when a limit is reached.
func (a *attempt) held(now time.Time) error {
	var wait time.Duration
	for _, limit := range a.limits(now) {
		counted, ok := a.logins.counts.get(limit.source)
		if !ok {
			continue
		}
		if missing := 1 - counted.TokensAt(now); missing > 0 {
			wait = max(wait, time.Duration(missing/float64(counted.Limit())*float64(time.Second)))
		}
	}
	if wait == 0 {
		return nil
	}
	f := fault.New(fault.TooMany, fault.CodeTooMany, "too many failed logins, try again later")
	f.RetryAfter = wait
	return f
}

// failed counts a failure. When too many came in at the same moment it refuses
// as allowed would have, had they come one after the other.
func (a *attempt) failed(now time.Time) error {
	l := a.logins
	l.mu.Lock()
	defer l.mu.Unlock()
	refusal := a.held(now)
	if a.known() {
		l.marks.put(a.here.source, [sha256.Size]byte{})
	}
	for _, limit := range a.limits(now) {
		counted, ok := l.counts.get(limit.source)
		if !ok {
			n := l.perMinute * limit.factor
			counted = &failures{Limiter: rate.NewLimiter(rate.Limit(float64(n)/60), n)}
			l.counts.put(limit.source, counted)
		}
		counted.AllowN(now, 1)
		counted.at = now
	}
	return refusal
}

// succeeded remembers with which secret the client logs in here.
func (a *attempt) succeeded() {
	a.logins.mu.Lock()
	defer a.logins.mu.Unlock()
	a.logins.marks.put(a.here.source, a.mark)
}

// generations is a map that forgets what was not used for long: what is added
// goes into the young one; when that is full it becomes the old one, and what
// the old one held is gone.
type generations[K comparable, V any] struct{ young, old map[K]V }

func (g *generations[K, V]) get(key K) (V, bool) {
	if found, ok := g.young[key]; ok {
		return found, true
	}
	found, ok := g.old[key]
	if ok {
		g.put(key, found)
	}
	return found, ok
}

func (g *generations[K, V]) put(key K, value V) {
	if g.young == nil || len(g.young) >= loginsPerGeneration {
		g.old, g.young = g.young, make(map[K]V)
	}
	g.young[key] = value
}
