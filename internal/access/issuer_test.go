package access_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mooring/internal/access"
	"mooring/internal/account"
	"mooring/internal/outbound"
)

// publisher is an issuer of its own: a key, and how it is published.
type publisher struct {
	private ed25519.PrivateKey
	set     []byte
}

func newPublisher(t *testing.T) publisher {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return publisher{private, []byte(`{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "` + base64.RawURLEncoding.EncodeToString(public) + `"}]}`)}
}

// login is what a client gets for a proof that this issuer has signed.
func (p publisher) login(t *testing.T, a *access.Access, client string) error {
	t.Helper()
	part := func(members map[string]any) string {
		text, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(map[string]any{"alg": "EdDSA", "kid": "a"}) + "." + part(map[string]any{
		"iss": client, "sub": client, "aud": public, "jti": rand.Text(), "exp": time.Now().Add(time.Minute).Unix(),
	})
	_, err := a.Issue(t.Context(), access.Ask{
		GrantType: "client_credentials", Form: true,
		Assertion: signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(p.private, []byte(signed))),
	})
	return err
}

// tarpits are hosts that take every question and answer none, as long as they
// are waited for.
type tarpits struct {
	mu      sync.Mutex
	good    map[string][]byte // what is answered at once
	asked   map[string][]time.Time
	waiting map[string]int
	most    int
	start   time.Time
}

func newTarpits() *tarpits {
	return &tarpits{good: map[string][]byte{}, asked: map[string][]time.Time{}, waiting: map[string]int{}, start: time.Now()}
}

// times is how often an address was asked.
func (p *tarpits) times(uri string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked[uri])
}

func (p *tarpits) fetch(ctx context.Context, uri string) ([]byte, error) {
	to, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.asked[uri] = append(p.asked[uri], time.Now())
	text := p.good[uri]
	if text == nil {
		p.waiting[to.Host]++
		all := 0
		for _, n := range p.waiting {
			all += n
		}
		p.most = max(p.most, all)
	}
	p.mu.Unlock()
	if text != nil {
		return text, nil
	}
	<-ctx.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting[to.Host]--
	return nil, ctx.Err()
}

// publish says where an account's keys are, as a change of it does.
func (m *memory) publish(id account.ID, owner account.ID, uri string) {
	m.change(func() {
		m.accounts[id] = account.Account{ID: id, Kind: account.KindMerchant, Owner: owner}
		if m.sources[id] = uri; uri == "" {
			delete(m.sources, id)
		}
	})
}

// crowd has another partner publish keys for many merchants where nobody
// answers, each at a host of its own.
func (m *memory) crowd(n int) {
	for i := range n {
		m.publish(account.ID(fmt.Sprintf("T100%05d", i+1)), "T10000000", fmt.Sprintf("https://tarpit-%d.example/keys", i))
	}
}

// The keys of one tenant are fetched, replaced and gone within the second in
// which nodes learn of a change, while another one's hosts keep silent.
func TestNoTenantWaitsForTheHostsOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, hosts := newMemory(), newTarpits()
		first, second := newPublisher(t), newPublisher(t)
		hosts.good["https://shop.example/first"], hosts.good["https://shop.example/second"] = first.set, second.set
		cfg := config(t, m)
		cfg.Fetch = hosts.fetch
		m.crowd(2500) // more than one page of the list
		client := m.addClient(merchant).id
		a := open(t, cfg)
		run(t, a)
		time.Sleep(time.Second)
		synctest.Wait()

		if err := first.login(t, a, client); err == nil {
			t.Fatal("a key was taken that nobody publishes")
		}
		m.publish(merchant, partner, "https://shop.example/first")
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if err := first.login(t, a, client); err != nil {
			t.Fatalf("a key that was published a second ago: %v", err)
		}
		m.publish(merchant, partner, "https://shop.example/second")
		denied(t, "the key that was replaced just now", first.login(t, a, client))
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if err := second.login(t, a, client); err != nil {
			t.Fatalf("the key that took its place: %v", err)
		}
		m.publish(merchant, partner, "")
		denied(t, "a key that was taken away just now", second.login(t, a, client))
		m.publish(merchant, partner, "https://shop.example/second")
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()

		// Old keys are fetched again in time, however many wait.
		before := hosts.times("https://shop.example/second")
		time.Sleep(5*time.Minute + 10*time.Second)
		synctest.Wait()
		if after := hosts.times("https://shop.example/second"); after != before+1 {
			t.Errorf("asked for %d times in five minutes, want once", after-before)
		}
		hosts.mu.Lock()
		defer hosts.mu.Unlock()
		if hosts.most > 2 {
			t.Errorf("%d answers were waited for for one tenant", hosts.most)
		}
		if asked := len(hosts.asked); asked < 100 {
			t.Errorf("%d places were asked, so the slow ones wait for each other forever", asked)
		}
	})
}

// However many tenants have slow hosts, and whatever they share with others,
// everybody gets a turn.
func TestManySlowTenantsLeaveATurnForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, hosts, own := newMemory(), newTarpits(), newPublisher(t)
		hosts.good["https://shared.example/shop"] = own.set
		for n := range 100 {
			for i := range 20 {
				owner := fmt.Sprintf("T2%02d", n)
				m.publish(account.ID(fmt.Sprintf("%s%05d", owner, i+1)), account.ID(owner+"00000"), fmt.Sprintf("https://shared.example/%d/%d", n, i))
			}
		}
		m.publish(merchant, partner, "https://shared.example/shop")
		cfg := config(t, m)
		cfg.Fetch = hosts.fetch
		client := m.addClient(merchant).id
		a := open(t, cfg)
		run(t, a)
		// All of them are at one host, of which two answers are waited for at once:
		// it is the turn of each within 50 times the five seconds of one.
		time.Sleep(50*5*time.Second + time.Second)
		synctest.Wait()
		if err := own.login(t, a, client); err != nil {
			t.Errorf("its turn never came: %v", err)
		}
		hosts.mu.Lock()
		defer hosts.mu.Unlock()
		if hosts.most > 2 {
			t.Errorf("%d answers of one host were waited for", hosts.most)
		}
	})
}

// A host that does not answer is given up after five seconds and asked ever
// more seldom; the keys from before stay good for a day.
func TestAHostThatFailsIsAskedEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const uri = "https://shop.example/keys"
		m, hosts, own := newMemory(), newTarpits(), newPublisher(t)
		hosts.good[uri] = own.set
		m.publish(merchant, partner, uri)
		cfg := config(t, m)
		cfg.Fetch = hosts.fetch
		client := m.addClient(merchant).id
		a := open(t, cfg)
		run(t, a)
		time.Sleep(time.Second)
		hosts.mu.Lock()
		delete(hosts.good, uri)
		hosts.mu.Unlock()
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		if err := own.login(t, a, client); err != nil {
			t.Errorf("a key that was fetched a day ago: %v", err)
		}
		hosts.mu.Lock()
		asked := hosts.asked[uri]
		hosts.mu.Unlock()
		for i, want := range []time.Duration{5 * time.Minute, 65 * time.Second, 125 * time.Second, 245 * time.Second, 485 * time.Second, 965 * time.Second, 1205 * time.Second, 1205 * time.Second} {
			if got := asked[i+1].Sub(asked[i]).Round(time.Second); got != want {
				t.Errorf("question %d came %v after the one before, want %v", i+1, got, want)
			}
		}
		time.Sleep(2 * time.Hour)
		denied(t, "a key that could not be fetched for a day", own.login(t, a, client))
	})
}

// TestSilentHostsInEarnest does it with sockets, through the one door to the
// internet.
func TestSilentHostsInEarnest(t *testing.T) {
	m, own := newMemory(), newPublisher(t)
	asked := make(chan struct{}, 1)
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(own.set) // who asked sees what is missing
		asked <- struct{}{}
	}))
	t.Cleanup(there.Close)
	door := outbound.New(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, MaxBody: 1 << 16})
	stuck := make(chan struct{}, 100)
	cfg := config(t, m)
	cfg.Fetch = func(ctx context.Context, uri string) ([]byte, error) {
		to, err := outbound.ParseURL(uri)
		if err != nil {
			return nil, err
		}
		if uri != there.URL {
			stuck <- struct{}{}
		}
		answer, err := door.Do(ctx, http.MethodGet, to, nil, nil)
		return answer.Body, err
	}
	for i := range 40 {
		m.publish(account.ID(fmt.Sprintf("T100%05d", i+1)), "T10000000", "http://"+silence(t))
	}
	client := m.addClient(merchant).id
	a := open(t, cfg)
	run(t, a)
	<-stuck
	<-stuck
	m.publish(merchant, partner, there.URL)
	<-asked
	tick, late := time.NewTicker(10*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for own.login(t, a, client) != nil {
		select {
		case <-late:
			t.Fatal("the key was fetched and is not taken")
		case <-tick.C:
		}
	}
	if len(stuck) > 0 {
		t.Errorf("%d more silent hosts were asked before the one that answers", len(stuck))
	}
	m.publish(merchant, partner, "")
	denied(t, "a key that was taken away just now", own.login(t, a, client))
}

// silence listens and never says anything.
func silence(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open []net.Conn
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				open = append(open, conn)
			}
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		done.Wait()
		for _, conn := range open {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return l.Addr().String()
}
