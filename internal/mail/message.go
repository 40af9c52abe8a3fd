// Package mail owns letters: addresses that may be written to, the bytes of a
// message, and handing it to the operator's relay over SMTP.
//
// It promises that nothing in a letter can add a header or a recipient, and
// that neither a letter nor a password goes over a connection in clear, unless
// the relay is on this machine. It must never choose where to connect: it is
// given a connection.
package mail

import (
	"bytes"
	"errors"
	"mime"
	"mime/quotedprintable"
	"regexp"
	"strings"
	"time"
)

// Address is a mailbox that may be written to; the zero Address is none.
type Address struct{ local, domain string }

// localPattern and domainPattern are what is taken of RFC 5321: plain names
// without quotes, in ASCII, and hosts by name.
var (
	localPattern  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~][A-Za-z0-9!#$%&'*+/=?^_`{|}~-]*(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\\z")
	domainPattern = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])\z`)

	errAddress = errors.New("it must look like notices@example.com: one address in plain ASCII, without a name")
)

// ParseAddress reads an address. The domain has one spelling, in lower case.
func ParseAddress(text string) (Address, error) {
	local, domain, _ := strings.Cut(text, "@")
	domain = strings.ToLower(domain)
	if len(text) > 254 || len(local) > 64 || !localPattern.MatchString(local) || !domainPattern.MatchString(domain) {
		return Address{}, errAddress
	}
	return Address{local, domain}, nil
}

func (a Address) String() string { return a.local + "@" + a.domain }

// Message is a letter in plain text to one reader.
type Message struct {
	ID       string // unique for ever, the same at each attempt: hexadecimal digits and dashes
	From, To Address
	Subject  string
	Date     time.Time
	Text     string
	Stop     string // URL where the reader's program may say that it is enough; "" when there is none
}

var errHeader = errors.New("a header of a letter would have a line break in it")

// Bytes encodes a message as it is handed over.
func (m Message) Bytes() ([]byte, error) {
	headers := [][2]string{
		{"From", "Mooring <" + m.From.String() + ">"},
		{"To", "<" + m.To.String() + ">"},
		{"Subject", mime.QEncoding.Encode("utf-8", m.Subject)},
		{"Date", m.Date.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")},
		{"Message-ID", "<" + m.ID + "@" + m.From.domain + ">"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
		{"Auto-Submitted", "auto-generated"},
	}
	if m.Stop != "" {
		headers = append(headers, [2]string{"List-Unsubscribe", "<" + m.Stop + ">"},
			[2]string{"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"})
	}
	var b bytes.Buffer
	for _, h := range headers {
		if strings.ContainsAny(h[1], "\r\n\x00") {
			return nil, errHeader
		}
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	text := quotedprintable.NewWriter(&b)
	if _, err := text.Write([]byte(strings.ReplaceAll(m.Text, "\n", "\r\n"))); err != nil {
		return nil, err
	}
	return b.Bytes(), text.Close()
}
