package deliver

import (
	"testing"
	"time"

	"mooring/internal/connection"
	"mooring/internal/provider"
	"mooring/internal/vault"
)

func TestAReportIsStoredOnlyOverTheStateThatItIsAbout(t *testing.T) {
	report := provider.Report{Status: "enabled", Event: "enrolled"}
	for name, c := range map[string]struct {
		asked   int64
		report  provider.Report
		changed bool
	}{
		"news":                           {asked: 1, report: report, changed: true},
		"nothing new":                    {asked: 1, report: provider.Report{Status: "pending"}},
		"the connection moved meanwhile": {asked: 0, report: report},
	} {
		now := &connection.Connection{Status: connection.Pending, LastSeq: 1}
		act := connection.Act{At: time.Now(), NewID: func() string { return "id" }}
		d, err := takeReport(now, nil, c.asked, c.report, vault.Sealed{}, act)
		want, status := (*connection.Connection)(nil), connection.Pending
		if c.changed {
			want, status = now, connection.Enabled
		}
		if err != nil || d.Connection != want || now.Status != status {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	if _, err := takeReport(nil, nil, 1, report, vault.Sealed{}, connection.Act{}); err == nil {
		t.Error("a report was stored where there is no connection")
	}
}

func TestTheTimetableGrowsToAnHourAndStaysThere(t *testing.T) {
	for attempts, want := range map[int64]time.Duration{0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 5: 80 * time.Second, 11: time.Hour, 12: time.Hour, 1000: time.Hour} {
		for range 100 {
			if got := pause(attempts); got < want*3/4 || got > want*5/4 {
				t.Errorf("after %d attempts it waits %s, want about %s", attempts, got, want)
			}
		}
	}
}
