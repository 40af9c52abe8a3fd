package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"mooring/internal/dispatch"
	"mooring/internal/hook"
	"mooring/internal/mail"
	"mooring/internal/notice"
	"mooring/internal/secret"
)

// letters is how mail goes out.
type letters struct {
	relay *mail.Relay // nil when none was named
	from  mail.Address
}

// address is where the relay is; "" without one.
func (l letters) address() string {
	if l.relay == nil {
		return ""
	}
	return l.relay.Address()
}

// letters reads the operator's relay, and as whom to write.
func (c Config) letters() (letters, error) {
	if err := checkNoticeLink(c.NoticeLink); err != nil {
		return letters{}, err
	}
	switch {
	case c.SMTP == "" && (c.MailFrom != "" || c.SMTPPasswordFile != ""):
		return letters{}, errors.New("letters need a relay: name it with --smtp")
	case c.SMTP == "":
		return letters{}, nil
	case c.MailFrom == "":
		return letters{}, errors.New("letters need a sender: name an address of yours with --mail-from")
	}
	from, err := mail.ParseAddress(c.MailFrom)
	if err != nil {
		return letters{}, fmt.Errorf("the address that letters come from can't be used: %w", err)
	}
	var password secret.Plain
	if c.SMTPPasswordFile != "" {
		if password, err = mail.ReadPassword(c.SMTPPasswordFile); err != nil {
			return letters{}, err
		}
	}
	relay, err := mail.ParseRelay(c.SMTP, password)
	if err != nil {
		return letters{}, fmt.Errorf("the mail relay can't be used: %w", err)
	}
	return letters{&relay, from}, nil
}

// checkNoticeLink refuses a link that no reader could follow.
func checkNoticeLink(link string) error {
	u, err := url.Parse(strings.NewReplacer("{account}", "P11200000", "{connection}", "provider").Replace(link))
	if link != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(link, " \r\n\t<>")) {
		return errors.New("the link of notices must look like https://console.example.com/accounts/{account}")
	}
	return nil
}

// writer puts notices into words.
func (s *Server) writer() notice.Writer {
	return notice.Writer{
		Title: func(slug string) string {
			if p, ok := s.Catalogue().Get(slug); ok {
				return p.Title
			}
			return ""
		},
		Link: cmp.Or(s.cfg.NoticeLink, s.cfg.PublicURL+"/v1/accounts/{account}"),
	}
}

// senders are the ways in which subscriptions are told.
func (s *Server) senders() map[hook.Kind]dispatch.Sender {
	chats := dispatch.Chats{Post: s.outbound, Writer: s.writer()}
	return map[hook.Kind]dispatch.Sender{
		hook.KindHook:  dispatch.NewHooks(s.outbound),
		hook.KindSlack: chats,
		hook.KindTeams: chats,
		hook.KindEmail: &dispatch.Mailboxes{
			Dial: s.outbound.DialRelay, Relay: s.letters.relay, From: s.letters.from, Writer: s.writer(), Link: s.readersLink,
			Log: s.cfg.Log, Now: Now,
		},
	}
}

// readersLink is where the reader of a rule's letters agrees to them or ends
// them.
func (s *Server) readersLink(rule hook.Subscription) string {
	return s.cfg.PublicURL + "/n/" + notice.Token(s.vault.Digest, rule)
}
