package mail

import (
	"io"
	"mime"
	"net/mail"
	"strings"
	"testing"
	"time"
)

func TestAnAddressIsOnePlainMailbox(t *testing.T) {
	for text, want := range map[string]string{
		"anna@example.com":              "anna@example.com",
		"Anna.Berg+mooring@EXAMPLE.com": "Anna.Berg+mooring@example.com",
		"o'neil_1@mail.example.co.uk":   "o'neil_1@mail.example.co.uk",
		"a@xn--bcher-kva.example":       "a@xn--bcher-kva.example",
	} {
		if got, err := ParseAddress(text); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "anna", "@example.com", "anna@", "anna@localhost", "anna@127.0.0.1", "anna@[127.0.0.1]", "anna@example.com.", "anna@.example.com",
		"anna@exa mple.com", "anna@example..com", ".anna@example.com", "anna.@example.com", "an..na@example.com", "-oX@example.com",
		"Anna <anna@example.com>", "<anna@example.com>", "anna@example.com>", "anna@example.com,bo@example.com", "anna@example.com;bo@example.com",
		"anna@bo@example.com", `"anna berg"@example.com`, `anna\@example.com`, "ånna@example.com", "anna@exämple.com", "anna@example.com\r\nBcc: bo@example.com",
		"anna\r\n@example.com", "anna@example.com\n", "\nanna@example.com", "anna@example.com\x00", "anna@-example.com", "anna@example-.com", "anna@example.1",
		"anna%0d%0a@example.com\r", strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("a.", 130) + "com", "mailto:anna@example.com ", " anna@example.com",
	} {
		if got, err := ParseAddress(text); err == nil {
			t.Errorf("%q was taken as %s", text, got)
		}
	}
}

func message(t *testing.T) Message {
	t.Helper()
	from, err := ParseAddress("notices@mooring.example")
	if err != nil {
		t.Fatal(err)
	}
	to, err := ParseAddress("anna@example.com")
	if err != nil {
		t.Fatal(err)
	}
	return Message{
		ID: "0f5c1d7e-0000-8000-8000-000000000001", From: from, To: to, Subject: "[Mooring] Vipps of P11223344: it was declined",
		Date: time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC), Text: "Account: P11223344\n\nIt was declined.\n.\n",
		Stop: "https://mooring.example/n/abc",
	}
}

func TestAMessageIsReadAsItWasWritten(t *testing.T) {
	m := message(t)
	m.Subject += " – på norsk " + strings.Repeat("ø", 80)
	raw, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if len(line) > 998 || !strings.HasSuffix(line, "\r\n") && !strings.HasSuffix(string(raw), line) {
			t.Errorf("a line of %d bytes, or without its end: %q", len(line), line)
		}
	}
	read, err := mail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject"))
	if err != nil || subject != m.Subject {
		t.Errorf("the subject became %q, %v", subject, err)
	}
	for name, want := range map[string]string{
		"From": "Mooring <notices@mooring.example>", "To": "<anna@example.com>", "Message-Id": "<" + m.ID + "@mooring.example>",
		"List-Unsubscribe": "<https://mooring.example/n/abc>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"Auto-Submitted": "auto-generated", "Date": "Tue, 12 May 2026 09:30:00 +0000",
	} {
		if got := read.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if body, _ := io.ReadAll(read.Body); !strings.Contains(string(body), "It was declined.") {
		t.Errorf("the text became %q", body)
	}
}

func TestNothingInAMessageAddsAHeader(t *testing.T) {
	for _, evil := range []string{"a\r\nBcc: bo@example.com", "a\nBcc: bo@example.com", "a\rBcc: bo@example.com", "a\r\n\r\nhello", "a\x00b"} {
		for name, set := range map[string]func(*Message){
			"subject": func(m *Message) { m.Subject = evil },
			"id":      func(m *Message) { m.ID = evil },
			"stop":    func(m *Message) { m.Stop = evil },
			"text":    func(m *Message) { m.Text = evil },
		} {
			m := message(t)
			set(&m)
			raw, err := m.Bytes()
			if err != nil {
				continue // refused
			}
			read, err := mail.ReadMessage(strings.NewReader(string(raw)))
			if err != nil {
				t.Fatal(err)
			}
			if read.Header.Get("Bcc") != "" || len(read.Header) != 11 {
				t.Errorf("%q as %s made the headers %v", evil, name, read.Header)
			}
		}
	}
}
