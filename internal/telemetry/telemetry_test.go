package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mooring/internal/telemetry"
)

func TestTraceParentsAreTakenOnlyWhole(t *testing.T) {
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for header, want := range map[string]string{
		"00-" + trace + "-" + parent + "-01":                  trace,
		"00-" + trace + "-" + parent + "-00":                  trace,
		"cc-" + trace + "-" + parent + "-01-what-comes-later": trace,
		"":                           "",
		"00-" + trace + "-" + parent: "",
		"00-" + trace + "-" + parent + "-01-more":              "",
		"cc-" + trace + "-" + parent + "-01.":                  "",
		"ff-" + trace + "-" + parent + "-01":                   "",
		"0g-" + trace + "-" + parent + "-01":                   "",
		"00_" + trace + "-" + parent + "-01":                   "",
		"00-" + strings.ToUpper(trace) + "-" + parent + "-01":  "",
		"00-" + strings.Repeat("0", 32) + "-" + parent + "-01": "",
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01":  "",
		"00-" + trace[:31] + "\n-" + parent + "-01":            "",
		"00-" + trace + "-" + parent + "-0x":                   "",
	} {
		got, ok := telemetry.TraceParent(header)
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", header, got, ok)
		}
	}
}

func FuzzTraceParent(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x")
	f.Fuzz(func(t *testing.T, header string) {
		id, ok := telemetry.TraceParent(header)
		if ok != (len(id) == 32) || strings.Trim(id, "0123456789abcdef") != "" {
			t.Fatalf("got %q, %v", id, ok)
		}
	})
}

func TestLogsAreTextForPeopleAndJSONForMachines(t *testing.T) {
	var out bytes.Buffer
	log := telemetry.NewLogger(&out, "text", slog.LevelInfo)
	log.Debug("unseen")
	log.Info("one\nline", "key", "a\x1b[31mb\nlevel=ERROR")
	if got := out.String(); strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") || strings.Contains(got, "unseen") || !strings.Contains(got, "Z ") {
		t.Fatalf("got %q", got)
	}
	out.Reset()
	telemetry.NewLogger(&out, "json", slog.LevelInfo).Info("m", "key", "a\nb")
	var record struct {
		Time time.Time
		Msg  string
		Key  string
	}
	if err := json.Unmarshal(out.Bytes(), &record); err != nil || record.Msg != "m" || record.Key != "a\nb" || record.Time.Location() != time.UTC {
		t.Fatalf("got %q, %v", out.String(), err)
	}
}

func TestMetricsAreOfThisProgramOnly(t *testing.T) {
	m := telemetry.NewMetrics()
	m.Observe("event_post", 200, 3*time.Millisecond)
	m.Counter("mooring_syncs_total", "Calls.").Inc()
	m.Counter("mooring_syncs_total", "Calls.").Inc()
	m.Gauge("mooring_queue", "Waiting.").Set(7)
	text, contentType, err := m.Render()
	if err != nil || !strings.HasPrefix(contentType, "text/plain") {
		t.Fatalf("got %q, %v", contentType, err)
	}
	for _, line := range []string{
		`mooring_request_seconds_bucket{operation="event_post",status="200",le="0.005"} 1`,
		`mooring_request_seconds_bucket{operation="event_post",status="200",le="0.0025"} 0`,
		"mooring_syncs_total 2", "mooring_queue 7", "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(string(text), "\n"+line) {
			t.Errorf("%s is missing", line)
		}
	}
	if other, _, _ := telemetry.NewMetrics().Render(); strings.Contains(string(other), "mooring_syncs_total") {
		t.Error("two registries share a counter")
	}
}
