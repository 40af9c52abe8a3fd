package gateway_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/gateway"
	"mooring/internal/outbound"
	"mooring/internal/provider"
	"mooring/internal/secret"
)

const signingSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func key(t *testing.T, lines ...string) gateway.Key {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := gateway.OpenKeyFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// adapter is a gateway of a platform, and the way to it. The clock is the test's.
type adapter struct {
	*gateway.HTTP
	server *httptest.Server
	calls  atomic.Int64
	now    atomic.Pointer[time.Time]
}

func newAdapter(t *testing.T, answer http.HandlerFunc) *adapter {
	t.Helper()
	a := &adapter{}
	begin := time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC)
	a.now.Store(&begin)
	a.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.calls.Add(1)
		answer(w, r)
	}))
	a.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	a.server.Start()
	t.Cleanup(a.server.Close)
	base, err := url.Parse(a.server.URL + "/base")
	if err != nil {
		t.Fatal(err)
	}
	client := outbound.New(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, MaxBody: gateway.MaxAnswer})
	a.HTTP = gateway.NewHTTP(client, map[string]*url.URL{"acme": base}, key(t, signingSecret), func() time.Time { return *a.now.Load() })
	return a
}

func (a *adapter) pass(d time.Duration) {
	later := a.now.Load().Add(d)
	a.now.Store(&later)
}

// whole is a provider from a file.
var whole = func() *provider.Provider {
	catalogue, err := provider.Load(os.DirFS("../provider/testdata"))
	if err != nil {
		panic(err)
	}
	return catalogue.All()[0]
}()

func submission() gateway.Submission {
	return gateway.Submission{
		ID:       "01990f29-1b77-7e02-9c11-0a4be2d4c2f7",
		Account:  account.Account{ID: "P11223351", Company: account.Company{BusinessName: "Bakery Ltd", OrganizationNumber: "123456785"}},
		Provider: whole,
		Signup:   connection.Signup{ID: "01990f29-1a00-7d15-a0c2-5e2d7b9f1c01", Schema: 1},
		Data:     secret.NewPlain(`{"iban":"DE89370400440532013000"}`),
		Callback: gateway.Callback{Events: "https://us.example/events", Token: secret.NewPlain("token")},
	}
}

func TestASubmissionIsSignedAndWhole(t *testing.T) {
	var header http.Header
	var path string
	var body []byte
	a := newAdapter(t, func(w http.ResponseWriter, r *http.Request) {
		header, path = r.Header, r.URL.Path
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	if m, err := a.Submit(context.Background(), submission()); m != nil || err != nil {
		t.Fatal(m, err)
	}
	mac := hmac.New(sha256.New, []byte("0123456789abcdef0123456789abcdef"))
	mac.Write([]byte(header.Get("webhook-id") + "." + header.Get("webhook-timestamp") + "." + string(body)))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); header.Get("webhook-signature") != want {
		t.Errorf("the signature is %s, want %s", header.Get("webhook-signature"), want)
	}
	if header.Get("webhook-id") != submission().ID || header.Get("webhook-timestamp") != "1778578200" || path != "/base/signups" {
		t.Error(path, header)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	signup, callback := got["signup"].(map[string]any), got["callback"].(map[string]any)
	if signup["data"].(map[string]any)["iban"] != "DE89370400440532013000" || callback["token"] != "token" {
		t.Errorf("%s", body)
	}
}

func TestWhatAGatewayAnswersAtOnceIsHeard(t *testing.T) {
	answer := `{"report":{"status":"enabled","event":"enrolled","configuration":{ "status":"on", "secret":"s3cret" }}}`
	a := newAdapter(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) })
	m, err := a.Submit(context.Background(), submission())
	if err != nil || m == nil {
		t.Fatal(m, err)
	}
	if m.Signup != submission().Signup.ID || m.Event.Status != connection.Enabled || m.Event.Name != "enrolled" || !m.Final ||
		string(m.Configuration) != `{"secret":"s3cret","status":"on"}` || m.Event.ExternalID != "submission:"+submission().ID {
		t.Errorf("%+v", m)
	}
	answer = `{}`
	if m, err := a.Submit(context.Background(), submission()); m != nil || err != nil {
		t.Error(m, err)
	}
}

func TestAnAnswerThatMakesNoSenseCostsOneAttemptAndSaysSo(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, answer := range []string{
		``, `null x`, `[]`, `"ok"`, `{"report":[]}`, `{"report":{}}`, `{"report":{"status":"done","event":"e"}}`, `{"report":{"status":"enabled"}}`,
		`{"report":{"status":"enabled","event":"a\u0000b"}}`, `{"report":{"status":"enabled","event":"e","external_id":"\u0000"}}`,
		`{"report":{"status":"enabled","event":"` + long + `"}}`, `{"report":{"status":"enabled","event":"e","provider_code":"` + long + `"}}`,
		`{"report":{"status":"enabled","event":"e","external_id":"` + long + `"}}`, `{"report":{"status":"enabled","event":"e","code":"made_up"}}`,
		`{"report":{"status":"enabled","event":"e","configuration":[]}}`, `{"report":{"status":"enabled","event":"e","configuration":{"status":"on"}}}`,
		`{"report":{"status":"enabled","event":"e","configuration":{"status":"on","secret":"s","stray":1}}}`,
		`{"report":{"status":"enabled","event":"e","configuration":{"status":"perhaps","secret":"s"}}}`, `{"report":{"status":"enabled","event":"e","metadata":"x"}}`, `{"report":{"status":"enabled","event":"e","metadata":{"apiSecret":"x"}}}`,
		`{"report":{"status":"enabled","event":"e","metadata":{"a":"` + strings.Repeat("x", 17<<10) + `"}}}`,
		`{"report":{"status":"enabled","event":"e","occurred_at":"yesterday"}}`, `{"report":{"status":"enabled","event":"e"},"more":1}`,
		`{"report":{"status":"enabled","status":"declined","event":"e"}}`, `{"report":{"Status":"enabled","event":"e"}}`, `{"report":null}{}`, "\x1f\x8b\x08",
	} {
		a := newAdapter(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) })
		m, err := a.Submit(context.Background(), submission())
		f, ok := errors.AsType[*gateway.Failure](err)
		if m != nil || !ok || !strings.HasPrefix(f.Reason, "the gateway's answer made no sense") {
			t.Errorf("%.80s: %+v, %v", answer, m, err)
		}
	}
}

func TestAHostileGatewayCostsOneAttemptAndSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusTemporaryRedirect)
		}, "redirect"},
		"10 MB":     {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 10<<20)) }, "too large"},
		"breaks up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "connection failed"},
		"refuses":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, "answered 418"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAdapter(t, c.answer)
			_, err := a.Submit(context.Background(), submission())
			if f, ok := errors.AsType[*gateway.Failure](err); !ok || !strings.Contains(f.Reason, c.want) || strings.Contains(f.Reason, "127.0.0.1") {
				t.Errorf("%v", err)
			}
			if n := a.calls.Load(); n != 1 {
				t.Errorf("it was called %d times", n)
			}
		})
	}
}

func TestAGatewayThatHangsIsLeftWhenTheCallerGoes(t *testing.T) {
	a := newAdapter(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then the server notices that the caller went
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := a.Submit(ctx, submission())
	if f, ok := errors.AsType[*gateway.Failure](err); !ok || !strings.Contains(f.Reason, "in time") {
		t.Error(err)
	}
}

func TestAGatewayThatIsDownForAnHourIsTriedNowAndThenAndFoundAgain(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	a := newAdapter(t, func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	for range 3600 { // a try each second
		_, err := a.Submit(context.Background(), submission())
		f, ok := errors.AsType[*gateway.Failure](err)
		if !ok {
			t.Fatal(err)
		}
		if !f.Untried && f.RetryAfter != 7*time.Second {
			t.Fatalf("Retry-After became %s", f.RetryAfter)
		}
		a.pass(time.Second)
	}
	if n := a.calls.Load(); n < 10 || n > 30 {
		t.Errorf("it was called %d times in an hour", n)
	}
	down.Store(false)
	a.pass(5 * time.Minute)
	for range 10 {
		if _, err := a.Submit(context.Background(), submission()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestQuestionsThatAreNotAnsweredHoldUpNoSignup(t *testing.T) {
	a := newAdapter(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/status") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	for range 20 {
		if _, err := a.Status(context.Background(), about("P11223351")); err == nil {
			t.Fatal("a gateway that is down has answered")
		}
	}
	if n := a.calls.Load(); n > 10 {
		t.Errorf("it was asked %d times", n)
	}
	if _, err := a.Submit(context.Background(), submission()); err != nil {
		t.Error(err)
	}
}

func TestOnlyProductionIsHandedOver(t *testing.T) {
	a := newAdapter(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	s := submission()
	s.Account.ID = "T11223351"
	if _, err := a.Submit(context.Background(), s); err == nil {
		t.Error("a test account's signup was handed over")
	}
	if _, err := a.Status(context.Background(), about("T11223351")); err == nil {
		t.Error("a test account was asked about")
	}
	if a.calls.Load() != 0 {
		t.Error("the gateway was called")
	}
}

func TestAStatusIsAsked(t *testing.T) {
	status, body := http.StatusOK, `{"status":"declined","event":"closed","code":"","provider_code":"X1"}`
	a := newAdapter(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
	r, err := a.Status(context.Background(), about("P11223351"))
	if err != nil || r.Status != "declined" || r.Event != "closed" || r.ProviderCode != "X1" {
		t.Error(r, err)
	}
	status = http.StatusNotImplemented
	if _, err := a.Status(context.Background(), about("P11223351")); !errors.Is(err, gateway.ErrUnavailable) {
		t.Error(err)
	}
	status = http.StatusNotFound
	if _, err := a.Status(context.Background(), about("P11223351")); err == nil {
		t.Error("404 was an answer")
	}
}

func TestDuringAChangeBothSecretsSign(t *testing.T) {
	k := key(t, signingSecret, "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=", "")
	if n := len(strings.Fields(k.Header("id", time.Now(), nil).Get("webhook-signature"))); n != 2 {
		t.Errorf("%d signatures", n)
	}
}

func TestASecretThatIsNotSafeIsRefused(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"open":  {signingSecret, 0o644},
		"empty": {"\n", 0o600},
		"short": {"whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)), 0o600},
		"plain": {"hello", 0o600},
		"three": {signingSecret + "\n" + signingSecret + "\n" + signingSecret, 0o600},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := gateway.OpenKeyFile(file); err == nil || strings.Contains(err.Error(), "MDEy") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := gateway.OpenKeyFile(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing file was read")
	}
}
