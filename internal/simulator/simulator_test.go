package simulator_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/gateway"
	"mooring/internal/provider"
	"mooring/internal/simulator"
)

var enrolled = &provider.Report{Status: "enabled", Event: "enrolled", Configuration: []byte(`{"status":"enabled"}`)}

func ask(id account.ID, report *provider.Report, status connection.Status) (provider.Report, error) {
	return simulator.New().Status(context.Background(), gateway.Question{
		Account: id, Provider: &provider.Provider{Slug: "acme", Scenarios: map[string]provider.Scenario{"happy": {Answer: report}}},
		Connection: &connection.Connection{Account: id, Provider: "acme", Status: status},
	})
}

func TestAPendingTestConnectionGetsTheReportOfTheFile(t *testing.T) {
	report, err := ask("T11223351", enrolled, connection.Pending)
	if diff := cmp.Diff(*enrolled, report); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestAnyOtherConnectionKeepsItsStatus(t *testing.T) {
	for _, status := range []connection.Status{connection.Enabled, connection.Failed, connection.Declined} {
		report, err := ask("T11223351", enrolled, status)
		if diff := cmp.Diff(provider.Report{Status: string(status)}, report); diff != "" || err != nil {
			t.Error(status, err, diff)
		}
		c := &connection.Connection{Status: status}
		if changed, err := connection.ApplyReport(c, report, connection.Act{}); changed || err != nil {
			t.Errorf("a %s connection was changed: %v", status, err)
		}
	}
}

func TestAProductionAccountIsRefused(t *testing.T) {
	for _, id := range []account.ID{"P11223351", ""} {
		if report, err := ask(id, enrolled, connection.Pending); err == nil || report.Status != "" {
			t.Errorf("%q was answered %+v", id, report)
		}
	}
}

func TestAProviderWithoutASimulatorCanNotBeAsked(t *testing.T) {
	if _, err := ask("T11223351", nil, connection.Pending); !errors.Is(err, gateway.ErrUnavailable) {
		t.Error(err)
	}
}
