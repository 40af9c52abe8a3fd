package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring/internal/fault"
)

const term = 15 * time.Second

func take(t *testing.T, s *Store, holder string, now time.Time, names ...string) []Lease {
	t.Helper()
	got, err := s.TakeLeases(context.Background(), holder, now, now.Add(term), names...)
	must(t, err)
	return got
}

func testLeases(t *testing.T, d door) {
	s, ctx := openStore(t, d(t)), context.Background()
	now := noon.Truncate(time.Microsecond)
	first := take(t, s, "a", now, "work/2", "work/1", "work/2")
	want := []Lease{{"work/1", "a", 1, now.Add(term)}, {"work/2", "a", 1, now.Add(term)}}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	if got := take(t, s, "b", now.Add(term-1000), "work/1", "work/2", "work/3"); len(got) != 1 || got[0].Name != "work/3" {
		t.Errorf("while another has two of three, %+v are taken", got)
	}
	renewed, err := s.RenewLeases(ctx, now.Add(2*term), first...)
	must(t, err)
	if len(renewed) != 2 || !renewed[0].Until.Equal(now.Add(2*term)) {
		t.Errorf("renewed are %+v", renewed)
	}
	late := now.Add(2 * term)
	second := take(t, s, "b", late, "work/1")
	if len(second) != 1 || second[0].Fence != 2 || second[0].Holder != "b" {
		t.Errorf("after its time, %+v is taken", second)
	}
	renewed, err = s.RenewLeases(ctx, late.Add(term), first...)
	must(t, err)
	if len(renewed) != 1 || renewed[0].Name != "work/2" {
		t.Errorf("of two, one taken by another, %+v are renewed", renewed)
	}
	must(t, s.LetGo(ctx, first...))
	if got := take(t, s, "c", late, "work/1", "work/2"); len(got) != 1 || got[0].Name != "work/2" || got[0].Fence != 2 {
		t.Errorf("after one let go of what he has and has not, %+v are taken", got)
	}
	all, err := s.Leases(ctx, "work/")
	must(t, err)
	if got := fmt.Sprint(all[0].Holder, all[1].Holder, all[2].Holder, len(all)); got != "bcb3" {
		t.Errorf("the holders are %s, want bcb3", got)
	}
	if got, err := s.TakeLeases(ctx, "a", now, now.Add(term)); err != nil || len(got) != 0 {
		t.Errorf("of no leases %+v, %v", got, err)
	}
}

func testLeaseStorm(t *testing.T, d door) {
	s := openStore(t, d(t))
	names := []string{"n/1", "n/2", "n/3", "n/4"}
	var (
		wg    sync.WaitGroup
		taken atomic.Int64
	)
	for i := range 8 {
		wg.Go(func() { taken.Add(int64(len(take(t, s, fmt.Sprint(i), noon, names[i%4:]...)))) })
	}
	wg.Wait()
	if taken.Load() != 4 {
		t.Errorf("four leases were taken %d times", taken.Load())
	}
}

func testLostLease(t *testing.T, d door) {
	s, ctx := openStore(t, d(t)), context.Background()
	under := func(leases ...Lease) error {
		return s.transact(ctx, func(ctx context.Context, t *tx) error { return t.holds(ctx, leases...) })
	}
	first := take(t, s, "a", noon, "x", "y")
	must(t, under(first...))
	must(t, under())
	take(t, s, "b", noon.Add(term), "x")
	if err := under(first...); fault.From(err).Kind != fault.Conflict {
		t.Errorf("under leases of which one is lost: %v", err)
	}
	must(t, under(first[1]))
	if err := under(Lease{Name: "never", Fence: 1}); fault.From(err).Kind != fault.Conflict {
		t.Errorf("under a lease that nobody took: %v", err)
	}
}

// Who was killed can't let go, and nobody else can have had the file.
func TestASingleProcessFindsNoLeaseOfTheOneBefore(t *testing.T) {
	cfg := newSQLite(t)
	before := openStore(t, cfg)
	take(t, before, "a", noon, "x")
	must(t, before.Close())
	if got := take(t, openStore(t, cfg), "b", noon, "x"); len(got) != 1 || got[0].Fence != 2 {
		t.Errorf("after a restart %+v is taken", got)
	}
}
