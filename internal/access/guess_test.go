package access_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/auth"
	"mooring/internal/fault"
)

// TestTenThousandGuessesHoldBackNobodyElse is S14: guesses at one client, in odd
// spellings, from one address and from many, while the client itself goes on
// logging in behind the same address.
func TestTenThousandGuessesHoldBackNobodyElse(t *testing.T) {
	m := newMemory()
	victim, fresh := m.addClient(merchant), m.addClient(merchant)
	now := &clock{time.Now()}
	cfg := config(t, m)
	cfg.Now, cfg.LoginFailuresPerMinute = now.now, 30
	a := open(t, cfg)
	office := netip.MustParseAddr("192.0.2.1")
	try := func(l login, remote netip.Addr) *fault.Fault {
		q := ask(l, merchant)
		q.Remote = remote
		if _, err := a.Issue(t.Context(), q); err != nil {
			return fault.From(err)
		}
		return nil
	}
	if f := try(victim, office); f != nil {
		t.Fatal(f)
	}
	for name, from := range map[string]func(i int) netip.Addr{
		"one address":    func(int) netip.Addr { return office },
		"many addresses": func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}) },
		"few addresses":  func(i int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}) },
	} {
		checked, held := 0, 0
		for i := range 10000 {
			spelling := []string{victim.id, strings.ToUpper(victim.id), " " + victim.id, strings.ReplaceAll(victim.id, "-", "%2d"), victim.id + "%09"}[i%5]
			switch f := try(login{spelling, fmt.Sprint("guess ", i)}, from(i)); {
			case f.Kind == fault.Unauthenticated:
				checked++
			case f.Kind == fault.TooMany && f.RetryAfter > 0 && f.RetryAfter <= time.Minute:
				held++
			default:
				t.Fatalf("%s: %#v", name, f)
			}
			if i%100 == 99 {
				if f := try(victim, office); f != nil {
					t.Fatalf("%s: after %d guesses the client itself: %v", name, i+1, f)
				}
			}
		}
		// At most what one client may at one address, in multiples of clients and addresses.
		if most := 30 * strangeFactorOfTests; checked+held != 10000 || checked > most {
			t.Errorf("%s: %d guesses were checked and %d held back", name, checked, held)
		}
		if f := try(victim, netip.MustParseAddr("192.0.2.99")); name != "many addresses" && f != nil {
			t.Errorf("%s: the client at an address where it never was: %v", name, f)
		}
		if f := try(fresh, netip.MustParseAddr("192.0.2.77")); f != nil {
			t.Errorf("%s: another client: %v", name, f)
		}
		f := try(login{victim.id, "guess"}, from(0))
		if f.Kind == fault.TooMany {
			now.at = now.at.Add(f.RetryAfter)
		}
		if f := try(victim, from(0)); f != nil {
			t.Errorf("%s: at the end of Retry-After: %v", name, f)
		}
		now.at = now.at.Add(time.Hour)
	}
}

// strangeFactorOfTests is how many times the limit of one client at one address
// guesses may be checked that come from everywhere, and a fifth more for those
// that come from where some failed before.
const strangeFactorOfTests = 111

func TestGuessesThatComeTogetherAreHeldBackToo(t *testing.T) {
	m := newMemory()
	victim := m.addClient(merchant)
	cfg := config(t, m)
	cfg.LoginFailuresPerMinute = 3
	begun := time.Now()
	cfg.Now = func() time.Time { return begun }
	a := open(t, cfg)
	var together sync.WaitGroup
	var denied atomic.Int64
	for i := range 64 {
		together.Go(func() {
			q := ask(login{victim.id, fmt.Sprint("guess ", i)}, merchant)
			if _, err := a.Issue(t.Context(), q); fault.From(err).Kind == fault.Unauthenticated {
				denied.Add(1)
			}
		})
	}
	together.Wait()
	if denied.Load() != 3 {
		t.Errorf("%d of 64 guesses were told that they are wrong, 3 may be", denied.Load())
	}
}

func TestTheSecretThatAClientLoggedInWithIsNoWayPastTheLimitForOthers(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	cfg := config(t, m)
	cfg.LoginFailuresPerMinute = 1
	begun := time.Now()
	cfg.Now = func() time.Time { return begun }
	a := open(t, cfg)
	try := func(l login) fault.Kind {
		_, err := a.Issue(t.Context(), ask(l, merchant))
		if err == nil {
			return 0
		}
		return fault.From(err).Kind
	}
	for i, step := range []struct {
		login
		want fault.Kind
	}{
		{l, 0}, {login{l.id, "wrong"}, fault.Unauthenticated}, {login{l.id, "wrong"}, fault.TooMany}, {l, 0}, {login{l.id, "wrong"}, fault.TooMany},
	} {
		if got := try(step.login); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
	m.edit(l.id, func(c *auth.Client) { c.Disabled = true })
	for range 2 { // looked at once more, and then held back like any other guess
		if got := try(l); got != fault.TooMany {
			t.Errorf("a disabled client: %v", got)
		}
	}
	m.looked()
	if try(l); m.looked() != nil {
		t.Error("a client that was disabled is still looked up beyond the limit")
	}
}
