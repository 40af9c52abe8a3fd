package server_test

import (
	"bufio"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"mooring/internal/auth"
	"mooring/internal/hook"
	"mooring/internal/server"
)

// letter is what came to the relay.
type letter struct {
	*mail.Message
	to, text string
}

// startRelay starts a mail relay on this machine, and gives its address and the
// letters that it takes.
func startRelay(t *testing.T) (string, <-chan letter) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	letters := make(chan letter, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go takeLetter(conn, letters)
		}
	}()
	return listener.Addr().String(), letters
}

func takeLetter(conn net.Conn, letters chan<- letter) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = io.WriteString(conn, text+"\r\n") }
	say("220 relay.example")
	var l letter
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "RCPT":
			l.to = strings.Trim(strings.TrimPrefix(rest, "TO:"), "<>")
			say("250 fine")
		case "DATA":
			say("354 go on")
			var raw strings.Builder
			for line, err := in.ReadString('\n'); err == nil && line != ".\r\n"; line, err = in.ReadString('\n') {
				raw.WriteString(strings.TrimPrefix(line, "."))
			}
			if l.Message, err = mail.ReadMessage(strings.NewReader(raw.String())); err != nil {
				return
			}
			text, _ := io.ReadAll(quotedprintable.NewReader(l.Body))
			l.text = string(text)
			say("250 taken")
			letters <- l
		default:
			say("250 fine")
		}
	}
}

func soon[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("%s never came", what)
		panic("unreachable")
	}
}

var readersLink = regexp.MustCompile(`https?://\S+/n/[A-Za-z0-9]+`)

func TestPeopleAreToldOnlyWhatTheyAgreedTo(t *testing.T) {
	relay, letters := startRelay(t)
	said := make(chan string, 100)
	chat := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		said <- string(body)
	}))
	t.Cleanup(chat.Close)
	d := newDesk(t, startDev(t, auth.EdDSA, func(c *server.Config) {
		c.SMTP, c.MailFrom = "smtp://"+relay, "notices@mooring.example"
		c.OutboundAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}))
	const notices = "/v1/accounts/T11200000/notices"
	type made struct{ ID string }
	rule := must[made](t, d.dev, d.partner, http.MethodPost, notices,
		`{"kind": "email", "address": "anna@example.com", "name": "canary", "when": ["declined"]}`)
	asked := soon(t, "the question to the reader", letters)
	link := readersLink.FindString(asked.text)
	if asked.to != "anna@example.com" || link == "" || !strings.Contains(asked.Header.Get("Subject"), "please confirm") {
		t.Fatalf("the reader was asked %q: %s", asked.Header.Get("Subject"), asked.text)
	}
	must[made](t, d.dev, d.partner, http.MethodPost, notices, `{"kind": "slack", "url": "`+chat.URL+`/services/0123456789abcdef", "when": ["declined"]}`)
	soon(t, "the test in the chat", said)

	d.signUp(t, "vipps", "")
	report := func(status string) string {
		return must[made](t, d.dev, d.partner, http.MethodPost, vippsEvents,
			`{"status": "`+status+`", "event": "canary", "description": "canary@example.com", "metadata": {"name": "canary"}}`).ID
	}
	report("declined") // before the reader agreed
	soon(t, "the notice in the chat", said)
	decide(t, d, link, "decision=confirm")
	report("pending")
	event := report("declined")
	told := soon(t, "the notice", letters)
	if want := "<" + hook.DeliveryID(rule.ID, event) + "@mooring.example>"; told.Header.Get("Message-ID") != want {
		t.Errorf("the letter is %s, want %s, the one of what happened after the reader agreed", told.Header.Get("Message-ID"), want)
	}
	if !strings.Contains(told.text, "T11223351") || !strings.Contains(told.text, "It was declined.") {
		t.Errorf("the letter says %s", told.text)
	}
	inChat := soon(t, "the second notice in the chat", said)
	for where, text := range map[string]string{"letter": told.text + told.Header.Get("Subject"), "chat": inChat} {
		if strings.Contains(text, "canary") || strings.Contains(text, "anna") {
			t.Errorf("the %s names somebody, or what somebody wrote: %s", where, text)
		}
	}

	stop := strings.Trim(told.Header.Get("List-Unsubscribe"), "<>")
	decide(t, d, stop, "List-Unsubscribe=One-Click")
	if answer := d.do(t, d.partner, http.MethodPut, notices+"/"+rule.ID, `{"when": ["declined"]}`); answer.status != http.StatusConflict {
		t.Errorf("the owner started it again: %d", answer.status)
	}
	if answer := d.do(t, d.partner, http.MethodPost, notices+"/"+rule.ID+"/test", `{}`); answer.status != http.StatusConflict {
		t.Errorf("the owner tried it: %d", answer.status)
	}
	report("pending")
	report("declined") // told to nobody but the chat
	soon(t, "the third notice in the chat", said)
	decide(t, d, link, "decision=confirm")
	report("pending")
	event = report("declined")
	told = soon(t, "the notice that the reader wanted again", letters)
	if want := "<" + hook.DeliveryID(rule.ID, event) + "@mooring.example>"; told.Header.Get("Message-ID") != want {
		t.Errorf("the letter is %s, want %s", told.Header.Get("Message-ID"), want)
	}
}

// decide follows a reader's link, which changes nothing, and decides there.
func decide(t *testing.T, d desk, link, form string) {
	t.Helper()
	page, err := d.client.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	page.Body.Close()
	answer, err := d.client.Post(link, "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if page.StatusCode != http.StatusOK || answer.StatusCode != http.StatusOK {
		t.Fatalf("the page answered %d, the decision %d", page.StatusCode, answer.StatusCode)
	}
}
