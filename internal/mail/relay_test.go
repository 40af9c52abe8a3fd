package mail

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/internal/secret"
)

// relay is a small SMTP server on this machine.
type relay struct {
	listener net.Listener
	tls      *tls.Config
	roots    *x509.CertPool

	implicit bool              // TLS from the first byte
	offers   []string          // extensions
	answers  map[string]string // in the place of the usual answer to a command
	hangs    string            // the command that is never answered

	mu       sync.Mutex
	commands []string // each with "tls " before it when it came so
	letters  []string
	login    string
}

func startRelay(t *testing.T, set func(*relay)) *relay {
	t.Helper()
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS() // for its certificate, of example.com and 127.0.0.1
	t.Cleanup(certified.Close)
	r := &relay{tls: certified.TLS.Clone(), roots: x509.NewCertPool(), offers: []string{"STARTTLS", "AUTH PLAIN"}}
	r.roots.AddCert(certified.Certificate())
	r.tls.NextProtos = nil
	if set != nil {
		set(r)
	}
	var err error
	if r.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.listener.Close() })
	go func() {
		for {
			conn, err := r.listener.Accept()
			if err != nil {
				return
			}
			go r.serve(conn)
		}
	}()
	return r
}

func (r *relay) serve(conn net.Conn) {
	defer conn.Close()
	secured := ""
	if r.implicit {
		conn = tls.Server(conn, r.tls)
		secured = "tls "
	}
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = conn.Write([]byte(text + "\r\n")) }
	say("220 relay.example ready")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		word, rest, _ := strings.Cut(line, " ")
		r.note(secured + line)
		if word == r.hangs {
			_, _ = in.ReadString('\n') // until the other side gives up
			return
		}
		if answer, ok := r.answers[word]; ok {
			say(answer)
			continue
		}
		switch word {
		case "EHLO":
			say("250-relay.example")
			for _, o := range r.offers {
				if o != "STARTTLS" || secured == "" {
					say("250-" + o)
				}
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go ahead")
			conn = tls.Server(conn, r.tls)
			in, secured = bufio.NewReader(conn), "tls "
		case "AUTH":
			text, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			r.mu.Lock()
			r.login = string(text)
			r.mu.Unlock()
			say("235 welcome")
		case "DATA":
			say("354 go on")
			r.letter(in)
			if answer, ok := r.answers["."]; ok {
				say(answer)
				continue
			}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

func (r *relay) note(command string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commands = append(r.commands, command)
}

func (r *relay) letter(in *bufio.Reader) {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.letters = append(r.letters, b.String())
}

func (r *relay) heard() (commands string, letters []string, login string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.commands, "\n"), r.letters, r.login
}

// send hands a letter to the relay as one that has this URL.
func (r *relay) send(t *testing.T, raw string, password secret.Plain, m Message) error {
	t.Helper()
	to, err := ParseRelay(raw, password)
	if err != nil {
		t.Fatal(err)
	}
	to.roots = r.roots
	conn, err := net.Dial("tcp", r.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return to.Send(ctx, conn, m)
}

func TestALetterIsHandedOverBehindTLS(t *testing.T) {
	for name, test := range map[string]struct {
		url      string
		implicit bool
	}{
		"begun with STARTTLS": {"smtp://mooring@example.com:587", false},
		"from the first byte": {"smtps://mooring@example.com", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRelay(t, func(r *relay) { r.implicit = test.implicit })
			m := message(t)
			if err := r.send(t, test.url, secret.NewPlain("pass word"), m); err != nil {
				t.Fatal(err)
			}
			commands, letters, login := r.heard()
			want, _ := m.Bytes()
			if len(letters) != 1 || letters[0] != string(want) {
				t.Errorf("the letter became %q, want %q", letters, want)
			}
			if login != "\x00mooring\x00pass word" {
				t.Errorf("the login was %q", login)
			}
			for _, word := range []string{"AUTH", "MAIL FROM:<notices@mooring.example>", "RCPT TO:<anna@example.com>", "DATA"} {
				if !strings.Contains(commands, "tls "+word) {
					t.Errorf("%s did not come behind TLS:\n%s", word, commands)
				}
			}
		})
	}
}

func TestARelayOnThisMachineNeedsNoTLS(t *testing.T) {
	for _, host := range []string{"localhost", "127.0.0.1"} {
		r := startRelay(t, func(r *relay) { r.offers = nil })
		if err := r.send(t, "smtp://"+host+":25", secret.Plain{}, message(t)); err != nil {
			t.Fatal(err)
		}
		if _, letters, _ := r.heard(); len(letters) != 1 {
			t.Errorf("%d letters came", len(letters))
		}
	}
}

func TestNothingIsSaidToARelayThatCannotBeTrusted(t *testing.T) {
	login := secret.NewPlain("pass word")
	for name, test := range map[string]struct {
		url  string
		set  func(*relay)
		want error
	}{
		"no TLS":                      {"smtp://mooring@example.com", func(r *relay) { r.offers = []string{"AUTH PLAIN"} }, ErrTLS},
		"another's certificate":       {"smtp://mooring@relay.test", nil, ErrTLS},
		"another's, from the start":   {"smtps://mooring@relay.test", func(r *relay) { r.implicit = true }, ErrTLS},
		"an unknown issuer":           {"smtp://mooring@example.com", func(r *relay) { r.roots = x509.NewCertPool() }, ErrTLS},
		"plain where TLS is expected": {"smtps://mooring@example.com", nil, ErrTLS},
		"old TLS":                     {"smtp://mooring@example.com", func(r *relay) { r.tls.MaxVersion = tls.VersionTLS11; r.tls.MinVersion = tls.VersionTLS10 }, ErrTLS},
		"no login":                    {"smtp://mooring@example.com", func(r *relay) { r.offers = []string{"STARTTLS"} }, ErrLogin},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRelay(t, test.set)
			if err := r.send(t, test.url, login, message(t)); !errors.Is(err, test.want) {
				t.Errorf("sending gave %v, want %v", err, test.want)
			} else if !OfRelay(err) {
				t.Error("it is not taken for the relay's")
			}
			commands, letters, said := r.heard()
			if len(letters) > 0 || said != "" || strings.Contains(commands, "anna") {
				t.Errorf("it heard %q, %q and the letters %q", commands, said, letters)
			}
		})
	}
}

func TestARefusalIsACodeAndNoWordOfTheRelays(t *testing.T) {
	for word, test := range map[string]struct {
		answer string
		want   Refusal
	}{
		"EHLO": {"421 canary", Refusal{421, "the greeting"}},
		"AUTH": {"535 canary", Refusal{535, "AUTH"}},
		"MAIL": {"451 canary", Refusal{451, "MAIL"}},
		"RCPT": {"550 canary", Refusal{550, "RCPT"}},
		"DATA": {"554 canary", Refusal{554, "DATA"}},
		".":    {"452 canary", Refusal{452, "the letter"}},
	} {
		r := startRelay(t, func(r *relay) {
			r.answers = map[string]string{word: test.answer}
			if word == "EHLO" {
				r.answers["HELO"] = test.answer
			}
		})
		err := r.send(t, "smtp://mooring@example.com", secret.NewPlain("p"), message(t))
		got, ok := errors.AsType[*Refusal](err)
		if !ok || *got != test.want {
			t.Errorf("%s: %v, want %+v", word, err, test.want)
		}
		if readers := word == "RCPT" || word == "DATA" || word == "."; OfRelay(err) == readers {
			t.Errorf("%s: it is the relay's: %v", word, !readers)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error quotes the relay: %v", word, err)
		}
	}
}

func TestAnAnswerToSomethingElseDoesNotTakeTheLetter(t *testing.T) {
	for word, answer := range map[string]string{"DATA": "250 canary", "AUTH": "250 canary", "RCPT": "354 canary", ".": "354 canary"} {
		r := startRelay(t, func(r *relay) { r.answers = map[string]string{word: answer} })
		err := r.send(t, "smtp://mooring@example.com", secret.NewPlain("p"), message(t))
		if !errors.Is(err, ErrLost) {
			t.Errorf("%s answered with %s: %v", word, answer, err)
		}
	}
}

func TestWhatTheRelayHasTakenIsSentThoughItNeverSaysGoodbye(t *testing.T) {
	r := startRelay(t, func(r *relay) { r.answers = map[string]string{"QUIT": "500 canary"} })
	if err := r.send(t, "smtp://example.com", secret.Plain{}, message(t)); err != nil {
		t.Errorf("sending gave %v", err)
	}
}

func TestARelayThatHangsIsGivenUp(t *testing.T) {
	r := startRelay(t, func(r *relay) { r.hangs = "RCPT" })
	to, err := ParseRelay("smtp://example.com", secret.Plain{})
	if err != nil {
		t.Fatal(err)
	}
	to.roots = r.roots
	conn, err := net.Dial("tcp", r.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := to.Send(ctx, conn, message(t)); !errors.Is(err, ErrSlow) {
		t.Errorf("sending gave %v", err)
	}
}

func TestARelayIsNamedByOneURL(t *testing.T) {
	password := secret.NewPlain("p")
	for raw, want := range map[string]string{
		"smtps://mooring@mail.example.com": "mail.example.com:465", "smtp://mooring@mail.example.com": "mail.example.com:587",
		"smtp://mooring%40example.com@mail.example.com:2525": "mail.example.com:2525", "smtps://mooring@[2001:db8::1]:465": "[2001:db8::1]:465",
	} {
		if r, err := ParseRelay(raw, password); err != nil || r.Address() != want {
			t.Errorf("%s: %s, %v", raw, r.Address(), err)
		}
	}
	for _, raw := range []string{
		"", "mail.example.com", "mail.example.com:25", "https://mail.example.com", "smtp://", "smtp://mooring:p@mail.example.com",
		"smtp://mail.example.com", "smtp://mooring@mail.example.com/inbox", "smtp://mooring@mail.example.com?x=1", "smtp://mooring@mail.example.com:99999",
		"smtp://mooring@mail.example.com:0", "smtp:mail.example.com",
	} {
		if r, err := ParseRelay(raw, password); err == nil {
			t.Errorf("%s was taken as %s", raw, r.Address())
		}
	}
	if _, err := ParseRelay("smtp://mooring@mail.example.com", secret.Plain{}); err == nil {
		t.Error("a user without a password was taken")
	}
}
