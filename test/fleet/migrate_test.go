package fleet

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// TestWhatWasKilledWhileItMigratedIsFinishedByTheNext kills a process in the
// middle of its first migration, and starts it again.
func TestWhatWasKilledWhileItMigratedIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	ctx, dsn := context.Background(), storetest.Postgres(t)
	initialise := []string{"init", "--database", dsn, "--key-file", filepath.Join(t.TempDir(), "key")}
	inTheWay, err := connect(t, dsn).Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inTheWay.Exec(ctx, "CREATE TABLE account (id text)"); err != nil {
		t.Fatal(err)
	}
	first, err := drive.Launch(binary, initialise...)
	if err != nil {
		t.Fatal(err)
	}
	awaitWaiter(t, connect(t, dsn))
	first.Kill()
	if err := inTheWay.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	second, err := drive.Launch(binary, initialise...)
	if err != nil {
		t.Fatal(err)
	}
	if code, err := second.Wait(); err != nil || code != 0 {
		t.Fatalf("ended with %d, %v\n%s", code, err, second.Log())
	}
	if s, err := drive.ServeAnywhere(ctx, binary, "serve", "--database", dsn, "--key-file", initialise[4], "--public-url", public); err != nil {
		t.Error(err)
	} else {
		s.Kill()
	}
}

// awaitWaiter waits until somebody waits for a lock.
func awaitWaiter(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		var waiting int
		if err := conn.QueryRow(context.Background(),
			"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		if waiting > 0 {
			return
		}
	}
	t.Fatal("nobody migrates")
}
