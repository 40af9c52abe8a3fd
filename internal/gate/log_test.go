package gate

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/telemetry"
)

// SafeBuffer is a log that is read while it is written.
type SafeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *SafeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *SafeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Refusals come by the thousand: the first has a log line, and those of the
// second that follows share one, which says how many they were.
func TestRefusalsShareALogLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowded(t)
		var log SafeBuffer
		c.gate.Log = slog.New(slog.NewJSONHandler(&log, nil))
		release := c.fill(t, budgets[budgetRead].most, readCase)
		for range 1000 {
			c.answer(readCase())
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), `"level":"WARN","msg":"request",`) {
			t.Errorf("a thousand refusals left %d lines:\n%s", n, log.String())
		}
		<-time.After(tellRest)
		synctest.Wait()
		if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), `"level":"WARN","msg":"more requests found no room","refusals":999}`) {
			t.Errorf("when a second was over, they have %d lines:\n%s", n, log.String())
		}
		<-time.After(tellRest)
		synctest.Wait()
		c.answer(readCase())
		release()
		if n := strings.Count(log.String(), "\n"); n != 3+budgets[budgetRead].most {
			t.Errorf("with those that were let in there are %d lines", n)
		}
	})
}

// A client that went away before it was answered is no failure of ours.
func TestWhoGoesAwayIsNotLoggedAsAnError(t *testing.T) {
	doc, err := Assemble(os.DirFS("testdata/small"))
	if err != nil {
		t.Fatal(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, c := range []struct {
		who   context.Context
		fault error
		level string
	}{
		{gone, fault.New(fault.Unavailable, fault.CodeUnavailable, "the request ended").Because(context.Canceled), "WARN"},
		{gone, fault.New(fault.Unavailable, fault.CodeUnavailable, "the outcome is unknown").Because(errors.New("cut")), "ERROR"},
		{t.Context(), fault.New(fault.Unavailable, fault.CodeUnavailable, "the database does not answer"), "ERROR"},
		{gone, errors.New("broken"), "ERROR"},
	} {
		var log bytes.Buffer
		functions := map[string]Function{}
		for _, op := range doc.Operations() {
			functions[op.Function] = func(context.Context, *Call) (Reply, error) { return Reply{}, c.fault }
		}
		g, err := New(Config{
			Document: doc, Functions: functions, Metrics: telemetry.NewMetrics(), Log: slog.New(slog.NewJSONHandler(&log, nil)),
			FingerprintKey: []byte("k"),
			Verify: func(context.Context, []string) (auth.Caller, error) {
				return auth.Caller{Account: "T11223351", Kind: "merchant", Scopes: auth.Scopes{"admin:accounts"}}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		g.ServeHTTP(httptest.NewRecorder(), readCase().WithContext(c.who))
		if !strings.Contains(log.String(), `"level":"`+c.level+`"`) {
			t.Errorf("%v is logged as %s", c.fault, log.String())
		}
	}
}
