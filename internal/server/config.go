package server

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"time"

	"mooring/internal/account"
	"mooring/internal/auth"
	"mooring/internal/cdd"
	"mooring/internal/store"
)

// Worlds says which accounts a process serves.
type Worlds string

// The three choices of --world.
const (
	ProductionOnly Worlds = "P"
	TestOnly       Worlds = "T"
	BothWorlds     Worlds = "both"
)

// Serves says whether accounts of a world are served.
func (w Worlds) Serves(world account.World) bool {
	return w == BothWorlds || string(w) == string(rune(world))
}

// Config is every knob of a server. The zero value of a field is its default
// where one is named.
type Config struct {
	// Listen is the address to accept connections on, such as "127.0.0.1:8080".
	// Port 0 takes a free one.
	Listen string
	// PublicURL is the base under which clients reach this server, such as
	// "https://connections.example.com": issuer, audiences and links begin with
	// it. The Host header is never used. "" takes it from the address bound.
	PublicURL string
	// PlainHTTP lets the public URL begin with http:// on any host, for tests.
	PlainHTTP bool
	// DataDir is the directory of the embedded SQLite database.
	DataDir string
	// Database is a postgres:// URL; it wins over DataDir.
	Database string
	// MustExist refuses a database that was never initialised, rather than make
	// one out of a mistyped name.
	MustExist bool
	// KeyFile is the file whose key seals signing keys and secrets at rest.
	KeyFile string
	// Worlds are the accounts that this process serves. In one that serves
	// production only, no T id is accepted and no simulator is there.
	Worlds Worlds
	// DocumentedHost accepts audiences that name the host of the public API
	// instead of ours, as some client libraries have it built in.
	DocumentedHost bool
	// Algorithm signs tokens: RS256 (default, as documented), ES256 or EdDSA.
	Algorithm auth.Algorithm
	// TokenLife is how long tokens are valid; 0 means 4 hours, as documented.
	TokenLife time.Duration
	// Providers is a directory with provider files of the operator's own, beside
	// those in the program. "" is none.
	Providers string
	// Reload makes the server read the provider files again at each value.
	Reload <-chan os.Signal
	// LoginFailures is how many failed logins a minute one address may have for
	// one client before that client must wait there; at ten times as many all
	// clients of the address must. At least 1.
	LoginFailures int
	// CaseRegistry is what signups that name a case ask of it: nothing (default),
	// that the account has it, or that it was approved, too.
	CaseRegistry cdd.Registry
	// Gateways are the URLs of the gateways of production accounts' providers, by
	// provider. Signups for a provider without one wait for a person.
	Gateways map[string]string
	// GatewaySecretFile holds what calls to gateways are signed with.
	GatewaySecretFile string
	// OutboundAllow are ranges of addresses that may be talked to although they
	// are not on the public internet.
	OutboundAllow []netip.Prefix
	// OutboundUnverified allows hooks whose receivers' certificates are not
	// verified (insecure_ssl), which a subscription then asks for by itself.
	OutboundUnverified bool
	// SMTP is the operator's mail relay, such as "smtps://user@mail.example.com:465"
	// or "smtp://mail.example.com:587". Without one no letter is sent.
	SMTP string
	// SMTPPasswordFile holds the password of the relay's user.
	SMTPPasswordFile string
	// MailFrom is the address that letters come from.
	MailFrom string
	// NoticeLink is where notices lead their readers: a URL in which {account} and
	// {connection} stand for what a notice is about. "" is the account in the API.
	NoticeLink string
	// DrainDelay is how long the server answers after it was told to stop, not
	// ready, so that whoever routes requests notices. At most MaxDrainDelay.
	DrainDelay time.Duration
	// Retention is how long what stands for a deleted account is kept before it is
	// erased, unless the operator says otherwise of an account; 0 means five years.
	Retention time.Duration
	// HookRetention is how long attempts to tell subscriptions, and deliveries that
	// were given up, are kept; 0 means 30 days.
	HookRetention time.Duration
	// Log takes one line per request and what the server has to say.
	Log *slog.Logger
}

// Requests are finished within stopLimit of being told to stop, of which at
// most MaxDrainDelay passes before connections are refused. A database that
// has stopped answering can make the end wait a little longer.
const (
	stopLimit     = 9 * time.Second
	MaxDrainDelay = 5 * time.Second
)

// defaultRetention is five years, leap days included.
const defaultRetention = 5*365*24*time.Hour + 24*time.Hour

const (
	defaultHookRetention = 30 * 24 * time.Hour
	minHookRetention     = 96 * time.Hour // longer than a message is tried
)

func (c Config) hookRetention() time.Duration {
	return cmp.Or(c.HookRetention, defaultHookRetention)
}

// check refuses settings that are not safe, each with one sentence.
func (c Config) check() error {
	switch {
	case c.DrainDelay < 0 || c.DrainDelay > MaxDrainDelay:
		return fmt.Errorf("the drain delay must be between 0s and %s, so that stopping takes less than ten seconds", MaxDrainDelay)
	case c.Retention != 0 && c.Retention < store.IdempotencyLife:
		return errors.New("deleted accounts are kept for at least 720h: answers about them are kept that long")
	case c.HookRetention != 0 && c.HookRetention < minHookRetention:
		return fmt.Errorf("attempts to tell hooks are kept for at least %s: for so long they are made", minHookRetention)
	case c.LoginFailures < 1:
		return errors.New("the number of failed logins a minute must be at least 1")
	}
	return checkPublicURL(c.PublicURL, c.PlainHTTP)
}

// checkPublicURL refuses a base that tokens and links could not safely carry.
// Issuers and audiences are compared as text, so there is one way to write it.
func checkPublicURL(raw string, plain bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("the public URL must look like https://connections.example.com")
	case u.Scheme+"://"+u.Host != raw || !hostPattern.MatchString(u.Host) || !isPort(u.Port()):
		return errors.New("the public URL must be a scheme and a host in lower-case ASCII, and nothing after it: https://connections.example.com")
	case u.Scheme == "http" && !plain && !loopback(u.Hostname()):
		return fmt.Errorf("the public URL must begin with https:// unless its host is this machine: %s", raw)
	}
	return nil
}

// hostPattern is a name or an address, and perhaps a port.
var hostPattern = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?\z`)

func isPort(text string) bool {
	n, err := strconv.Atoi(text)
	return text == "" || err == nil && n <= 65535
}

// derivedURL is the public URL of an address that was bound, as a client on
// this machine would write it.
func derivedURL(bound *net.TCPAddr) string {
	host := bound.IP.String()
	if bound.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(bound.Port))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
