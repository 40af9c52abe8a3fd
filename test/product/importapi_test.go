package product

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mooring/test/drive"
)

// TestTheAccountsOfAnotherServerAreTakenIn reads a server with a population
// into one without, twice, and compares what both show of it.
func TestTheAccountsOfAnotherServerAreTakenIn(t *testing.T) {
	from := dev(t, "--listen", "127.0.0.1:0", "--accounts", "240")
	into := dev(t, "--listen", "127.0.0.1:0")
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte(from.OwnerSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func() string {
		c := exec.Command(binary, "import", "api", "--upstream", from.BaseURL, "--upstream-account", from.PartnerAccount,
			"--upstream-client", from.OwnerClientID, "--upstream-secret-file", secret)
		c.Dir, c.Env = dir, append(os.Environ(), "MOORING_CACHE_DIR="+into.CacheDir)
		out, _ := c.CombinedOutput()
		if code := c.ProcessState.ExitCode(); code != 1 { // the two merchants of every dev server are there, with another past
			t.Fatalf("it exits with %d\n%s", code, out)
		}
		return string(out)
	}
	out := run()
	for _, want := range []string{
		"created    120\n", "updated    0\n", "unchanged  0\n", "refused    2\n",
		"What could not be seen or kept:\n", "comments, clients and cases (122 accounts)", "secrets of a configuration (",
	} {
		if !strings.Contains(out, want) {
			told, _ := os.ReadFile(filepath.Join(dir, "mooring-upstream.errors.csv"))
			t.Errorf("%q is missing in\n%s%s", want, out, told)
		}
	}
	if out := run(); !strings.Contains(out, "unchanged  120\n") {
		t.Errorf("the same again:\n%s", out)
	}
	there, here := connectionsOf(t, from), connectionsOf(t, into)
	if len(there) < 100 || !slices.Equal(there, here) {
		t.Errorf("there are %d connections there, and %d here; the first there is %.300s, here %.300s", len(there), len(here), there, here)
	}
}

// connectionsOf lists what a server shows of the connections of the partner's
// population: all but their links and what the importing server made.
func connectionsOf(t *testing.T, s *drive.Server) []string {
	t.Helper()
	client, token := drive.NewClient(s.BaseURL), tokens(t, s)["partner"]
	var all []string
	after := ""
	for {
		answer, err := client.Do(http.MethodGet, "/v1/accounts/"+s.PartnerAccount+"/management/accounts?limit=100"+after, bearer(token), nil)
		if err != nil || answer.Status != http.StatusOK {
			t.Fatal(err, string(answer.Body))
		}
		page := decode[[]struct {
			ID          string `json:"account_id"`
			PagingToken string `json:"paging_token"`
			CreatedAt   string `json:"created_at"`
			Connections map[string]map[string]any
		}](t, answer)
		if len(page) == 0 {
			slices.Sort(all)
			return all
		}
		for _, a := range page {
			for name, c := range a.Connections {
				if nested, ok := c["creditcard"].(map[string]any); ok {
					c = nested
				}
				if a.ID != s.Account && a.ID != s.SecondAccount {
					all = append(all, fmt.Sprint(a.ID, a.CreatedAt, name, c["status"], c["created_at"], c["updated_at"], c["configuration"], c["metadata"], events(c["events"])))
				}
			}
		}
		after = "&starting_after=" + page[len(page)-1].PagingToken
	}
}

// events is what a list of events says, whoever wrote it.
func events(list any) string {
	var all []string
	found, _ := list.([]any)
	for _, one := range found {
		e, _ := one.(map[string]any)
		all = append(all, fmt.Sprint(e["id"], e["status"], e["event"], e["created_at"], e["description"]))
	}
	return strings.Join(all, "; ")
}
