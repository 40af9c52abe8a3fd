package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

type grantCommand struct {
	List   grantListCommand   `cmd:"" help:"List what the API clients of an account may ask tokens for."`
	Add    grantAddCommand    `cmd:"" help:"Let an API client ask for tokens for an account."`
	Remove grantRemoveCommand `cmd:"" help:"Take a grant away; tokens that rest on it are refused."`
}

// Help is shown below the commands.
func (grantCommand) Help() string {
	return `A grant says for which account, and with which scopes, an API client may ask
for tokens. Nobody grants what he does not hold.

Examples:
  mooring grant list --account T112
  mooring grant add --account T112 --scope read:accounts 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10`
}

// grantView is a grant as the server shows it.
type grantView struct {
	ID        string   `json:"id"`
	Client    string   `json:"client_id"`
	Audience  string   `json:"audience"`
	Scope     []string `json:"scope"`
	CreatedAt string   `json:"created_at"`
}

// account is the one that a grant is for.
func (v grantView) account() string { return v.Audience[strings.LastIndexByte(v.Audience, '/')+1:] }

type grantListCommand struct {
	homeFlags
	Of   string `placeholder:"CLIENT" help:"Only grants of this API client."`
	For  string `placeholder:"ACCOUNT" help:"Only grants for this account."`
	JSON bool   `name:"json" help:"Print a JSON object for each grant, one to a line."`
}

// Help is shown below the flags.
func (grantListCommand) Help() string {
	return `Examples:
  mooring grant list
  mooring grant list --account T112 --for T11223351 --json`
}

// Run prints the grants.
func (c grantListCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "account "+c.Account)
	if err != nil {
		return err
	}
	query := url.Values{}
	if c.Of != "" {
		query.Set("client_id", c.Of)
	}
	if c.For != "" {
		audience, err := server.audience(ctx, c.For)
		if err != nil {
			return err
		}
		query.Set("audience", audience)
	}
	var all []json.RawMessage
	if err := server.call(ctx, http.MethodGet, c.auth(server)+"/client-grants?"+query.Encode(), nil, &all); err != nil {
		return err
	}
	return printGrants(stdio, all, c.JSON)
}

func printGrants(stdio Stdio, all []json.RawMessage, asJSON bool) error {
	if asJSON {
		return printLines(stdio.Out, all)
	}
	rows := [][]string{{"GRANT", "CLIENT", "FOR", "SCOPES", "SINCE"}}
	for _, text := range all {
		var v grantView
		if err := json.Unmarshal(text, &v); err != nil {
			return err
		}
		rows = append(rows, []string{
			printable(v.ID), printable(v.Client), printable(v.account()), printable(strings.Join(v.Scope, " ")), printable(v.CreatedAt),
		})
	}
	printTable(stdio.Out, rows)
	return nil
}

type grantAddCommand struct {
	homeFlags
	Of    string   `arg:"" name:"client" help:"The API client."`
	For   string   `placeholder:"ACCOUNT" help:"Account that tokens may be asked for. Default: the one that the client belongs to."`
	Scope []string `required:"" placeholder:"SCOPE" help:"What such tokens may do; may be given again."`
	JSON  bool     `name:"json" help:"Print the grant as JSON."`
}

// Help is shown below the flags.
func (grantAddCommand) Help() string {
	return `A client with the one scope provider:connections:NAME is that of a provider: it
reports on the connections of that provider and sees nothing else.

Examples:
  mooring grant add --account T112 --scope read:accounts --scope write:accounts 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10
  mooring grant add --account T112 --scope provider:connections:swish 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10`
}

// Run makes a grant.
func (c grantAddCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "API client "+c.Of+" or account "+c.For)
	if err != nil {
		return err
	}
	account := c.For
	if account == "" {
		account = c.Account
	}
	text, err := server.grant(ctx, c.auth(server), c.Of, account, c.Scope)
	if err != nil {
		return err
	}
	return printGrants(stdio, []json.RawMessage{text}, c.JSON)
}

type grantRemoveCommand struct {
	homeFlags
	ID   string `arg:"" help:"The grant."`
	JSON bool   `name:"json" help:"Print the grant as it was as JSON."`
}

// Help is shown below the flags.
func (grantRemoveCommand) Help() string {
	return `Examples:
  mooring grant remove 01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55
  mooring grant remove --account T112 01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55`
}

// Run takes a grant away.
func (c grantRemoveCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "grant "+c.ID)
	if err != nil {
		return err
	}
	var text json.RawMessage
	if err := server.call(ctx, http.MethodDelete, c.auth(server)+"/client-grants/"+url.PathEscape(c.ID), nil, &text); err != nil {
		return err
	}
	return printGrants(stdio, []json.RawMessage{text}, c.JSON)
}

// grant lets a client ask for tokens for an account; "" is the client that is
// logged in's own.
func (r *remote) grant(ctx context.Context, auth, client, account string, scopes []string) (json.RawMessage, error) {
	audience, err := r.audience(ctx, account)
	if err != nil {
		return nil, err
	}
	var text json.RawMessage
	in := map[string]any{"client_id": client, "audience": audience, "scope": scopes}
	err = r.call(ctx, http.MethodPost, auth+"/client-grants", in, &text)
	return text, err
}

// audience is an account as the server wants it named, by the address that it is
// known under, which need not be the one that was called.
func (r *remote) audience(ctx context.Context, account string) (string, error) {
	if r.issuer == "" {
		var metadata struct {
			Issuer string `json:"issuer"`
		}
		if err := r.call(ctx, http.MethodGet, "/.well-known/oauth-authorization-server", nil, &metadata); err != nil {
			return "", err
		}
		r.issuer = metadata.Issuer
	}
	if account == "" {
		account = r.account
	}
	return r.issuer + accountPath(account), nil
}
