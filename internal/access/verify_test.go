package access_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/access"
	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

func TestAGoodTokenTellsWhoCalls(t *testing.T) {
	m := newMemory()
	l := m.addClient(partner, merchant)
	a := open(t, config(t, m))
	for _, c := range []struct {
		audience account.ID
		kind     account.Kind
	}{{partner, account.KindPartner}, {merchant, account.KindMerchant}} {
		q := ask(l, partner)
		q.Audience = public + "/v1/accounts/" + string(c.audience)
		token, err := a.Issue(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		want := auth.Caller{Account: c.audience, Kind: c.kind, Client: l.id, Scopes: allScopes}
		for _, scheme := range []string{"Bearer ", "bearer ", "BEARER ", "bEaReR "} {
			got, err := a.Verify(t.Context(), []string{scheme + token.AccessToken.Reveal()})
			if diff := cmp.Diff(want, named(t, got)); diff != "" || err != nil {
				t.Errorf("%s%s: %v %s", scheme, c.audience, err, diff)
			}
		}
	}
}

// named holds a caller to the name of its token, which is made anew for each,
// and takes it away.
func named(t *testing.T, c auth.Caller) auth.Caller {
	t.Helper()
	if len(c.Token) != 32 {
		t.Errorf("the token is named %q", c.Token)
	}
	if c.Home != "" && (c.Home == c.Account || c.IssuedAt.IsZero()) {
		t.Errorf("whose client it is: %q, since %s", c.Home, c.IssuedAt)
	}
	c.Token, c.Home, c.IssuedAt = "", "", time.Time{}
	return c
}

func TestAnythingButOneBearerTokenIsRefused(t *testing.T) {
	m := newMemory()
	a := open(t, config(t, m))
	good := issue(t, a, m.addClient(merchant), merchant)[0]
	token := strings.TrimPrefix(good, "Bearer ")
	otherEnd := "AA"
	if strings.HasSuffix(good, otherEnd) {
		otherEnd = "AQ"
	}
	for range 2 { // before and after the token is remembered
		for name, header := range map[string][]string{
			"none": nil, "no values": {}, "empty": {""}, "two": {good, good}, "two, one empty": {good, ""}, "scheme only": {"Bearer"},
			"scheme and blank": {"Bearer "}, "two blanks": {"Bearer  " + token}, "tab": {"Bearer\t" + token}, "blank before": {" " + good},
			"blank after": {good + " "}, "newline after": {good + "\n"}, "NUL after": {good + "\x00"}, "no scheme": {token}, "Basic": {"Basic " + token},
			"Token": {"Token " + token}, "DPoP": {"DPoP " + token}, "joined": {good + "," + token}, "joined with scheme": {good + ", " + good},
			"quoted": {`Bearer "` + token + `"`}, "parameter": {"Bearer token=" + token}, "no blank": {"Bearer" + token}, "colon": {"Bearer: " + token},
			"full-width blank": {"Bearer\u3000" + token}, "Kelvin-like case": {"Bearer\u212a " + token}, "one MB": {"Bearer " + strings.Repeat("a", 1<<20)},
			"a million dots": {"Bearer " + strings.Repeat(".", 1e6)}, "unsigned": {good[:strings.LastIndex(good, ".")+1]}, "end changed": {good[:len(good)-2] + otherEnd},
		} {
			_, err := a.Verify(t.Context(), header)
			denied(t, name, err)
		}
		if _, err := a.Verify(t.Context(), []string{good}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestATokenIsWorthWhatItsGrantIsWorthNow(t *testing.T) {
	for name, c := range map[string]struct {
		change func(m *memory, id string)
		want   auth.Scopes // nil when refused
	}{
		"nothing changed": {func(*memory, string) {}, allScopes},
		"client disabled": {func(m *memory, id string) { m.edit(id, func(c *auth.Client) { c.Disabled = true }) }, nil},
		"client gone":     {func(m *memory, id string) { m.change(func() { delete(m.clients, id) }) }, nil},
		"grant gone":      {func(m *memory, id string) { m.edit(id, func(c *auth.Client) { c.Grants = c.Grants[:1] }) }, nil},
		"all grants gone": {func(m *memory, id string) { m.edit(id, func(c *auth.Client) { c.Grants = nil }) }, nil},
		"account gone":    {func(m *memory, _ string) { m.change(func() { delete(m.accounts, merchant) }) }, nil},
		"secret rotated":  {func(m *memory, id string) { m.edit(id, func(c *auth.Client) { c.Secrets = nil }) }, allScopes},
		"grant narrowed": {func(m *memory, id string) {
			m.edit(id, func(c *auth.Client) { c.Grants[1].Scopes = auth.Scopes{auth.ScopeReadAccounts} })
		}, auth.Scopes{auth.ScopeReadAccounts}},
		"grant widened": {func(m *memory, id string) {
			m.edit(id, func(c *auth.Client) { c.Grants[1].Scopes = append(auth.Scopes{auth.ScopeOperator}, allScopes...) })
		}, allScopes},
		"scopes exchanged": {func(m *memory, id string) {
			m.edit(id, func(c *auth.Client) { c.Grants[1].Scopes = auth.Scopes{auth.ScopeOperator} })
		}, auth.Scopes{}},
	} {
		for _, remembered := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " remembered=", remembered), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newMemory()
					l := m.addClient(partner, merchant)
					a := open(t, config(t, m))
					run(t, a)
					q := ask(l, partner)
					q.Audience = public + "/v1/accounts/" + string(merchant)
					token, err := a.Issue(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					header := []string{"Bearer " + token.AccessToken.Reveal()}
					if remembered {
						if _, err := a.Verify(t.Context(), header); err != nil {
							t.Fatal(err)
						}
					}
					c.change(m, l.id)
					if remembered {
						time.Sleep(time.Second + time.Millisecond)
					}
					caller, err := a.Verify(t.Context(), header)
					if c.want == nil {
						denied(t, name, err)
						return
					}
					if err != nil || caller.Scopes.String() != c.want.String() {
						t.Errorf("%v, %v; want %v", caller, err, c.want)
					}
				})
			})
		}
	}
}

// run polls in the background until the test ends.
func run(t *testing.T, a *access.Access) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := a.Run(ctx); err != nil {
			t.Errorf("stopped with %v", err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
}

func TestARememberedTokenNeedsNoDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		a := open(t, config(t, m))
		run(t, a)
		header := issue(t, a, m.addClient(merchant), merchant)
		time.Sleep(2 * time.Second) // the new client moved the epoch
		for range 3 {
			if _, err := a.Verify(t.Context(), header); err != nil {
				t.Fatal(err)
			}
		}
		if looked := m.looked(); len(looked) != 2 { // one for Issue, one for the first Verify
			t.Errorf("asked the database for %v", looked)
		}
		m.change(func() {})
		time.Sleep(time.Second + time.Millisecond)
		for range 3 {
			if _, err := a.Verify(t.Context(), header); err != nil {
				t.Fatal(err)
			}
		}
		if looked := m.looked(); len(looked) != 1 {
			t.Errorf("after a change, asked the database for %v", looked)
		}
	})
}

func TestTheCacheIsNotTrustedWhenPollsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := m.addClient(merchant)
		a := open(t, config(t, m))
		run(t, a)
		header := issue(t, a, l, merchant)
		verify := func() error { _, err := a.Verify(t.Context(), header); return err }
		if err := verify(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond) // the last good poll is at 1 s
		m.setFailing(errors.New("away"))
		time.Sleep(4500 * time.Millisecond) // 6 s: the poll is 5 s old
		if err := verify(); err != nil {
			t.Errorf("after 5 s: %v", err)
		}
		time.Sleep(time.Millisecond)
		err := verify()
		if f := fault.From(err); err == nil || f.Kind == fault.Unauthenticated {
			t.Errorf("after more than 5 s: %v, want the database's failure, not a refusal", err)
		}
		m.edit(l.id, func(c *auth.Client) { c.Disabled = true })
		m.setFailing(nil)
		denied(t, "before the next poll", verify())
		m.edit(l.id, func(c *auth.Client) { c.Disabled = false })
		time.Sleep(time.Second)
		if err := verify(); err != nil {
			t.Errorf("when the database is back: %v", err)
		}
		m.looked()
		if err := verify(); err != nil || len(m.looked()) != 0 {
			t.Errorf("when the database is back, not remembered: %v", err)
		}
	})
}

func TestWithoutPollsEveryTokenIsCheckedInFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := m.addClient(merchant)
		a := open(t, config(t, m)) // and no Run
		header := issue(t, a, l, merchant)
		if _, err := a.Verify(t.Context(), header); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Second + 1)
		m.edit(l.id, func(c *auth.Client) { c.Disabled = true })
		_, err := a.Verify(t.Context(), header)
		denied(t, "disabled", err)
	})
}

func TestARememberedTokenDiesAtItsLastSecond(t *testing.T) {
	for _, remembered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			l := m.addClient(merchant)
			a := open(t, config(t, m))
			run(t, a)
			token, err := a.Issue(t.Context(), ask(l, merchant))
			if err != nil || token.ExpiresIn != 14400 {
				t.Fatal(token, err)
			}
			header := []string{"Bearer " + token.AccessToken.Reveal()}
			if remembered {
				if _, err := a.Verify(t.Context(), header); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Duration(token.ExpiresIn)*time.Second - 1)
			if _, err := a.Verify(t.Context(), header); err != nil {
				t.Errorf("in the last second: %v", err)
			}
			time.Sleep(time.Nanosecond)
			_, err = a.Verify(t.Context(), header)
			denied(t, "at exp", err)
		})
	}
}

// A client is disabled, and the cache cleared, while its token is being checked
// against the state from before.
func TestACallerFromBeforeAChangeIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := m.addClient(merchant)
		a := open(t, config(t, m))
		run(t, a)
		header := issue(t, a, l, merchant)
		m.during = func(string) {
			m.during = nil
			m.edit(l.id, func(c *auth.Client) { c.Disabled = true })
			time.Sleep(2 * time.Second)
		}
		if _, err := a.Verify(t.Context(), header); err != nil {
			t.Fatal(err)
		}
		_, err := a.Verify(t.Context(), header)
		denied(t, "the next time", err)
	})
}

func TestKeysOfOtherNodesAreLearnt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := m.addClient(merchant)
		cfg := config(t, m)
		first := open(t, cfg)
		run(t, first)
		header := issue(t, first, l, merchant)
		cfg.Algorithm = auth.ES256
		second := open(t, cfg)
		fresh := issue(t, second, l, merchant)
		time.Sleep(time.Second + time.Millisecond)
		if _, err := first.Verify(t.Context(), fresh); err != nil {
			t.Errorf("a token of the new key: %v", err)
		}
		if _, err := first.Verify(t.Context(), header); err != nil {
			t.Errorf("a token of the old key: %v", err)
		}
		m.change(func() {
			k := m.keys["signing signing-EdDSA"]
			k.Sealed = []byte("bent")
			k.ID = "signing-other"
			m.keys["signing signing-other"] = k
		})
		time.Sleep(6 * time.Second)
		m.looked()
		for range 2 {
			if _, err := first.Verify(t.Context(), header); err != nil {
				t.Errorf("while a key can't be opened: %v", err)
			}
		}
		if len(m.looked()) != 2 {
			t.Error("the cache is trusted while a key can't be opened")
		}
	})
}

func TestAKeyThatIsTakenAwayVerifiesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := m.addClient(merchant)
		cfg := config(t, m)
		old := issue(t, open(t, cfg), l, merchant)
		cfg.Algorithm = auth.ES256
		a := open(t, cfg)
		run(t, a)
		if _, err := a.Verify(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		m.change(func() { delete(m.keys, "signing signing-EdDSA") })
		time.Sleep(time.Second + time.Millisecond)
		_, err := a.Verify(t.Context(), old)
		denied(t, "a token of the key", err)
	})
}

func TestARememberedTokenCostsNoMemory(t *testing.T) {
	m := newMemory()
	l := m.addClient(merchant)
	a := open(t, config(t, m))
	header := issue(t, a, l, merchant)
	if allocations := testing.AllocsPerRun(100, func() {
		if _, err := a.Verify(t.Context(), header); err != nil {
			t.Fatal(err)
		}
	}); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func FuzzAuthorization(f *testing.F) {
	m := newMemory()
	a := open(f, config(f, m))
	good := issue(f, a, m.addClient(merchant), merchant)[0]
	token := strings.TrimPrefix(good, "Bearer ")
	for _, seed := range []string{good, "bearer " + token, "Bearer  " + token, good + ",", "", "Bearer", "Basic " + token} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		_, err := a.Verify(t.Context(), []string{header})
		if want := strings.EqualFold(strings.TrimSuffix(header, token), "Bearer ") && strings.HasSuffix(header, token); (err == nil) != want {
			t.Fatalf("%q: %v", header, err)
		}
		if err != nil {
			denied(t, header, err)
		}
	})
}

func BenchmarkVerifyRemembered(b *testing.B) {
	m := newMemory()
	l := m.addClient(merchant)
	a := open(b, config(b, m))
	header := issue(b, a, l, merchant)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	go func() { _ = a.Run(ctx) }()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Verify(ctx, header); err != nil {
			b.Fatal(err)
		}
	}
}

func TestFailingPollsAreLoggedOnceAndSoIsTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := newMemory()
		cfg := config(t, m)
		cfg.Log = slog.New(slog.NewTextHandler(&out, nil))
		a := open(t, cfg)
		run(t, a)
		time.Sleep(10 * time.Second)
		m.setFailing(errors.New("away"))
		time.Sleep(10 * time.Second)
		m.setFailing(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if log := out.String(); strings.Count(log, "\n") != 2 || strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "error=away") {
			t.Errorf("logged %s", log)
		}
	})
}

func TestAPollThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := m.addClient(merchant)
		a := open(t, config(t, m))
		run(t, a)
		header := issue(t, a, l, merchant)
		m.setHanging(true)
		time.Sleep(time.Minute)
		m.setHanging(false)
		time.Sleep(5 * time.Second)
		for range 2 {
			if _, err := a.Verify(t.Context(), header); err != nil {
				t.Fatal(err)
			}
		}
		if looked := m.looked(); len(looked) != 2 { // one for Issue, one for the first Verify
			t.Errorf("the cache is not used again: %v", looked)
		}
	})
}
