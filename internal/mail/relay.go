package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"net/url"
	"strconv"
	"time"

	"mooring/internal/secret"
)

// Relay is the operator's mail server, which takes letters to wherever they go.
type Relay struct {
	host, port string
	user       string
	password   secret.Plain
	implicit   bool // TLS from the first byte
	roots      *x509.CertPool
}

var errRelay = errors.New("it must look like smtps://user@mail.example.com:465 or smtp://mail.example.com:587")

// ParseRelay reads where a relay is: smtps:// speaks TLS from the first byte,
// smtp:// begins it with STARTTLS. A user needs a password, which is never in
// the URL.
func ParseRelay(raw string, password secret.Plain) (Relay, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return Relay{}, errRelay
	}
	r := Relay{host: u.Hostname(), port: u.Port(), user: u.User.Username(), password: password}
	switch u.Scheme {
	case "smtps":
		r.implicit = true
		r.port = orPort(r.port, "465")
	case "smtp":
		r.port = orPort(r.port, "587")
	default:
		return Relay{}, errRelay
	}
	if n, err := strconv.ParseUint(r.port, 10, 16); err != nil || n == 0 {
		return Relay{}, errRelay
	}
	_, inURL := u.User.Password()
	empty := password.Equal(secret.Plain{})
	switch {
	case inURL:
		return Relay{}, errors.New("it must not have a password in it; name a file that has it")
	case r.user != "" && empty:
		return Relay{}, errors.New("its user needs a password; name a file that has it")
	case r.user == "" && !empty:
		return Relay{}, errors.New("there is a password, but it names no user")
	}
	return r, nil
}

func orPort(port, usual string) string {
	if port == "" {
		return usual
	}
	return port
}

// Address is where the relay is, "host:port".
func (r Relay) Address() string { return net.JoinHostPort(r.host, r.port) }

// Refusal is an answer of the relay that is not the one hoped for. It quotes
// nothing of it.
type Refusal struct {
	Code int    // of SMTP
	At   string // what we had asked for
}

func (e *Refusal) Error() string { return fmt.Sprintf("the relay answered %s with %d", e.At, e.Code) }

// Ways of not coming to an answer.
var (
	ErrTLS   = errors.New("the relay's certificate or its TLS could not be verified, or it has none")
	ErrLogin = errors.New("the relay takes no login")
	ErrSlow  = errors.New("the relay did not answer in time")
	ErrLost  = errors.New("the connection to the relay broke")
)

// OfRelay says whether an error of Send is the relay's, or of how we may use it,
// whoever the letter is for: it could not be reached, took no login, or not our
// sender.
func OfRelay(err error) bool {
	refused, ok := errors.AsType[*Refusal](err)
	if !ok {
		return errors.Is(err, ErrTLS) || errors.Is(err, ErrLogin) || errors.Is(err, ErrSlow) || errors.Is(err, ErrLost)
	}
	return refused.Code == closing || refused.At == atGreeting || refused.At == atLogin || refused.At == atSender
}

// closing is what a relay answers that goes away.
const closing = 421

// What is asked of a relay before anything about a letter's reader.
const (
	atGreeting = "the greeting"
	atLogin    = "AUTH"
	atSender   = "MAIL"
)

// Send hands a message over on a connection to the relay, which it closes. It
// is nil once the relay has said that the letter is its own; any error is a
// *Refusal or one of the ways above.
func (r Relay) Send(ctx context.Context, conn net.Conn, m Message) error {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })
	defer stop()
	text, err := m.Bytes()
	if err != nil {
		return err
	}
	c, err := r.greet(ctx, conn, m.From.domain)
	if err != nil {
		return why(ctx, atGreeting, err)
	}
	defer c.Close()
	if err := r.login(c); err != nil {
		return why(ctx, atLogin, err)
	}
	if err := c.Mail(m.From.String()); err != nil {
		return why(ctx, atSender, err)
	}
	if err := c.Rcpt(m.To.String()); err != nil {
		return why(ctx, "RCPT", err)
	}
	data, err := c.Data()
	if err != nil {
		return why(ctx, "DATA", err)
	}
	if _, err := data.Write(text); err != nil {
		return why(ctx, "DATA", err)
	}
	if err := data.Close(); err != nil {
		return why(ctx, "the letter", err)
	}
	_ = c.Quit() // the letter is the relay's already
	return nil
}

// greet comes to where a login or a letter may be sent: behind TLS, unless the
// relay is on this machine.
func (r Relay) greet(ctx context.Context, conn net.Conn, ourName string) (*smtp.Client, error) {
	config := &tls.Config{ServerName: r.host, MinVersion: tls.VersionTLS12, RootCAs: r.roots}
	if r.implicit {
		secured := tls.Client(conn, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(ErrTLS, err)
		}
		conn = secured
	}
	c, err := smtp.NewClient(conn, r.host)
	if err != nil {
		return nil, err
	}
	if err := c.Hello(ourName); err != nil || r.implicit || r.isLocal(conn) {
		return c, err
	}
	if offered, _ := c.Extension("STARTTLS"); !offered {
		return nil, ErrTLS
	}
	if err := c.StartTLS(config); err != nil {
		if _, refused := errors.AsType[*textproto.Error](err); refused {
			return nil, err
		}
		return nil, errors.Join(ErrTLS, err)
	}
	return c, nil
}

// isLocal says whether the relay was named as one on this machine, and is.
func (r Relay) isLocal(conn net.Conn) bool {
	ip := net.ParseIP(r.host)
	at, ok := conn.RemoteAddr().(*net.TCPAddr)
	return (r.host == "localhost" || ip != nil && ip.IsLoopback()) && ok && at.IP.IsLoopback()
}

func (r Relay) login(c *smtp.Client) error {
	if r.user == "" {
		return nil
	}
	if offered, _ := c.Extension("AUTH"); !offered {
		return ErrLogin
	}
	return c.Auth(smtp.PlainAuth("", r.user, r.password.Reveal(), r.host))
}

// why says what went wrong, without a word of the relay's.
func why(ctx context.Context, at string, err error) error {
	answer, answered := errors.AsType[*textproto.Error](err)
	switch {
	case answered && answer.Code < 400: // it agreed to what was not asked: nothing it says can be relied on
		return ErrLost
	case answered:
		return &Refusal{answer.Code, at}
	}
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case ctx.Err() != nil || isNet && timeout.Timeout():
		return ErrSlow
	case errors.Is(err, ErrTLS):
		return ErrTLS
	case errors.Is(err, ErrLogin):
		return ErrLogin
	}
	return ErrLost
}
