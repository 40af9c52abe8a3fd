package access

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"mooring/internal/account"
	"mooring/internal/store"
)

// round says whose keys are fetched next: those of the tenant who has waited
// longest, so that nobody waits for what another one publishes, or how.
type round struct {
	tenants map[account.ID]*tenant
	busy    map[string]int // how much is being fetched, by host
	running int
	turns   uint64
}

// tenant is the issuers of those for whom one account answers.
type tenant struct {
	issuers []*issuer
	places  map[string]*issuer // by URI
	at      int                // where to go on in issuers
	running int
	served  uint64        // the turn in which it was served last
	rests   time.Duration // nothing is due before
}

func newRound() round {
	return round{tenants: map[account.ID]*tenant{}, busy: map[string]int{}}
}

// add adds a place to a new round, with what was found there in the one before.
func (r *round) add(of account.ID, source store.KeySource, before round) *issuer {
	t, uri := r.tenants[of], source.URI
	if t == nil { // a new one comes last
		t = &tenant{places: map[string]*issuer{}, served: before.turns}
		r.tenants[of] = t
	}
	if found := t.places[uri]; found != nil {
		return found
	}
	var found *issuer
	if old := before.tenants[of]; old != nil {
		found = old.places[uri]
	}
	if found == nil {
		found = &issuer{account: source.Account, tenant: of, uri: uri, host: hostOf(uri), good: -keptFor - 1}
	}
	t.places[uri] = found
	t.issuers = append(t.issuers, found)
	return found
}

// follow goes on where the round before was.
func (r *round) follow(before round) {
	r.running, r.turns = before.running, before.turns
	maps.Copy(r.busy, before.busy)
	for id, old := range before.tenants {
		t := r.tenants[id]
		if t == nil && old.running > 0 { // gone, but still waited for
			t = &tenant{}
			r.tenants[id] = t
		}
		if t != nil {
			t.running, t.served = old.running, old.served
			t.at = old.at % max(len(t.issuers), 1)
		}
	}
}

// next is what to fetch, which counts as being fetched until it is done; nil
// when nothing is due, or enough is waited for.
func (r *round) next(now time.Duration) *issuer {
	if r.running >= fetchesAtOnce {
		return nil
	}
	var waiting []*tenant
	for _, t := range r.tenants {
		if t.rests <= now && t.running < fetchesPerTenant {
			waiting = append(waiting, t)
		}
	}
	slices.SortFunc(waiting, func(a, b *tenant) int { return cmp.Compare(a.served, b.served) })
	for _, t := range waiting {
		if due := t.next(now, r.busy); due != nil {
			r.turns++
			r.running++
			r.busy[due.host]++
			t.running++
			t.served, due.busy = r.turns, true
			return due
		}
	}
	return nil
}

// next is the first issuer that is due, from where the last search ended.
func (t *tenant) next(now time.Duration, busy map[string]int) *issuer {
	rests := now + listEvery
	for range t.issuers {
		found := t.issuers[t.at]
		t.at = (t.at + 1) % len(t.issuers)
		switch {
		case found.busy:
		case found.due > now:
			rests = min(rests, found.due)
		case busy[found.host] >= fetchesPerHost:
			rests = now // until the host is free
		default:
			return found
		}
	}
	t.rests = rests
	return nil
}

// done says that something is not being fetched any more.
func (r *round) done(fetched *issuer) {
	fetched.busy = false
	r.running--
	if r.busy[fetched.host]--; r.busy[fetched.host] == 0 {
		delete(r.busy, fetched.host)
	}
	t := r.tenants[fetched.tenant]
	t.running--
	t.rests = 0
}

// quiet is for how long nothing becomes due that does not wait for a fetch.
func (r *round) quiet(now time.Duration) time.Duration {
	wait := listEvery
	for _, t := range r.tenants {
		if t.rests > now {
			wait = min(wait, t.rests-now)
		}
	}
	return wait
}

// hostOf is whom a fetch loads.
func hostOf(uri string) string {
	at, err := url.Parse(uri)
	if err != nil {
		return uri // it will not be fetched
	}
	return strings.ToLower(at.Host)
}
