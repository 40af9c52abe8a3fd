package product

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/store"
	"mooring/test/drive"
)

// clocked talks to a server about the second merchant of `mooring dev`, whose
// providers each play another scenario.
type clocked struct {
	t      *testing.T
	client *drive.Client
	token  string
	id     string
}

func clockOf(t *testing.T, s *drive.Server) clocked {
	return clocked{t, drive.NewClient(s.BaseURL), tokens(t, s)["second"], s.SecondAccount}
}

type moved struct {
	More  bool
	Left  string
	Fired []struct{ Connection, Event, Outcome string }
}

// advance moves the clock in as many moves as it takes.
func (c clocked) advance(by string) []string {
	c.t.Helper()
	var fired []string
	for by != "" {
		answer, err := c.move(by)
		if err != nil {
			c.t.Fatal(err)
		}
		m := decode[moved](c.t, answer)
		for _, f := range m.Fired {
			fired = append(fired, f.Connection+" "+f.Event+" "+f.Outcome)
		}
		by = m.Left
	}
	return fired
}

func (c clocked) move(by string) (drive.Answer, error) {
	return c.client.Do(http.MethodPost, "/v1/accounts/"+c.id+"/clock", bearer(c.token), []byte(`{"advance":"`+by+`"}`))
}

// history is the names of all events, by connection.
func (c clocked) history() map[string]string {
	c.t.Helper()
	found := map[string]string{}
	for _, slug := range slugs {
		path := slug
		if slug == "payex" {
			path = "payex/payex.creditcard"
		}
		answer, err := c.client.Do(http.MethodGet, "/v1/accounts/"+c.id+"/management/settings/connections/"+path, bearer(c.token), nil)
		if err != nil {
			c.t.Fatal(err)
		}
		got := decode[struct {
			Status string
			Events []event
		}](c.t, answer)
		var names []string
		for _, e := range got.Events {
			names = append(names, e.Event)
		}
		found[slug] = got.Status + ": " + strings.Join(names, " ")
	}
	return found
}

// TestFourDaysOfWaitingPassInAMoment is what the clock is for.
func TestFourDaysOfWaitingPassInAMoment(t *testing.T) {
	onBothEngines(t, func(t *testing.T, args ...string) {
		c := clockOf(t, dev(t, append(args, "--listen", "127.0.0.1:0")...))
		for _, slug := range slugs {
			if slug != "payex" {
				c.play(slug, "happy")
			}
		}
		begun := time.Now()
		fired := c.advance("4d")
		took := time.Since(begun)
		t.Logf("four days and %d calls of %d providers took %s", len(fired), len(slugs), took.Round(time.Millisecond))
		if len(fired) < 12 || took > 10*time.Second {
			t.Errorf("%d calls in %s", len(fired), took)
		}
	})
}

func (c clocked) play(slug, scenario string) {
	c.t.Helper()
	answer, err := c.client.Do(http.MethodPost, "/v1/accounts/"+c.id+"/connections/"+slug+"/simulate",
		bearer(c.token), []byte(`{"scenario":"`+scenario+`"}`))
	if err != nil || answer.Status != http.StatusOK {
		c.t.Fatal(err, string(answer.Body))
	}
}

// TestAKilledMoveIsFinishedOnce kills the server in the middle of moves of a
// clock, and finishes the last: the connections end as on a server that nobody
// killed, with each event once.
func TestAKilledMoveIsFinishedOnce(t *testing.T) {
	calm := clockOf(t, dev(t, "--listen", "127.0.0.1:0"))
	calm.advance("40d")
	want := calm.history()
	onBothEngines(t, func(t *testing.T, args ...string) {
		if len(args) == 0 {
			args = []string{"--data", filepath.Join(t.TempDir(), "data")}
		}
		s := dev(t, append(args, "--listen", "127.0.0.1:0")...)
		for cycle := range 6 {
			c := clockOf(t, s)
			var asking sync.WaitGroup
			asking.Go(func() { _, _ = c.move("40d") }) // killed: nothing was promised
			awaitCalls(s, 1+rand.IntN(3))
			s.Kill()
			asking.Wait()
			s = dev(t, append(args, "--listen", "127.0.0.1:0")...)
			if cycle == 5 {
				c = clockOf(t, s)
				c.advance("40d")
				for slug, history := range c.history() {
					if history != want[slug] {
						t.Errorf("%s came to\n  %s\nwant\n  %s", slug, history, want[slug])
					}
				}
			}
		}
	})
}

// awaitCalls returns as soon as the server has answered some calls of simulated
// providers: what follows from an answer is not written yet. A clock that has
// nothing left to play is not waited for.
func awaitCalls(s *drive.Server, calls int) {
	tick := time.NewTicker(time.Millisecond / 4)
	defer tick.Stop()
	for range 4 * 1000 {
		if strings.Count(s.Log(), `"operation":"callback_events_post"`) >= calls {
			return
		}
		<-tick.C
	}
}

// TestMovesOfManyCallersAddUp moves one clock from many sides at once.
func TestMovesOfManyCallersAddUp(t *testing.T) {
	c := clockOf(t, dev(t, "--listen", "127.0.0.1:0"))
	var all sync.WaitGroup
	var mu sync.Mutex
	var fired []string
	for range 10 {
		all.Go(func() {
			some := c.advance("4d")
			mu.Lock()
			defer mu.Unlock()
			fired = append(fired, some...)
		})
	}
	all.Wait()
	slices.Sort(fired)
	want := clockOf(t, dev(t, "--listen", "127.0.0.1:0")).advance("40d")
	slices.Sort(want)
	if !slices.Equal(fired, want) {
		t.Errorf("ten moves of four days:\n  %s\none of forty:\n  %s", strings.Join(fired, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestAProductionAccountHasNothingOfTheSimulator: no scenario, no magic value,
// no clock and no buttons, also where test accounts are served beside it.
func TestAProductionAccountHasNothingOfTheSimulator(t *testing.T) {
	dir, production, _ := initialised(t)
	for _, world := range []string{"both", "P"} {
		t.Run(world, func(t *testing.T) {
			s := serve(t, dir, world)
			client := drive.NewClient(s.BaseURL)
			token, err := client.Token(production)
			if err != nil {
				t.Fatal(err)
			}
			own := "/v1/accounts/" + production.Account
			for _, c := range []struct {
				method, path, body, header string
				want                       int
			}{
				{http.MethodGet, own + "/clock", "", "", 404},
				{http.MethodPost, own + "/clock", `{"advance":"3d"}`, "", 404},
				{http.MethodPost, own + "/clock", `{"to":"next"}`, "", 404},
				{http.MethodPost, own + "/management/settings/connections/common", `{"signup":{"package":"AUTO_DECLINE"}}`, "happy", 400},
				{http.MethodPost, own + "/management/settings/connections/mastercard-3ds", `{"signup":{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}}`, "happy", 400},
				{http.MethodPost, own + "/management/settings/connections/mastercard-3ds", `{"signup":{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}}`, "", 200},
				{http.MethodPost, own + "/connections/mastercard-3ds/simulate", `{"scenario":"happy"}`, "", 404},
				{http.MethodGet, "/v1/accounts/T00000000/clock", "", "", 403},
			} {
				header := bearer(token)
				if c.header != "" {
					header.Set("Mooring-Scenario", c.header)
				}
				answer, err := client.Do(c.method, c.path, header, []byte(c.body))
				if err != nil || answer.Status != c.want {
					t.Errorf("%s %s is answered with %d, want %d: %v %s", c.method, c.path, answer.Status, c.want, err, answer.Body)
				}
			}
		})
	}
}

// TestAProductionSignupPlaysNothing signs a production merchant up with every
// provider, with values that would be magic for a test account.
func TestAProductionSignupPlaysNothing(t *testing.T) {
	dir, production, _ := initialised(t)
	const merchant account.ID = "P11223351"
	inside := func(look func(*store.Store)) {
		db, err := store.Open(t.Context(), store.Config{DataDir: dir, MustExist: true})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		look(db)
	}
	inside(func(db *store.Store) {
		a := account.Account{ID: merchant, Kind: account.KindMerchant, Owner: "P00000000", CreatedAt: time.Now().UTC(), CreatedBy: "test"}
		a.Company = account.Company{BusinessName: "Havn Kaffe AS", OrganizationNumber: "923456789"}
		if err := db.CreateAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	})
	s := serve(t, dir, "both")
	client := drive.NewClient(s.BaseURL)
	token, err := client.Token(production)
	if err != nil {
		t.Fatal(err)
	}
	looked := false
	for _, d := range descriptions(t) {
		body := d.bodies()[0]
		if value := d.magic("declined"); value != "" {
			body = d.wrapped(changed(d.Examples.Valid[0].Signup, d.Magic.Member, value))
		}
		answer, err := client.Do(d.method(), d.base(string(merchant)), bearer(token), body)
		if err != nil || answer.Status != http.StatusOK {
			t.Errorf("%s: %v %s", d.Slug, err, answer.Body)
		}
		if _, rest, ok := strings.Cut(string(answer.Body), `"url":"`+s.BaseURL); ok {
			link, _, _ := strings.Cut(rest, `"`)
			pageOfProduction(t, client, link)
			looked = true
		}
	}
	if !looked {
		t.Error("no signup had a link")
	}
	if _, err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	inside(func(db *store.Store) {
		for _, d := range descriptions(t) {
			tasks, err := db.Tasks(t.Context(), store.Place{Account: merchant, Provider: d.Slug})
			if err != nil || slices.ContainsFunc(tasks, func(task store.Task) bool { return task.Kind == store.TaskStep }) {
				t.Errorf("%s: %+v %v", d.Slug, tasks, err)
			}
		}
	})
}

// pageOfProduction demands that a link leads to a page without buttons, and
// that pressing them all the same leads nowhere.
func pageOfProduction(t *testing.T, client *drive.Client, link string) {
	t.Helper()
	page, err := client.Do(http.MethodGet, link, http.Header{}, nil)
	if err != nil || page.Status != http.StatusOK || strings.Contains(string(page.Body), "<form") || strings.Contains(string(page.Body), "simulation") {
		t.Errorf("%v %d %s", err, page.Status, page.Body)
	}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if page, err = client.Do(http.MethodPost, link, form, []byte("decision=sign")); err != nil || page.Status != http.StatusNotFound {
		t.Errorf("signing is answered with %d %v", page.Status, err)
	}
}

// serve runs `mooring serve` on a database that was made.
func serve(t *testing.T, dir, world string) *drive.Server {
	t.Helper()
	address := freeAddress(t)
	s, err := drive.Serve(t.Context(), binary, "http://"+address,
		"serve", "--data", dir, "--listen", address, "--public-url", "http://"+address, "--world", world)
	if err != nil {
		t.Fatal(fmt.Errorf("serve %s: %w", world, err))
	}
	t.Cleanup(s.Kill)
	return s
}
