// Package differential sends the same requests to a server on SQLite and to one
// on PostgreSQL, and compares what they answer and what they store.
//
// The requests are made from the contract's own schemas and examples, some
// valid and many not quite, and go on from what was answered before. Answers
// and rows are equal but for what each server made up by itself: ids and tokens
// stand for one another from where they first appear, and the times of the run
// for other times of the run. Nothing runs beside the requests, so that two runs
// of one seed do the same.
package differential

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/secret"
	"mooring/internal/server"
	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// publicURL is what both servers call themselves.
const publicURL = "http://127.0.0.1:4711"

// side is one of the two servers.
type side struct {
	server *server.Server
	client *drive.Client
	db     *sql.DB               // beside the server's own
	basic  map[account.ID]string // what the first client of an account shows for a token
	tokens map[account.ID]string
}

// newSides starts both with the same accounts and clients.
func newSides(t *testing.T) [2]*side {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	must(t, secret.CreateKeyFile(dir+".key"))
	cfg := server.Config{
		Listen: "127.0.0.1:0", PublicURL: publicURL, KeyFile: dir + ".key", Worlds: server.BothWorlds, Algorithm: auth.EdDSA,
		LoginFailures: 1_000_000, SMTP: "smtp://127.0.0.1:9", MailFrom: "notices@example.com", Log: slog.New(slog.DiscardHandler),
	}
	onSQLite, onPostgres := cfg, cfg
	onSQLite.DataDir, onPostgres.Database = dir, storetest.Postgres(t)
	sides := [2]*side{
		newSide(t, onSQLite, "sqlite", "file:"+filepath.Join(dir, "mooring.db")+"?mode=ro"),
		newSide(t, onPostgres, "pgx", onPostgres.Database),
	}
	for _, a := range accounts {
		plain, hash := auth.NewSecret(began, func() string { return grantID(a) })
		for _, s := range sides {
			s.account(t, a)
			must(t, s.server.Store().CreateClient(t.Context(), auth.Client{
				ID: clientID(a), Account: a.id, Name: "first", Secrets: []auth.SecretHash{hash}, CreatedAt: began, CreatedBy: "test",
				Grants: []auth.Grant{{ID: grantID(a), Audience: a.id, Scopes: a.scopes()}},
			}))
			s.basic[a.id] = drive.Basic(drive.Credentials{ID: clientID(a), Secret: plain.Reveal()})
			s.tokens[a.id] = s.token(t, a)
		}
	}
	return sides
}

// newSide builds a server and has it answer. What it does from time to time is
// left to the test.
func newSide(t *testing.T, cfg server.Config, driver, database string) *side {
	t.Helper()
	s, err := server.New(t.Context(), cfg)
	must(t, err)
	t.Cleanup(s.Close)
	door := httptest.NewServer(s)
	t.Cleanup(door.Close)
	db, err := sql.Open(driver, database)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return &side{s, drive.NewClient(door.URL), db, map[account.ID]string{}, map[account.ID]string{}}
}

// began is when the accounts were made: before everything else, and the same on
// both sides.
var began = time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)

// someone is an account that is there from the beginning.
type someone struct {
	id    account.ID
	kind  account.Kind
	owner account.ID
}

var accounts = []someone{
	{"P00000000", account.KindPlatform, ""},
	{"T00000000", account.KindPlatform, ""},
	{"T11200000", account.KindPartner, "T00000000"},
	{"T11300000", account.KindPartner, "T00000000"},
	{"P11200000", account.KindPartner, "P00000000"},
	{"T11200001", account.KindMerchant, "T11200000"},
	{"T11200002", account.KindMerchant, "T11200000"},
	{"T11300001", account.KindMerchant, "T11300000"},
	{"P11200001", account.KindMerchant, "P11200000"},
}

func (a someone) scopes() []string {
	own := []string{auth.ScopeAdminAccounts, auth.ScopeWriteAccounts, auth.ScopeReadAccounts, auth.ScopeAdminHooks}
	if a.kind == account.KindPlatform {
		own = append(own, auth.ScopeOperator, auth.ScopeRelease)
	}
	return own
}

// clientID names an account's first client, and grantID what it may do.
func clientID(a someone) string { return "01990000-0000-4000-8000-000" + digits(a.id) }
func grantID(a someone) string  { return "01990000-0000-7000-8000-000" + digits(a.id) }

func digits(id account.ID) string { return strings.NewReplacer("P", "1", "T", "2").Replace(string(id)) }

func (s *side) account(t *testing.T, a someone) {
	t.Helper()
	must(t, s.server.Store().CreateAccount(t.Context(), account.Account{
		ID: a.id, Kind: a.kind, Owner: a.owner, CreatedAt: began, CreatedBy: "test",
		Company: account.Company{BusinessName: "of " + string(a.id), OrganizationNumber: "923456789"},
	}))
}

// token is one of an account's first client.
func (s *side) token(t *testing.T, a someone) string {
	t.Helper()
	header := http.Header{"Content-Type": {"application/json"}, "Authorization": {s.basic[a.id]}}
	answer, err := s.client.Do(http.MethodPost, fmt.Sprintf("/v1/accounts/%s/auth/token", a.id), header,
		fmt.Appendf(nil, `{"grant_type": "client_credentials", "audience": "%s/v1/accounts/%s"}`, publicURL, a.id))
	must(t, err)
	if answer.Status != http.StatusOK {
		t.Fatalf("no token for %s: %d %s", a.id, answer.Status, answer.Body)
	}
	return member(t, answer.Body, "access_token")
}

// told returns when the log has everything that was written so far.
func (s *side) told(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), drive.Patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		var waiting int
		must(t, s.db.QueryRowContext(ctx, "SELECT count(*) FROM feed_arrival").Scan(&waiting))
		if waiting == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("what is to be told never got its place in the log")
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
