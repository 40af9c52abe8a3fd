package server_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"mooring/internal/auth"
	"mooring/internal/server"
	"mooring/internal/store/storetest"
)

// A balancer that asks a node waits for an answer, not for its database.
func TestANodeWhoseDatabaseStandsStillSaysThatItIsNotReady(t *testing.T) {
	database := storetest.StrictBefore(t, storetest.Postgres(t), storetest.Faults{})
	d := startDev(t, auth.EdDSA, func(c *server.Config) { c.Database, c.DataDir = database.URL, "" })
	d.client.Timeout = time.Minute
	thaw := sync.OnceFunc(database.Freeze())
	defer thaw()
	answer := d.do(t, "", http.MethodGet, "/readyz", "")
	thaw()
	if answer.status != http.StatusServiceUnavailable {
		t.Errorf("it answered %d %s", answer.status, answer.body)
	}
	deadline := time.Now().Add(time.Minute)
	for d.do(t, "", http.MethodGet, "/readyz", "").status != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatal("it is not ready again")
		}
	}
}
