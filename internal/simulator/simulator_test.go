package simulator_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/gateway"
	"mooring/internal/provider"
	"mooring/internal/simulator"
)

var (
	start    = time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC)
	enrolled = &provider.Report{Status: "enabled", Event: "enrolled", Configuration: []byte(`{"reference":"{signup.id}"}`)}
)

// acme plays what the tests need of each kind of step.
func acme() *provider.Provider {
	report := func(body string) []byte { return []byte(body) }
	return &provider.Provider{
		Slug: "acme", Title: "Acme", Schema: 1,
		Callback: &provider.Callback{Event: "credentials_received", To: "enabled"},
		Scenarios: map[string]provider.Scenario{
			"happy": {Answer: enrolled, Steps: []provider.Step{
				{After: 2 * time.Hour, Report: report(`{"status":"pending","event":"signature_required"}`)},
				{After: 24 * time.Hour, Callback: report(`{"id":"{signup:/case_id}"}`), Times: 1},
			}},
			"never_signs": {Steps: []provider.Step{
				{After: 2 * time.Hour, Report: report(`{"status":"pending","event":"signature_required"}`)},
			}},
			"callback_lost": {Steps: []provider.Step{
				{After: 2 * time.Hour, Report: report(`{"status":"pending","event":"signature_required"}`)},
				{After: 24 * time.Hour, Callback: report(`{"id":"{signup.id}"}`), Lost: true},
			}},
			"declined": {Steps: []provider.Step{
				{After: 3 * time.Hour, Report: report(`{"status":"declined","event":"refused","code":"credit_check","provider_code":"X1","occurred_at":"{signup+90m}"}`)},
			}},
		},
	}
}

func ask(id account.ID, status connection.Status, scenario string, after time.Duration) (provider.Report, error) {
	clock := func(context.Context, account.ID) (time.Time, error) { return start.Add(after), nil }
	return simulator.New(clock).Status(context.Background(), gateway.Question{
		Account: id, Provider: acme(),
		Connection: &connection.Connection{
			Account: id, Provider: "acme", Status: status,
			Signups: []connection.Signup{{Seq: 1, ID: "s-1", Data: []byte(`{}`), Scenario: scenario, CreatedAt: start}},
		},
	})
}

func TestAPendingTestConnectionGetsTheAnswerOfItsScenario(t *testing.T) {
	for _, scenario := range []string{"happy", "", "one that the file no longer has"} {
		report, err := ask("T11223351", connection.Pending, scenario, 0)
		want := provider.Report{Status: "enabled", Event: "enrolled", Configuration: []byte(`{"reference":"s-1"}`)}
		if diff := cmp.Diff(want, report); diff != "" || err != nil {
			t.Error(scenario, err, diff)
		}
	}
	report, err := ask("T11223351", connection.Pending, "never_signs", 100*24*time.Hour)
	if diff := cmp.Diff(provider.Report{Status: "pending"}, report); diff != "" || err != nil {
		t.Error("a scenario without an answer stands as it stands:", err, diff)
	}
}

func TestAQuestionLearnsWhatWasLostOnceItIsDue(t *testing.T) {
	for after, want := range map[time.Duration]provider.Report{
		24*time.Hour - 1: {Status: "pending"},
		24 * time.Hour:   {Status: "enabled", Event: "credentials_received"}, // without renames in the file nothing is taken over
	} {
		report, err := ask("T11223351", connection.Pending, "callback_lost", after)
		if diff := cmp.Diff(want, report); diff != "" || err != nil {
			t.Error(after, err, diff)
		}
	}
}

func TestAnyOtherConnectionKeepsItsStatus(t *testing.T) {
	for _, status := range []connection.Status{connection.Enabled, connection.Failed, connection.Declined} {
		report, err := ask("T11223351", status, "callback_lost", 48*time.Hour)
		if diff := cmp.Diff(provider.Report{Status: string(status)}, report); diff != "" || err != nil {
			t.Error(status, err, diff)
		}
		c := &connection.Connection{Status: status}
		if changed, err := connection.ApplyReport(c, nil, report, connection.Act{}); changed || err != nil {
			t.Errorf("a %s connection was changed: %v", status, err)
		}
	}
}

func TestAProductionAccountIsRefused(t *testing.T) {
	for _, id := range []account.ID{"P11223351", ""} {
		if report, err := ask(id, connection.Pending, "happy", 0); err == nil || report.Status != "" {
			t.Errorf("%q was answered %+v", id, report)
		}
		if due := simulator.Due(account.Account{ID: id}, acme(), connection.Signup{Scenario: "happy"}, freshID); due != nil {
			t.Errorf("%q has %d steps", id, len(due))
		}
	}
}

func TestANewSignupMakesItsScenariosStepsDueInTheAccountsTime(t *testing.T) {
	due := simulator.Due(account.Account{ID: "T11223351"}, acme(), connection.Signup{ID: "s-1", Scenario: "happy", CreatedAt: start}, freshID)
	if len(due) != 2 || due[0].DueAt != start.Add(2*time.Hour) || due[1].DueAt != start.Add(24*time.Hour) {
		t.Fatalf("%+v", due)
	}
	for i, task := range due {
		if task.Kind != "step" || task.State != "due" || task.Step != int64(i) || task.Signup != "s-1" || task.Provider != "acme" {
			t.Errorf("%+v", task)
		}
	}
}
