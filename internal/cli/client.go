package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

type clientCommand struct {
	List    clientListCommand    `cmd:"" help:"List the API clients of an account."`
	Show    clientShowCommand    `cmd:"" help:"Show one API client and what it may do."`
	Create  clientCreateCommand  `cmd:"" help:"Create an API client, or one for each partner."`
	Delete  clientDeleteCommand  `cmd:"" help:"Delete an API client; its tokens end with it."`
	Rotate  clientRotateCommand  `cmd:"" help:"Give an API client a new secret."`
	Disable clientDisableCommand `cmd:"" help:"Keep an API client out; its tokens are refused."`
	Enable  clientEnableCommand  `cmd:"" help:"Let a disabled API client in again."`
}

// Help is shown below the commands.
func (clientCommand) Help() string {
	return `API clients log in with an id and a secret; grants say what they may do then.

Examples:
  mooring client create --account T112 --name "web shop" --scope read:accounts --scope write:accounts
  mooring client rotate --account T112 --overlap 1h 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10`
}

// homeFlags say whose clients a command is about.
type homeFlags struct {
	remoteFlags
	Account string `placeholder:"ID" help:"Account that the API client belongs to, such as T112 or T11223351. Default: the account of --client."`
}

// auth is where the clients and grants of an account are.
func (f homeFlags) auth(r *remote) string {
	if f.Account == "" {
		return authPath(r.account)
	}
	return authPath(f.Account)
}

func authPath(account string) string { return accountPath(account) + "/auth" }

// clientView is a client as the server shows it.
type clientView struct {
	ID          string `json:"id"`
	Secret      string `json:"client_secret"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Disabled    bool   `json:"disabled"`
	Secrets     []struct {
		CreatedAt  string `json:"created_at"`
		ExpiresAt  string `json:"expires_at"`
		LastUsedAt string `json:"last_used_at"`
	} `json:"secrets"`
	CreatedAt  string `json:"created_at"`
	CreatedBy  string `json:"created_by"`
	DeletedAt  string `json:"deleted_at"`
	LastUsedAt string `json:"last_used_at"`
}

// state is the client in a word.
func (v clientView) state() string {
	switch {
	case v.DeletedAt != "":
		return "deleted"
	case v.Disabled:
		return "disabled"
	default:
		return "enabled"
	}
}

// or is a text, or what stands where there is none.
func or(text, none string) string {
	if text == "" {
		return none
	}
	return printable(text)
}

type clientListCommand struct {
	homeFlags
	JSON bool `name:"json" help:"Print a JSON object for each client, one to a line."`
}

// Help is shown below the flags.
func (clientListCommand) Help() string {
	return `LAST USED is when a client last logged in, to within some seconds.

Examples:
  mooring client list
  mooring client list --account T112 --json`
}

// Run prints the clients.
func (c clientListCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "account "+c.Account)
	if err != nil {
		return err
	}
	var all []json.RawMessage
	if err := server.call(ctx, http.MethodGet, c.auth(server)+"/clients", nil, &all); err != nil {
		return err
	}
	if c.JSON {
		return printLines(stdio.Out, all)
	}
	rows := [][]string{{"CLIENT", "NAME", "STATE", "SECRETS", "CREATED", "LAST USED"}}
	for _, text := range all {
		var v clientView
		if err := json.Unmarshal(text, &v); err != nil {
			return err
		}
		rows = append(rows, []string{
			printable(v.ID), or(v.Name, "-"), v.state(), fmt.Sprint(len(v.Secrets)), printable(v.CreatedAt), or(v.LastUsedAt, "never"),
		})
	}
	printTable(stdio.Out, rows)
	return nil
}

func printLines(out io.Writer, all []json.RawMessage) error {
	for _, text := range all {
		if _, err := fmt.Fprintf(out, "%s\n", text); err != nil {
			return err
		}
	}
	return nil
}

// clientArg names the one client that a command is about.
type clientArg struct {
	homeFlags
	ID   string `arg:"" help:"The API client."`
	JSON bool   `name:"json" help:"Print the client as JSON."`
}

// ask sends one request about the client and prints it.
func (c clientArg) ask(ctx context.Context, stdio Stdio, method, path string) error {
	server, err := c.connect(ctx, "API client "+c.ID)
	if err != nil {
		return err
	}
	var text json.RawMessage
	if err := server.call(ctx, method, c.auth(server)+"/clients/"+url.PathEscape(c.ID)+path, nil, &text); err != nil {
		return err
	}
	return c.printClient(stdio, text, c.JSON)
}

// printClient prints a client, with its secret when it was just made.
func (f homeFlags) printClient(stdio Stdio, text json.RawMessage, asJSON bool) error {
	var v clientView
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	if asJSON {
		_ = printLines(stdio.Out, []json.RawMessage{text}) // looked at below
	} else {
		v.print(stdio.Out)
	}
	err := lost(stdio.Out)
	if err == nil || v.Secret == "" {
		return err
	}
	of := ""
	if f.Account != "" {
		of = " --account " + f.Account
	}
	return fmt.Errorf("the secret of client %s could not be written and is lost (%w); give it another: mooring client rotate%s %[1]s", printable(v.ID), err, of)
}

// print shows a client to people.
func (v clientView) print(out io.Writer) {
	rows := [][]string{{"client", printable(v.ID)}, {"name", or(v.Name, "-")}}
	if v.Description != "" {
		rows = append(rows, []string{"description", printable(v.Description)})
	}
	rows = append(rows, []string{"state", v.state()}, []string{"created", printable(v.CreatedAt) + " by " + printable(v.CreatedBy)},
		[]string{"last used", or(v.LastUsedAt, "never")})
	for _, s := range v.Secrets {
		rows = append(rows, []string{"secret of", printable(s.CreatedAt) + ", last used " + or(s.LastUsedAt, "never") + ", good until " + or(s.ExpiresAt, "it is replaced")})
	}
	if v.Secret != "" {
		rows = append(rows, []string{"secret", printable(v.Secret)}, []string{"", "The secret is shown this once."})
	}
	printTable(out, rows)
}

type clientShowCommand struct{ clientArg }

// Help is shown below the flags.
func (clientShowCommand) Help() string {
	return `Examples:
  mooring client show 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10
  mooring client show --account T112 --json 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10`
}

// Run prints a client, and as a table its grants below.
func (c clientShowCommand) Run(ctx context.Context, stdio Stdio) error {
	if err := c.ask(ctx, stdio, http.MethodGet, ""); err != nil || c.JSON {
		return err
	}
	fmt.Fprintln(stdio.Out)
	return grantListCommand{homeFlags: c.homeFlags, Of: c.ID}.Run(ctx, stdio)
}

type clientDeleteCommand struct{ clientArg }

// Help is shown below the flags.
func (clientDeleteCommand) Help() string {
	return `Its secrets and grants go with it, and its tokens end within seconds.

Examples:
  mooring client delete 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10
  mooring client delete --account T112 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10`
}

// Run deletes a client.
func (c clientDeleteCommand) Run(ctx context.Context, stdio Stdio) error {
	return c.ask(ctx, stdio, http.MethodDelete, "")
}

type clientRotateCommand struct {
	clientArg
	Overlap string `default:"24h" placeholder:"DURATION" help:"For how long the secret before stays good, such as 90s, 1h or 7d; 0 ends it at once."`
}

// Help is shown below the flags.
func (clientRotateCommand) Help() string {
	return `Prints the new secret, which is shown this once. The one before stays good for
--overlap; of two that are still good the older one ends at once. Tokens that
were issued before live on: disable the client to end them.

Examples:
  mooring client rotate 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10
  mooring client rotate --account T112 --overlap 0 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10`
}

// Run gives a client a new secret.
func (c clientRotateCommand) Run(ctx context.Context, stdio Stdio) error {
	return c.ask(ctx, stdio, http.MethodPost, "/rotate-secret?overlap="+url.QueryEscape(strings.TrimSpace(c.Overlap)))
}

type clientDisableCommand struct{ clientArg }

// Help is shown below the flags.
func (clientDisableCommand) Help() string {
	return `Examples:
  mooring client disable 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10
  mooring client disable --account T112 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10`
}

// Run disables a client.
func (c clientDisableCommand) Run(ctx context.Context, stdio Stdio) error {
	return c.ask(ctx, stdio, http.MethodPost, "/disable")
}

type clientEnableCommand struct{ clientArg }

// Help is shown below the flags.
func (clientEnableCommand) Help() string {
	return `Examples:
  mooring client enable 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10
  mooring client enable --account T112 8d7d2c0e-0c7a-4f0b-9c55-4f6f4f0f7a10`
}

// Run enables a client.
func (c clientEnableCommand) Run(ctx context.Context, stdio Stdio) error {
	return c.ask(ctx, stdio, http.MethodPost, "/enable")
}
