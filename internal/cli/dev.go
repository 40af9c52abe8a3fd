package cli

import (
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"mooring/internal/api"
	"mooring/internal/auth"
	"mooring/internal/seed"
	"mooring/internal/server"
)

type devCommand struct {
	logFlags
	Listen           string         `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address to accept connections on (${default}); port 0 takes a free one."`
	Data             string         `type:"path" placeholder:"DIR" help:"Directory to keep the data in, and DIR.key for its key. Without it everything is gone at the end."`
	Database         string         `placeholder:"URL" help:"Keep the data in this PostgreSQL database instead; its key still in DIR.key."`
	ReadyFile        string         `type:"path" placeholder:"FILE" help:"Write addresses, ids and secrets as one JSON object to this file once requests are answered."`
	SigningAlgorithm auth.Algorithm `enum:"RS256,ES256,EdDSA" default:"RS256" help:"Algorithm that signs tokens."`
	LoginFailures    int            `default:"100000" help:"Failed logins a minute before an address must wait; generous, since test suites fail on purpose."`
}

// Help is shown below the flags.
func (devCommand) Help() string {
	return `Starts with partner T11200000 (partner id T112), merchant T11223351 with nothing
signed up, and merchant T11223352 whose connections are pending. API clients
are new at each start.

Examples:
  mooring dev
  mooring dev --listen 127.0.0.1:0 --data ./dev-data --ready-file ready.json`
}

// Run serves a small test world until it is told to stop.
func (c devCommand) Run(ctx context.Context, stdio Stdio) (err error) {
	dir, cleanUp, err := c.directory()
	if err != nil {
		return err
	}
	defer cleanUp()
	if err := ensureKeyFile(besideData(dir)); err != nil {
		return err
	}
	s, err := server.New(ctx, server.Config{
		Listen: c.Listen, DataDir: dir, Database: c.Database, KeyFile: besideData(dir), Worlds: server.BothWorlds,
		DocumentedHost: true, Algorithm: c.SigningAlgorithm, LoginFailures: c.LoginFailures,
		Log: c.logger(stdio.Err),
	})
	if err != nil {
		return err
	}
	seeder := seed.Seeder{Store: s.Store(), Catalogue: s.Catalogue, Now: now, NewID: api.NewID, NewToken: api.NewToken}
	world, err := seeder.Dev(ctx)
	if err != nil {
		s.Close()
		return err
	}
	facts := describe(s.PublicURL(), world)
	err = banner.Execute(stdio.Out, struct {
		ready
		Bold func(string) string
	}{facts, func(text string) string { return bold(stdio.Out, text) }})
	if err == nil && c.ReadyFile != "" {
		err = facts.write(c.ReadyFile)
	}
	if err != nil {
		s.Close()
		return err
	}
	return s.Run(ctx)
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

// write makes the file in one step, so that whoever waits for it never reads
// half of it, and readable by nobody else, since it holds secrets.
func (r ready) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	next := path + ".tmp"
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

//go:embed banner.txt
var bannerText string

var banner = template.Must(template.New("banner").Parse(strings.TrimPrefix(bannerText, "\n")))
