package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/intake"
	"mooring/internal/provider"
	"mooring/internal/secret"
	"mooring/internal/store"
	"mooring/internal/store/storetest"
	"mooring/internal/vault"
	"mooring/providers"
)

const client = "8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10"

func newID() string  { return uuid.Must(uuid.NewV7()).String() }
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// world is a store with a platform, a partner and one who imports.
type world struct {
	t *testing.T
	*intake.Intake
}

func onBothEngines(t *testing.T, test func(w world)) {
	for name, cfg := range map[string]func(*testing.T) store.Config{
		"sqlite":   func(t *testing.T) store.Config { return store.Config{DataDir: filepath.Join(t.TempDir(), "data")} },
		"postgres": func(t *testing.T) store.Config { return store.Config{Database: storetest.Postgres(t)} },
	} {
		t.Run(name, func(t *testing.T) { test(newWorld(t, cfg(t))) })
	}
}

func newWorld(t *testing.T, cfg store.Config) world {
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key")
	if err := secret.CreateKeyFile(key); err != nil {
		t.Fatal(err)
	}
	sealer, err := secret.OpenKeyFile(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []account.Account{
		{ID: "T00000000", Kind: account.KindPlatform}, {ID: "T11200000", Kind: account.KindPartner, Owner: "T00000000"},
	} {
		a.CreatedAt, a.CreatedBy = now(), "test"
		if err := db.CreateAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.CreateClient(t.Context(), auth.Client{
		ID: client, Account: "T00000000", Name: "test", CreatedAt: now(), CreatedBy: "test",
		Grants: []auth.Grant{{ID: newID(), Audience: "T00000000", Scopes: auth.Scopes{auth.ScopeOperator}}},
	}); err != nil {
		t.Fatal(err)
	}
	return world{t, &intake.Intake{Store: db, Catalogue: catalogue, Vault: vault.New(db, sealer, make([]byte, 32), now, newID), Now: now, NewToken: newID}}
}

// take takes rows in, and says what became of them.
func (w world) take(dry bool, rows ...string) []intake.Result {
	w.t.Helper()
	return w.takeSo(intake.Way{Dry: dry}, rows...)
}

func (w world) takeSo(way intake.Way, rows ...string) []intake.Result {
	w.t.Helper()
	var all []intake.Row
	for _, text := range rows {
		var row intake.Row
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, row)
	}
	d := store.Deed{Caller: auth.Caller{Account: "T00000000", Kind: account.KindPlatform, Client: client}, About: "T00000000"}
	results, err := w.Take(context.Background(), d, all, way, func(i store.Import) store.AuditRecord {
		return store.AuditRecord{ID: newID(), Account: i.ID, At: now(), By: client, Action: "account.import", Outcome: store.AuditDone}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return results
}

func (w world) known(id account.ID) (store.Known, bool) {
	w.t.Helper()
	found, err := w.Store.Known(context.Background(), []account.ID{id})
	if err != nil {
		w.t.Fatal(err)
	}
	k, ok := found[id]
	return k, ok
}

// outcomes are what became of rows, in a line.
func outcomes(results []intake.Result) string {
	var words []string
	for _, r := range results {
		word := string(r.Outcome)
		for _, p := range r.Problems {
			word += " " + p.Path + ":" + p.Code
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

const whole = `{"id": "T11200001", "owner": "T112", "created_at": "2023-01-01T00:00:00.123456789Z", "profile": {"company": {"business_name": "Kaffe AS", "organization_number": "800000001"}},
	"connections": [{"connection": "vipps", "status": "enabled", "created_at": "2023-01-02T00:00:00Z", "configuration": {"merchant_serial_number": "1", "client_secret": "%s"},
	"signups": [{"callback_reference": "VP-1"}], "events": [{"status": "enabled", "event": "credentials_received", "created_at": "2023-01-03T00:00:00.987654321Z"}]}]}`

func TestTheSameRowBringsNothingTwice(t *testing.T) {
	onBothEngines(t, func(w world) {
		row := fmt.Sprintf(whole, "sesame")
		if got := outcomes(w.take(true, row)); got != "created" {
			t.Fatal(got)
		}
		if _, there := w.known("T11200001"); there {
			t.Fatal("a dry run writes")
		}
		for _, want := range []string{"created", "unchanged", "unchanged"} {
			if got := outcomes(w.take(false, row)); got != want {
				t.Fatalf("%s, not %s", got, want)
			}
		}
		k, _ := w.known("T11200001")
		c := k.Connections["vipps"]
		if len(c.Events) != 2 || len(c.Signups) != 1 || bytes.Contains(c.Configuration, []byte("sesame")) || k.References["vipps"]["VP-1"] != c.Signups[0].ID {
			w.t.Errorf("%+v", c)
		}
		parts, err := w.Vault.OpenSignup(t.Context(), store.Place{Account: "T11200001", Provider: "vipps"}, "")
		if err != nil || len(parts) != 1 || !parts[0].Value.Equal(secret.NewPlain(`"sesame"`)) {
			t.Errorf("%v %v", err, parts)
		}
	})
}

func TestARowThatContradictsWhatIsThereIsRefusedWhole(t *testing.T) {
	onBothEngines(t, func(w world) {
		w.take(false, fmt.Sprintf(whole, "sesame"))
		for row, want := range map[string]string{
			fmt.Sprintf(whole, "another"):                                                                                          "refused /connections/0/configuration:CONFLICT",
			strings.Replace(fmt.Sprintf(whole, "sesame"), "Kaffe", "Te", 1):                                                        "refused /profile:CONFLICT",
			strings.Replace(fmt.Sprintf(whole, "sesame"), "VP-1", "VP-2", 1):                                                       "refused /connections/0/signups:CONFLICT",
			strings.Replace(fmt.Sprintf(whole, "sesame"), "03T00", "04T00", 1):                                                     "refused /connections/0:CONFLICT",
			`{"id": "T11200001", "owner": "T000", "connections": [{"connection": "swish", "created_at": "2024-01-01T00:00:00Z"}]}`: "refused /owner:CONFLICT",
		} {
			if got := outcomes(w.take(false, row)); got != want {
				t.Errorf("%s\nis %s, not %s", row, got, want)
			}
		}
		if k, _ := w.known("T11200001"); len(k.Connections) != 1 {
			t.Error("something of a refused row was written")
		}
	})
}

func TestARowThatCantBeStopsNoOther(t *testing.T) {
	onBothEngines(t, func(w world) {
		good := `{"id": "T1120%04d", "owner": "T112"}`
		results := w.take(false,
			fmt.Sprintf(good, 1),
			`{"id": "T11200002", "owner": "T112", "connections": [{"connection": "vipps", "created_at": "2099-01-01T00:00:00Z"}]}`,
			`{"id": "T11200003", "owner": "T112", "connections": [{"connection": "payex", "created_at": "1969-01-01T00:00:00Z"}, {"connection": "payex.creditcard", "created_at": "2020-01-01T00:00:00Z"}]}`,
			`{"id": "T11200004", "owner": "T112", "connections": [{"connection": "swish", "created_at": "2020-01-01T00:00:00Z", "events": [{"status": "pending", "event": "x", "created_at": "2020-01-01T00:00:00Z", "signup": 2, "metadata": {"passphrase": "p"}}]}]}`,
			`{"id": "T11200005", "owner": "T112", "connections": [{"connection": "mastercard-3ds", "created_at": "2020-01-01T00:00:00Z", "signups": [{"data": {"case_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "social_security_number": "01010112345"}}]}]}`,
			`{"id": "T11200006", "owner": "T112", "connections": [{"connection": "vipps", "created_at": "2020-01-01T00:00:00Z", "signups": [{"data": {"client_secret": "s"}}]}]}`,
			`{"id": "T11200000", "owner": "T112"}`,
			`{"id": "T21200000", "owner": "T112"}`,
			`{"id": "P11200001", "owner": "P112"}`,
			fmt.Sprintf(good, 1),
			fmt.Sprintf(good, 9),
		)
		want := "created, refused /connections/0/created_at:OUT_OF_RANGE, refused /connections/0/created_at:OUT_OF_RANGE /connections/1/connection:DUPLICATE, " +
			"refused /connections/0/events/0/metadata:SECRET_NOT_ALLOWED /connections/0/events/0/signup:OUT_OF_RANGE, " +
			"refused /connections/0/signups/0/data/social_security_number:UNKNOWN_MEMBER, refused /connections/0/signups/0/data/client_secret:UNKNOWN_MEMBER, refused /owner:CONFLICT, refused /id:NOT_ALLOWED, " +
			"refused /id:OTHER_WORLD, refused /id:DUPLICATE, created"
		if got := outcomes(results); got != want {
			t.Errorf("%s\nnot\n%s", got, want)
		}
	})
}

// A partner whose own range another was given can't be written; the others of
// its group are.
func TestWhatOnlyTheStoreKnowsRefusesOneRowOfMany(t *testing.T) {
	onBothEngines(t, func(w world) {
		d := store.Deed{Caller: auth.Caller{Account: "T00000000", Kind: account.KindPlatform, Client: client}, About: "T11200000"}
		if _, err := w.Store.AddBlock(t.Context(), d, "T113", func(store.Kept) (store.Answer, error) { return store.Answer{}, nil }); err != nil {
			t.Fatal(err)
		}
		if got := outcomes(w.take(false, `{"id": "T11400000", "owner": "T000"}`, `{"id": "T11300000", "owner": "T000"}`, `{"id": "T11400001", "owner": "T114"}`)); got != "created, refused /:CONFLICT, created" {
			t.Error(got)
		}
	})
}

// waits is a merchant whose connection has waited for years.
const waits = `{"id": "%s", "owner": "T112", "profile": {"company": {"business_name": "Kaffe AS"}}, "connections": [{"connection": "vipps", "status": "pending",
	"signups": [{"callback_reference": "VP-1"}], "events": [{"status": "pending", "event": "reminder_sent", "created_at": "2023-01-03T00:00:00Z"}]}]}`

func TestNobodyIsToldOfWhatIsTakenInUnlessItIsAskedFor(t *testing.T) {
	onBothEngines(t, func(w world) {
		silent, told := fmt.Sprintf(waits, "T11200001"), fmt.Sprintf(waits, "T11200002")
		if got := outcomes(w.takeSo(intake.Way{}, silent)); got != "created" {
			t.Fatal(got)
		}
		if n, err := w.Store.TellStalls(t.Context(), now(), 10); n != 0 || err != nil {
			t.Errorf("%d connections stall that stalled elsewhere, %v", n, err)
		}
		for range 2 {
			w.takeSo(intake.Way{Told: true}, told, silent)
		}
		if n, err := w.Store.TellStalls(t.Context(), now(), 10); n != 1 || err != nil {
			t.Errorf("%d connections stall, %v; want the one that is told of", n, err)
		}
		var got []string
		for len(got) < 3 {
			moved := w.Store.FeedMoved()
			all, err := w.Store.FeedOfAll(t.Context(), 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			got = nil
			for _, e := range all {
				got = append(got, string(e.Owner+" "+e.Account)+" "+e.Type)
			}
			if len(got) < 3 {
				<-moved
			}
		}
		want := []string{"T11200000 T11200002 account_add", "T11200000 T11200002 account_connection_update", "T11200000 T11200002 account_connection_stalled"}
		if !slices.Equal(got, want) {
			t.Errorf("it is told %q, want %q", got, want)
		}
	})
}
