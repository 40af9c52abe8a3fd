package hooks

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/account"
)

const (
	endpoints  = 1_000
	blackHoles = 50
	perSecond  = 250
	lasting    = 20 * time.Second
)

// BenchmarkBlackHoles tells how long it takes from the commit of what happened
// to the first attempt to tell of it, at endpoints that answer, while others
// take messages and never do.
func BenchmarkBlackHoles(b *testing.B) {
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		b.Run(engine, func(b *testing.B) {
			for b.Loop() {
				holes(b, engine)
			}
		})
	}
}

// arrivals are when messages came first, by their id.
type arrivals struct {
	mu    sync.Mutex
	first map[string]time.Time
	hole  chan struct{} // closed when the black holes let go
}

func (a *arrivals) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	now := time.Now()
	io.Copy(io.Discard, r.Body)
	if strings.HasPrefix(r.URL.Path, "/hole/") {
		select {
		case <-a.hole:
		case <-r.Context().Done():
		}
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if id := r.Header.Get("Webhook-Id"); a.first[id].IsZero() {
		a.first[id] = now
	}
}

func holes(b *testing.B, engine string) {
	w := newWorld(b, engine, endpoints)
	a := &arrivals{first: map[string]time.Time{}, hole: make(chan struct{})}
	s := httptest.NewServer(a)
	defer s.Close()
	defer close(a.hole)
	for i, merchant := range w.merchants {
		path := "/healthy/"
		if i < blackHoles {
			path = "/hole/"
		}
		w.subscribe(b, merchant, account.KindMerchant, fmt.Sprint(s.URL, path, i))
	}
	stop := w.tell(b)
	defer stop()
	w.keepHappening(b, perSecond, endpoints/perSecond*time.Second) // once to everybody: all are known, and the holes hold
	took, all := a.wait(b.Context(), w.keepHappening(b, perSecond, lasting))
	if len(took) < all {
		b.Errorf("%d of %d were never told of", all-len(took), all)
	}
	if len(took) > 0 {
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
	}
}

// keepHappening has things happen to all merchants in turn at a steady rate,
// and gives when each was committed that a healthy endpoint is told of.
func (w *world) keepHappening(b *testing.B, rate int, lasting time.Duration) map[string]time.Time {
	committed := map[string]time.Time{}
	var mu sync.Mutex
	var writing sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := range int(lasting.Seconds()) * rate {
		<-tick.C
		writing.Go(func() {
			at := i * 7 % len(w.merchants)
			id, err := w.happen(b.Context(), w.merchants[at])
			now := time.Now()
			if err != nil {
				b.Error(err)
				return
			}
			if at >= blackHoles {
				mu.Lock()
				committed[id] = now
				mu.Unlock()
			}
		})
	}
	writing.Wait()
	return committed
}

// wait gives how long each message took, in order, when all have come or half a
// minute has passed, and how many there are.
func (a *arrivals) wait(ctx context.Context, committed map[string]time.Time) (took []time.Duration, all int) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for len(took) < len(committed) && ctx.Err() == nil {
		<-look.C
		took = a.since(committed)
	}
	slices.Sort(took)
	return took, len(committed)
}

// since is how long each message took that came; no time for one that came
// before its commit was noted here.
func (a *arrivals) since(committed map[string]time.Time) []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var took []time.Duration
	for id, at := range committed {
		if first, ok := a.first[id]; ok {
			took = append(took, max(0, first.Sub(at)))
		}
	}
	return took
}
