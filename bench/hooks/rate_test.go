package hooks

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/hook"
	"mooring/internal/store/storetest"
)

var (
	rounds   = flag.Int("rounds", 3, "how often each contestant has its turn")
	messages = flag.Int("messages", 40_000, "how many are told in a turn")
)

const (
	merchants = 256
	atOnce    = 64 // exchanges of the bare client: as many as Mooring has at most with one endpoint
)

// sink is a receiver that takes everything.
type sink struct {
	*httptest.Server
	came atomic.Int64
	all  chan struct{} // closed when as many came as were wanted
}

func newSink(b *testing.B, want int64) *sink {
	s := &sink{all: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if s.came.Add(1) == want {
			close(s.all)
		}
	}))
	b.Cleanup(s.Close)
	return s
}

// BenchmarkHooks tells what gets done in a second, in turns: messages of a bare
// client to one receiver, neither signed nor remembered; messages of Mooring to
// the same receiver, signed in both ways, each with its outcome on disk; and
// jobs without any work that River works off, each with its end on disk.
func BenchmarkHooks(b *testing.B) {
	river := filepath.Join(b.TempDir(), "river")
	build := exec.Command("go", "build", "-o", river, "mooring/bench/peers/river")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	names := []string{"bare", "SQLite", "PostgreSQL", "River"}
	rates, costs := map[string][]float64{}, map[string][]float64{}
	for b.Loop() {
		for range *rounds {
			for _, name := range names {
				m := measure(b, name, river)
				rates[name], costs[name] = append(rates[name], m.rate), append(costs[name], m.cpu)
			}
		}
	}
	for _, name := range names {
		b.Logf("%s: %.0f/s (of %.0f), %.0f us (of %.0f)", name, median(rates[name]), rates[name], median(costs[name]), costs[name])
		b.ReportMetric(median(rates[name]), name+"/s")
		b.ReportMetric(median(costs[name]), name+"-us")
	}
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		b.Logf("%s: %.2f of the bare client's rate, %.2f times River's", engine,
			median(rates[engine])/median(rates["bare"]), median(rates[engine])/median(rates["River"]))
	}
}

func median(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// measured is a rate in a second and the processor time in microseconds that
// one message took this process, which is the receiver too.
type measured struct{ rate, cpu float64 }

// clock measures from when it is made.
type clock struct {
	began time.Time
	spent time.Duration
}

func startClock() clock { return clock{time.Now(), processTime()} }

func (c clock) stop() measured {
	n := float64(*messages)
	return measured{n / time.Since(c.began).Seconds(), float64((processTime() - c.spent).Microseconds()) / n}
}

func processTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func measure(b *testing.B, name, river string) measured {
	switch name {
	case "bare":
		return bare(b)
	case "River":
		return measured{rate: jobs(b, river)}
	}
	return mooring(b, name)
}

// bare posts messages that look like ours.
func bare(b *testing.B) measured {
	s := newSink(b, int64(*messages))
	body, header := specimen(b)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce, DisableCompression: true}}
	defer client.CloseIdleConnections()
	clock := startClock()
	var left atomic.Int64
	left.Store(int64(*messages))
	var posting sync.WaitGroup
	for range atOnce {
		posting.Go(func() {
			for left.Add(-1) >= 0 {
				r, _ := http.NewRequest(http.MethodPost, s.URL, bytes.NewReader(body))
				r.Header = header
				answer, err := client.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		})
	}
	posting.Wait()
	return clock.stop()
}

// specimen is one message of Mooring's.
func specimen(b *testing.B) ([]byte, http.Header) {
	w := newWorld(b, "SQLite", 1)
	if _, err := w.happen(b.Context(), w.merchants[0]); err != nil {
		b.Fatal(err)
	}
	entries, err := w.store.FeedOfAll(b.Context(), 0, 1)
	if err != nil || len(entries) != 1 {
		b.Fatal(entries, err)
	}
	sub := hook.Subscription{ID: newID(), Settings: hook.Settings{ContentType: "application/json", SecretType: hook.SecretHMAC}}
	body, err := hook.Message(sub, entries[0])
	if err != nil {
		b.Fatal(err)
	}
	return body, hook.Headers(sub, secrets(), entries[0], body, time.Now())
}

// mooring tells of what was there before it began, and ends with everything on
// disk.
func mooring(b *testing.B, engine string) measured {
	w := newWorld(b, engine, merchants)
	s := newSink(b, int64(*messages))
	w.subscribe(b, partner, account.KindPartner, s.URL+"/hook")
	w.fill(b, *messages)
	clock := startClock()
	stop := w.tell(b)
	<-s.all
	stop()
	measured := clock.stop()
	if came := s.came.Load(); came != int64(*messages) {
		b.Errorf("%d messages came, of %d", came, *messages)
	}
	return measured
}

// jobs has River work off jobs.
func jobs(b *testing.B, river string) float64 {
	out, err := exec.Command(river, storetest.Postgres(b), strconv.Itoa(*messages)).Output()
	if err != nil {
		b.Fatal(err)
	}
	rate, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatal(err)
	}
	return rate
}
