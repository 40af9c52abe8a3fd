package gate

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/telemetry"
)

func TestALongBodyIsReadWhenItIsKnownWhoSendsIt(t *testing.T) {
	for _, c := range []struct {
		most, length int64
		token        string
		read         bool
		status       int
	}{
		{1 << 20, 1 << 17, "x", false, http.StatusUnauthorized},
		{1 << 20, 1 << 17, "narrow", false, http.StatusForbidden},
		{1 << 20, -1, "x", false, http.StatusUnauthorized},
		{1 << 20, 1 << 17, "callback", true, http.StatusOK},
		{1 << 20, 1 << 16, "x", true, http.StatusUnauthorized},
		{1 << 16, 1 << 16, "x", true, http.StatusUnauthorized},
	} {
		sent := &counted{n: max(c.length, 1<<17)}
		g := smallGate(t, func(op *Operation) { op.MaxBody, op.Budget = c.most, budgetCallback })
		sent.look = func() {
			if at := g.Admission.budgets[budgetCallback].now().atWork; at != 0 {
				t.Errorf("%+v: %d are at work while the body arrives", c, at)
			}
		}
		r := httptest.NewRequest(http.MethodPost, "/v1/accounts/T11223351/vipps/reference", sent)
		r.ContentLength = c.length
		r.Header.Set("Authorization", c.token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code != c.status || (sent.came > 0) != c.read {
			t.Errorf("%+v: got %d %s, and %d bytes were read", c, w.Code, w.Body, sent.came)
		}
	}
}

// counted is a body of spaces.
type counted struct {
	n, came int64
	look    func()
}

func (c *counted) Read(p []byte) (int, error) {
	c.look()
	n := min(int64(len(p)), c.n-c.came)
	for i := range n {
		p[i] = ' '
	}
	c.came += n
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

// smallGate is a gate of which change changes every operation. It knows a
// token of a callback, and one that may nothing.
func smallGate(t *testing.T, change func(*Operation)) *Gate {
	t.Helper()
	doc, err := Assemble(os.DirFS("testdata/small"))
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]Function{}
	for _, op := range doc.Operations() {
		change(op)
		functions[op.Function] = func(context.Context, *Call) (Reply, error) { return Reply{}, nil }
	}
	g, err := New(Config{
		Document: doc, Functions: functions, Metrics: telemetry.NewMetrics(), Log: slog.New(slog.DiscardHandler), FingerprintKey: []byte("k"),
		Verify: func(_ context.Context, authorization []string) (auth.Caller, error) {
			caller := auth.Caller{Account: "T11223351", Kind: "merchant"}
			switch authorization[0] {
			case "callback":
				caller.Callback, caller.Scopes = &auth.Callback{}, auth.Scopes{"write:vipps"}
			case "narrow":
			default:
				return caller, fault.Denied(nil)
			}
			return caller, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
