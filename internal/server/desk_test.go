package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"mooring/internal/auth"
	"mooring/internal/seed"
	"mooring/internal/server"
	"mooring/internal/store/storetest"
)

// onBothEngines runs a test against a server on SQLite and one on PostgreSQL.
func onBothEngines(t *testing.T, test func(t *testing.T, d dev)) {
	t.Run("sqlite", func(t *testing.T) { test(t, startDev(t, auth.EdDSA)) })
	t.Run("postgres", func(t *testing.T) {
		database := storetest.Postgres(t)
		test(t, startDev(t, auth.EdDSA, func(c *server.Config) { c.Database, c.DataDir = database, "" }))
	})
}

// got is an answer.
type got struct {
	status int
	header http.Header
	body   string
}

func (g got) code() string {
	var refusal struct{ Error struct{ Code string } }
	_ = json.Unmarshal([]byte(g.body), &refusal)
	return refusal.Error.Code
}

func (d dev) do(t testing.TB, token, method, path, body string) got {
	t.Helper()
	answer, err := d.client.Do(d.request(t, token, method, path, body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got{answer.StatusCode, answer.Header, string(text)}
}

// must is do that demands a 200 and reads it.
func must[T any](t testing.TB, d dev, token, method, path, body string) T {
	t.Helper()
	answer := d.do(t, token, method, path, body)
	var v T
	if answer.status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, answer.status, answer.body)
	}
	if err := json.Unmarshal([]byte(answer.body), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// desk is a server with somebody of each kind, and a Vipps signup.
type desk struct {
	dev
	platform, partner, merchant string // tokens
}

func newDesk(t testing.TB, d dev) desk {
	return desk{d, d.token(t, d.world.Platform), d.token(t, d.world.Partner), d.token(t, d.world.Merchant)}
}

const (
	settings = "/v1/accounts/T11223351/management/settings/connections/"
	operator = "/v1/operator/accounts/T11223351/connections/"
)

// signUp makes a signup and gives its reference.
func (d desk) signUp(t testing.TB, provider, body string) string {
	t.Helper()
	must[any](t, d.dev, d.merchant, http.MethodPost, settings+provider, body)
	return d.newest(t, provider)
}

func (d desk) newest(t testing.TB, provider string) string {
	t.Helper()
	c, err := d.server.Store().Connection(t.Context(), auth.Caller{Account: seed.DevMerchant}, seed.DevMerchant, provider)
	if err != nil {
		t.Fatal(err)
	}
	return c.Signups[len(c.Signups)-1].ID
}

type madeToken struct {
	Token     string `json:"callback_token"`
	EventsURL string `json:"events_url"`
	URL       string `json:"callback_url"`
}

func (d desk) callbackToken(t testing.TB, provider, reference string) madeToken {
	t.Helper()
	return must[madeToken](t, d.dev, d.platform, http.MethodPost, operator+provider+"/signups/"+reference+"/callback-token", "")
}

type receivedCall struct {
	ID, State, Effect, Code, Reason, Operation string
	Event, Attempts                            int64
	Signup                                     string `json:"signup_id"`
	Kept                                       bool   `json:"body_kept"`
	Digest                                     string
}

func (d desk) inbox(t testing.TB, provider string) []receivedCall {
	t.Helper()
	return must[[]receivedCall](t, d.dev, d.platform, http.MethodGet, operator+provider+"/callbacks?limit=100", "")
}

type connectionView struct {
	Status        string
	Configuration map[string]any
	Events        []struct{ Event, Status, ID string }
}

func (d desk) connection(t testing.TB, provider string) connectionView {
	t.Helper()
	return must[connectionView](t, d.dev, d.merchant, http.MethodGet, settings+provider, "")
}

// vippsCallback is a body of the documented callback with a secret in it.
func vippsCallback(n int) string {
	return fmt.Sprintf(`{"signup-id":"x","merchantSerialNumber":"%d","client_Id":"fb492b5e-7907-4d83-bc20-c7fb60ca35de",`+
		`"client_Secret":"canary-%d","subscriptionKeys":[{"product":"ecom","ocp-apim-subscription-key":"canary-key-%d"}]}`, n, n, n)
}
