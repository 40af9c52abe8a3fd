package api

import (
	"net/url"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"mooring/internal/fault"
)

// So many pings go to one host at once, and one more each pingEvery, whoever
// asks for them: nobody is flooded from here by the subscriptions of many.
const (
	pingsAtOnce = 10
	pingEvery   = 6 * time.Second
	maxPinged   = 10_000
)

// Pings slows down how often the endpoints of a host are named or sent pings.
// Its zero value is ready.
type Pings struct {
	mu    sync.Mutex
	hosts map[string]*rate.Limiter
}

// brake is take for a request whose transaction may be tried again, and that is
// not tried at all when it comes again under its key: it takes once.
func (p *Pings) brake(now time.Time) func(target string) error {
	taken := false
	return func(target string) error {
		if taken {
			return nil
		}
		err := p.take(target, now)
		taken = err == nil
		return err
	}
}

// take has the host of a URL take one ping, or says how long to wait.
func (p *Pings) take(target string, now time.Time) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	host := p.hosts[u.Host]
	if host == nil {
		if p.hosts == nil || len(p.hosts) >= maxPinged {
			p.hosts = map[string]*rate.Limiter{}
		}
		host = rate.NewLimiter(rate.Every(pingEvery), pingsAtOnce)
		p.hosts[u.Host] = host
	}
	r := host.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	slow := fault.New(fault.TooMany, fault.CodeTooMany, "too many pings to this host; wait")
	slow.RetryAfter = wait
	return slow
}
