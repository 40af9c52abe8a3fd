package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/connection"
	"mooring/internal/secret"
	"mooring/internal/seed"
	"mooring/internal/server"
	"mooring/internal/store"
)

// dev is a running server with the accounts of `mooring dev`.
type dev struct {
	server *server.Server
	url    string
	client *http.Client
	world  seed.World
	stop   func() // politely, and waits until it has
}

func startDev(tb testing.TB, algorithm auth.Algorithm, change ...func(*server.Config)) dev {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "data")
	if err := secret.CreateKeyFile(dir + ".key"); err != nil {
		tb.Fatal(err)
	}
	cfg := server.Config{
		Listen: "127.0.0.1:0", DataDir: dir, KeyFile: dir + ".key", Worlds: server.BothWorlds,
		Algorithm: algorithm, LoginFailures: 1, Log: slog.New(slog.DiscardHandler),
	}
	for _, one := range change {
		one(&cfg)
	}
	s, err := server.New(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	seeder := seed.Seeder{Store: s.Store(), Catalogue: s.Catalogue(), Vault: s.Vault(), Due: s.Due, Now: server.Now, NewID: newID, NewToken: newToken}
	world, err := seeder.Dev(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(stopped)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}}
	return dev{s, s.PublicURL(), client, world, stopped}
}

func newID() string    { return uuid.Must(uuid.NewV7()).String() }
func newToken() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }

func (d dev) token(tb testing.TB, c seed.Credentials) string {
	tb.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	r, _ := http.NewRequestWithContext(tb.Context(), http.MethodPost, d.url+"/v1/oauth/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.ID, c.Secret.Reveal())
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(d.send(tb, r), &answer); err != nil || answer.AccessToken == "" {
		tb.Fatal("no token", err)
	}
	return answer.AccessToken
}

// send answers the body of a 200, and fails the test on any other status.
func (d dev) send(tb testing.TB, r *http.Request) []byte {
	answer, err := d.client.Do(r)
	if err != nil {
		tb.Error(err)
		return nil
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		tb.Errorf("%s %s: %d %s %v", r.Method, r.URL.Path, answer.StatusCode, body, err)
	}
	return body
}

func (d dev) request(tb testing.TB, token, method, path, body string) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// benchMerchants have a pending connection each, so that no single one grows
// past its limit while a benchmark runs.
const benchMerchants = 1000

// BenchmarkEventOverHTTP posts events as partners do: token checked, contract
// checked, event and connection durable on disk before the answer. The clients
// share the processor with the server; cpu-us/op counts both.
func BenchmarkEventOverHTTP(b *testing.B) {
	for _, clients := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			d := startDev(b, auth.EdDSA)
			paths := d.merchants(b)
			token := d.token(b, d.world.Partner)
			var next atomic.Int64
			report(b, clients, func() {
				path := paths[int(next.Add(1))%len(paths)]
				d.send(b, d.request(b, token, http.MethodPost, path, `{"status":"pending","event":"signature_required"}`))
			})
		})
	}
}

// BenchmarkConnectionOverHTTP reads a connection with 20 events.
func BenchmarkConnectionOverHTTP(b *testing.B) {
	d := startDev(b, auth.EdDSA)
	partner, merchant := d.token(b, d.world.Partner), d.token(b, d.world.SecondMerchant)
	for range 19 {
		d.send(b, d.request(b, partner, http.MethodPost, "/v1/accounts/T112/management/accounts/T11223352/connections/vipps/events",
			`{"status":"pending","event":"signature_required","description":"Vipps awaiting signature"}`))
	}
	report(b, 16, func() {
		d.send(b, d.request(b, merchant, http.MethodGet, "/v1/accounts/T11223352/management/settings/connections/vipps", ""))
	})
}

// BenchmarkTokenOverHTTP issues tokens with each algorithm.
func BenchmarkTokenOverHTTP(b *testing.B) {
	for _, algorithm := range []auth.Algorithm{auth.RS256, auth.ES256, auth.EdDSA} {
		b.Run(string(algorithm), func(b *testing.B) {
			d := startDev(b, algorithm)
			report(b, 16, func() { d.token(b, d.world.Merchant) })
		})
	}
}

// merchants adds merchants with a pending connection and gives the paths of
// their events.
func (d dev) merchants(b *testing.B) []string {
	vipps, _ := d.server.Catalogue().Get("vipps")
	partner := d.world.Partner
	caller := auth.Caller{Account: partner.Account, Kind: account.KindPartner, Client: partner.ID}
	paths := make([]string, benchMerchants)
	for i := range paths {
		id := account.ID(fmt.Sprintf("T1123%04d", i))
		paths[i] = "/v1/accounts/T112/management/accounts/" + string(id) + "/connections/vipps/events"
		err := d.server.Store().CreateAccount(b.Context(), account.Account{
			ID: id, Kind: account.KindMerchant, Owner: partner.Account, CreatedAt: server.Now(), CreatedBy: partner.ID,
			Company: account.Company{BusinessName: "Bench", OrganizationNumber: "923456789"},
		})
		if err != nil {
			b.Fatal(err)
		}
		_, err = d.server.Store().Change(b.Context(), store.Change{
			Caller: caller, Owner: partner.Account, Account: id, Provider: vipps.Slug, Whole: true,
			Decide: func(f store.Found) (store.Decision, error) {
				act := connection.Act{At: server.Now(), By: partner.ID, NewID: newID, NewToken: newToken}
				c, err := connection.Apply(f.Connection, f.Account, vipps, connection.Application{ID: newID(), Data: vipps.Example()}, act)
				return store.Decision{Connection: c}, err
			},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return paths
}

// report runs do b.N times in as many goroutines as clients and reports the
// rate, the 99th percentile and the processor time of one.
func report(b *testing.B, clients int, do func()) {
	took := make([][]time.Duration, clients)
	before := processorTime()
	b.ResetTimer()
	begun := time.Now()
	var left atomic.Int64
	left.Store(int64(b.N))
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				start := time.Now()
				do()
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	group.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "req/s")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(b.N), "cpu-us/op")
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
