package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"mooring/internal/auth"
	"mooring/internal/cdd"
	"mooring/internal/server"
)

// databaseFlags say where the data and the key are.
type databaseFlags struct {
	Data     string `placeholder:"DIR" xor:"database" required:"" help:"Directory of the embedded database."`
	Database string `placeholder:"URL" xor:"database" required:"" help:"PostgreSQL database, such as postgres://user@host/name."`
	KeyFile  string `placeholder:"FILE" help:"File with the key that seals secrets at rest. Default: DIR.key beside the data directory."`
}

// keyFile is the key file that was named, or the one beside the data directory.
func (f databaseFlags) keyFile() (string, error) {
	switch {
	case f.Data == "" && f.Database == "":
		return "", errors.New("--data needs a directory, or --database a URL")
	case f.KeyFile != "":
		return f.KeyFile, nil
	case f.Data != "":
		return besideData(f.Data)
	}
	return "", errors.New("name the key file of the database with --key-file or MOORING_KEY_FILE")
}

// besideData is the key file that belongs to a data directory: beside it, so
// that a copy of the directory is worthless without it.
func besideData(dir string) (string, error) {
	absolute, err := filepath.Abs(dir)
	return absolute + ".key", err
}

// providerFlags name an operator's own providers.
type providerFlags struct {
	Providers string `placeholder:"DIR" help:"Directory with provider files (*.yaml) of your own, beside those in the program. SIGHUP reads it again."`
}

// hangups are the SIGHUPs that this process gets until stop is called.
func hangups() (signals <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1) // one that comes during a reading causes one more, several no more than that
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

type serveCommand struct {
	databaseFlags
	providerFlags
	logFlags
	Listen           string         `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address to accept connections on (${default})."`
	PublicURL        string         `required:"" placeholder:"URL" help:"Base URL under which clients reach this server; https unless it is this machine."`
	World            server.Worlds  `enum:"P,T,both" default:"P" help:"Accounts to serve: production (P), test (T) or both."`
	SigningAlgorithm auth.Algorithm `enum:"RS256,ES256,EdDSA" default:"RS256" help:"Algorithm that signs tokens. RS256 is what clients of the public API know; EdDSA signs about 30 times faster."`
	DocumentedHost   bool           `name:"accept-documented-host" help:"Also accept token audiences that name the host of the public API."`
	LoginFailures    int            `default:"30" help:"Failed logins a minute for one client at one address before it must wait; at ten times as many, all clients of the address must."`
	CaseRegistry     cdd.Registry   `enum:"off,exists,active" default:"off" help:"What a signup with a case_id asks of the case: nothing (off), that the account opened it (exists), or that it is ACTIVE, too (active)."`
	gatewayFlags
	mailFlags
	Retention     time.Duration `default:"43824h" help:"How long what stands for a deleted account is kept before it is erased: five years unless said otherwise. An operator may set another time for one account."`
	HookRetention time.Duration `default:"720h" help:"How long attempts to tell hooks, and deliveries that were given up, are kept: 30 days unless said otherwise."`
	DrainDelay    time.Duration `default:"1s" help:"How long to answer, not ready, after being told to stop; at most 5s."`
}

// gatewayFlags say how providers are reached.
type gatewayFlags struct {
	Gateway            gateways `placeholder:"SLUG=URL" help:"Gateway of a provider, to hand production signups to; once for each provider. In the environment they are separated by ;."`
	GatewaySecretFile  string   `placeholder:"FILE" help:"File, readable by nobody else, with the secret that calls to gateways are signed with: whsec_ and 24 to 64 random bytes in base64. Two lines during a change."`
	OutboundAllow      ranges   `placeholder:"CIDR" help:"Range of addresses off the public internet where gateways and receivers of hooks may be and accounts may publish keys, such as 10.20.0.0/16; may be repeated."`
	OutboundUnverified bool     `help:"Allow hooks with insecure_ssl: sent over TLS to whoever answers, whatever certificate they show. Off the public internet, with --outbound-allow, is where that may be sensible."`
}

// mailFlags say how letters go out, and where notices lead.
type mailFlags struct {
	SMTP             string `name:"smtp" placeholder:"URL" help:"Mail relay that notices go out by: smtps://user@host:465, or smtp://host:587 with STARTTLS, which only a relay on this machine may lack."`
	SMTPPasswordFile string `name:"smtp-password-file" placeholder:"FILE" help:"File, readable by nobody else, with the password of the relay's user."`
	MailFrom         string `placeholder:"ADDRESS" help:"Address that notices come from, such as notices@example.com."`
	NoticeLink       string `placeholder:"URL" help:"Where notices lead their readers, such as https://console.example.com/accounts/{account}; {connection} is filled in, too. Default: the account in the API."`
}

// gateways are URLs by the provider whose gateway is there.
type gateways map[string]string

// Decode adds one, or several that are separated by semicolons. A provider has
// one gateway: of two it could not be said which one is meant.
func (g gateways) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("SLUG=URL", &text); err != nil {
		return err
	}
	for one := range strings.SplitSeq(text, ";") {
		slug, url, _ := strings.Cut(one, "=")
		switch _, there := g[slug]; {
		case slug == "" || url == "":
			return fmt.Errorf("%q is no gateway; write SLUG=URL", one)
		case there:
			return fmt.Errorf("%s has two gateways; name one", slug)
		}
		g[slug] = url
	}
	return nil
}

// ranges are ranges of addresses.
type ranges []netip.Prefix

// Decode adds one, or several that are separated by commas.
func (r *ranges) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("CIDR", &text); err != nil {
		return err
	}
	for one := range strings.SplitSeq(text, ",") {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(one))
		switch addr, alone := netip.ParseAddr(strings.TrimSpace(one)); {
		case err != nil && alone == nil:
			return fmt.Errorf("%s is one address; write %s/%d to allow it", addr, addr, addr.BitLen())
		case err != nil:
			return fmt.Errorf("%q is no range of addresses; write CIDR, such as 10.20.0.0/16", one)
		case prefix != prefix.Masked():
			return fmt.Errorf("%s begins inside its range; write %s", prefix, prefix.Masked())
		}
		*r = append(*r, prefix)
	}
	return nil
}

// Help is shown below the flags.
func (serveCommand) Help() string {
	return `Examples:
  mooring serve --data /var/lib/mooring --public-url https://connections.example.com
  mooring serve --database postgres://mooring@db/mooring --key-file /etc/mooring.key \
      --public-url https://connections.example.com --world both
  mooring serve --data /var/lib/mooring --public-url https://connections.example.com \
      --providers /etc/mooring/providers
  mooring serve --data /var/lib/mooring --public-url https://connections.example.com \
      --gateway vipps=https://gateways.example.com/vipps --gateway-secret-file /etc/mooring.gateway`
}

// garbageOfStart is how much more than before, in percent, may be left behind
// until it is collected: all that a start does.
const garbageOfStart = 400

// start makes a server. Garbage is collected less often meanwhile, which took a
// quarter of the time, unless an operator says how often.
func start(ctx context.Context, cfg server.Config) (*server.Server, error) {
	if os.Getenv("GOGC") != "" {
		return server.New(ctx, cfg)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(garbageOfStart))
	return server.New(ctx, cfg)
}

// Run serves until it is told to stop.
func (c serveCommand) Run(ctx context.Context, stdio Stdio) error {
	keyFile, err := c.keyFile()
	if err != nil {
		return err
	}
	reload, stop := hangups()
	defer stop()
	log := c.logger(stdio.Err)
	s, err := start(ctx, server.Config{
		Listen: c.Listen, PublicURL: c.PublicURL, DataDir: c.Data, Database: c.Database, MustExist: true, KeyFile: keyFile,
		Providers: c.Providers, Reload: reload,
		Worlds: c.World, DocumentedHost: c.DocumentedHost, Algorithm: c.SigningAlgorithm,
		LoginFailures: c.LoginFailures, CaseRegistry: c.CaseRegistry, DrainDelay: c.DrainDelay, Retention: c.Retention, HookRetention: c.HookRetention,
		Gateways: c.Gateway, GatewaySecretFile: c.GatewaySecretFile, OutboundAllow: c.OutboundAllow,
		SMTP: c.SMTP, SMTPPasswordFile: c.SMTPPasswordFile, MailFrom: c.MailFrom, NoticeLink: c.NoticeLink, OutboundUnverified: c.OutboundUnverified, Log: log,
	})
	if err != nil {
		return err
	}
	log.Info("serving", "listen", s.Addr(), "public_url", s.PublicURL(), "world", c.World, "engine", s.Store().Engine())
	defer log.Info("stopped")
	return s.Run(ctx)
}
