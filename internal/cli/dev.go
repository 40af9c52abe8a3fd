package cli

import (
	"context"
	_ "embed"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"mooring/internal/account"
	"mooring/internal/api"
	"mooring/internal/auth"
	"mooring/internal/cdd"
	"mooring/internal/provider"
	"mooring/internal/seed"
	"mooring/internal/server"
)

type devCommand struct {
	logFlags
	cacheFlags
	providerFlags
	Listen             string         `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address to accept connections on (${default}); port 0 takes a free one."`
	PublicURL          string         `placeholder:"URL" help:"Base URL under which clients reach this server, when it is not the address; plain http will do."`
	Data               string         `placeholder:"DIR" help:"Directory to keep the data in, and DIR.key for its key. Without it everything is gone at the end."`
	Database           string         `placeholder:"URL" help:"Keep the data in this PostgreSQL database instead; its key in DIR.key, so that --data is needed too."`
	ReadyFile          string         `placeholder:"FILE" help:"Write addresses, ids and secrets as one JSON object to this file once requests are answered."`
	SigningAlgorithm   auth.Algorithm `enum:"RS256,ES256,EdDSA" default:"RS256" help:"Algorithm that signs tokens."`
	OutboundAllow      ranges         `placeholder:"CIDR" help:"Range of addresses off the public internet where receivers of hooks may be and accounts may publish keys, beside this machine; may be repeated."`
	OutboundUnverified bool           `help:"Allow hooks with insecure_ssl: sent over TLS to whoever answers, whatever certificate they show."`
	mailFlags
	CaseRegistry  cdd.Registry `enum:"off,exists,active" default:"off" help:"What a signup with a case_id asks of the case: nothing (off), that the account opened it (exists), or that it is ACTIVE, too (active)."`
	Accounts      int          `placeholder:"N" help:"Make up this many merchants with a past, of several partners, half of them of T112; at most 1000000."`
	Seed          uint64       `default:"1" help:"Which population --accounts makes up: the same number gives the same one."`
	LoginFailures int          `default:"100000" help:"Failed logins a minute for one client at one address before it must wait; generous, since test suites fail on purpose."`
}

// Help is shown below the flags.
func (devCommand) Help() string {
	return `Starts with partner T11200000 (partner id T112), merchant T11223351 with nothing
signed up, and merchant T11223352 whose connections are pending. API clients
are new at each start.

Examples:
  mooring dev
  mooring dev --listen 127.0.0.1:0 --data ./dev-data --ready-file ready.json
  mooring dev --accounts 2000
  mooring dev --providers ./providers`
}

// Run serves a small test world until it is told to stop.
func (c devCommand) Run(ctx context.Context, stdio Stdio) (err error) {
	if c.Database != "" && c.Data == "" {
		return errors.New("--database needs --data too: a directory for the key, without which the database can't be used again")
	}
	if c.ReadyFile != "" {
		os.Remove(c.ReadyFile) // of an earlier run: whoever waits for it must not read that one
	}
	dir, cleanUp, err := c.directory()
	if err != nil {
		return err
	}
	defer cleanUp()
	keyFile, err := besideData(dir)
	if err != nil {
		return err
	}
	if err := ensureKeyFile(keyFile); err != nil {
		return err
	}
	var reload <-chan os.Signal
	if c.Providers != "" { // else the end of a terminal is the end of what runs in it
		var stop func()
		reload, stop = hangups()
		defer stop()
	}
	log := c.logger(stdio.Err)
	s, err := start(ctx, server.Config{
		Listen: c.Listen, PublicURL: c.PublicURL, PlainHTTP: true, DataDir: dir, Database: c.Database, KeyFile: keyFile, Worlds: server.BothWorlds,
		DocumentedHost: true, Algorithm: c.SigningAlgorithm, LoginFailures: c.LoginFailures, CaseRegistry: c.CaseRegistry,
		Providers: c.Providers, Reload: reload, OutboundAllow: append(thisMachine(), c.OutboundAllow...), OutboundUnverified: c.OutboundUnverified, Log: log,
		SMTP: c.SMTP, SMTPPasswordFile: c.SMTPPasswordFile, MailFrom: c.MailFrom, NoticeLink: c.NoticeLink,
	})
	if err != nil {
		return err
	}
	facts, err := c.populate(ctx, s, stdio)
	if err != nil {
		s.Close()
		return err
	}
	remove, err := c.announce(discovery{s.LocalURL(), facts.PlatformClientID, facts.PlatformClientSecret})
	if err != nil {
		log.Warn("other commands can't find this server by themselves", "error", err)
		remove = func() {}
	}
	defer remove()
	if err := c.tell(facts, scenarios(s.Catalogue()), stdio); err != nil {
		s.Close()
		return err
	}
	return s.Run(ctx)
}

// thisMachine is where a dev server may send hooks to, and fetch the keys of a
// client from, whatever else is allowed: all accounts of one are test accounts,
// and whoever tries it out has the receiver at hand. Its own listener is never
// among it.
func thisMachine() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// populate makes the accounts.
func (c devCommand) populate(ctx context.Context, s *server.Server, stdio Stdio) (ready, error) {
	if made, err := s.Store().HasClient(ctx, account.Platform(account.Production)); err != nil {
		return ready{}, err
	} else if made {
		return ready{}, errors.New("this database was made by `mooring init`; dev would add test accounts to it, so name another")
	}
	seeder := seed.Seeder{Store: s.Store(), Catalogue: s.Catalogue(), Vault: s.Vault(), Due: s.Due, Now: server.Now, NewID: api.NewID, NewToken: api.NewToken}
	world, err := seeder.Dev(ctx)
	if err == nil && c.Accounts > 0 {
		tell := newProgress(stdio.Err, "accounts", 0, 0, int64(c.Accounts))
		err = seeder.Populate(ctx, seed.Population{Accounts: c.Accounts, Seed: c.Seed}, world.Platform, func(done int) { tell.at(done, int64(done)) })
		tell.end()
	}
	return describe(s.PublicURL(), world), err
}

// tell gives the facts to whoever waits for them.
func (c devCommand) tell(facts ready, scenarios []string, stdio Stdio) error {
	if c.ReadyFile != "" {
		if err := writePrivate(c.ReadyFile, facts); err != nil {
			return err
		}
	}
	return banner.Execute(stdio.Out, struct {
		ready
		Command, Scenarios string
		Bold               func(string) string
	}{facts, ownCommand(), strings.Join(scenarios, ", "), func(text string) string { return bold(stdio.Out, text) }})
}

// ownCommand is how a shell runs this program again.
func ownCommand() string {
	path, err := os.Executable()
	if err != nil {
		return "mooring"
	}
	if found, err := exec.LookPath("mooring"); err == nil && found == path {
		return "mooring"
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// scenarios lists what some provider of a catalogue can play.
func scenarios(catalogue *provider.Catalogue) []string {
	var all []string
	for _, p := range catalogue.All() {
		all = append(all, p.ScenarioNames()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// directory is the data directory and what removes it when nobody keeps it.
func (c devCommand) directory() (dir string, cleanUp func(), err error) {
	if c.Data != "" {
		return c.Data, func() {}, nil
	}
	parent, err := os.MkdirTemp("", "mooring-dev-")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(parent, "data"), func() { os.RemoveAll(parent) }, nil
}

// ready is what a test driver needs to know of a dev server.
type ready struct {
	BaseURL              string `json:"base_url"`
	AccountID            string `json:"account_id"`
	OwnerID              string `json:"owner_id"`
	PartnerAccountID     string `json:"partner_account_id"`
	PlatformAccountID    string `json:"platform_account_id"`
	ClientID             string `json:"client_id"`
	ClientSecret         string `json:"client_secret"`
	OwnerClientID        string `json:"owner_client_id"`
	OwnerClientSecret    string `json:"owner_client_secret"`
	PlatformClientID     string `json:"platform_client_id"`
	PlatformClientSecret string `json:"platform_client_secret"`
	SecondAccountID      string `json:"second_account_id"`
	SecondClientID       string `json:"second_client_id"`
	SecondClientSecret   string `json:"second_client_secret"`
}

func describe(baseURL string, w seed.World) ready {
	return ready{
		BaseURL:              baseURL,
		AccountID:            string(w.Merchant.Account),
		OwnerID:              w.Partner.Account.PartnerID(),
		PartnerAccountID:     string(w.Partner.Account),
		PlatformAccountID:    string(w.Platform.Account),
		ClientID:             w.Merchant.ID,
		ClientSecret:         w.Merchant.Secret.Reveal(),
		OwnerClientID:        w.Partner.ID,
		OwnerClientSecret:    w.Partner.Secret.Reveal(),
		PlatformClientID:     w.Platform.ID,
		PlatformClientSecret: w.Platform.Secret.Reveal(),
		SecondAccountID:      string(w.SecondMerchant.Account),
		SecondClientID:       w.SecondMerchant.ID,
		SecondClientSecret:   w.SecondMerchant.Secret.Reveal(),
	}
}

//go:embed banner.txt
var bannerText string

var banner = template.Must(template.New("banner").Parse(strings.TrimPrefix(bannerText, "\n")))
