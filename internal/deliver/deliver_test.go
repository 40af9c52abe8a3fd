package deliver

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/gateway"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/telemetry"
	"mooring/internal/vault"
	"mooring/providers"
)

const (
	merchant account.ID = "P00000000"
	slug     string     = "mastercard-3ds"
)

// upstream is a gateway that answers what the test says.
type upstream struct {
	submit func() (*connection.Message, error)
	status provider.Report
	asked  int
}

func (u *upstream) Submit(context.Context, gateway.Submission) (*connection.Message, error) {
	return u.submit()
}

func (u *upstream) Status(context.Context, gateway.Question) (provider.Report, error) {
	u.asked++
	return u.status, nil
}

// world is a loop over a database with one signup.
type world struct {
	*Deliverer
	t      *testing.T
	now    atomic.Pointer[time.Time]
	signup string
}

func newWorld(t *testing.T, u *upstream) *world {
	t.Helper()
	w := &world{t: t}
	begin := time.Now().UTC().Truncate(time.Microsecond)
	w.now.Store(&begin)
	now := func() time.Time { return *w.now.Load() }
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(dir, "data"), Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		t.Fatal(err)
	}
	newID := func() string { return uuid.Must(uuid.NewV7()).String() }
	w.Deliverer = New(Deps{
		Store: s, Vault: vault.New(s, nil, []byte("key"), now, newID), Gateway: u, Takes: func(name string) bool { return name == slug },
		Desk:      gateway.New(map[account.World]gateway.Gateway{account.Production: u}),
		Catalogue: func() *provider.Catalogue { return catalogue }, Serves: func(account.ID) bool { return true },
		CallbackToken: func(context.Context, account.ID, string, string, time.Time) (secret.Plain, error) {
			return secret.NewPlain("token"), nil
		},
		CallbackURL: func(account.ID, string, string) string { return "https://us.example" }, PublicURL: "https://us.example",
		Now: now, NewID: newID, NewToken: newID, Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewMetrics(),
	})
	w.begin(catalogue)
	return w
}

// begin makes the account and its signup, with the submission that is due.
func (w *world) begin(catalogue *provider.Catalogue) {
	w.t.Helper()
	acc := account.Account{ID: merchant, Kind: account.KindPlatform, Company: account.Company{BusinessName: "Us"}, CreatedAt: w.Now()}
	if err := w.Store.CreateAccount(w.t.Context(), acc); err != nil {
		w.t.Fatal(err)
	}
	p, _ := catalogue.Get(slug)
	w.signup = w.NewID()
	w.change(func(f store.Found) (store.Decision, error) {
		data := []byte(`{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}`)
		c, err := connection.Apply(nil, f.Account, p, connection.Application{ID: w.signup, Key: p.SignupKey(data), Data: data}, w.act(f.Account, "client"))
		return store.Decision{Connection: c, Tasks: []store.Task{{
			Account: merchant, ID: w.NewID(), Kind: store.TaskSubmit, Provider: slug, Signup: w.signup, DueAt: w.Now(), State: store.TaskDue,
		}}}, err
	})
}

func (w *world) change(decide func(store.Found) (store.Decision, error)) {
	w.t.Helper()
	if _, err := w.Store.Change(w.t.Context(), store.Change{System: true, Account: merchant, Provider: slug, Whole: true, Decide: decide}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) pass(d time.Duration) {
	later := w.Now().Add(d)
	w.now.Store(&later)
}

func (w *world) connection() *connection.Connection {
	w.t.Helper()
	c, err := w.Store.Connection(w.t.Context(), platform(merchant), merchant, slug)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// round claims what is due and delivers it, and returns how the task stands.
func (w *world) round() store.Task {
	w.t.Helper()
	tasks, err := w.Store.Claim(w.t.Context(), w.Now(), lease, parallel)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, task := range tasks {
		w.deliver(w.t.Context(), task)
	}
	all, err := w.Store.Tasks(w.t.Context(), store.Place{Account: merchant, Provider: slug})
	if err != nil || len(all) != 1 {
		w.t.Fatal(all, err)
	}
	return all[0]
}

func TestASignupThatNobodyTakesIsTriedForThreeDaysAndThenTheOperatorsTurn(t *testing.T) {
	u := &upstream{submit: func() (*connection.Message, error) { return nil, &gateway.Failure{Reason: "the gateway answered 503"} }}
	w := newWorld(t, u)
	begin, task := w.Now(), store.Task{State: store.TaskDue}
	for task.State == store.TaskDue {
		if task = w.round(); task.LastError != "the gateway answered 503" {
			t.Fatalf("%+v", task)
		}
		w.pass(max(task.DueAt.Sub(w.Now()), 0))
	}
	took := w.Now().Sub(begin)
	if task.State != store.TaskGaveUp || took < GiveUpAfter || took > GiveUpAfter+2*RetryMax || task.Attempts > 120 {
		t.Errorf("after %s and %d attempts it is %s", took, task.Attempts, task.State)
	}
	c := w.connection()
	last := c.Events[len(c.Events)-1]
	p, _ := w.Catalogue().Get(slug)
	if turn := connection.TurnOf(c, p, w.Now()); last.Name != SubmissionFailed || c.Status != connection.Pending || turn.Who != "operator" {
		t.Errorf("%+v, turn %+v", last, turn)
	}
}

func TestWhatIsSaidAtOnceIsHeardOnceHoweverOftenItIsSaid(t *testing.T) {
	u := &upstream{}
	w := newWorld(t, u)
	u.submit = func() (*connection.Message, error) {
		return &connection.Message{Signup: w.signup, Final: true, Event: connection.NewEvent{
			Status: connection.Enabled, Name: "enrolled", ExternalID: "submission:1",
		}}, nil
	}
	tasks, err := w.Store.Claim(t.Context(), w.Now(), lease, parallel)
	if err != nil || len(tasks) != 1 {
		t.Fatal(tasks, err)
	}
	if err := w.attempt(t.Context(), tasks[0]); err != nil { // and the process dies before it is settled
		t.Fatal(err)
	}
	w.pass(2 * lease)
	if task := w.round(); task.State != store.TaskDone || task.Attempts != 2 {
		t.Errorf("%+v", task)
	}
	if c := w.connection(); c.Status != connection.Enabled || c.LastSeq != 2 {
		t.Errorf("%s after %d events", c.Status, c.LastSeq)
	}
}

func TestNobodyAskedSoAnEnabledConnectionIsListedAndNotChanged(t *testing.T) {
	u := &upstream{status: provider.Report{Status: "enabled", Event: "enrolled"}}
	w := newWorld(t, u)
	round := func() {
		t.Helper()
		w.pass(7 * time.Hour)
		w.Desk = gateway.New(map[account.World]gateway.Gateway{account.Production: u}) // one that asked nothing a moment ago
		if err := w.AskAround(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	drifting := func() string {
		t.Helper()
		all, err := w.Store.Drifting(t.Context(), platform(merchant), store.Place{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, d := range all {
			text += fmt.Sprintf("%s/%s %s", d.Account, d.Provider, d.Drift)
		}
		return text
	}
	round() // pending, and so it takes the answer
	if c := w.connection(); c.Status != connection.Enabled || drifting() != "" {
		t.Fatal(c.Status, drifting())
	}
	u.status = provider.Report{Status: "declined", Event: "closed"}
	round()
	if c := w.connection(); c.Status != connection.Enabled || drifting() != "P00000000/mastercard-3ds declined" {
		t.Error(c.Status, drifting())
	}
	asked := u.asked
	if err := w.AskAround(t.Context()); err != nil || u.asked != asked {
		t.Error("it was asked about again at once", err)
	}

	w.pass(time.Minute)
	w.Desk = gateway.New(map[account.World]gateway.Gateway{account.Production: u})
	p, _ := w.Catalogue().Get(slug)
	if word, err := w.Ask(t.Context(), w.connection(), p, "client"); word != Changed || err != nil {
		t.Error(word, err)
	}
	if c := w.connection(); c.Status != connection.Declined || drifting() != "" {
		t.Error(c.Status, drifting())
	}
}
