package gate_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mooring/internal/gate"
	"mooring/internal/telemetry"
)

// nowhere is a response writer that keeps nothing.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}

func benchmarkGate(b *testing.B, body string, header map[string]string) {
	type event struct {
		Status      string         `json:"status"`
		Event       string         `json:"event"`
		Description string         `json:"description,omitzero"`
		Metadata    map[string]any `json:"metadata,omitzero"`
	}
	doc := small(b)
	functions := map[string]gate.Function{}
	for _, op := range doc.Operations() {
		functions[op.Function] = gate.Handle(func(_ context.Context, _ *gate.Call, in event) (event, error) { return in, nil })
	}
	g, err := gate.New(gate.Config{
		Document: doc, Functions: functions, Verify: verify, Metrics: telemetry.NewMetrics(),
		Log: telemetry.NewLogger(io.Discard, "json", slog.LevelInfo), FingerprintKey: []byte("k"),
	})
	if err != nil {
		b.Fatal(err)
	}
	reader := strings.NewReader(body)
	req := httptest.NewRequest("POST", eventPath, nil)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer partner")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	req.ContentLength = int64(len(body))
	w := nowhere{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		req.Body = io.NopCloser(reader)
		clear(w.header)
		g.ServeHTTP(w, req)
	}
	if got := w.header.Get("Content-Length"); got == "" || got == "0" {
		b.Fatal("nothing was answered")
	}
}

const wholeEvent = `{"status":"pending","event":"signature_required","description":"Vipps awaiting signature",` +
	`"metadata":{"signature_link":"https://sig.example.com/K34K244"}}`

func BenchmarkEvent(b *testing.B)        { benchmarkGate(b, goodEvent, nil) }
func BenchmarkWholeEvent(b *testing.B)   { benchmarkGate(b, wholeEvent, nil) }
func BenchmarkTrimmedEvent(b *testing.B) { benchmarkGate(b, `{"unknown":1,`+wholeEvent[1:], nil) }
func BenchmarkKeyedEvent(b *testing.B) {
	benchmarkGate(b, wholeEvent, map[string]string{"Idempotency-Key": "abc"})
}
func BenchmarkRefusedEvent(b *testing.B) { benchmarkGate(b, `{"status":"x","metadata":[]}`, nil) }
