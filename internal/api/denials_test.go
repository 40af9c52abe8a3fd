package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/gate"
	"mooring/internal/store"
	"mooring/internal/store/storetest"
	"mooring/internal/telemetry"
)

// deniedDesk is a gate whose callers are named by their tokens and whose only
// operations, a read and a write, find nothing.
type deniedDesk struct {
	gate    *gate.Gate
	denials *Denials
	store   *store.Store
	now     time.Time
}

const deniedContract = `
openapi: 3.1.0
paths:
%s
components:
  securitySchemes: {bearer: {type: http, scheme: bearer}}
`

const deniedOperation = `
  /v1/accounts/{oid}/things/{aid}/%[1]d:
    %[2]s:
      operationId: thing_%[1]d
      x-mooring-action: thing.%[1]d
      x-evidence: extension
      security: [{bearer: ["use"]}]
      parameters:
        - {name: oid, in: path, required: true, schema: {type: string}}
        - {name: aid, in: path, required: true, schema: {type: string}}
`

func newDeniedDesk(t *testing.T, operations int) *deniedDesk {
	t.Helper()
	d := &deniedDesk{now: time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC)}
	var err error
	if d.store, err = store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "data")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.store.Close() })
	for _, a := range []account.Account{
		{ID: "T00000000", Kind: account.KindPlatform, CreatedAt: d.now},
		{ID: "T11300000", Kind: account.KindPartner, Owner: "T00000000", CreatedAt: d.now},
		{ID: "T11200000", Kind: account.KindPartner, Owner: "T00000000", CreatedAt: d.now},
		{ID: "T11200001", Kind: account.KindMerchant, Owner: "T11200000", CreatedAt: d.now},
	} {
		if err := d.store.CreateAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	var paths strings.Builder
	functions := map[string]gate.Function{}
	for i := range operations {
		method := map[bool]string{true: "get", false: "post"}[i%2 == 0]
		fmt.Fprintf(&paths, deniedOperation, i, method)
		functions[fmt.Sprint("thing_", i)] = func(context.Context, *gate.Call) (gate.Reply, error) { return gate.Reply{}, fault.Missing() }
	}
	document, err := gate.Assemble(fstest.MapFS{"all.yaml": {Data: fmt.Appendf(nil, deniedContract, paths.String())}})
	if err != nil {
		t.Fatal(err)
	}
	d.denials = NewDenials(d.store, func(account.ID) bool { return true }, func() time.Time { return d.now }, slog.New(slog.DiscardHandler))
	d.gate, err = gate.New(gate.Config{
		Document: document, Functions: functions, Verify: verifyByName, Denied: d.denials.Record,
		Log: slog.New(slog.DiscardHandler), Metrics: telemetry.NewMetrics(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// verifyByName takes "Bearer ACCOUNT CLIENT SCOPE" for a token.
func verifyByName(_ context.Context, authorization []string) (auth.Caller, error) {
	var who, client, scope string
	if len(authorization) == 1 {
		fmt.Sscanf(authorization[0], "Bearer %s %s %s", &who, &client, &scope)
	}
	if scope == "" {
		return auth.Caller{}, fault.Denied(nil)
	}
	kind := account.KindPartner
	if account.ID(who).IsPlatform() {
		kind = account.KindPlatform
	}
	return auth.Caller{Account: account.ID(who), Kind: kind, Client: client, Scopes: auth.Scopes{scope}}, nil
}

// ask makes a request, and gives the status of its answer.
func (d *deniedDesk) ask(token, from, path string, operation int) int {
	method := map[bool]string{true: http.MethodGet, false: http.MethodPost}[operation%2 == 0]
	r := httptest.NewRequest(method, fmt.Sprint("/v1/accounts/", path, "/", operation), nil)
	r.RequestURI = r.URL.Path
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(from), 1).String()
	w := httptest.NewRecorder()
	d.gate.ServeHTTP(w, r)
	return w.Code
}

// records are the audit of an account, oldest first, as "action status xN".
func (d *deniedDesk) records(t *testing.T, id account.ID) []string {
	t.Helper()
	found, err := d.store.AuditOf(t.Context(), auth.Caller{Account: id}, id, store.AuditQuery{Account: id, Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, r := range found {
		if r.Outcome != store.AuditRefused || r.ID == "" || r.At.IsZero() {
			t.Errorf("a record is not whole: %+v", r)
		}
		told = append([]string{fmt.Sprintf("%s %s %s", r.Action, r.Remote, r.Detail)}, told...)
	}
	return told
}

const (
	mine    = "T112/things/T11200001"
	foreign = "T112/things/T11300001"
	person  = "192.0.2.1"
	partner = "T11200000 client-1 use"
)

func TestWhoIsDeniedIsRemembered(t *testing.T) {
	for name, test := range map[string]struct {
		token, path string
		operation   int
		status      int
		of          account.ID
		want        string
	}{
		"no token":                             {"", mine, 0, 401, "T00000000", `authenticate 192.0.2.1 {"count":1,"last_at":"2026-05-12T09:30:00Z","status":401}`},
		"too little scope":                     {"T11200000 client-1 other", mine, 0, 403, "T11200000", `thing.0 192.0.2.1 {"count":1,"last_at":"2026-05-12T09:30:00Z","status":403}`},
		"another's path":                       {"T11300000 client-1 use", mine, 0, 403, "T11300000", `thing.0 192.0.2.1 {"count":1,"last_at":"2026-05-12T09:30:00Z","status":403}`},
		"a foreign account, read":              {partner, foreign, 0, 404, "T11200000", `thing.0 192.0.2.1 {"count":1,"last_at":"2026-05-12T09:30:00Z","status":404}`},
		"a foreign account, written":           {partner, foreign, 1, 404, "T11200000", `thing.1 192.0.2.1 {"count":1,"last_at":"2026-05-12T09:30:00Z","status":404}`},
		"nothing there to write to":            {partner, mine, 1, 404, "T11200000", `thing.1 192.0.2.1 {"count":1,"last_at":"2026-05-12T09:30:00Z","status":404}`},
		"nothing there to read":                {partner, mine, 0, 404, "T11200000", ""},
		"nothing there to read, as a platform": {"T00000000 client-1 use", foreign, 0, 404, "T00000000", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDeniedDesk(t, 2)
			if status := d.ask(test.token, person, test.path, test.operation); status != test.status {
				t.Fatalf("answered with %d", status)
			}
			d.denials.Flush(t.Context())
			if got := strings.Join(d.records(t, test.of), "\n"); got != test.want {
				t.Errorf("remembered:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestARepeatedDenialIsCounted(t *testing.T) {
	d := newDeniedDesk(t, 2)
	for range 100 {
		d.ask(partner, person, foreign, 1)
		d.denials.Flush(t.Context())
	}
	d.now = d.now.Add(59 * time.Second)
	d.denials.Flush(t.Context())
	if got := d.records(t, "T11200000"); len(got) != 1 {
		t.Fatalf("within a minute there are %q", got)
	}
	d.now = d.now.Add(time.Second)
	d.denials.Flush(t.Context())
	got := d.records(t, "T11200000")
	if len(got) != 2 || !strings.Contains(got[1], `"count":99,`) {
		t.Fatalf("a minute later there are %q", got)
	}
	d.now = d.now.Add(time.Minute)
	d.denials.Flush(t.Context())
	if got := d.records(t, "T11200000"); len(got) != 2 || len(d.denials.counts)+len(d.denials.callers) != 0 {
		t.Errorf("of a quiet caller there are %q, and %d counts are kept", got, len(d.denials.counts))
	}
}

func TestADenialThatCannotBeWrittenIsWrittenLater(t *testing.T) {
	d := newDeniedDesk(t, 2)
	closed, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for range 3 {
		d.ask(partner, person, foreign, 1)
	}
	d.denials.store = closed
	d.denials.Flush(t.Context())
	d.ask(partner, person, foreign, 1)
	d.ask(partner, person, foreign, 0) // a read, of which must be looked up whether the account is there
	away, stop := context.WithCancel(t.Context())
	stop()
	d.denials.Flush(away)
	if got := d.records(t, "T11200000"); len(got) != 0 {
		t.Fatalf("without a database there are %q", got)
	}
	d.denials.store = d.store
	d.denials.Flush(t.Context())
	got := d.records(t, "T11200000")
	if len(got) != 2 || !strings.Contains(got[0], `thing.1 192.0.2.1 {"count":3,"last_at":"2026-05-12T09:30:00Z"`) || !strings.Contains(got[1], `thing.0 192.0.2.1 {"count":1,`) {
		t.Fatalf("at once there are %q", got)
	}
	d.now = d.now.Add(time.Minute)
	d.denials.Flush(t.Context())
	if got := d.records(t, "T11200000"); len(got) != 3 || !strings.Contains(strings.Join(got, "\n"), `thing.1 192.0.2.1 {"count":1,`) {
		t.Errorf("later there are %q", got)
	}
}

func TestADenialOfWhichNobodyKnowsWhetherItIsWrittenIsCountedOnce(t *testing.T) {
	proxy := storetest.StrictBefore(t, storetest.Postgres(t), storetest.Faults{})
	s, err := store.Open(t.Context(), store.Config{Database: proxy.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	d := &deniedDesk{store: s, now: time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC)}
	if err := s.CreateAccount(t.Context(), account.Account{ID: "T00000000", Kind: account.KindPlatform, CreatedAt: d.now}); err != nil {
		t.Fatal(err)
	}
	d.denials = NewDenials(s, func(account.ID) bool { return true }, func() time.Time { return d.now }, slog.New(slog.DiscardHandler))
	var want []string
	for seed := range uint64(6) { // some of which commit, and some do not
		d.now = d.now.Add(time.Hour)
		refuse := func() {
			id := uuid.Must(uuid.NewV7()).String()
			d.denials.Refused(store.AuditRecord{ID: id, Account: "T00000000", At: d.now, Action: fmt.Sprint("thing.", seed), By: "client-1"}, "WHY")
		}
		proxy.Set(storetest.Faults{Seed: seed, Unknown: 1})
		refuse()
		d.denials.Flush(t.Context())
		refuse()
		refuse()
		d.denials.Flush(t.Context())
		proxy.Set(storetest.Faults{})
		d.denials.Flush(t.Context())
		at := onWire(d.now)
		want = append(want, fmt.Sprintf(`thing.%d  {"count":1,"last_at":%q,"code":"WHY"}`, seed, at))
		if got := d.records(t, "T00000000"); !slices.Equal(got, want) {
			t.Fatalf("at once there are %q, want %q", got, want)
		}
		d.now = d.now.Add(time.Minute)
		d.denials.Flush(t.Context())
		want = append(want, fmt.Sprintf(`thing.%d  {"count":2,"last_at":%q,"code":"WHY"}`, seed, at))
		if got := d.records(t, "T00000000"); !slices.Equal(got, want) {
			t.Fatalf("later there are %q, want %q", got, want)
		}
	}
}

func TestWhatIsCountedIsWrittenAtTheEnd(t *testing.T) {
	d := newDeniedDesk(t, 2)
	ctx, stop := context.WithCancel(t.Context())
	d.ask(partner, person, foreign, 1)
	d.denials.Flush(ctx)
	for range 41 {
		d.ask(partner, person, foreign, 1)
	}
	stop()
	if err := d.denials.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if got := d.records(t, "T11200000"); len(got) != 2 || !strings.Contains(got[1], `"count":41,`) {
		t.Errorf("at the end there are %q", got)
	}
}

func TestNobodyFloodsTheAudit(t *testing.T) {
	const operations = 100
	d := newDeniedDesk(t, operations)
	for i := range 5_000 { // addresses, each of a customer of its own
		d.ask("", fmt.Sprintf("2001:db8:%x::1", i), mine, 0)
	}
	for i := range 256 { // and one customer with many
		d.ask("", fmt.Sprintf("2001:db8:0:0::%x", i), mine, 0)
	}
	for i := range operations {
		d.ask(partner, person, foreign, i|1)
		d.ask("T11200000 client-1 other", person, mine, i)
	}
	for i := range 3_000 { // clients of one account
		d.ask(fmt.Sprintf("T11200001 client-%d other", i), person, mine, 0)
	}
	d.denials.Flush(t.Context())
	total := 0
	for id, most := range map[account.ID]int{"T00000000": denialsOfUnknown + 1, "T11200000": denialsOfClient + 1, "T11200001": denialsOfAll + 1} {
		records := d.records(t, id)
		counted := 0
		for _, r := range records {
			var n int
			fmt.Sscanf(r[strings.Index(r, `"count":`):], `"count":%d`, &n)
			counted += n
		}
		total += counted
		if len(records) > most {
			t.Errorf("%s: %d records, want at most %d", id, len(records), most)
		}
	}
	if want := 5_256 + 2*operations + 3_000; total != want {
		t.Errorf("%d denials are counted, want %d", total, want)
	}
	if n := len(d.denials.counts); n > denialsOfAll+2 {
		t.Errorf("%d counts are kept", n)
	}
}

func TestADenialThatCannotBeWrittenStopsNothing(t *testing.T) {
	d := newDeniedDesk(t, 2)
	d.store.Close()
	if status := d.ask(partner, person, foreign, 1); status != http.StatusNotFound {
		t.Errorf("answered with %d", status)
	}
	d.denials.Flush(t.Context())
}
