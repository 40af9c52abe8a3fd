package gate

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/telemetry"
)

// crowded is a gate whose functions wait until they are let go.
type crowded struct {
	gate    *Gate
	metrics *telemetry.Metrics
	began   chan struct{}
}

// free is the key of the channel that lets a request go when it is closed.
type free struct{}

func newCrowded(t *testing.T) *crowded {
	t.Helper()
	doc, err := Assemble(os.DirFS("testdata/small"))
	if err != nil {
		t.Fatal(err)
	}
	c := &crowded{metrics: telemetry.NewMetrics(), began: make(chan struct{})}
	functions := map[string]Function{}
	for _, op := range doc.Operations() {
		functions[op.Function] = func(ctx context.Context, _ *Call) (Reply, error) {
			c.began <- struct{}{}
			<-ctx.Value(free{}).(chan struct{})
			return Reply{Body: []byte(`{}`)}, nil
		}
	}
	c.gate, err = New(Config{
		Document: doc, Functions: functions, Metrics: c.metrics, Log: slog.New(slog.DiscardHandler), FingerprintKey: []byte("k"),
		Verify: func(context.Context, []string) (auth.Caller, error) {
			return auth.Caller{Account: "T11223351", Kind: "merchant", Scopes: auth.Scopes{"admin:accounts"}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ask(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer x")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func (c *crowded) answer(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.gate.ServeHTTP(w, r)
	return w
}

// fill has so many requests at work, which release lets go.
func (c *crowded) fill(t *testing.T, n int, request func() *http.Request) (release func()) {
	var working sync.WaitGroup
	let := make(chan struct{})
	for range n {
		working.Go(func() {
			r := request()
			if w := c.answer(r.WithContext(context.WithValue(r.Context(), free{}, let))); w.Code != http.StatusOK {
				t.Errorf("one that was let in is answered %d %s", w.Code, w.Body)
			}
		})
		<-c.began
	}
	return func() {
		close(let)
		working.Wait()
	}
}

func readCase() *http.Request { return ask(http.MethodGet, "/v1/accounts/T11223351/case", "") }

func readToken() *http.Request {
	r := ask(http.MethodPost, "/v1/accounts/T112/auth/token", `{"grant_type":"client_credentials"}`)
	r.SetBasicAuth("id", "secret")
	return r
}

func TestWhoFindsNoRoomIsRefusedAtOnceAndKeepsNobodyElseOut(t *testing.T) {
	c := newCrowded(t)
	most := budgets[budgetRead].most
	release := c.fill(t, most, readCase)

	refused := c.answer(readCase()) // nothing lets anybody go, so it can't have waited
	if refused.Code != http.StatusServiceUnavailable || !strings.Contains(refused.Body.String(), fault.CodeUnavailable) {
		t.Errorf("got %d %s", refused.Code, refused.Body)
	}
	if after, err := strconv.Atoi(refused.Header().Get("Retry-After")); err != nil || after < 1 || after > 3 {
		t.Errorf("Retry-After is %q", refused.Header().Get("Retry-After"))
	}
	c.fill(t, 1, readToken)()

	text, _, err := c.metrics.Render()
	for _, line := range []string{
		`mooring_requests_refused_total{budget="read"} 1`, `mooring_requests_at_work{budget="read"} ` + strconv.Itoa(most),
		`mooring_requests_room{budget="token"} ` + strconv.Itoa(budgets[budgetToken].most),
	} {
		if err != nil || !strings.Contains(string(text), line+"\n") {
			t.Errorf("the metrics lack %s: %v", line, err)
		}
	}
	release()
	c.fill(t, c.gate.Admission.budgets[budgetRead].now().limit, readCase)() // fewer than before, on a machine that took its time
}

// A client that sends its body byte by byte holds no place meanwhile.
func TestWhoHasNotSentItsBodyTakesUpNoRoom(t *testing.T) {
	c := newCrowded(t)
	reading, sent := io.Pipe()
	slow := httptest.NewRequest(http.MethodPost, "/v1/accounts/T112/auth/token", reading)
	slow.SetBasicAuth("id", "secret")
	slow.Header.Set("Content-Type", "application/json")
	var working sync.WaitGroup
	working.Go(func() { c.answer(slow) })
	if _, err := sent.Write([]byte(`{"grant_type":`)); err != nil { // it is being read now
		t.Fatal(err)
	}
	if at := c.gate.Admission.budgets[budgetToken].now().atWork; at != 0 {
		t.Errorf("%d are at work", at)
	}
	sent.CloseWithError(io.ErrUnexpectedEOF)
	working.Wait()
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestWhoFindsNoRoomIsRefusedBeforeTheBodyIsRead(t *testing.T) {
	c := newCrowded(t)
	defer c.fill(t, budgets[budgetToken].most, readToken)()
	r := readToken()
	r.Body = io.NopCloser(unread{t})
	if w := c.answer(r); w.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestWhoWaitsForOthersLeavesRoomHere(t *testing.T) {
	doc, err := Assemble(os.DirFS("testdata/small"))
	if err != nil {
		t.Fatal(err)
	}
	functions, steps := map[string]Function{}, 0
	var g *Gate
	at := func(name string) int { return g.Admission.budgets[name].now().atWork }
	for _, op := range doc.Operations() {
		functions[op.Function] = func(_ context.Context, call *Call) (Reply, error) {
			steps++
			if err := call.Upstream(); err != nil || at(budgetRead) != 0 || at(budgetUpstream) != 1 {
				t.Errorf("%v: %d read, %d wait", err, at(budgetRead), at(budgetUpstream))
			}
			return Reply{}, call.TakesLong()
		}
	}
	g, err = New(Config{
		Document: doc, Functions: functions, Metrics: telemetry.NewMetrics(), Log: slog.New(slog.DiscardHandler), FingerprintKey: []byte("k"),
		Verify: func(context.Context, []string) (auth.Caller, error) {
			return auth.Caller{Account: "T11223351", Kind: "merchant", Scopes: auth.Scopes{"admin:accounts"}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/accounts/T11223351/case", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer x")
	answer, err := server.Client().Do(r)
	if err != nil || answer.StatusCode != http.StatusOK || steps != 1 {
		t.Fatalf("%v %v, %d calls", answer, err, steps)
	}
	answer.Body.Close()
	if at(budgetRead)+at(budgetUpstream) != 0 {
		t.Error("a place was not given back")
	}
}

// among is a budget of which so many requests came and go, all taking so long.
func (b *budget) among(t *testing.T, p *pace, n int, took time.Duration) {
	t.Helper()
	at := make([]place, n)
	for i := range at {
		var err error
		if at[i], err = b.enter(p, time.Now()); err != nil {
			t.Fatalf("%d were let in where %d fit: %v", i, b.limit, err)
		}
	}
	for i := range at {
		at[i].leave(took)
	}
}

func TestFewerAreLetInWhileRequestsTakeLongerThanUsualAndMoreAgainAfterwards(t *testing.T) {
	b := &budget{limit: 256, most: 256, least: 64, refused: counter{}}
	var p pace
	rounds := func(took time.Duration) {
		for range 50 {
			b.among(t, &p, b.limit, took)
		}
	}
	b.among(t, &p, 16, 15*time.Millisecond)
	for _, c := range []struct {
		took time.Duration
		want int
		when string
	}{
		{25 * time.Millisecond, 256, "all is well"},
		{40 * time.Millisecond, 64, "all take too long"},
		{25 * time.Millisecond, 256, "all is well again"},
	} {
		p.usual = 15 * time.Millisecond
		if rounds(c.took); b.limit != c.want {
			t.Errorf("%d are let in when %s", b.limit, c.when)
		}
	}
	p.usual = 100 * time.Microsecond
	if rounds(19 * time.Millisecond); b.limit != 256 { // many times as long, and quick
		t.Errorf("%d are let in although all are quick", b.limit)
	}
}

// Of two hundred who are always at work and take three times as long as is usual,
// two thirds would take twice as long.
func TestAsManyAreLetInAsAreAnsweredInTime(t *testing.T) {
	p := pace{usual: 20 * time.Millisecond}
	crowd := func(took time.Duration) int {
		b := &budget{limit: 200, most: 200, least: 64, refused: counter{}}
		var at []place
		for i := range 600 {
			if i >= 400 { // the first two hundred did not come to a crowd
				at[i-200].leave(took)
			} else if i >= 200 {
				at[i-200].leave(p.usual)
			}
			one, _ := b.enter(&p, time.Now())
			at = append(at, one)
		}
		return b.limit
	}
	if room := crowd(60 * time.Millisecond); room != 133 {
		t.Errorf("there is room for %d", room)
	}
	if room := crowd(time.Minute); room != 100 {
		t.Errorf("one bad moment left room for %d", room)
	}
}

// Whoever came when it was quiet and was overtaken by a crowd tells nothing of quiet times.
func TestWhatIsUsualIsLearnedInQuietTimesAlone(t *testing.T) {
	b := &budget{limit: 64, most: 256, least: 64, refused: counter{}}
	var p pace
	b.among(t, &p, 17, time.Minute)
	if p.usual != 0 {
		t.Errorf("%s is usual now", p.usual)
	}
	if b.among(t, &p, 16, time.Second); p.usual != time.Second {
		t.Errorf("%s is usual now", p.usual)
	}
}

// A crowd from the first moment on, of an operation that takes its time, is a
// crowd and no sign that anything is slow.
func TestNobodyIsBlamedBeforeItIsKnownWhatIsUsual(t *testing.T) {
	b := &budget{limit: 256, most: 256, least: 64, refused: counter{}}
	var p pace
	for range 50 {
		b.among(t, &p, 100, time.Second)
	}
	if b.limit != 256 {
		t.Errorf("%d are let in", b.limit)
	}
}

// Whoever sends what is refused at once can't make what is usual look short.
func TestWhoIsRefusedTellsNothingOfWhatIsUsual(t *testing.T) {
	c := newCrowded(t)
	slow := readCase()
	plan := func() *pace {
		handler, _ := c.gate.mux.Handler(slow)
		return &handler.(*route).plans[http.MethodGet].pace
	}()
	plan.usual = time.Minute
	for range 10 {
		if w := c.answer(ask(http.MethodGet, "/v1/accounts/T11223352/case", "")); w.Code < 400 {
			t.Fatalf("got %d", w.Code)
		}
	}
	if plan.usual != time.Minute {
		t.Errorf("%s is usual now", plan.usual)
	}
	if c.fill(t, 1, readCase)(); plan.usual == time.Minute {
		t.Error("who was answered told nothing either")
	}
}

// What nobody needs is not given: whoever came all at once would find it.
func TestNoRoomIsGainedThatIsNotUsed(t *testing.T) {
	b := &budget{limit: 128, most: 256, least: 64, refused: counter{}}
	p := pace{usual: 20 * time.Millisecond}
	for range 50 {
		b.among(t, &p, 48, 20*time.Millisecond)
	}
	if b.limit != 128 {
		t.Errorf("%d are let in", b.limit)
	}
}

type counter struct{}

func (counter) Inc() {}

func TestWhoseRoomIsTakenUpIsChecked(t *testing.T) {
	for _, c := range []struct {
		later        bool // 503 is an answer
		budget, want string
	}{
		{false, "", ""},
		{true, "", budgetRead},
		{true, "probe", budgetProbe},
		{true, "prob", "refused"},
		{false, "probe", "refused"},
	} {
		answers := map[string]any{}
		if c.later {
			answers["503"] = map[string]any{}
		}
		op := &Operation{Method: http.MethodGet, Budget: c.budget}
		err := readBudget(op, map[string]any{"responses": answers})
		if c.want == "refused" && err == nil || c.want != "refused" && (err != nil || op.Budget != c.want) {
			t.Errorf("%+v: %q, %v", c, op.Budget, err)
		}
	}
}
