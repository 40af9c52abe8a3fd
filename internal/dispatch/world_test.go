package dispatch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/hook"
	"mooring/internal/outbound"
	"mooring/internal/store"
	"mooring/internal/telemetry"
)

const (
	platformID account.ID = "P00000000"
	partnerID  account.ID = "P11200000"
	otherID    account.ID = "P11300000"
	firstID    account.ID = "P11211111"
)

// world is an engine over a real database, in time that passes when nothing
// else does. Its receivers are real servers at the other end of pipes.
type world struct {
	t     testing.TB
	store *store.Store
	*Dispatcher
	boss auth.Caller
	net  *network
	stop func()
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func merchantID(i int) account.ID { return account.ID(fmt.Sprintf("P112%05d", 10001+i)) }

// inWorld runs a test in a bubble with an engine that runs.
func inWorld(t *testing.T, merchants int, test func(t *testing.T, w *world)) {
	dir := filepath.Join(t.TempDir(), "data")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, store.Config{DataDir: dir}, merchants)
		defer w.close()
		w.run()
		test(t, w)
	})
}

func newWorld(t testing.TB, cfg store.Config, merchants int) *world {
	t.Helper()
	cfg.Now, cfg.Log = now, slog.New(slog.DiscardHandler)
	s, err := store.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: s, net: newNetwork()}
	w.account(account.Account{ID: platformID, Kind: account.KindPlatform})
	w.account(account.Account{ID: partnerID, Kind: account.KindPartner, Owner: platformID})
	w.account(account.Account{ID: otherID, Kind: account.KindPartner, Owner: platformID})
	for i := range merchants {
		w.account(account.Account{ID: merchantID(i), Kind: account.KindMerchant, Owner: partnerID})
	}
	client := auth.Client{
		ID: newID(), Account: platformID, Name: "test", CreatedAt: now(), CreatedBy: "test",
		Secrets: []auth.SecretHash{{ID: newID(), Hash: []byte{1, 2, 3}, CreatedAt: now()}},
		Grants:  []auth.Grant{{ID: newID(), Audience: platformID, Scopes: auth.Scopes{"admin:accounts"}}},
	}
	if err := s.CreateClient(context.Background(), client); err != nil {
		t.Fatal(err)
	}
	w.boss = auth.Caller{Client: client.ID, Account: platformID, Kind: account.KindPlatform}
	w.Dispatcher = w.engine()
	return w
}

// engine makes another engine over the same database.
func (w *world) engine() *Dispatcher {
	return New(Deps{
		Store: w.store, Senders: map[hook.Kind]Sender{hook.KindHook: NewHooks(w.net)},
		Secrets: func(context.Context, account.ID, string, time.Time) (hook.Secrets, error) { return hook.Secrets{}, nil },
		Serves:  func(account.ID) bool { return true },
		Now:     now, NewID: newID, Chance: rand.Float64, Log: slog.New(slog.NewTextHandler(output{w.t}, nil)),
		Metrics: telemetry.NewMetrics(),
	})
}

// output is the log of a test.
type output struct{ t testing.TB }

func (o output) Write(b []byte) (int, error) {
	o.t.Log(string(bytes.TrimSpace(b)))
	return len(b), nil
}

// run starts the engine; w.stop ends it.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	w.stop = sync.OnceFunc(func() { cancel(); <-done })
}

func (w *world) close() {
	if w.stop != nil {
		w.stop()
	}
	w.net.close()
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) account(a account.Account) {
	w.t.Helper()
	a.Company, a.CreatedAt = account.Company{BusinessName: "Somebody"}, now()
	if err := w.store.CreateAccount(context.Background(), a); err != nil {
		w.t.Fatal(err)
	}
}

// subscribe makes a subscription for an account, to a host.
func (w *world) subscribe(id account.ID, host string) hook.Subscription {
	w.t.Helper()
	sub := hook.Subscription{
		Account: id, ID: newID(), Kind: hook.KindHook, Target: "http://" + host + "/hook",
		Events: []string{hook.ConnectionUpdate}, Active: true, CreatedAt: now(),
	}
	_, err := w.store.AddSubscription(context.Background(), w.deed(id), store.Subscription{Subscription: sub}, "", shown)
	if err != nil {
		w.t.Fatal(err)
	}
	return sub
}

func shown(store.Subscription) (store.Answer, error) { return store.Answer{Body: []byte("{}")}, nil }

func (w *world) deed(id account.ID) store.Deed {
	return store.Deed{Caller: w.boss, About: id}
}

// change does something to a subscription.
func (w *world) change(sub hook.Subscription, do func(*hook.Subscription)) {
	w.t.Helper()
	_, err := w.store.ChangeSubscription(context.Background(), w.deed(sub.Account), sub.ID, []hook.Kind{hook.KindHook}, now(), "",
		func(s *store.Subscription) (store.Answer, error) {
			do(&s.Subscription)
			return store.Answer{Body: []byte("{}")}, nil
		})
	if err != nil {
		w.t.Fatal(err)
	}
}

// happen tells of n events of each of some lanes, in turn, and returns their
// ids by lane.
func (w *world) happen(n, merchants, providers int) map[string][]string {
	w.t.Helper()
	return w.happenWith(n, merchants, providers, nil)
}

// happenWith gives some of them ids of the caller's: by lane and index, as in
// "P11210001/provider-0#3".
func (w *world) happenWith(n, merchants, providers int, given map[string]string) map[string][]string {
	w.t.Helper()
	ids := map[string][]string{}
	var told []hook.Entry
	flush := func() {
		if err := w.store.Record(context.Background(), nil, []store.Outcome{{Account: platformID, Told: told}}); err != nil {
			w.t.Fatal(err)
		}
		told = nil
	}
	for i := range n {
		for m := range merchants {
			for p := range providers {
				e := hook.Entry{
					ID: newID(), Account: merchantID(m), Type: hook.ConnectionUpdate, Provider: fmt.Sprintf("provider-%d", p),
					Status: string(connection.Enabled), At: now(), ToldAt: now(), Seq: int64(i + 1),
					Body: fmt.Appendf(nil, `{"connection":{"id":"x","status":"ENABLED"},"connection_event":{"seq":%d}}`, i+1),
				}
				lane := hook.Lane(e)
				e.ID = cmp.Or(given[fmt.Sprintf("%s#%d", lane, i)], e.ID)
				ids[lane] = append(ids[lane], e.ID)
				if told = append(told, e); len(told) == 2000 {
					flush()
				}
			}
		}
	}
	flush()
	return ids
}

// lanes are the names of those that happen tells of.
func (w *world) lanes(merchants, providers int) []string {
	var all []string
	for m := range merchants {
		for p := range providers {
			all = append(all, fmt.Sprintf("%s/provider-%d", merchantID(m), p))
		}
	}
	return all
}

// kept is how many deliveries of a subscription are to be tried again or wait.
func (w *world) kept(sub hook.Subscription) int {
	w.t.Helper()
	standing, err := w.store.Standing(context.Background(), sub.Account, sub.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	n := len(standing.Failed)
	for _, waiting := range standing.Waiting {
		n += int(waiting)
	}
	return n
}

// recover has a subscription told again.
func (w *world) recover(sub hook.Subscription, what store.Recovery) {
	w.t.Helper()
	_, err := w.store.Recover(context.Background(), w.deed(sub.Account), sub.ID, []hook.Kind{hook.KindHook}, what, now(),
		func(int64) (store.Answer, error) { return store.Answer{Body: []byte("{}")}, nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

// move gives a merchant to another partner.
func (w *world) move(id, to account.ID) {
	w.t.Helper()
	deed := w.deed(id)
	deed.Owner = partnerID
	_, err := w.store.MoveAccount(context.Background(), deed, to, func(store.Kept) (store.Answer, error) {
		return store.Answer{Body: []byte("{}")}, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// erase deletes a merchant and has it erased, long after.
func (w *world) erase(id account.ID) {
	w.t.Helper()
	deed := w.deed(id)
	deed.Owner = partnerID
	_, err := w.store.DeleteAccount(context.Background(), deed, store.Leaving{Retention: time.Hour, NewID: newID},
		func(store.Profiled) (store.Answer, error) { return store.Answer{Body: []byte("{}")}, nil })
	if err != nil {
		w.t.Fatal(err)
	}
	if n, err := w.store.EraseAccounts(context.Background(), now().Add(2*time.Hour), 10); n != 1 || err != nil {
		w.t.Fatal(n, err)
	}
}

// read is a subscription as it is stored.
func (w *world) read(sub hook.Subscription) hook.Subscription {
	w.t.Helper()
	got, err := w.store.SubscriptionByID(context.Background(), sub.Account, sub.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// checkFeed fails unless so many entries about endpoints, of a type, are in the
// partner's feed, and say what is documented.
func (w *world) checkFeed(what string, want int) {
	w.t.Helper()
	all, err := w.store.FeedAfter(context.Background(), partnerID, account.KindPartner, 0, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, e := range all {
		if e.Type == what {
			n++
			w.checkEndpoint(e)
		}
	}
	if n != want {
		w.t.Errorf("%d entries say %s", n, what)
	}
}

func (w *world) checkEndpoint(e hook.Entry) {
	w.t.Helper()
	var body struct {
		Subscription struct {
			ID           string    `json:"id"`
			Kind         hook.Kind `json:"kind"`
			FailingSince time.Time `json:"failing_since"`
		} `json:"subscription"`
		Percent *int    `json:"percent"`
		Reason  *string `json:"reason"`
	}
	in := json.NewDecoder(bytes.NewReader(e.Body))
	in.DisallowUnknownFields()
	if err := in.Decode(&body); err != nil {
		w.t.Fatal(err)
	}
	s, off := body.Subscription, e.Type == hook.EndpointDisabled
	if e.Owner != partnerID || s.ID == "" || s.Kind == "" || s.FailingSince.IsZero() || s.FailingSince.After(e.At) {
		w.t.Errorf("%+v says %s", e, e.Body)
	}
	if (body.Percent == nil) != off || (body.Reason == nil) == off {
		w.t.Errorf("%s says %s", e.Type, e.Body)
	}
}

// pass lets a time pass, in the bubble.
func (w *world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// settle waits until what is at hand is done.
func (w *world) settle() { w.pass(time.Second) }

// receiver is what stands behind a host: it notes what comes, and answers what
// answer says; 200 when that is nil.
type receiver struct {
	mu     sync.Mutex
	calls  []call
	answer func(c call) (status int, header http.Header)
	up     bool
	hang   bool
	came   chan struct{}
}

// call is one message that came.
type call struct {
	id, delivery, event, body string
	at                        time.Time
	status                    int
}

func (r *receiver) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// got are the calls so far.
func (r *receiver) got() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]call(nil), r.calls...)
}

// await returns when so many calls came, and fails when they do not come.
func (r *receiver) await(t testing.TB, n int) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		got := len(r.got())
		if got >= n {
			return
		}
		select {
		case <-r.came:
		case <-limit:
			t.Fatalf("%d of %d calls came", got, n)
		}
	}
}

func (r *receiver) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	c := call{
		id: req.Header.Get("webhook-id"), delivery: req.Header.Get("event-delivery"), event: req.Header.Get("event"),
		body: string(body), at: time.Now(), status: http.StatusOK,
	}
	r.mu.Lock()
	var header http.Header
	if r.answer != nil {
		c.status, header = r.answer(c)
	}
	hang := r.hang
	r.calls = append(r.calls, c)
	r.mu.Unlock()
	select {
	case r.came <- struct{}{}:
	default:
	}
	if hang {
		<-req.Context().Done()
		return
	}
	for name, values := range header {
		rw.Header()[name] = values
	}
	rw.WriteHeader(c.status)
}

// network is hosts that are reached through pipes.
type network struct {
	mu    sync.Mutex
	hosts map[string]*receiver
	pipes map[string]*pipeListener
	http  *http.Client
	done  sync.WaitGroup
}

func newNetwork() *network {
	n := &network{hosts: map[string]*receiver{}, pipes: map[string]*pipeListener{}}
	n.http = &http.Client{
		Timeout: outbound.TotalTime,
		Transport: &http.Transport{
			DialContext: n.dial, MaxIdleConnsPerHost: 64, ResponseHeaderTimeout: outbound.HeaderTime, DisableCompression: true,
		},
	}
	return n
}

// host makes a receiver that answers 200.
func (n *network) host(name string) *receiver {
	r := &receiver{up: true, came: make(chan struct{}, 1)}
	l := &pipeListener{conns: make(chan net.Conn), ended: make(chan struct{})}
	n.mu.Lock()
	n.hosts[name], n.pipes[name] = r, l
	n.mu.Unlock()
	server := &http.Server{Handler: r}
	n.done.Go(func() { _ = server.Serve(l) })
	return r
}

func (n *network) close() {
	n.http.CloseIdleConnections()
	for _, l := range n.pipes {
		l.Close()
	}
	n.done.Wait()
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	r, l := n.hosts[host], n.pipes[host]
	n.mu.Unlock()
	up := false
	if r != nil {
		r.set(func() { up = r.up })
	}
	if !up {
		return nil, &outbound.Error{Kind: outbound.NoWay}
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Post is the outbound client's, over pipes.
func (n *network) Post(ctx context.Context, m outbound.Message) (outbound.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.To.String(), bytes.NewReader(m.Body))
	if err != nil {
		return outbound.Answer{}, &outbound.Error{Kind: outbound.BadURL, Cause: err}
	}
	req.Header = m.Header.Clone()
	res, err := n.http.Do(req)
	if err != nil {
		kind := outbound.Broken
		if inner, ok := asError(err); ok {
			kind = inner
		}
		return outbound.Answer{}, &outbound.Error{Kind: kind, Cause: err}
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, outbound.KeptBody))
	return outbound.Answer{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.ended) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
