package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

type clientCreateCommand struct {
	homeFlags
	Name           string   `placeholder:"NAME" help:"A name to know the client by."`
	Description    string   `placeholder:"TEXT" help:"What the client is for."`
	Scope          []string `placeholder:"SCOPE" help:"Grant the client this for its account; may be given again."`
	JSON           bool     `name:"json" help:"Print the client as JSON."`
	ForEachPartner bool     `help:"Make a client of this name for each partner of the platform."`
	From           string   `type:"existingfile" placeholder:"FILE" help:"Make a client of this name for each account in a file: one to a line, or the column account_id of a CSV file."`
	Secrets        string   `placeholder:"FILE" help:"With --for-each-partner or --from: file for the ids and secrets, as CSV. It is made for you alone to read, and added to."`
}

// Help is shown below the flags.
func (clientCreateCommand) Help() string {
	return `Prints the secret, which is shown this once. Without --scope the client may do
nothing until it is granted something.

For many accounts at once the secrets go into a file. Such a run may be repeated
when it was interrupted: an account that has a client of the name is left alone,
and told when its secret is not in the file.

Examples:
  mooring client create --account T112 --name "web shop" --scope read:accounts --scope write:accounts
  mooring client create --for-each-partner --name integration --scope admin:accounts --secrets partners.csv`
}

// many says whether a client is to be made for each of many accounts.
func (c clientCreateCommand) many() bool { return c.ForEachPartner || c.From != "" }

// Validate refuses flags that don't go together.
func (c clientCreateCommand) Validate() error {
	switch {
	case !c.many() && c.Secrets == "":
		return nil
	case !c.many():
		return errors.New("--secrets goes with --for-each-partner or --from")
	case c.ForEachPartner && c.From != "":
		return errors.New("--for-each-partner and --from exclude each other")
	case c.Account != "" || c.JSON:
		return errors.New("--account and --json are for one client")
	case c.Name == "" || c.Secrets == "" || len(c.Scope) == 0:
		return errors.New("clients for many accounts need --name, --scope and --secrets")
	}
	return nil
}

// Run makes one client, or many.
func (c clientCreateCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "account "+c.Account)
	if err != nil {
		return err
	}
	if c.many() {
		return c.makeMany(ctx, server, stdio)
	}
	text, client, err := c.make(ctx, server, c.auth(server))
	if err != nil {
		return err
	}
	shown := c.printClient(stdio, text, c.JSON)
	if len(c.Scope) == 0 {
		return shown
	}
	if _, err := server.grant(ctx, c.auth(server), client.ID, c.Account, c.Scope); err != nil {
		return errors.Join(shown, fmt.Errorf("the client was made but not granted anything: %w", err))
	}
	return shown
}

func (c clientCreateCommand) make(ctx context.Context, server *remote, auth string) (json.RawMessage, clientView, error) {
	var text json.RawMessage
	var made clientView
	in := map[string]any{"name": c.Name, "description": c.Description}
	if err := server.call(ctx, http.MethodPost, auth+"/clients", in, &text); err != nil {
		return nil, made, err
	}
	return text, made, json.Unmarshal(text, &made)
}

// makeMany makes what is missing, account by account, and goes on when one is
// refused.
func (c clientCreateCommand) makeMany(ctx context.Context, server *remote, stdio Stdio) error {
	accounts, err := c.accountsOf(ctx, server)
	if err != nil {
		return err
	}
	file, err := openSecrets(c.Secrets)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, account := range accounts {
		outcome, told, err := c.makeFor(ctx, server, account, file)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			outcome, told = "failed", err.Error()
		}
		counts[outcome]++
		fmt.Fprintf(stdio.Out, "%s  %-7s  %s\n", account, outcome, told)
	}
	err = errors.Join(ctx.Err(), file.close())
	fmt.Fprintf(stdio.Out, "made %d, had one %d, secret elsewhere %d, failed %d\n", counts["made"], counts["has one"], counts["unknown"], counts["failed"])
	if err == nil && counts["failed"] > 0 {
		err = fmt.Errorf("no client for %s; the reasons stand above, and the command can be repeated", counted(counts["failed"], "account"))
	}
	return err
}

// makeFor makes a client for one account, unless it has one of the name. Its
// secret is on disk before anything else is done.
func (c clientCreateCommand) makeFor(ctx context.Context, server *remote, account string, file *secretsFile) (outcome, told string, err error) {
	auth := authPath(account)
	var there []clientView
	if err := server.call(ctx, http.MethodGet, auth+"/clients", nil, &there); err != nil {
		return "", "", err
	}
	for _, v := range there {
		if v.Name != c.Name {
			continue
		}
		if !file.has(account, v.ID) {
			return "unknown", fmt.Sprintf("%s has this name, and its secret is not in the file: mooring client rotate --account %s %s", printable(v.ID), account, printable(v.ID)), nil
		}
		return "has one", printable(v.ID), c.grantOnce(ctx, server, account, v.ID)
	}
	_, made, err := c.make(ctx, server, auth)
	if err != nil {
		return "", "", err
	}
	if err := file.add(account, made.ID, made.Secret); err != nil {
		return "", "", fmt.Errorf("the secret of client %s could not be written down: %w", made.ID, err)
	}
	return "made", printable(made.ID), c.grantOnce(ctx, server, account, made.ID)
}

// grantOnce grants what a run that was interrupted did not get to.
func (c clientCreateCommand) grantOnce(ctx context.Context, server *remote, account, client string) error {
	var there []grantView
	if err := server.call(ctx, http.MethodGet, authPath(account)+"/client-grants?client_id="+url.QueryEscape(client), nil, &there); err != nil {
		return err
	}
	if len(there) > 0 {
		return nil
	}
	_, err := server.grant(ctx, authPath(account), client, account, c.Scope)
	return err
}

var accountInText = regexp.MustCompile(`^[PT](?:[0-9]{3}|[0-9]{8})$`)

// accountsOf lists whom to make clients for.
func (c clientCreateCommand) accountsOf(ctx context.Context, server *remote) ([]string, error) {
	if c.From != "" {
		return accountsIn(c.From)
	}
	var all []string
	for after := ""; ; {
		var page []accountView
		if err := server.call(ctx, http.MethodGet, accountPath(server.account)+"/management/accounts?limit=100"+after, nil, &page); err != nil {
			return nil, err
		}
		for _, a := range page {
			if strings.HasSuffix(a.ID, "00000") && accountInText.MatchString(a.ID) {
				all = append(all, a.ID)
			}
		}
		if len(page) == 0 || page[len(page)-1].PagingToken == "" {
			return all, nil
		}
		after = "&starting_after=" + url.QueryEscape(page[len(page)-1].PagingToken)
	}
}

// accountsIn reads account ids from a file: the column of CSV whose head line
// names it, or else the first.
func accountsIn(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	reader := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff")))
	reader.FieldsPerRecord, reader.TrimLeadingSpace = -1, true
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	column := 0
	if len(rows) > 0 {
		if at := slices.Index(rows[0], "account_id"); at >= 0 {
			column, rows = at, rows[1:]
		}
	}
	var all []string
	for i, cells := range rows {
		if column >= len(cells) || !accountInText.MatchString(cells[column]) {
			return nil, fmt.Errorf("%s: row %d has no account id such as T11200000", path, i+1)
		}
		all = append(all, cells[column])
	}
	return all, nil
}
