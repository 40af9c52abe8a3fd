package access_test

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"mooring/internal/access"
	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/store"
	"mooring/internal/store/storetest"
)

// node is one process of two that share a database.
type node struct {
	*access.Access
	store *store.Store
}

// fleet is two nodes on one PostgreSQL database, and a partner's client.
func fleet(t *testing.T) (near, far node, l login) {
	t.Helper()
	database := storetest.Postgres(t)
	var nodes [2]node
	cfg := config(t, nil)
	for i := range nodes {
		s, err := store.Open(t.Context(), store.Config{Database: database, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		if i == 0 {
			l = populate(t, s)
		}
		cfg.Store = s
		nodes[i] = node{open(t, cfg), s}
		run(t, nodes[i].Access)
	}
	return nodes[0], nodes[1], l
}

// act makes a token of the merchant in the partner's hands.
func (n node) act(t *testing.T, own []string) []string {
	t.Helper()
	header := n.exchanged(t, own)
	caller, err := n.Verify(t.Context(), header)
	if err != nil {
		t.Fatal(err)
	}
	token, err := n.Redeem(t.Context(), caller, access.Ask{GrantType: "client_credentials", Form: true})
	if err != nil {
		t.Fatal(err)
	}
	return []string{"Bearer " + token.AccessToken.Reveal()}
}

// exchanged makes an exchange token.
func (n node) exchanged(t *testing.T, own []string) []string {
	t.Helper()
	caller, err := n.Verify(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	token, err := n.Exchange(t.Context(), caller, caller.Account, merchant)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"Bearer " + token.AccessToken.Reveal()}
}

// mayWrite says whether a caller, as it was seen before, may write now.
func (n node) mayWrite(t *testing.T, caller auth.Caller) error {
	return n.store.Spend(t.Context(), store.Deed{Caller: caller, About: caller.Account}, store.Spent{
		Account: caller.Account, ID: uuid.NewString(), ExpiresAt: time.Now().Add(time.Minute),
	})
}

// TestWhatIsTakenAwayOnOneNodeEndsOnAll takes rights away on one node while the
// other remembers a token that rests on them.
func TestWhatIsTakenAwayOnOneNodeEndsOnAll(t *testing.T) {
	root := auth.Caller{Account: "T00000000", Kind: account.KindPlatform, Scopes: allScopes}
	for name, take := range map[string]func(t *testing.T, s *store.Store, c auth.Client) error{
		"the client is disabled": func(t *testing.T, s *store.Store, c auth.Client) error {
			_, err := s.SwitchClient(t.Context(), deed(t, s, root, partner), c.ID, true, time.Now(), showClient)
			return err
		},
		"the client is deleted": func(t *testing.T, s *store.Store, c auth.Client) error {
			_, err := s.EndClient(t.Context(), deed(t, s, root, partner), c.ID, time.Now(), showClient)
			return err
		},
		"the grant is taken away": func(t *testing.T, s *store.Store, c auth.Client) error {
			grant, _ := c.GrantFor(partner)
			_, err := s.EndGrant(t.Context(), deed(t, s, root, partner), grant.ID, func(auth.Grant) ([]byte, error) { return []byte("{}"), nil })
			return err
		},
		"the merchant is deleted": func(t *testing.T, s *store.Store, _ auth.Client) error {
			_, err := s.DeleteAccount(t.Context(), deed(t, s, root, merchant), store.Leaving{Retention: time.Hour, NewID: uuid.NewString},
				func(store.Profiled) (store.Answer, error) { return store.Answer{Body: []byte("{}")}, nil })
			return err
		},
		"the merchant is another partner's": func(t *testing.T, s *store.Store, _ auth.Client) error {
			return moveMerchant(t, s, root)
		},
		"the token is revoked": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near, far, l := fleet(t)
			client, _, err := near.store.Client(t.Context(), l.id)
			if err != nil {
				t.Fatal(err)
			}
			own := issue(t, near.Access, l, partner)
			acting := near.act(t, own)
			waiting := near.exchanged(t, own)
			var remembered [2]auth.Caller
			for i, n := range []node{near, far} {
				if remembered[i], err = n.Verify(t.Context(), acting); err != nil {
					t.Fatal(err)
				}
			}
			if remembered[0].Actor != partner || remembered[0].Account != merchant || remembered[0].Kind != account.KindMerchant {
				t.Fatalf("the token is of %+v", remembered[0])
			}
			if err := far.mayWrite(t, remembered[1]); err != nil {
				t.Fatal(err)
			}

			if take == nil {
				caller, err := near.Verify(t.Context(), own)
				if err != nil {
					t.Fatal(err)
				}
				err = near.Revoke(t.Context(), caller, partner, acting[0][len("Bearer "):])
				if err != nil {
					t.Fatal(err)
				}
			} else if err := take(t, near.store, client); err != nil {
				t.Fatal(err)
			}

			if err := far.mayWrite(t, remembered[1]); err == nil {
				t.Error("a write of the other node still went through")
			}
			if _, err := near.Verify(t.Context(), acting); err == nil {
				t.Error("the node that knows took the token")
			} else {
				denied(t, "near", err)
			}
			if take != nil {
				if _, err := far.Verify(t.Context(), waiting); err == nil {
					t.Error("an exchange token from before is good")
				}
			}
			began := time.Now()
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				if _, err = far.Verify(t.Context(), acting); err != nil {
					break
				}
				if time.Since(began) > 5*time.Second {
					t.Fatal("after 5 seconds the other node still takes the token")
				}
				<-tick.C
			}
			denied(t, "far", err)
		})
	}
}

// TestAnExchangeTokenIsGoodOnceInTheWholeFleet has both nodes redeem it at the
// same moment, often.
func TestAnExchangeTokenIsGoodOnceInTheWholeFleet(t *testing.T) {
	near, far, l := fleet(t)
	own := issue(t, near.Access, l, partner)
	for range 5 {
		header := near.exchanged(t, own)
		var good atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				n := []node{near, far}[i%2]
				caller, err := n.Verify(t.Context(), header)
				if err != nil {
					return
				}
				if _, err := n.Redeem(t.Context(), caller, access.Ask{GrantType: "client_credentials", Form: true}); err == nil {
					good.Add(1)
				} else {
					denied(t, "late", err)
				}
			})
		}
		all.Wait()
		if good.Load() != 1 {
			t.Errorf("redeemed %d times", good.Load())
		}
	}
}

// deed is what an administrator of the platform does to an account.
func deed(t *testing.T, s *store.Store, root auth.Caller, about account.ID) store.Deed {
	t.Helper()
	root.Client, root.Scopes = uuid.NewString(), allScopes
	c := auth.Client{ID: root.Client, Account: root.Account, Name: "root", CreatedAt: time.Now(), Grants: []auth.Grant{
		{ID: uuid.NewString(), Audience: root.Account, Scopes: allScopes},
	}}
	if err := s.CreateClient(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return store.Deed{Caller: root, About: about}
}

func showClient(auth.Client) ([]byte, error) { return []byte("{}"), nil }

const otherPartner = account.ID("T11300000")

// moveMerchant gives the merchant to another partner.
func moveMerchant(t *testing.T, s *store.Store, root auth.Caller) error {
	t.Helper()
	err := s.CreateAccount(t.Context(), account.Account{ID: otherPartner, Kind: account.KindPartner, Owner: "T00000000", CreatedAt: time.Now()})
	if err != nil {
		return err
	}
	_, err = s.MoveAccount(t.Context(), deed(t, s, root, merchant), otherPartner, func(store.Kept) (store.Answer, error) {
		return store.Answer{Body: []byte("{}")}, nil
	})
	return err
}
