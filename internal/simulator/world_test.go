package simulator_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/simulator"
	"mooring/internal/store"
	"mooring/internal/store/storetest"
	"mooring/internal/vault"
)

const merchant account.ID = "T11223351"

func freshID() string { return uuid.Must(uuid.NewV7()).String() }

// world is a store with one test account, whose real time stands still, and a
// service that notes what it is told.
type world struct {
	t     *testing.T
	store *store.Store
	vault *vault.Vault
	now   time.Time

	mu      sync.Mutex
	heard   []heard
	answers []int  // statuses of the next answers; 200 once they are used up
	stall   func() // run once, in the middle of the next call
}

// heard is one call that the service got.
type heard struct {
	At   time.Time // by the account's clock
	Path string
	Body string
}

func (h heard) event() string {
	var body struct{ Event string }
	_ = json.Unmarshal([]byte(h.Body), &body) // a callback has no event
	return body.Event
}

func onBothEngines(t *testing.T, test func(*world)) {
	for engine, cfg := range map[string]func(*testing.T) store.Config{
		"sqlite":   func(t *testing.T) store.Config { return store.Config{DataDir: filepath.Join(t.TempDir(), "data")} },
		"postgres": func(t *testing.T) store.Config { return store.Config{Database: storetest.Postgres(t)} },
	} {
		t.Run(engine, func(t *testing.T) { test(newWorld(t, cfg(t))) })
	}
}

func newWorld(t *testing.T, cfg store.Config) *world {
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &world{t: t, store: s, now: start}
	key := filepath.Join(t.TempDir(), "key")
	if err := secret.CreateKeyFile(key); err != nil {
		t.Fatal(err)
	}
	sealer, err := secret.OpenKeyFile(key)
	if err != nil {
		t.Fatal(err)
	}
	w.vault = vault.New(s, sealer, []byte("a key for digests"), func() time.Time { return w.now }, freshID)
	for _, a := range []account.Account{
		{ID: "T00000000", Kind: account.KindPlatform},
		{ID: "P00000000", Kind: account.KindPlatform},
		{ID: merchant, Kind: account.KindMerchant, Owner: "T00000000"},
	} {
		a.CreatedAt, a.CreatedBy = start, "test"
		if err := s.CreateAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// driver is one node of the service.
func (w *world) driver() *simulator.Driver {
	return simulator.NewDriver(simulator.Config{
		Store: w.store, Vault: w.vault, Handler: w, Now: func() time.Time { return w.now }, NewID: freshID,
		Provider: func(slug string) (*provider.Provider, bool) { return acmeAs(slug), true },
		Token: func(_ context.Context, id account.ID, slug, reference string, _ time.Time) (secret.Plain, error) {
			return secret.NewPlain(strings.Join([]string{string(id), slug, reference}, "/")), nil
		},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

func acmeAs(slug string) *provider.Provider {
	p := acme()
	p.Slug = slug
	return p
}

// ServeHTTP notes a call.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !strings.Contains(r.URL.Path, strings.Split(token, "/")[2]) {
		w.t.Errorf("%s was called with the token %s", r.URL.Path, token)
	}
	if stall := w.stall; stall != nil {
		w.stall = nil
		stall()
	}
	at := w.account().Now(w.now)
	w.mu.Lock()
	defer w.mu.Unlock()
	status := http.StatusOK
	if len(w.answers) > 0 {
		status, w.answers = w.answers[0], w.answers[1:]
	}
	if status < 500 {
		w.heard = append(w.heard, heard{at, r.URL.Path, string(body)})
	}
	out.Header().Set("Mooring-Effect", "applied")
	out.WriteHeader(status)
	if status >= 400 {
		_, _ = out.Write([]byte(`{"error":{"code":"SIGNUP_REPLACED"}}`)) // to a buffer
	}
}

func (w *world) account() account.Account {
	acc, err := w.store.Account(context.Background(), simulator.Platform, merchant)
	if err != nil {
		w.t.Error(err)
	}
	return acc
}

// sign makes a connection with one signup, by the account's clock.
func (w *world) sign(slug, scenario string) string {
	id := freshID()
	p := acmeAs(slug)
	_, err := w.store.Change(w.t.Context(), store.Change{
		System: true, Account: merchant, Provider: slug, Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			act := connection.Act{At: f.Account.Now(w.now), By: "test", NewID: freshID, NewToken: freshID}
			c, err := connection.Apply(f.Connection, f.Account, p, connection.Application{ID: id, Data: []byte(`{"case_id":"c-1"}`), Scenario: scenario}, act)
			if err != nil {
				return store.Decision{}, err
			}
			return store.Decision{Connection: c, Tasks: simulator.Due(f.Account, p, *c.Find(id), freshID)}, nil
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func advance(ctx context.Context, h *simulator.Hold, by time.Duration) (simulator.Move, error) {
	goal, err := h.By(by)
	if err != nil {
		return simulator.Move{}, err
	}
	return h.Move(ctx, goal)
}

func toNext(ctx context.Context, h *simulator.Hold) (simulator.Move, error) {
	goal, err := h.Next(ctx)
	if err != nil {
		return simulator.Move{}, err
	}
	return h.Move(ctx, goal)
}

// advance moves the clock, and goes on where a move stopped.
func (w *world) advance(d *simulator.Driver, by time.Duration) []simulator.Fired {
	w.t.Helper()
	var fired []simulator.Fired
	for more := true; more; {
		err := d.Hold(w.t.Context(), merchant, func(h *simulator.Hold) error {
			move, err := advance(w.t.Context(), h, by)
			fired, by, more = append(fired, move.Fired...), move.Left, move.More
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return fired
}

func (w *world) events() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]string, len(w.heard))
	for i, h := range w.heard {
		all[i] = h.At.Sub(start).String() + " " + h.event()
	}
	return all
}

func outcomes(fired []simulator.Fired) []string {
	var all []string
	for _, f := range fired {
		all = append(all, f.At.Sub(start).String()+" "+f.Provider+" "+f.Event+" "+f.Outcome)
	}
	return all
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}
