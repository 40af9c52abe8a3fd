package deliver

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/fault"
	"mooring/internal/gateway"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/vault"
)

// What is in force goes only when something else is said to be.
func TestAWordWithoutAConfigurationLeavesTheOneInForceAlone(t *testing.T) {
	u := &upstream{status: provider.Report{Status: "enabled", Event: "enrolled"}}
	w := newWorld(t, u)
	key := filepath.Join(t.TempDir(), "key")
	if err := secret.CreateKeyFile(key); err != nil {
		t.Fatal(err)
	}
	sealer, err := secret.OpenKeyFile(key)
	if err != nil {
		t.Fatal(err)
	}
	w.Vault = vault.New(w.Store, sealer, []byte("key"), w.Now, w.NewID)
	p, _ := w.Catalogue().Get("vipps")
	at := store.Place{Account: merchant, Provider: "vipps"}
	signup := w.NewID()
	if _, err := w.Store.Change(t.Context(), store.Change{
		System: true, Account: merchant, Provider: "vipps", Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			f.Account.Company.OrganizationNumber = "923609016"
			c, err := connection.Apply(nil, f.Account, p, connection.Application{ID: signup, Data: []byte(`{}`)}, w.act(f.Account, "client"))
			return store.Decision{Connection: c}, err
		},
	}); err != nil {
		t.Fatal(err)
	}
	say := func(status connection.Status, configuration []byte) {
		t.Helper()
		if _, err := w.hear(t.Context(), at, p, connection.Message{
			Signup: signup, Configuration: configuration, Event: connection.NewEvent{Status: status, Name: "said"},
		}, signup); err != nil {
			t.Fatal(err)
		}
	}
	standing := func() *connection.Connection {
		t.Helper()
		c, err := w.Store.Connection(t.Context(), platform(merchant), merchant, "vipps")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	say(connection.Pending, nil)
	if c := standing(); c.Configuration != nil || c.ConfiguredSeq != 0 || !c.Signups[0].CallbackAt.IsZero() {
		t.Fatalf("a word without a configuration put %q in force", c.Configuration)
	}
	say(connection.Enabled, []byte(`{"client_id":"a","client_secret":"b","merchant_serial_number":"123456"}`))
	configured := standing()
	w.pass(time.Minute)
	w.Desk = gateway.New(map[account.World]gateway.Gateway{account.Production: u})
	word, err := w.Ask(t.Context(), configured, p, "client")
	if c := standing(); err != nil || word != Unchanged || string(c.Configuration) != string(configured.Configuration) || c.LastSeq != configured.LastSeq {
		t.Errorf("asking came to %q, %v, and left %s", word, err, c.Configuration)
	}

	for _, c := range []struct{ configuration, want string }{
		{`{"client_id":"a","client_secret":"b","merchant_serial_number":"123456"}`, Unchanged},
		{`{"client_id":"a","client_secret":"renewed","merchant_serial_number":"123456"}`, Changed},
	} {
		w.pass(time.Minute)
		w.Desk = gateway.New(map[account.World]gateway.Gateway{account.Production: u})
		u.status.Configuration = []byte(c.configuration)
		if word, err := w.Ask(t.Context(), standing(), p, "client"); word != c.want || err != nil {
			t.Errorf("%s: %q, %v", c.configuration, word, err)
		}
	}
}

func TestAProcessOfTheTestWorldLeavesWhatIsOfProductionToOthers(t *testing.T) {
	w := newWorld(t, &upstream{})
	w.Serves = func(id account.ID) bool { return id.World() == account.Test }
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.Run(soon); err != nil {
		t.Fatal(err)
	}
	tasks, err := w.Store.Tasks(t.Context(), store.Place{Account: merchant, Provider: slug})
	if err != nil || len(tasks) != 1 || tasks[0].Attempts != 0 {
		t.Errorf("it took %+v, %v", tasks, err)
	}
}

// mute is a gateway that can't be asked.
type mute struct{ *upstream }

func (m mute) Status(ctx context.Context, q gateway.Question) (provider.Report, error) {
	m.asked++
	return provider.Report{}, gateway.ErrUnavailable
}

func TestAProviderThatCantBeAskedIsNotAskedAgainBeforeTheOthers(t *testing.T) {
	u := &upstream{}
	w := newWorld(t, u)
	w.Desk = gateway.New(map[account.World]gateway.Gateway{account.Production: mute{u}})
	w.pass(7 * time.Hour)
	if err := w.AskAround(t.Context()); err != nil || u.asked != 1 {
		t.Fatal(u.asked, err)
	}
	due, err := w.Store.DueForSync(t.Context(), account.Production, []string{slug}, w.Now().Add(-askAgain), askBatch)
	if err != nil || len(due) > 0 {
		t.Errorf("it is to be asked about again at once: %v, %v", due, err)
	}
}

// Operators read why an answer was of no use, where it is known.
func TestWhyAnAnswerWasOfNoUseIsTold(t *testing.T) {
	w := newWorld(t, &upstream{status: provider.Report{Status: "enabled"}})
	p, _ := w.Catalogue().Get(slug)
	if word, err := w.Ask(t.Context(), w.connection(), p, "client"); word != string(gateway.Failed) || err != nil {
		t.Fatal(word, err)
	}
	state, err := w.Store.Sync(t.Context(), store.Place{Account: merchant, Provider: slug})
	if err != nil || !strings.Contains(state.LastError, "without a name") {
		t.Errorf("%q, %v", state.LastError, err)
	}

	refused := fault.Refused(fault.Problem{In: "body", Path: "#/cert", Message: "cert holds no certificate that can be read"})
	if told := untaken(fmt.Errorf("seal: %w", refused)); !strings.HasSuffix(told, ": "+refused.Message) {
		t.Error(told)
	}
	if told := untaken(errors.New("dial tcp 10.0.0.1: refused")); strings.Contains(told, "10.0.0.1") {
		t.Error(told)
	}
}

func TestAFullHistoryKeepsNoSubmissionAlive(t *testing.T) {
	u := &upstream{submit: func() (*connection.Message, error) { return nil, &gateway.Failure{Reason: "the gateway answered 503"} }}
	w := newWorld(t, u)
	w.change(func(f store.Found) (store.Decision, error) {
		for f.Connection.LastSeq < connection.MaxEvents {
			if _, err := connection.Append(f.Connection, nil, connection.NewEvent{Status: connection.Pending, Name: "e"}, w.act(f.Account, "client")); err != nil {
				return store.Decision{}, err
			}
		}
		return store.Decision{Connection: f.Connection}, nil
	})
	w.pass(GiveUpAfter)
	task := store.Task{State: store.TaskDue}
	for tried := 0; task.State == store.TaskDue && tried < 2*giveUpAttempts; tried++ {
		task = w.round()
		w.pass(max(task.DueAt.Sub(w.Now()), 2*lease))
	}
	if task.State != store.TaskGaveUp {
		t.Errorf("%+v", task)
	}
}
