package dispatch

import (
	"context"
	"errors"
	"net"
	"net/http"
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
}

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
// relay said is kept.
func (m Mailboxes) Send(ctx context.Context, l Letter) (hook.Result, []byte) {
	if m.Relay == nil {
		return hook.Result{Err: errNoRelay, Unreached: true}, nil
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
	return result, nil
}

// letter puts into words what is due. Who has not agreed yet is asked, and told
// nothing else.
func (m Mailboxes) letter(l Letter) (mail.Message, error) {
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

func (m Mailboxes) handOver(ctx context.Context, letter mail.Message) hook.Result {
	conn, err := m.Dial(ctx)
	if failed, ok := errors.AsType[*outbound.Error](err); ok {
		return hook.Result{Err: failed.Kind.Word(), Unreached: true}
	}
	if err != nil {
		return hook.Result{Err: errRelayLost, Unreached: true}
	}
	err = m.Relay.Send(ctx, conn, letter)
	if refused, ok := errors.AsType[*mail.Refusal](err); ok {
		return hook.Result{Status: refused.Code}
	}
	switch {
	case err == nil:
		return hook.Result{Status: smtpTaken}
	case errors.Is(err, mail.ErrTLS):
		return hook.Result{Err: errRelayTLS, Unreached: true}
	case errors.Is(err, mail.ErrLogin):
		return hook.Result{Err: errRelayLogin, Unreached: true}
	case errors.Is(err, mail.ErrSlow):
		return hook.Result{Err: errRelaySlow}
	case errors.Is(err, mail.ErrLost):
		return hook.Result{Err: errRelayLost}
	default:
		return hook.Result{Err: errBadLetter}
	}
}

// smtpTaken is what a relay answers once a letter is its own.
const smtpTaken = 250
