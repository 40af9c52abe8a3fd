package server_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"mooring/internal/auth"
	"mooring/internal/seed"
	"mooring/internal/server"
)

// The answer to who moves a clock is kept after the move, which is many
// transactions. Who comes again under the key before it was kept goes on to the
// same place.
func TestAClockThatIsMovedAgainUnderItsKeyStaysWhereItIs(t *testing.T) {
	var file string
	d := newDesk(t, startDev(t, auth.EdDSA, func(c *server.Config) { file = filepath.Join(c.DataDir, "mooring.db") }))
	d.signUp(t, "vipps", "")
	account := "/v1/accounts/" + string(seed.DevMerchant)
	for _, c := range []struct{ path, body string }{
		{account + "/clock", `{"to":"next"}`},
		{account + "/connections/vipps/simulate", `{"scenario":"never_signs"}`},
		{account + "/connections/vipps/simulate", `{"scenario":"happy"}`},
		{account + "/clock", `{"advance":"3d"}`},
	} {
		d.underKey(t, c.path, c.body)
		clock, events := d.ahead(t), len(d.connection(t, "vipps").Events)
		if forget(t, file) == 0 {
			t.Fatal("no answer was kept")
		}
		d.underKey(t, c.path, c.body)
		if again := d.ahead(t); again != clock {
			t.Errorf("%s: %d seconds ahead at first, and %d when asked again", c.body, clock, again)
		}
		if again := len(d.connection(t, "vipps").Events); again != events {
			t.Errorf("%s: %d events at first, and %d when asked again", c.body, events, again)
		}
	}
}

func (d desk) underKey(t *testing.T, path, body string) {
	t.Helper()
	r := d.request(t, d.merchant, http.MethodPost, path, body)
	r.Header.Set("Idempotency-Key", body)
	d.send(t, r)
}

func (d desk) ahead(t *testing.T) int64 {
	t.Helper()
	return must[struct {
		Ahead int64 `json:"ahead_seconds"`
	}](t, d.dev, d.merchant, http.MethodGet, "/v1/accounts/"+string(seed.DevMerchant)+"/clock", "").Ahead
}

// forget deletes the answers of a database that are kept for good.
func forget(t *testing.T, file string) int64 {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	result, err := db.ExecContext(t.Context(), "DELETE FROM idempotency WHERE operation NOT LIKE '% begun'")
	if err != nil {
		t.Fatal(err)
	}
	gone, err := result.RowsAffected()
	if err != nil {
		t.Fatal(err)
	}
	return gone
}
