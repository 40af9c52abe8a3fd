package access_test

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"mooring/internal/access"
	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/store"
	"mooring/internal/store/storetest"
)

var _ access.Store = (*store.Store)(nil)

// onBothEngines runs a test on a fresh SQLite file and a fresh PostgreSQL
// database.
func onBothEngines(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	for engine, cfg := range map[string]func() store.Config{
		"sqlite":   func() store.Config { return store.Config{DataDir: privateDir(t)} },
		"postgres": func() store.Config { return store.Config{Database: storetest.Postgres(t)} },
	} {
		t.Run(engine, func(t *testing.T) {
			c := cfg()
			c.Now, c.Log = time.Now, log
			s, err := store.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			test(t, s)
		})
	}
}

func privateDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// populate makes the platform, a partner with a client, and its merchant, for
// which the client has a narrower grant.
func populate(t testing.TB, s *store.Store) login {
	t.Helper()
	now := time.Now()
	for _, a := range []account.Account{
		{ID: "T00000000", Kind: account.KindPlatform},
		{ID: partner, Kind: account.KindPartner, Owner: "T00000000"},
		{ID: merchant, Kind: account.KindMerchant, Owner: partner},
	} {
		a.CreatedAt = now
		if err := s.CreateAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	plain, hash := auth.NewSecret(now, uuid.NewString)
	c := auth.Client{
		ID: uuid.NewString(), Account: partner, Name: "test", Secrets: []auth.SecretHash{hash}, CreatedAt: now,
		Grants: []auth.Grant{
			{ID: uuid.NewString(), Audience: partner, Scopes: allScopes},
			{ID: uuid.NewString(), Audience: merchant, Scopes: auth.Scopes{auth.ScopeReadAccounts}},
		},
	}
	if err := s.CreateClient(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return login{c.ID, plain.Reveal()}
}

func TestTokensOfAClientInTheStore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, s *store.Store) {
		l := populate(t, s)
		a := open(t, config(t, s))
		for _, want := range []auth.Caller{
			{Account: partner, Kind: account.KindPartner, Client: l.id, Scopes: allScopes},
			{Account: merchant, Kind: account.KindMerchant, Client: l.id, Scopes: auth.Scopes{auth.ScopeReadAccounts}},
		} {
			q := ask(l, partner)
			q.Audience = public + "/v1/accounts/" + string(want.Account)
			token, err := a.Issue(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.Verify(t.Context(), []string{"Bearer " + token.AccessToken.Reveal()})
			if diff := cmp.Diff(want, named(t, got)); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
		}
		for name, given := range map[string]login{
			"wrong secret": {l.id, l.secret + "x"}, "unknown": {uuid.NewString(), l.secret}, "NUL": {"\x00", "\x00"}, "not UTF-8": {"\xff", "\xff"}, "no id": {"", l.secret},
		} {
			_, err := a.Issue(t.Context(), ask(given, partner))
			denied(t, name, err)
		}
	})
}

func TestNodesThatStartTogetherOnAnEmptyStoreAgree(t *testing.T) {
	onBothEngines(t, func(t *testing.T, s *store.Store) {
		l := populate(t, s)
		cfg := config(t, s)
		nodes := make([]*access.Access, 4)
		var started sync.WaitGroup
		for i := range nodes {
			started.Go(func() {
				var err error
				if nodes[i], err = access.New(t.Context(), cfg); err != nil {
					t.Error(err)
				}
			})
		}
		started.Wait()
		header := issue(t, nodes[0], l, partner)
		for i, node := range nodes {
			if _, err := node.Verify(t.Context(), header); err != nil {
				t.Errorf("node %d: %v", i, err)
			}
		}
		for purpose, want := range map[string]int{"canary": 1, "fingerprint": 1, "signing": 1} {
			if keys, err := s.Keys(t.Context(), purpose); err != nil || len(keys) != want {
				t.Errorf("%d %s keys, %v", len(keys), purpose, err)
			}
		}
	})
}

// TestWhatAPartnerHeldEndsForGoodWithAMove moves the merchant away and back:
// what was given out before opens nothing, what is given out after does.
func TestWhatAPartnerHeldEndsForGoodWithAMove(t *testing.T) {
	onBothEngines(t, func(t *testing.T, s *store.Store) {
		l := populate(t, s)
		a := open(t, config(t, s))
		n := node{a, s}
		root := auth.Caller{Account: "T00000000", Kind: account.KindPlatform}
		own := issue(t, a, l, partner)
		byGrant := ask(l, partner)
		byGrant.Audience = public + "/v1/accounts/" + string(merchant)
		granted, err := a.Issue(t.Context(), byGrant)
		if err != nil {
			t.Fatal(err)
		}
		before := map[string][]string{
			"acting": n.act(t, own), "exchange": n.exchanged(t, own), "granted": {"Bearer " + granted.AccessToken.Reveal()},
		}
		for name, header := range before {
			if _, err := a.Verify(t.Context(), header); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		seen, err := a.Verify(t.Context(), before["exchange"])
		if err != nil {
			t.Fatal(err)
		}

		if err := moveMerchant(t, s, root); err != nil {
			t.Fatal(err)
		}
		_, err = s.MoveAccount(t.Context(), deed(t, s, root, merchant), partner, func(store.Kept) (store.Answer, error) {
			return store.Answer{Body: []byte("{}")}, nil
		})
		if err != nil {
			t.Fatal(err)
		}

		for name, header := range before {
			_, err := a.Verify(t.Context(), header)
			denied(t, name, err)
		}
		if _, err := a.Redeem(t.Context(), seen, access.Ask{GrantType: "client_credentials", Form: true}); err == nil {
			t.Error("an exchange token that was looked at before the move was redeemed after it")
		}
		if _, err := a.Issue(t.Context(), byGrant); fault.From(err).Kind != fault.Forbidden {
			t.Errorf("the old grant gives a token: %v", err)
		}
		if _, err := a.Verify(t.Context(), own); err != nil {
			t.Errorf("the partner's own token ended: %v", err)
		}
		caller, err := a.Verify(t.Context(), n.act(t, own)) // within the second of the move
		if err != nil || caller.Account != merchant {
			t.Fatalf("the partner can't act for what came back: %+v, %v", caller, err)
		}
		if err := n.mayWrite(t, caller); err != nil {
			t.Errorf("the partner can't write to what came back: %v", err)
		}
	})
}
