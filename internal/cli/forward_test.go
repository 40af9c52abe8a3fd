package cli

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mooring/internal/hook"
)

const anItem = `{"id":"01990f33-7a10-7b42-8a3e-5d1c0e9f4a10","event":"account_connection_update","account_id":"T11223352",
	"created_at":"2026-05-12T09:30:00Z","data":{"connection":{"connection":"vipps","status":"declined"},"connection_event":{"event":"application_declined"}}}`

// TestAForwardedEventIsSignedLikeAHook verifies both signatures by hand.
func TestAForwardedEventIsSignedLikeAHook(t *testing.T) {
	key := hook.NewStandard()
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key.Reveal(), "whsec_"))
	must(t, err)
	var got []string
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		contract, standard := hmac.New(sha1.New, []byte(key.Reveal())), hmac.New(sha256.New, raw)
		contract.Write(body)
		io.WriteString(standard, r.Header.Get("webhook-id")+"."+r.Header.Get("webhook-timestamp")+"."+string(body))
		if r.Header.Get("event-signature") != hex.EncodeToString(contract.Sum(nil)) {
			t.Error("event-signature is wrong")
		}
		if r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(standard.Sum(nil)) {
			t.Error("webhook-signature is wrong")
		}
		got = append(got, r.Header.Get("event")+" "+r.Header.Get("webhook-id")+" "+r.Header.Get("event-delivery")+" "+string(body))
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer program.Close()
	to, err := newForwarder(strings.TrimPrefix(program.URL, "http://"), key)
	must(t, err)
	entry, err := readEntry([]byte(anItem))
	must(t, err)
	for range 2 {
		if answer := to.send(t.Context(), entry); answer.Status != http.StatusFound || answer.Error != "" {
			t.Errorf("%+v", answer)
		}
	}
	if len(got) != 2 || got[0] != got[1] {
		t.Fatalf("not the same twice, or a redirect was followed: %q", got)
	}
	words := strings.SplitN(got[0], " ", 4)
	var body map[string]any
	must(t, json.Unmarshal([]byte(words[3]), &body))
	if words[0] != "account_connection_update" || words[1] != entry.ID || words[2] != body["event_delivery"] ||
		body["event"] != words[0] || body["account_id"] != "T11223352" || len(body) != 5 {
		t.Errorf("%q", words)
	}
	program.Close()
	if answer := to.send(t.Context(), entry); answer.Status != 0 || !strings.Contains(answer.String(), "no answer: ") {
		t.Errorf("a program that is gone: %s", answer)
	}
}

func TestWhereToForwardToIsAnAddress(t *testing.T) {
	for _, to := range []string{"ftp://localhost/hook", "http://", "https://u:p@localhost/hook", "http://[::1"} {
		if _, err := newForwarder(to, hook.NewStandard()); err == nil {
			t.Errorf("%s was taken", to)
		}
	}
}

func TestAnEntryIsShownOnOneLine(t *testing.T) {
	for item, want := range map[string]string{
		anItem: "2026-05-12T09:30:00Z  T11223352  vipps           declined  application_declined",
		`{"id":"e","event":"account_add","account_id":"T11223352","created_at":"2026-05-12T09:30:00Z","data":{"account":{}}}`:                        "2026-05-12T09:30:00Z  T11223352  account_add",
		strings.Replace(strings.Replace(anItem, `,"connection_event":{"event":"application_declined"}`, "", 1), "connection_update", "stall\x1b", 1): "2026-05-12T09:30:00Z  T11223352  vipps           declined  account_stall ",
	} {
		entry, err := readEntry([]byte(strings.ReplaceAll(item, "\x1b", `\u001b`)))
		if got := entryLine(entry); err != nil || got != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := readEntry([]byte(`{"event":"e"}`)); err == nil {
		t.Error("an entry without an id was taken")
	}
}

func TestTheSecretOfAMachineStays(t *testing.T) {
	t.Setenv("MOORING_CACHE_DIR", t.TempDir())
	_, first, _ := run(t, "listen", "--print-secret")
	if _, again, _ := run(t, "listen", "--print-secret"); again != first || !strings.HasPrefix(first, "whsec_") {
		t.Errorf("%q, then %q", first, again)
	}
}
