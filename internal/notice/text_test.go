package notice

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/hook"
)

var writer = Writer{
	Title: func(slug string) string { return map[string]string{"vipps": "Vipps"}[slug] },
	Link:  "https://console.example.com/accounts/{account}",
}

// canaries are what somebody wrote, and what names a person.
const canaries = `"created_by":"canary","description":"canary","metadata":{"a":"canary"},"event":"canary","provider_code":"canary","reason":"canary"`

func moved(id account.ID, before, status, turn string) hook.Entry {
	return hook.Entry{
		ID: "01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55", Owner: "P11200000", Account: id, Type: hook.ConnectionUpdate, Provider: "vipps", Status: status,
		At: time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC), ToldAt: time.Date(2026, 5, 12, 9, 30, 1, 0, time.UTC),
		Body: fmt.Appendf(nil, `{"connection":{"status":%q,"turn":%q,"before":{"status":%q,"turn":"merchant"}},"connection_event":{%s}}`,
			status, turn, before, canaries),
	}
}

func rule(n hook.NoticeSettings) hook.Subscription {
	n.Name = "canary"
	return hook.Subscription{Account: "P11200000", ID: "0199", Kind: hook.KindEmail, Target: "canary@example.com", Settings: hook.Settings{Notice: &n}}
}

func TestANoticeSaysWhatHappenedAndNothingThatSomebodyWrote(t *testing.T) {
	all := hook.NoticeSettings{When: hook.Causes}
	for _, test := range []struct {
		entry         hook.Entry
		subject, says string
	}{
		{moved("P11223344", "pending", "declined", ""), "[Mooring] Vipps of P11223344: nobody must act any more, it was declined", "It was declined.\n"},
		{moved("P11223344", "pending", "pending", "partner"), "[Mooring] Vipps of P11223344: the partner must act", "The partner must act.\n"},
		{moved("P11223344", "pending", "enabled", "merchant"), "[Mooring] Vipps of P11223344: it is ready to use", "Status: enabled\n"},
		{hook.Entry{Account: "P11223344", Type: hook.ConnectionStalled, Provider: "swish", Status: "pending", Body: []byte(`{}`)}, "[Mooring] swish of P11223344: the next step is overdue", "Provider: swish\n"},
		{
			hook.Entry{Account: "P11200000", Type: hook.EndpointFailing, Body: []byte(`{"subscription":{"id":"0f5c"},"percent":70}`)},
			"[Mooring] P11200000: an endpoint of hooks fails, and 70 % of the time is over after which it is switched off", "Endpoint: 0f5c\n",
		},
	} {
		text := writer.Tell(rule(all), []hook.Entry{test.entry})
		if text.Subject != test.subject {
			t.Errorf("the subject is %q, want %q", text.Subject, test.subject)
		}
		plain := text.Plain()
		if !strings.Contains(plain, test.says) || !strings.Contains(plain, "https://console.example.com/accounts/"+string(test.entry.Account)) {
			t.Errorf("%q does not say %q, or where to find more", plain, test.says)
		}
		for _, form := range []string{text.Subject, plain, string(text.Slack()), string(text.Teams())} {
			if strings.Contains(form, "canary") {
				t.Errorf("it says what somebody wrote: %s", form)
			}
		}
	}
}

func TestADigestCountsAndIsBounded(t *testing.T) {
	n := hook.NoticeSettings{When: []hook.Cause{hook.Declined, hook.TurnChanged}, Digest: &hook.Digest{Hour: 8, Zone: "Europe/Oslo"}}
	var entries []hook.Entry
	for i := range 500 {
		entries = append(entries, moved(account.ID(fmt.Sprintf("P112%05d", i)), "pending", "declined", "merchant"))
	}
	entries = append(entries, moved("P11200499", "pending", "pending", "partner"))
	text := writer.Tell(rule(n), entries)
	plain := text.Plain()
	for _, want := range []string{"501 notices for P11200000", "500 × Vipps: it was declined", "1 × Vipps: the partner must act", "and 480 more", "P11200019"} {
		if !strings.Contains(plain, want) {
			t.Errorf("the digest lacks %q:\n%s", want, plain)
		}
	}
	if strings.Contains(plain, "canary") || len(plain) > 4<<10 {
		t.Errorf("the digest has %d bytes:\n%s", len(plain), plain)
	}
}

func TestAChatReadsATextAsItIsMeant(t *testing.T) {
	text := Text{Subject: `<!channel> & *bold* [a](b)`, Lines: []string{"<@U123>", "", "_x_ `y` \\"}, Link: "https://console.example.com/?a=1&b=2"}
	var slack struct{ Text string }
	if err := json.Unmarshal(text.Slack(), &slack); err != nil || strings.Contains(slack.Text, "<") || !strings.Contains(slack.Text, "&lt;!channel&gt; &amp; *bold*") {
		t.Errorf("slack reads %q, %v", slack.Text, err)
	}
	var teams struct {
		Type        string
		Attachments []struct {
			ContentType string
			Content     struct {
				Type    string
				Body    []struct{ Text string }
				Actions []struct{ URL string }
			}
		}
	}
	if err := json.Unmarshal(text.Teams(), &teams); err != nil {
		t.Fatal(err)
	}
	card := teams.Attachments[0].Content
	if teams.Type != "message" || card.Type != "AdaptiveCard" || len(card.Body) != 3 || card.Body[0].Text != `<!channel> & \*bold\* \[a\](b)` ||
		card.Actions[0].URL != text.Link {
		t.Errorf("teams reads %+v", teams)
	}
}

func TestOfTestAccountsANoticeSaysSo(t *testing.T) {
	r := rule(hook.NoticeSettings{When: hook.Causes})
	r.Account = "T11200000"
	if text := writer.Test(r); !strings.HasPrefix(text.Subject, "[Mooring test] ") {
		t.Errorf("the subject is %q", text.Subject)
	}
}

func TestAReadersLinkIsGoodForOneRuleAtOneAddress(t *testing.T) {
	digest := func(kind string, data []byte) []byte {
		sum := sha256.Sum256([]byte(kind + string(data)))
		return sum[:]
	}
	r := rule(hook.NoticeSettings{})
	r.ID = "01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55"
	token := Token(digest, r)
	if id, of, ok := RuleOf(token); !ok || id != r.Account || of != r.ID || !Proves(digest, token, r) {
		t.Errorf("the token %s names %s of %s", token, of, id)
	}
	other := r
	other.Target = "bo@example.com"
	if Proves(digest, token, other) {
		t.Error("it is good for another address")
	}
	for _, broken := range []string{"", token[1:], token + "0", "X" + token[1:], token[:9] + "zz" + token[11:], strings.Repeat("A", len(token))} {
		if _, _, ok := RuleOf(broken); ok && Proves(digest, broken, r) {
			t.Errorf("%q was taken", broken)
		}
	}
}

func TestTheURLOfAChatIsShownInPart(t *testing.T) {
	for url, want := range map[string]string{
		"https://hooks.slack.com/services/T0/B0/canarycanarya1b2": "https://hooks.slack.com/...a1b2",
		"https://chat.example.com/short":                          "https://chat.example.com/...",
		"https://chat.example.com":                                "https://chat.example.com/...",
	} {
		if got := Masked(url); got != want {
			t.Errorf("%s is shown as %s, want %s", url, got, want)
		}
	}
}
