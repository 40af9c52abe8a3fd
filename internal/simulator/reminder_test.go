package simulator_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/simulator"
	"mooring/internal/store"
)

const day = 24 * time.Hour

// certify gives a connection a certificate that ends at a time after the start.
func (w *world) certify(slug string, end time.Duration) {
	w.t.Helper()
	at := store.Place{Account: merchant, Provider: slug}
	sealed, err := w.vault.Configuration(w.t.Context(), at, []provider.Part{
		{Pointer: "/cert", Class: provider.Secret, Value: secret.NewPlain(`"c"`)},
	}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = w.store.Change(w.t.Context(), store.Change{
		System: true, Account: merchant, Provider: slug, Whole: true,
		Decide: func(f store.Found) (store.Decision, error) {
			act := connection.Act{At: f.Account.Now(w.now), By: "test", NewID: freshID, NewToken: freshID}
			report := provider.Report{Status: "pending", Event: "certified", Configuration: []byte(`{"ends":"` + end.String() + `"}`)}
			_, err := connection.ApplyReport(f.Connection, nil, report, act)
			for i := range sealed.Fields {
				sealed.Fields[i].Version, sealed.Fields[i].NotAfter = f.Connection.ConfiguredSeq, start.Add(end)
			}
			return store.Decision{Connection: f.Connection, Keys: sealed.Keys, Fields: sealed.Fields}, err
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// reminders are the events that say that a certificate ends: when, and how many
// days before.
func (w *world) reminders(slug string) []string {
	w.t.Helper()
	events, err := w.store.Events(w.t.Context(), simulator.Platform, merchant, slug, 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, e := range events {
		if e.Name == connection.CredentialExpiring {
			_, rest, _ := strings.Cut(string(e.Metadata), `"days":`)
			all = append(all, fmt.Sprint(e.CreatedAt.Sub(start), " ", rest[:strings.IndexAny(rest, ",}")]))
		}
	}
	return all
}

func TestAMoveStopsAtEachReminderOfACertificateInOrderWithTheSteps(t *testing.T) {
	onBothEngines(t, func(w *world) {
		d := w.driver()
		w.sign("acme", "happy")
		w.sign("other", "declined")
		w.certify("acme", 60*day+150*time.Minute)
		w.certify("other", 60*day+3*time.Hour) // due together with a step
		equal(w.t, outcomes(w.advance(d, 364*day)),
			"2h0m0s acme signature_required applied",
			"2h30m0s acme credential_expiring applied",
			"3h0m0s other refused applied",
			"3h0m0s other credential_expiring applied",
			"24h0m0s acme credentials_received applied",
			"722h30m0s acme credential_expiring applied",
			"723h0m0s other credential_expiring applied",
			"1274h30m0s acme credential_expiring applied",
			"1275h0m0s other credential_expiring applied",
		)
		equal(w.t, w.reminders("acme"), "2h30m0s 60", "722h30m0s 30", "1274h30m0s 7")
		if again := w.advance(d, day); len(again) != 0 {
			w.t.Errorf("reminded again: %v", again)
		}
	})
}

func TestTheNextReminderIsWhatComesNext(t *testing.T) {
	onBothEngines(t, func(w *world) {
		d := w.driver()
		w.sign("acme", "happy")
		w.sign("other", "happy")
		w.advance(d, 2*day)
		w.certify("acme", 100*day)
		w.certify("other", 20*366*day) // further away than a clock goes at once
		_, next, err := d.Clock(w.t.Context(), merchant)
		want := simulator.Planned{At: start.Add(40 * day), Provider: "acme", Event: "credential_expiring"}
		if err != nil || next == nil || *next != want {
			w.t.Errorf("%+v %v", next, err)
		}
		for _, ahead := range []time.Duration{40 * day, 70 * day, 93 * day, 93 * day} {
			err := d.Hold(w.t.Context(), merchant, func(h *simulator.Hold) error {
				_, err := toNext(w.t.Context(), h)
				return err
			})
			if got := w.account().Ahead; err != nil || got != ahead {
				w.t.Errorf("%s ahead, want %s: %v", got, ahead, err)
			}
		}
		equal(w.t, w.reminders("acme"), "960h0m0s 60", "1680h0m0s 30", "2232h0m0s 7")
		if _, next, err := d.Clock(w.t.Context(), merchant); next != nil || err != nil {
			w.t.Errorf("%+v %v", next, err)
		}
	})
}

// A node may end between moving the clock and recording, and a certificate may
// come when it has few days left.
func TestAReminderThatIsLateIsMadeUpForOnce(t *testing.T) {
	w := newWorld(t, store.Config{DataDir: filepath.Join(t.TempDir(), "data")})
	w.sign("acme", "never_signs")
	w.advance(w.driver(), day)
	w.certify("acme", 20*day)
	equal(t, outcomes(w.advance(w.driver(), 0)), "24h0m0s acme credential_expiring applied")
	equal(t, outcomes(w.advance(w.driver(), 30*day)), "312h0m0s acme credential_expiring applied")
	equal(t, w.reminders("acme"), "24h0m0s 19", "312h0m0s 7")
}
