package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

type accountCommand struct {
	List    accountListCommand    `cmd:"" help:"List the accounts of an owner, narrowed by what they are."`
	Show    accountShowCommand    `cmd:"" help:"Show one account with its connections."`
	Create  accountCreateCommand  `cmd:"" help:"Make an account that an owner gets."`
	Update  accountUpdateCommand  `cmd:"" help:"Change what an account says of itself."`
	Delete  accountDeleteCommand  `cmd:"" help:"End the access to an account."`
	Move    accountMoveCommand    `cmd:"" help:"Give an account to another owner."`
	Comment accountCommentCommand `cmd:"" help:"Note something about an account, or read what was noted."`
}

// Help is shown below the flags.
func (accountCommand) Help() string {
	return `The accounts of a partner, or for the platform its partners. A platform names a
partner with --owner.

Examples:
  mooring account list --owner T112 --country NO --connection vipps --connection-status pending
  mooring account show T11223352`
}

// ownerFlags say whose accounts a command is about.
type ownerFlags struct {
	remoteFlags
	Owner string `placeholder:"ID" help:"The owner, such as T112 or T11200000. Default: the account of --client."`
}

// accounts is where the accounts of the owner are.
func (f ownerFlags) accounts(r *remote) string {
	owner := f.Owner
	if owner == "" {
		owner = r.account
	}
	return accountPath(owner) + "/management/accounts"
}

// accountView is an account as the server shows it, as far as a table goes.
type accountView struct {
	ID          string `json:"account_id"`
	Partner     string `json:"partner_id"`
	CreatedAt   string `json:"created_at"`
	Progression string `json:"progression"`
	Company     struct {
		BusinessName       string `json:"business_name"`
		OrganizationNumber string `json:"organization_number"`
		Address            struct {
			Country string `json:"country"`
		} `json:"address"`
	} `json:"company"`
	AccountManager struct {
		Email string `json:"email"`
	} `json:"account_manager"`
	Connections map[string]json.RawMessage `json:"connections"`
	PagingToken string                     `json:"paging_token"`
}

// connections are the connections of the map with their statuses. One without a
// status of its own is a level of connections that have one.
func (v accountView) connections() []string {
	var all []string
	for name, text := range v.Connections {
		var one struct {
			Status string `json:"status"`
		}
		if json.Unmarshal(text, &one) == nil && one.Status != "" {
			all = append(all, name+" "+one.Status)
			continue
		}
		var below map[string]json.RawMessage
		if json.Unmarshal(text, &below) == nil {
			all = append(all, accountView{Connections: below}.nested(name)...)
		}
	}
	slices.Sort(all)
	return all
}

func (v accountView) nested(name string) []string {
	all := v.connections()
	for i := range all {
		all[i] = name + "." + all[i]
	}
	return all
}

type accountListCommand struct {
	ownerFlags
	Search           string   `placeholder:"TEXT" help:"An account id or how it begins, an organisation number, or words of the business name."`
	Country          string   `placeholder:"CC" help:"Country of the company, such as NO."`
	Progression      []string `placeholder:"WORD" help:"How far the account is: applied, live, frozen or deactivated."`
	Connection       []string `placeholder:"NAME" help:"Has a connection with one of these providers."`
	ConnectionStatus []string `placeholder:"STATUS" help:"That connection is pending, enabled, failed or declined."`
	PaymentOption    string   `placeholder:"NAME" help:"Has this payment option, as its provider names it."`
	Service          []string `placeholder:"PATH" help:"Has this service, or this value in one, such as checkout.status.enabled."`
	AccountManager   []string `placeholder:"EMAIL" help:"Has this manager."`
	Limit            int      `default:"25" help:"How many accounts at most; 0 means all."`
	JSON             bool     `name:"json" help:"Print a JSON object for each account, one to a line."`
}

// Help is shown below the flags.
func (accountListCommand) Help() string {
	return `All filters must hold; of one that is given several times, one value must.

Examples:
  mooring account list --owner T112 --country NO --connection vipps --connection-status pending
  mooring account list --owner T112 --limit 0 --json > accounts.jsonl`
}

// Run prints the accounts, page by page.
func (c accountListCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "owner "+c.Owner)
	if err != nil {
		return err
	}
	query, left, rows := c.query(), c.Limit, [][]string{{"ACCOUNT", "NAME", "COUNTRY", "PROGRESSION", "CONNECTIONS"}}
	for c.Limit == 0 || left > 0 {
		size := maxPage
		if c.Limit > 0 {
			size = min(left, maxPage)
		}
		query.Set("limit", strconv.Itoa(size))
		var page []json.RawMessage
		if err := server.call(ctx, http.MethodGet, c.accounts(server)+"?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		var last accountView
		for _, text := range page {
			last = accountView{}
			if err := json.Unmarshal(text, &last); err != nil {
				return err
			}
			if c.JSON {
				fmt.Fprintf(stdio.Out, "%s\n", text)
				continue
			}
			rows = append(rows, []string{
				printable(last.ID), printable(last.Company.BusinessName), printable(last.Company.Address.Country),
				printable(last.Progression), printable(strings.Join(last.connections(), ", ")),
			})
		}
		if left -= len(page); len(page) < size {
			break
		}
		query.Set("starting_after", last.PagingToken)
	}
	if !c.JSON {
		printTable(stdio.Out, rows)
	}
	return nil
}

func (c accountListCommand) query() url.Values {
	query := url.Values{}
	for name, values := range map[string][]string{
		"search": {c.Search}, "country": {c.Country}, "payment_options": {c.PaymentOption}, "progression": c.Progression,
		"connections": c.Connection, "connections_progression": c.ConnectionStatus, "services": c.Service, "account_manager": c.AccountManager,
	} {
		for _, value := range values {
			if value != "" {
				query.Add(name, value)
			}
		}
	}
	return query
}

// accountArg names the one account that a command is about.
type accountArg struct {
	ownerFlags
	ID string `arg:"" help:"The account, such as T11223352."`
}

func (c accountArg) open(ctx context.Context) (*remote, error) {
	return c.connect(ctx, "account "+c.ID)
}

func (c accountArg) path(r *remote) string { return c.accounts(r) + "/" + url.PathEscape(c.ID) }

type accountShowCommand struct {
	accountArg
	JSON bool `name:"json" help:"Print the account as JSON."`
}

// Help is shown below the flags.
func (accountShowCommand) Help() string {
	return `Examples:
  mooring account show T11223352
  mooring account show --owner T112 T11223352 --json`
}

// Run prints one account.
func (c accountShowCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.open(ctx)
	if err != nil {
		return err
	}
	var text json.RawMessage
	if err := server.call(ctx, http.MethodGet, c.path(server), nil, &text); err != nil {
		return err
	}
	return printAccount(stdio.Out, text, c.JSON)
}

// printAccount shows an account as the server answered it.
func printAccount(out io.Writer, text json.RawMessage, whole bool) error {
	if whole {
		_, err := fmt.Fprintf(out, "%s\n", text)
		return err
	}
	var v accountView
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	rows := [][]string{
		{"account", v.ID},
		{"partner", v.Partner},
		{"name", v.Company.BusinessName},
		{"number", v.Company.OrganizationNumber},
		{"country", v.Company.Address.Country},
		{"progression", v.Progression},
		{"manager", v.AccountManager.Email},
		{"created", v.CreatedAt},
	}
	for _, connection := range v.connections() {
		rows = append(rows, []string{"connection", connection})
	}
	rows = slices.DeleteFunc(rows, func(row []string) bool { return row[1] == "" })
	for _, row := range rows {
		row[1] = printable(row[1])
	}
	printTable(out, rows)
	return nil
}

type accountDeleteCommand struct {
	accountArg
	Reason string `placeholder:"TEXT" help:"Why; kept in the audit."`
}

// Help is shown below the flags.
func (accountDeleteCommand) Help() string {
	return `Ends all access to the account at once. What stands for it is kept for as long as
its retention says, and then erased. A partner that still has accounts stays.

Examples:
  mooring account delete T11223352 --reason "the merchant has left, ticket 4711"
  mooring account delete --owner T112 T11223352`
}

// Run deletes the account.
func (c accountDeleteCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.open(ctx)
	if err != nil {
		return err
	}
	server.because(c.Reason)
	if err := server.call(ctx, http.MethodDelete, c.path(server), nil, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdio.Out, "%s is deleted\n", c.ID)
	return err
}

type accountMoveCommand struct {
	remoteFlags
	ID     string `arg:"" help:"The account, such as T11223352."`
	To     string `required:"" placeholder:"ID" help:"The partner that gets it, such as T113 or T11300000."`
	Reason string `placeholder:"TEXT" help:"Why; kept in the audit."`
}

// Help is shown below the flags.
func (accountMoveCommand) Help() string {
	return `Gives a merchant with all its connections to another partner. What the old one may do ends
at once. The account keeps its id. For platforms only.

Examples:
  mooring account move T11223352 --to T113
  mooring account move T11223352 --to T11300000 --reason "change of partner, ticket 4712"`
}

// Run moves the account.
func (c accountMoveCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "account "+c.ID+" or partner "+c.To)
	if err != nil {
		return err
	}
	server.because(c.Reason)
	if err := server.call(ctx, http.MethodPost, operatorPath(c.ID)+"/owner", map[string]string{"owner": c.To}, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdio.Out, "%s belongs to %s\n", c.ID, c.To)
	return err
}

type accountCommentCommand struct {
	accountArg
	Text       string `arg:"" optional:"" help:"What to note. Without it, the comments are listed."`
	Connection string `placeholder:"NAME" help:"Provider of the connection that it is about."`
	JSON       bool   `name:"json" help:"Print JSON: the comment, or one object to a line."`
}

// Help is shown below the flags.
func (accountCommentCommand) Help() string {
	return `Comments are seen by the owner and the platform, never by the account itself.

Examples:
  mooring account comment T11223352 "Called; nobody answered." --connection vipps
  mooring account comment --owner T112 T11223352`
}

// accountNote is a comment as the server shows it.
type accountNote struct {
	CreatedAt   string `json:"created_at"`
	CreatedBy   string `json:"created_by"`
	Body        string `json:"body"`
	Connection  string `json:"connection"`
	PagingToken string `json:"paging_token"`
}

// Run notes a comment, or lists those there are.
func (c accountCommentCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.open(ctx)
	if err != nil {
		return err
	}
	if c.Text == "" {
		return c.list(ctx, server, stdio.Out)
	}
	note := map[string]string{"event_type": "comment", "visibility": "private", "body": c.Text}
	if c.Connection != "" {
		note["connection"] = c.Connection
	}
	var answer json.RawMessage
	if err := server.call(ctx, http.MethodPost, c.path(server)+"/events", note, &answer); err != nil {
		return err
	}
	if c.JSON {
		_, err = fmt.Fprintf(stdio.Out, "%s\n", answer)
		return err
	}
	_, err = fmt.Fprintln(stdio.Out, "noted")
	return err
}

func (c accountCommentCommand) list(ctx context.Context, server *remote, out io.Writer) error {
	query, rows := url.Values{"type": {"comment"}, "limit": {strconv.Itoa(maxPage)}}, [][]string{{"WHEN", "BY", "CONNECTION", "COMMENT"}}
	for {
		var page []json.RawMessage
		if err := server.call(ctx, http.MethodGet, c.path(server)+"/events?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		var n accountNote
		for _, text := range page {
			n = accountNote{}
			if err := json.Unmarshal(text, &n); err != nil {
				return err
			}
			if c.JSON {
				fmt.Fprintf(out, "%s\n", text)
				continue
			}
			rows = append(rows, []string{printable(n.CreatedAt), printable(n.CreatedBy), printable(n.Connection), printable(n.Body)})
		}
		if len(page) < maxPage {
			break
		}
		query.Set("starting_after", n.PagingToken)
	}
	if !c.JSON {
		printTable(out, rows)
	}
	return nil
}
