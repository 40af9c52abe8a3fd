package dispatch

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"mooring/internal/connection"
	"mooring/internal/hook"
	"mooring/internal/mail"
	"mooring/internal/outbound"
	"mooring/internal/secret"
	"mooring/internal/store"
)

// noWay is what comes of a letter while the operator's relay is down.
var noWay = hook.Result{Err: "connect", Ours: true}

// letterRule makes a rule of a partner for e-mail that is told at once.
func (w *world) letterRule() hook.Subscription {
	w.t.Helper()
	sub := hook.Subscription{
		Account: partnerID, ID: newID(), Kind: hook.KindEmail, Target: "anna@example.com", Active: true, CreatedAt: now(),
		Settings: hook.Settings{Notice: &hook.NoticeSettings{When: []hook.Cause{hook.Declined}, ConfirmedAt: now()}},
	}
	if _, err := w.store.AddSubscription(context.Background(), w.deed(partnerID), store.Subscription{Subscription: sub}, newID(), shown); err != nil {
		w.t.Fatal(err)
	}
	return sub
}

func (w *world) progress(sub hook.Subscription) store.Progress {
	w.t.Helper()
	standing, err := w.store.Standing(context.Background(), sub.Account, sub.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return standing.Progress
}

func TestARelayThatIsDownIsHeldAgainstNoRule(t *testing.T) {
	asleep(t, 1, func(w *world) {
		r := &reader{answer: noWay}
		w.Senders[hook.KindEmail] = r
		w.run()
		sub := w.letterRule()
		var told []string
		for range 3 {
			told = append(told, w.report(0, connection.Declined))
		}
		w.pass(100 * time.Hour)
		if p := w.progress(sub); !p.FailingSince.IsZero() || p.Warned != 0 || p.ProbeAt.IsZero() {
			t.Errorf("after 100 hours it stands at %+v", p)
		}
		if got := w.read(sub); !got.DisabledAt.IsZero() {
			t.Errorf("it was switched off: %s", got.DisabledWhy)
		}
		w.checkFeed(hook.EndpointFailing, 0)
		w.checkFeed(hook.EndpointDisabled, 0)
		tries := len(r.took())
		if most := int(100 * time.Hour / (5 * time.Minute)); tries < 100 || tries > most {
			t.Errorf("it was tried %d times, which is not now and then", tries)
		}
		text, _, err := w.Metrics.Render()
		if err != nil || !strings.Contains(string(text), "mooring_mail_relay_failures_total ") || strings.Contains(string(text), "mooring_mail_relay_failures_total 0\n") {
			t.Errorf("the metrics know nothing of it, %v", err)
		}
		r.answers(hook.Result{Status: 250})
		w.pass(15 * time.Minute)
		var got []string
		pings := 0
		for _, l := range r.took() {
			if l.Entries[0].Type == hook.Ping {
				pings++
				continue
			}
			got = append(got, entryIDs(l)...)
		}
		if strings.Join(got, " ") != strings.Join(told, " ") || pings != 1 {
			t.Errorf("then it told %v and %d pings, want %v and one", got, pings, told)
		}
		if p := w.progress(sub); p.Failures != 0 || !p.ProbeAt.IsZero() {
			t.Errorf("then it stands at %+v", p)
		}
	})
}

func TestADigestWaitsForTheRelay(t *testing.T) {
	asleep(t, 1, func(w *world) {
		d, r := w.digests()
		w.untilNext(9)
		rule := w.rule(partnerID, hook.NoticeSettings{When: []hook.Cause{hook.Declined}})
		_, err := w.store.PingSubscription(context.Background(), w.deed(rule.Account), rule.ID, []hook.Kind{hook.KindSlack}, now(), newID(),
			func(s *store.Subscription) (store.Answer, error) { return shown(*s) })
		if err != nil {
			t.Fatal(err)
		}
		want := w.report(0, connection.Declined)
		w.untilNext(8)
		r.answers(noWay)
		for range 90 {
			w.round(d)
			w.pass(time.Hour)
		}
		if p := w.progress(rule); !p.FailingSince.IsZero() || w.read(rule).DisabledWhy != "" {
			t.Errorf("after 90 hours it stands at %+v", p)
		}
		if tries := len(r.took()); tries != 180 {
			t.Errorf("it was tried %d times, not each hour with both its letters", tries)
		}
		r.answers(hook.Result{Status: 250})
		w.round(d)
		w.round(d)
		got := r.took()
		if len(got) != 2 || got[0].Entries[0].Type != hook.Ping || got[1].Entries[0].ID != want {
			t.Errorf("then it told %v", got)
		}
	})
}

func TestADigestThatKeepsFailingIsWarnedOfAndSwitchedOff(t *testing.T) {
	asleep(t, 1, func(w *world) {
		d, r := w.digests()
		w.untilNext(9)
		rule := w.rule(partnerID, hook.NoticeSettings{When: []hook.Cause{hook.Declined}})
		w.report(0, connection.Declined)
		w.untilNext(8)
		r.answers(hook.Result{Status: 404})
		for range 80 {
			w.round(d)
			w.pass(time.Hour)
		}
		w.checkFeed(hook.EndpointFailing, 3)
		w.checkFeed(hook.EndpointDisabled, 1)
		if got := w.read(rule); got.DisabledWhy != hook.WhyFailing {
			t.Errorf("%+v", got)
		}
	})
}

func TestARoundThatLastsKeepsItsLease(t *testing.T) {
	asleep(t, 1, func(w *world) {
		d, r := w.digests()
		other, _ := w.digests()
		d.Senders = map[hook.Kind]Sender{hook.KindSlack: slowly{r, 3 * digestHeld}}
		other.Senders = map[hook.Kind]Sender{hook.KindSlack: r}
		w.untilNext(9)
		w.rule(partnerID, hook.NoticeSettings{When: []hook.Cause{hook.Declined}})
		w.report(0, connection.Declined)
		w.untilNext(8)
		done := make(chan struct{})
		go func() { defer close(done); w.round(d) }()
		w.pass(2 * digestHeld)
		w.round(other)
		<-done
		w.round(other)
		if got := r.took(); len(got) != 1 {
			t.Errorf("it was told %d times", len(got))
		}
	})
}

// slowly is a sender that takes its time.
type slowly struct {
	Sender
	takes time.Duration
}

func (s slowly) Send(ctx context.Context, l Letter) (hook.Result, []byte) {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
	}
	return s.Sender.Send(ctx, l)
}

// TestWhoseTroubleItIs: what a relay says of a reader is the rule's, anything
// else is the operator's.
func TestWhoseTroubleItIs(t *testing.T) {
	for name, test := range map[string]struct {
		says map[string]string
		want hook.Result
	}{
		"all is well":         {nil, hook.Result{Status: 250}},
		"going away":          {map[string]string{"": "421 bye"}, hook.Result{Status: 421, Ours: true}},
		"no greeting":         {map[string]string{"": ""}, hook.Result{Err: "connect", Ours: true}},
		"no such sender":      {map[string]string{"MAIL": "550 who"}, hook.Result{Status: 550, Ours: true}},
		"no such reader":      {map[string]string{"RCPT": "550 who"}, hook.Result{Status: 550}},
		"a letter like that":  {map[string]string{".": "554 no"}, hook.Result{Status: 554}},
		"gone while it comes": {map[string]string{"RCPT": "421 bye"}, hook.Result{Status: 421, Ours: true}},
	} {
		t.Run(name, func(t *testing.T) {
			relay, err := mail.ParseRelay("smtp://127.0.0.1:25", secret.Plain{})
			if err != nil {
				t.Fatal(err)
			}
			if got := sendOne(t, &relay, func(context.Context) (net.Conn, error) { return saying(t, test.says) }); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
	closed := func(context.Context) (net.Conn, error) { return nil, &outbound.Error{Kind: outbound.NoWay} }
	relay := &mail.Relay{}
	if got := sendOne(t, relay, closed); !got.Ours || got.Err != outbound.NoWay.Word() {
		t.Errorf("one that can't be reached: %+v", got)
	}
	if got := sendOne(t, nil, closed); !got.Ours {
		t.Errorf("none any more: %+v", got)
	}
}

// sendOne sends one letter, and checks that the log is told of the relay when
// it failed.
func sendOne(t *testing.T, relay *mail.Relay, dial func(context.Context) (net.Conn, error)) hook.Result {
	t.Helper()
	from, err := mail.ParseAddress("notices@mooring.example")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	m := &Mailboxes{
		Dial: dial, Relay: relay, From: from, Link: func(hook.Subscription) string { return "" }, Now: now,
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	sub := hook.Subscription{
		Account: partnerID, ID: newID(), Kind: hook.KindEmail, Target: "anna@example.com",
		Settings: hook.Settings{Notice: &hook.NoticeSettings{ConfirmedAt: now()}},
	}
	entry, err := hook.PingEntry(sub, newID(), now())
	if err != nil {
		t.Fatal(err)
	}
	letter := Letter{Subscription: sub, Delivery: newID(), Entries: []hook.Entry{entry}, At: now()}
	got, _ := m.Send(t.Context(), letter)
	_, _ = m.Send(t.Context(), letter)
	if said := strings.Count(log.String(), "letters wait"); said > 1 || got.Ours != (said == 1) {
		t.Errorf("the log was told %d times: %s", said, log.String())
	}
	got.Took = 0
	return got
}

// saying is a connection to a relay that answers some commands as it is told,
// the greeting as "", and is fine with the others.
func saying(t *testing.T, says map[string]string) (net.Conn, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		defer l.Close()
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		usual := map[string]string{"": "220 ready", "DATA": "354 go on"}
		answer := func(word string) bool {
			text, ok := says[word]
			if !ok {
				text, ok = usual[word]
			}
			if !ok {
				text = "250 fine"
			}
			if text != "" {
				_, _ = conn.Write([]byte(text + "\r\n"))
			}
			return text != ""
		}
		lines := bufio.NewScanner(conn)
		inLetter := false
		for more := answer(""); more && lines.Scan(); {
			word, _, _ := strings.Cut(lines.Text(), " ")
			switch {
			case inLetter && word != ".":
				continue
			case inLetter:
				inLetter = false
			}
			more = answer(word)
			inLetter = word == "DATA"
		}
	}()
	return net.Dial("tcp", l.Addr().String())
}
