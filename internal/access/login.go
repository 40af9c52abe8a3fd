package access

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"mooring/internal/fault"
)

// loginsPerGeneration bounds how many sources and clients are counted: two
// generations of so many, of about 150 bytes each.
const loginsPerGeneration = 8192

// addressFactor is how many clients may fail at one address, such as that of
// an office, before the address as a whole is held back.
const addressFactor = 10

// logins counts failed logins, per client id at an address and per address.
// Only failures count, so a client that knows its secret never waits for
// itself.
type logins struct {
	perMinute int

	mu         sync.Mutex
	young, old map[source]*rate.Limiter
}

// source is where logins fail: a client id at an address, or with id "" all of
// an address.
type source struct {
	from netip.Prefix
	id   string
}

func newLogins(perMinute int) *logins {
	return &logins{perMinute: perMinute, young: make(map[source]*rate.Limiter)}
}

// attempt is one login under the limits that hold for it.
type attempt [2]*rate.Limiter

// attempt finds the limits for a client id, decoded, at an address. Spellings
// that look alike share a limit.
func (l *logins) attempt(remote netip.Addr, id string) attempt {
	from := network(remote)
	id = "id " + strings.ToLower(strings.TrimSpace(id[:min(len(id), 64)]))
	l.mu.Lock()
	defer l.mu.Unlock()
	return attempt{
		l.limiter(source{from, strings.Clone(id)}, l.perMinute),
		l.limiter(source{from, ""}, l.perMinute*addressFactor),
	}
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

// limiter finds or makes a limiter; the caller holds the lock.
func (l *logins) limiter(s source, perMinute int) *rate.Limiter {
	if found := l.young[s]; found != nil {
		return found
	}
	limiter := l.old[s]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute)
	}
	if len(l.young) >= loginsPerGeneration {
		l.old, l.young = l.young, make(map[source]*rate.Limiter)
	}
	l.young[s] = limiter
	return limiter
}

// allowed refuses, before any secret is looked at, with the time after which
// one more attempt is free.
func (a attempt) allowed(now time.Time) error {
	var wait time.Duration
	for _, limiter := range a {
		if missing := 1 - limiter.TokensAt(now); missing > 0 {
			wait = max(wait, time.Duration(missing/float64(limiter.Limit())*float64(time.Second)))
		}
	}
	if wait == 0 {
		return nil
	}
	f := fault.New(fault.TooMany, fault.CodeTooMany, "too many failed logins, try again later")
	f.RetryAfter = wait
	return f
}

// failed counts a failure against both limits.
func (a attempt) failed(now time.Time) {
	for _, limiter := range a {
		limiter.AllowN(now, 1)
	}
}
