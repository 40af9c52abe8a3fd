package store

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
)

// A deed that waits for its account holds a connection of the server.
func TestDeedsThatWaitForOneAccountHoldUpNobodyElse(t *testing.T) {
	s := signed(t, newPostgres)
	held, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			_, err := s.UpdateAccount(context.Background(), Deed{Caller: partner, Owner: partnerID, About: secondID},
				func(w account.Whole) (account.Profile, error) {
					first.Do(func() { close(held); <-release })
					return w.Profile, nil
				}, shownID)
			if err != nil {
				t.Error(err)
			}
		})
	}
	<-held
	for s.deeds.waiting.Load() < 4 { // four are at the door, behind the two that are in
		runtime.Gosched()
	}
	done := make(chan error)
	go func() {
		_, err := s.Change(context.Background(), posting(enabled("meanwhile")))
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(3 * time.Second):
		t.Error("a change of another account waits for them")
		defer func() { <-done }()
	}
	close(release)
	wg.Wait()
}

func TestDeedsBeyondTheCrowdAreRefused(t *testing.T) {
	c := crowd{places: make(chan struct{}, 1)}
	done, err := c.enter(context.Background())
	must(t, err)
	ctx, leave := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range maxWaiting {
		wg.Go(func() {
			_, err := c.enter(ctx)
			wantKind(t, err, fault.Unavailable)
		})
	}
	for c.waiting.Load() < maxWaiting {
		runtime.Gosched()
	}
	_, err = c.enter(context.Background())
	wantKind(t, err, fault.Unavailable)
	leave()
	wg.Wait()
	done()
	if _, err := c.enter(context.Background()); err != nil {
		t.Errorf("once they are gone: %v", err)
	}
}

// Two deeds about the same accounts lock them in one order: else PostgreSQL
// finds a circle only after a second, and ends one of them.
func TestMovesAndGrantsDoNotWaitInACircle(t *testing.T) {
	s, ctx := fresh(t, newPostgres), context.Background()
	const rounds = 40
	c := added(t, s)
	may := Deed{Caller: admin("read:accounts", "write:accounts"), About: partnerID}
	begun := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		for range rounds {
			for _, to := range []account.ID{otherID, partnerID} {
				if _, err := s.MoveAccount(ctx, Deed{Caller: platform, About: merchantID}, to, keptBlocks); err != nil {
					t.Error(err)
				}
			}
		}
	})
	wg.Go(func() {
		for range 2 * rounds {
			id := newID()
			if _, err := s.AddGrant(ctx, may, auth.Grant{
				ID: id, Client: c.ID, Audience: merchantID, Scopes: auth.Scopes{"read:accounts"}, Type: auth.GrantAny, CreatedAt: noon, CreatedBy: "test",
			}, showsGrant); err != nil {
				wantKind(t, err, fault.NotFound)
				continue
			}
			if _, err := s.EndGrant(ctx, may, id, showsGrant); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if n := deadlocks(t, s); n > 0 {
		t.Errorf("%d deadlocks in %s", n, time.Since(begun))
	}
}

// deadlocks is how many the server counted in this database.
func deadlocks(t *testing.T, s *Store) (n int) {
	t.Helper()
	// The server's sessions report what they counted when they end, or after a while.
	s.write.db.SetMaxIdleConns(0)
	if err := s.read.db.QueryRow(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
