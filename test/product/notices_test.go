package product

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring/test/drive"
)

// TestRulesOfNoticesAreMadeOnTheCommandLine walks through the life of a rule:
// its chat hears of it, of a test and of what it names.
func TestRulesOfNoticesAreMadeOnTheCommandLine(t *testing.T) {
	s := dev(t, "--listen", "127.0.0.1:0")
	said := make(chan string, 16)
	chat := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&message); err == nil {
			said <- message.Text
		}
	}))
	defer chat.Close()
	hear := func(what string) {
		t.Helper()
		select {
		case text := <-said:
			if !strings.Contains(text, what) {
				t.Errorf("the chat heard %q, not of %q", text, what)
			}
		case <-time.After(drive.Patience):
			t.Fatalf("the chat heard nothing of %q", what)
		}
	}
	channel := filepath.Join(t.TempDir(), "channel.url")
	if err := os.WriteFile(channel, []byte(chat.URL+"/services/0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	notices := func(args ...string) string {
		t.Helper()
		return mooring(t, s, append([]string{"notices"}, append(args, "--owner", "T11223352")...)...)
	}
	var made struct{ ID string }
	text := notices("create", "slack", "--url-file", channel, "--when", "declined", "--name", "the shop")
	if err := json.Unmarshal([]byte(text), &made); err != nil || made.ID == "" || strings.Contains(text, "0123456789abcdef") {
		t.Fatalf("%v: %s", err, text)
	}
	hear("test")
	if list := notices("list"); !strings.Contains(list, made.ID) || !strings.Contains(list, "declined") || !strings.Contains(list, "active") {
		t.Errorf("the list is\n%s", list)
	}
	notices("test", made.ID)
	hear("test")
	mooring(t, s, "trigger", "--account", "T11223352", "vipps", "declined", "--play")
	hear("declined")
	notices("update", made.ID, "--when", "enabled", "--hold")
	if shown := notices("show", made.ID); !strings.Contains(shown, `"enabled"`) || !strings.Contains(shown, "false") {
		t.Errorf("it is shown as %s", shown)
	}
	notices("delete", made.ID)
	if list := notices("list"); strings.Contains(list, made.ID) {
		t.Errorf("after it was deleted the list is\n%s", list)
	}
}
