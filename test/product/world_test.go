package product

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"mooring/test/drive"
)

// TestAProcessServesItsOwnWorld runs the same database once for production,
// once for tests and once for both, and lets the platforms of both worlds in.
func TestAProcessServesItsOwnWorld(t *testing.T) {
	dir, production, test := initialised(t)
	for _, world := range []struct {
		flag             string
		production, test bool
	}{{"P", true, false}, {"T", false, true}, {"both", true, true}} {
		t.Run(world.flag, func(t *testing.T) {
			address := freeAddress(t)
			s, err := drive.Serve(context.Background(), binary, "http://"+address,
				"serve", "--data", dir, "--listen", address, "--public-url", "http://"+address, "--world", world.flag)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Kill)
			client := drive.NewClient(s.BaseURL)
			for _, who := range []struct {
				drive.Credentials
				served bool
			}{{production, world.production}, {test, world.test}} {
				if _, err := client.Token(who.Credentials); (err == nil) != who.served {
					t.Errorf("a token for %s in the world %s: %v", who.Account, world.flag, err)
				}
			}
			if _, err := s.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNobodyIsAskedAboutAProductionAccount: only test accounts have simulated
// providers. The stored state is the answer, and the header says why.
func TestNobodyIsAskedAboutAProductionAccount(t *testing.T) {
	dir, production, _ := initialised(t)
	address := freeAddress(t)
	s, err := drive.Serve(context.Background(), binary, "http://"+address,
		"serve", "--data", dir, "--listen", address, "--public-url", "http://"+address, "--world", "both")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	client := drive.NewClient(s.BaseURL)
	token, err := client.Token(production)
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/v1/accounts/%s/management/settings/connections/mastercard-3ds", production.Account)
	for _, request := range []struct{ method, query, body, says string }{
		{http.MethodPost, "", `{"signup":{"case_id":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}}`, ""},
		{http.MethodGet, "?sync=true", "", "unavailable"},
	} {
		answer, err := client.Do(request.method, path+request.query, bearer(token), []byte(request.body))
		if err != nil {
			t.Fatal(err)
		}
		got := decode[struct{ Status string }](t, answer)
		if got.Status != "pending" || answer.Header.Get("Mooring-Sync") != request.says {
			t.Errorf("%s: the status is %s, Mooring-Sync %q", request.method, got.Status, answer.Header.Get("Mooring-Sync"))
		}
	}
}
