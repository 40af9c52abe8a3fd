package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"mooring/internal/hook"
	"mooring/internal/mail"
	"mooring/internal/notice"
	"mooring/internal/outbound"
)

// Chats tells people in a chat, through its incoming webhook.
type Chats struct {
	Post   Poster
	Writer notice.Writer
}

// Send posts a notice in the form that the chat takes.
func (c Chats) Send(ctx context.Context, l Letter) (hook.Result, []byte) {
	to, err := outbound.ParseEndpoint(l.Secrets.URL.Reveal())
	if err != nil {
		return hook.Result{Err: outbound.BadURL.Word(), Unreached: true}, nil
	}
	text := c.Writer.Tell(l.Subscription, l.Entries)
	if l.Entries[0].Type == hook.Ping {
		text = c.Writer.Test(l.Subscription)
	}
	body := text.Slack()
	if l.Subscription.Kind == hook.KindTeams {
		body = text.Teams()
	}
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Mooring-Notice"}}
	return posted(ctx, c.Post, outbound.Message{To: to, Header: header, Body: body}, l.At)
}

// Mailboxes tells people by e-mail, through the operator's relay.
type Mailboxes struct {
	Dial   func(ctx context.Context) (net.Conn, error) // to the relay
	Relay  *mail.Relay                                 // nil when there is none any more
	From   mail.Address
	Writer notice.Writer
	Link   func(hook.Subscription) string // where a reader agrees to a rule or ends it
	Log    *slog.Logger
	Now    func() time.Time

	mu     sync.Mutex
	said   time.Time // when the log was last told that the relay fails
	failed bool      // it did the last time
}

// saidEvery is how often the log is told that letters wait for the relay.
const saidEvery = time.Minute

// letterTime is how long handing over one letter may take.
const letterTime = 30 * time.Second

// What is told of an attempt that came to no answer.
const (
	errNoRelay    = "no_relay"
	errBadLetter  = "message"
	errRelayTLS   = "tls"
	errRelayLogin = "login"
	errRelaySlow  = "timeout"
	errRelayLost  = "connect"
)

// Send hands a letter over. Its status is the one of SMTP; nothing of what the
// relay said is kept. While it is the relay that fails, letters wait, and no rule
// is to blame.
func (m *Mailboxes) Send(ctx context.Context, l Letter) (hook.Result, []byte) {
	if m.Relay == nil {
		return m.noted(ctx, hook.Result{Err: errNoRelay, Ours: true}), nil
	}
	letter, err := m.letter(l)
	if err != nil {
		return hook.Result{Err: errBadLetter}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, letterTime)
	defer cancel()
	began := time.Now()
	result := m.handOver(ctx, letter)
	result.Took = time.Since(began)
	return m.noted(ctx, result), nil
}

// noted tells the log when letters begin to wait for the relay, now and then
// while they do, and when they go out again.
func (m *Mailboxes) noted(ctx context.Context, r hook.Result) hook.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, before := m.Now(), m.failed
	m.failed = r.Ours
	switch {
	case r.Ours && (!before || now.Sub(m.said) >= saidEvery):
		m.said = now
		m.Log.WarnContext(ctx, "the mail relay can't be used; letters wait for it", "why", r.Why())
	case before && !r.Ours:
		m.Log.InfoContext(ctx, "the mail relay can be used again")
	}
	return r
}

// letter puts into words what is due. Who has not agreed yet is asked, and told
// nothing else.
func (m *Mailboxes) letter(l Letter) (mail.Message, error) {
	s, link := l.Subscription, m.Link(l.Subscription)
	var text notice.Text
	switch agreed := s.Settings.Notice != nil && s.Settings.Notice.Running(s.Kind); {
	case agreed && l.Entries[0].Type == hook.Ping:
		text = m.Writer.Test(s)
	case agreed:
		text = m.Writer.Tell(s, l.Entries)
	case l.Entries[0].Type == hook.Ping:
		text = m.Writer.Confirm(s, link)
	default:
		return mail.Message{}, errNotAgreed
	}
	text.Stop = link
	to, err := mail.ParseAddress(s.Target)
	return mail.Message{ID: l.Delivery, From: m.From, To: to, Subject: text.Subject, Date: l.At, Text: text.Plain(), Stop: link}, err
}

var errNotAgreed = errors.New("the reader has not agreed to notices")

func (m *Mailboxes) handOver(ctx context.Context, letter mail.Message) hook.Result {
	conn, err := m.Dial(ctx)
	if failed, ok := errors.AsType[*outbound.Error](err); ok {
		return hook.Result{Err: failed.Kind.Word(), Ours: true}
	}
	if err != nil {
		return hook.Result{Err: errRelayLost, Ours: true}
	}
	err = m.Relay.Send(ctx, conn, letter)
	result := hook.Result{Err: errBadLetter, Ours: mail.OfRelay(err)}
	refused, isRefused := errors.AsType[*mail.Refusal](err)
	switch {
	case err == nil:
		return hook.Result{Status: smtpTaken}
	case isRefused:
		result.Status, result.Err = refused.Code, ""
	case errors.Is(err, mail.ErrTLS):
		result.Err = errRelayTLS
	case errors.Is(err, mail.ErrLogin):
		result.Err = errRelayLogin
	case errors.Is(err, mail.ErrSlow):
		result.Err = errRelaySlow
	case errors.Is(err, mail.ErrLost):
		result.Err = errRelayLost
	}
	return result
}

// smtpTaken is what a relay answers once a letter is its own.
const smtpTaken = 250
