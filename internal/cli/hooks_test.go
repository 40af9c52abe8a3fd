package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var anID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func TestSubscriptionsAreMadeChangedAndDeleted(t *testing.T) {
	startDev(t)
	const endpoint = "http://127.0.0.1:9/hook" // nothing listens there
	own := filepath.Join(t.TempDir(), "own")
	must(t, os.WriteFile(own, []byte("hush\n"), 0o600))
	made := done(t, "hooks", "create", "--account", "T11223352", endpoint, "--events", "account_connection_update,account_update",
		"--hmac-secret-file", own, "--fields", "account_id", "--exclude", "connection(status,turn)")
	for _, line := range []string{"endpoint", "account_connection_update, account_update", "HMAC-SHA1", "whsec_"} {
		if !strings.Contains(made, line) || strings.Contains(made, "hush") {
			t.Errorf("made without %s:\n%s", line, made)
		}
	}
	id := anID.FindString(made)
	hooks := func(command string, args ...string) string {
		t.Helper()
		return done(t, append([]string{"hooks", command, "--account", "T11223352", id}, args...)...)
	}
	if said := hooks("show"); !strings.Contains(said, endpoint) || strings.Contains(said, "whsec_") {
		t.Errorf("shown:\n%s", said)
	}
	if said := hooks("update", "--endpoint", endpoint+"/2", "--events", "cdd_case_update", "--fields", "", "--exclude", ""); !strings.Contains(said, endpoint+"/2") ||
		!strings.Contains(said, "cdd_case_update") || strings.Contains(said, "account_id\n") || !strings.Contains(said, "HMAC-SHA1") {
		t.Errorf("changed:\n%s", said)
	}
	if said := hooks("disable"); !strings.Contains(said, "paused") {
		t.Errorf("disabled:\n%s", said)
	}
	if said := hooks("enable"); strings.Contains(said, "paused") {
		t.Errorf("enabled:\n%s", said)
	}
	if first, second := hooks("rotate"), hooks("rotate", "--overlap", "0"); !strings.Contains(first, "whsec_") || first == second {
		t.Errorf("rotated:\n%s%s", first, second)
	}
	if said := hooks("ping"); said != "a ping is on its way\n" {
		t.Error(said)
	}
	var all []subscription
	must(t, json.Unmarshal([]byte(done(t, "hooks", "list", "--account", "T11223352", "--json")), &all))
	if len(all) != 1 || all[0].ID != id {
		t.Errorf("listed: %+v", all)
	}
	hooks("delete")
	if said := done(t, "hooks", "list", "--account", "T11223352"); strings.Contains(said, id) || !strings.HasPrefix(said, "SUBSCRIPTION") {
		t.Errorf("deleted:\n%s", said)
	}
	for says, args := range map[string][]string{
		"there is no subscription " + id: {"hooks", "show", "--account", "T11223352", id},
		"say what to tell of":            {"hooks", "create", "--account", "T11223352", endpoint},
		"say what is to change":          {"hooks", "update", "--account", "T11223352", id},
		"say since when":                 {"deliveries", "recover", "--account", "T11223352", id},
		"events/0":                       {"hooks", "create", "--account", "T11223352", endpoint, "--events", "nonsense"},
	} {
		if code, out, errs := run(t, args...); code != exitFailed || out != "" || !strings.Contains(errs, says) {
			t.Errorf("%v: exit %d, %s%s", args, code, out, errs)
		}
	}
}

func TestWhatWasNotDeliveredIsSeenAndSentAgain(t *testing.T) {
	startDev(t)
	var taken atomic.Bool
	events := make(chan string, 64)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !taken.Load() {
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, "not \x1b[2Jnow")
		}
		events <- r.Header.Get("webhook-id")
	}))
	defer endpoint.Close()
	id := anID.FindString(done(t, "hooks", "create", "--account", "T11223352", endpoint.URL, "--events", "account_connection_update"))
	deliveries := func(command string, args ...string) string {
		t.Helper()
		return done(t, append([]string{"deliveries", command, "--account", "T11223352", id}, args...)...)
	}
	<-events // the ping
	run(t, "trigger", "--account", "T11223352", "swish", "declined", "--advance", "7h")
	<-events
	failed := until(t, func() (string, bool) {
		said := deliveries("list", "--failed", "--event", "account_connection_update", "--since", "1h")
		return said, strings.Contains(said, "418")
	})
	attempt := anID.FindString(failed)
	shown := deliveries("show", attempt)
	for _, line := range []string{endpoint.URL, "answer    418", "webhook-id: ", `"event":`, "not  [2Jnow"} {
		if !strings.Contains(shown, line) {
			t.Errorf("shown without %q:\n%s", line, shown)
		}
	}
	if said := deliveries("outstanding"); !strings.Contains(said, "account_connection_update  failed") {
		t.Errorf("outstanding:\n%s", said)
	}
	taken.Store(true)
	if said := deliveries("resend", attempt); said != "it is on its way again\n" {
		t.Error(said)
	}
	delivery := anID.FindAllString(failed, -1)[1]
	until(t, func() (string, bool) {
		said := deliveries("list", "--delivered", "--limit", "0", "--json")
		return said, strings.Contains(said, delivery) && strings.Contains(said, `"status":200`)
	})
	if said := deliveries("recover", "--since", "1h"); !strings.HasSuffix(said, " on the way again\n") { // that of another connection
		t.Error(said)
	}
	until(t, func() (string, bool) {
		said := deliveries("outstanding")
		return said, strings.Count(said, "\n") == 1
	})
	if said := deliveries("list", "--delivered", "--limit", "0", "--json"); strings.Contains(said, `"status":418`) {
		t.Errorf("delivered:\n%s", said)
	}
	if said := deliveries("recover", "--since", "1h", "--all"); said != "everything is told again\n" {
		t.Error(said)
	}
	if code, _, errs := run(t, "deliveries", "show", "--account", "T11223352", id, id); code != exitFailed || !strings.Contains(errs, "there is no attempt "+id) {
		t.Errorf("exit %d, %s", code, errs)
	}
}

// until asks again and again until the answer is the one that is waited for.
func until(t *testing.T, ask func() (string, bool)) string {
	t.Helper()
	tick, late := time.NewTicker(50*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		said, arrived := ask()
		if arrived {
			return said
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal(said)
		}
	}
}
