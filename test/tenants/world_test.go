// Package tenants asks every operation of the contract for what is one's own,
// somebody else's, missing, malformed or deleted, as everybody who could ask.
//
// What is answered stands in matrix.txt, to be read. What must be true of every
// answer, whatever the table says, stands in rules_test.go, and is worked out
// from who owns what and not from the product. New operations are asked by
// themselves: until `go test ./test/tenants -update` wrote them down, and
// fixtures_test.go knows what their parameters name, the test fails.
package tenants

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/gate"
	"mooring/internal/secret"
	"mooring/internal/server"
	"mooring/internal/store/storetest"
	"mooring/test/drive"
)

// world is a running server, as one of those who ask it sees it.
type world struct {
	t        *testing.T
	server   *server.Server
	client   *drive.Client
	document *gate.Document
	platform string                // token
	gone     account.ID            // a partner that was deleted
	made     *atomic.Int64         // how many ids of partners, and names, were used
	quiet    map[string][2]*tenant // those that nothing is done to, by provider
}

const platformID account.ID = "T00000000"

// newWorld starts a server in process, so that its database can be written to
// beside it; requests go over TCP.
func newWorld(t *testing.T, change func(*server.Config)) *world {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	must(t, secret.CreateKeyFile(dir+".key"))
	cfg := server.Config{
		Listen: "127.0.0.1:0", DataDir: dir, KeyFile: dir + ".key", Worlds: server.BothWorlds,
		Algorithm: auth.EdDSA, LoginFailures: 1_000_000, Log: slog.New(slog.DiscardHandler),
		SMTP: "smtp://127.0.0.1:9", MailFrom: "notices@example.com",
	}
	change(&cfg)
	s, err := server.New(t.Context(), cfg)
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, server: s, client: drive.NewClient(s.PublicURL()), made: new(atomic.Int64)}
	w.document, err = gate.Parse(w.must(w.ask("GET", "/openapi.json", "", nil)))
	must(t, err)
	for _, id := range []account.ID{"P00000000", platformID} {
		w.account(id, account.KindPlatform, "")
	}
	of, _ := w.newClient(platformID, platformID,
		auth.ScopeAdminAccounts, auth.ScopeWriteAccounts, auth.ScopeReadAccounts, auth.ScopeAdminHooks, auth.ScopeOperator, auth.ScopeRelease)
	w.platform = w.token(of, platformID)
	w.gone = w.nextBlock() + "00000"
	w.account(w.gone, account.KindPartner, platformID)
	w.remove(platformID, w.gone)
	w.must(w.ask("POST", "/v1/operator/recipients", w.platform,
		[]byte(`{"name": "checkout", "public_key": "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}`)))
	return w
}

func onSQLite(*server.Config) {}

func onPostgres(t *testing.T) func(*server.Config) {
	database := storetest.Postgres(t)
	return func(c *server.Config) { c.Database, c.DataDir = database, "" }
}

// tenant is a partner with two merchants, and one that was deleted.
type tenant struct {
	partner, merchant, sibling, deleted account.ID
	slug                                string // the provider that is talked of
	clients                             map[account.ID]drive.Credentials
	tokens                              map[string]string // by caller
	made                                map[string]string // what fixtures made of it
	exchanged                           time.Time         // when its exchange token was made
}

// another is the world for one more who asks at the same time.
func (w *world) another() *world {
	other := *w
	other.quiet = map[string][2]*tenant{}
	return &other
}

// nextBlock is the beginning of ids that no account has yet.
func (w *world) nextBlock() account.ID {
	n := 99 + w.made.Add(1)
	if n > 998 {
		w.t.Fatal("there are no more ids for partners of the test world; something must be asked of fewer tenants")
	}
	return account.ID(fmt.Sprintf("T%d", n))
}

// newTenant makes a tenant whose merchants applied to a provider.
func (w *world) newTenant(slug string) *tenant {
	block := w.nextBlock()
	tn := &tenant{
		partner: block + "00000", merchant: block + "00001", sibling: block + "00002", deleted: block + "00003", slug: slug,
		clients: map[account.ID]drive.Credentials{}, tokens: map[string]string{}, made: map[string]string{},
	}
	w.account(tn.partner, account.KindPartner, platformID)
	own := []string{auth.ScopeAdminAccounts, auth.ScopeWriteAccounts, auth.ScopeReadAccounts, auth.ScopeAdminHooks}
	tn.clients[tn.partner], _ = w.newClient(tn.partner, tn.partner, own...)
	for _, id := range []account.ID{tn.merchant, tn.sibling, tn.deleted} {
		w.account(id, account.KindMerchant, tn.partner)
		tn.clients[id], _ = w.newClient(id, id, own...)
		w.signUp(id, slug, w.token(tn.clients[id], id))
	}
	w.remove(platformID, tn.deleted)
	tn.tokens[partnerA] = w.token(tn.clients[tn.partner], tn.partner)
	tn.tokens[merchant] = w.token(tn.clients[tn.merchant], tn.merchant)
	reports, _ := w.newClient(tn.partner, tn.partner, "provider:connections:"+slug)
	tn.tokens[ofProvider] = w.token(reports, tn.partner)
	tn.tokens[acting] = w.act(tn)
	tn.tokens[callback] = w.callbackToken(tn.merchant, slug, w.signup(tn.merchant, slug))
	return tn
}

func (w *world) account(id account.ID, kind account.Kind, owner account.ID) {
	w.t.Helper()
	must(w.t, w.server.Store().CreateAccount(w.t.Context(), account.Account{
		ID: id, Kind: kind, Owner: owner, Company: account.Company{BusinessName: "of " + string(id), OrganizationNumber: "923456789"}, CreatedAt: server.Now(), CreatedBy: "test",
	}))
}

// remove deletes an account as its owner would.
func (w *world) remove(owner, id account.ID) {
	w.t.Helper()
	w.must(w.ask("DELETE", fmt.Sprintf("/v1/accounts/%s/management/accounts/%s", owner, id), w.platform, nil))
}

// newClient makes a client of an account with a grant for another, and gives its
// credentials and the id of the grant.
func (w *world) newClient(home, audience account.ID, scopes ...string) (drive.Credentials, string) {
	w.t.Helper()
	newID := func() string { return uuid.Must(uuid.NewV7()).String() }
	plain, hash := auth.NewSecret(server.Now(), newID)
	c := auth.Client{
		ID: uuid.NewString(), Account: home, Name: "test", Secrets: []auth.SecretHash{hash},
		Grants: []auth.Grant{{ID: newID(), Audience: audience, Scopes: scopes}}, CreatedAt: server.Now(), CreatedBy: "test",
	}
	must(w.t, w.server.Store().CreateClient(w.t.Context(), c))
	return drive.Credentials{Account: string(home), ID: c.ID, Secret: plain.Reveal()}, c.Grants[0].ID
}

func (w *world) token(who drive.Credentials, audience account.ID) string {
	w.t.Helper()
	who.Account = string(audience)
	token, err := w.client.Token(who)
	must(w.t, err)
	return token
}

// exchange gives the partner of a tenant an exchange token for its merchant. It
// is good for one use within a minute.
func (w *world) exchange(tn *tenant) string {
	w.t.Helper()
	answer := w.must(w.ask("POST", fmt.Sprintf("/v1/accounts/%s/auth/exchange_token", tn.partner), tn.tokens[partnerA],
		fmt.Appendf(nil, `{"account_id": %q}`, tn.merchant)))
	return member(w.t, answer, "access_token")
}

// act gives the partner of a tenant a token of its merchant.
func (w *world) act(tn *tenant) string {
	w.t.Helper()
	answer := w.must(w.ask("POST", fmt.Sprintf("/v1/accounts/%s/auth/token", tn.merchant), w.exchange(tn),
		fmt.Appendf(nil, `{"grant_type": "client_credentials", "audience": "%s/v1/accounts/%s"}`, w.server.PublicURL(), tn.merchant)))
	return member(w.t, answer, "access_token")
}

// signUp applies to a provider in the documented way.
func (w *world) signUp(id account.ID, slug, token string) {
	w.t.Helper()
	op := w.operation(func(op *gate.Operation) bool {
		return op.Argument == slug && strings.HasPrefix(op.Function, "connection.signup")
	})
	target := strings.NewReplacer("{aid}", string(id), "{payment_product_type}", "payex.creditcard").Replace(op.Path)
	w.must(w.ask(op.Method, target, token, example(op)))
}

// signup is the id of the signup for a provider.
func (w *world) signup(id account.ID, slug string) string {
	w.t.Helper()
	c, err := w.server.Store().Connection(w.t.Context(), auth.Caller{Account: id}, id, slug)
	must(w.t, err)
	return c.Signups[0].ID
}

func (w *world) callbackToken(id account.ID, slug, signup string) string {
	w.t.Helper()
	answer := w.must(w.ask("POST", fmt.Sprintf("/v1/operator/accounts/%s/connections/%s/signups/%s/callback-token", id, slug, signup), w.platform, nil))
	return member(w.t, answer, "callback_token")
}

// operation is the first of the contract that fits.
func (w *world) operation(fits func(*gate.Operation) bool) *gate.Operation {
	w.t.Helper()
	for _, op := range w.document.Operations() {
		if fits(op) {
			return op
		}
	}
	w.t.Fatal("the contract has no such operation")
	return nil
}

// ask sends one request.
func (w *world) ask(method, target, token string, body []byte) drive.Answer {
	w.t.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	answer, err := w.client.Do(method, target, header, body)
	must(w.t, err)
	return answer
}

// must is the body of an answer that has to be a success.
func (w *world) must(answer drive.Answer) []byte {
	w.t.Helper()
	if answer.Status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", answer.Method, answer.Target, answer.Status, answer.Body)
	}
	return answer.Body
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// member is a text in a JSON object.
func member(t testing.TB, body []byte, name string) string {
	t.Helper()
	var object map[string]any
	must(t, json.Unmarshal(body, &object))
	text, ok := object[name].(string)
	if !ok {
		t.Fatalf("there is no %s in %s", name, body)
	}
	return text
}

// said is an answer as it must be equal to another's: without what names the
// request and the moment.
func said(answer drive.Answer) string {
	header := answer.Header.Clone()
	id := header.Get("X-Request-Id")
	header.Del("X-Request-Id")
	header.Del("Date")
	var text bytes.Buffer
	fmt.Fprintf(&text, "%d\n", answer.Status)
	_ = header.Write(&text) // never fails (bytes.Buffer)
	return text.String() + strings.ReplaceAll(string(answer.Body), id, "REQUEST")
}
