package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

type noticesCommand struct {
	List   noticesListCommand   `cmd:"" default:"withargs" help:"List the rules by which people are told in words (default)."`
	Create noticesCreateCommand `cmd:"" help:"Make a rule, for e-mail, Slack or Microsoft Teams."`
	Show   noticesShowCommand   `cmd:"" help:"Show a rule."`
	Update noticesUpdateCommand `cmd:"" help:"Replace what a rule says."`
	Test   noticesTestCommand   `cmd:"" help:"Send one notice that says it is a test."`
	Delete noticesDeleteCommand `cmd:"" help:"Delete a rule."`
}

// Help is shown below the flags.
func (noticesCommand) Help() string {
	return `Examples:
  mooring notices create email anna@example.com --when turn_changed --turn partner --hour 8 --time-zone Europe/Oslo --holidays NO
  mooring notices test 01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55`
}

// noticePath is where the rules of an account are, or one of them.
func noticePath(f ownerFlags, r *remote, part string) string {
	owner := f.Owner
	if owner == "" {
		owner = r.account
	}
	return accountPath(owner) + "/notices" + part
}

// noticeRuleFlags are what a rule says.
type noticeRuleFlags struct {
	Name       string   `placeholder:"TEXT" help:"What you call it; in no notice."`
	When       []string `required:"" placeholder:"CAUSE" help:"What is told: turn_changed, stalled, enabled, declined, failed, credential_expiring, endpoint_failing or endpoint_disabled."`
	Turn       []string `placeholder:"WHO" help:"Of turn_changed, only when it is the turn of merchant, partner, provider, operator or nobody."`
	Connection []string `placeholder:"NAME" help:"Only what is about one of these providers."`
	Partner    []string `placeholder:"ID" help:"Only what is about these partners and their merchants, for a platform."`
	Hour       *int     `placeholder:"N" help:"Tell once on each business day, at this hour; without it at once."`
	TimeZone   string   `placeholder:"ZONE" help:"Where that hour is, such as Europe/Oslo."`
	Holidays   string   `placeholder:"COUNTRY" help:"Country whose holidays are no business days: NO, SE, DK or FI."`
	Hold       bool     `help:"Do not follow the rule for now."`
}

// body is what a rule says, as the API takes it.
func (f noticeRuleFlags) body() (map[string]any, error) {
	body := map[string]any{"name": f.Name, "when": f.When, "active": !f.Hold}
	for name, values := range map[string][]string{"turns": f.Turn, "connections": f.Connection, "partners": f.Partner} {
		if len(values) > 0 {
			body[name] = values
		}
	}
	switch {
	case f.Hour != nil && f.TimeZone == "":
		return nil, errors.New("--hour needs --time-zone, such as Europe/Oslo")
	case f.Hour == nil && (f.TimeZone != "" || f.Holidays != ""):
		return nil, errors.New("--time-zone and --holidays are for a rule with an --hour")
	case f.Hour != nil:
		digest := map[string]any{"hour": *f.Hour, "time_zone": f.TimeZone}
		if f.Holidays != "" {
			digest["holidays"] = f.Holidays
		}
		body["digest"] = digest
	}
	return body, nil
}

// noticeRule is a rule, as far as a table goes.
type noticeRule struct {
	ID, Kind, Target, Name string
	When                   []string
	Digest                 *struct {
		Hour     int
		TimeZone string `json:"time_zone"`
		Holidays string
	}
	Active      bool
	ConfirmedAt string `json:"confirmed_at"`
	StoppedAt   string `json:"stopped_at"`
	DisabledAt  string `json:"disabled_at"`
}

// state is how a rule stands, in a word.
func (n noticeRule) state() string {
	switch {
	case n.StoppedAt != "":
		return "ended by its reader"
	case n.DisabledAt != "":
		return "switched off"
	case !n.Active:
		return "held"
	case n.Kind == "email" && n.ConfirmedAt == "":
		return "to be confirmed"
	}
	return "active"
}

func (n noticeRule) cells() []string {
	tells := "at once"
	if d := n.Digest; d != nil {
		tells = strings.TrimSpace(fmt.Sprintf("%02d:00 %s %s", d.Hour, d.TimeZone, d.Holidays))
	}
	return []string{n.ID, n.Kind, printable(n.Target), strings.Join(n.When, ","), printable(tells), n.state(), dash(n.Name)}
}

type noticesListCommand struct {
	ownerFlags
	JSON bool `name:"json" help:"Print a JSON object for each, one to a line."`
}

// Help is shown below the flags.
func (noticesListCommand) Help() string {
	return `Examples:
  mooring notices list --owner T112
  mooring notices list --json`
}

// Run prints the rules.
func (c noticesListCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "")
	if err != nil {
		return err
	}
	var all []json.RawMessage
	if err := server.call(ctx, http.MethodGet, noticePath(c.ownerFlags, server, ""), nil, &all); err != nil {
		return err
	}
	rows := [][]string{{"ID", "KIND", "TARGET", "WHEN", "TELLS", "STATE", "NAME"}}
	for _, text := range all {
		if c.JSON {
			fmt.Fprintf(stdio.Out, "%s\n", text)
			continue
		}
		var n noticeRule
		if err := json.Unmarshal(text, &n); err != nil {
			return err
		}
		rows = append(rows, n.cells())
	}
	if !c.JSON {
		printTable(stdio.Out, rows)
	}
	return nil
}

type noticesCreateCommand struct {
	ownerFlags
	noticeRuleFlags
	Kind    string `arg:"" enum:"email,slack,teams" help:"How people are told: email, slack or teams."`
	Address string `arg:"" optional:"" help:"For email, the address."`
	URLFile string `name:"url-file" placeholder:"FILE" help:"For slack and teams, file with the URL of the incoming webhook, a secret; - for the standard input."`
}

// Help is shown below the flags.
func (noticesCreateCommand) Help() string {
	return `An address is asked whether its reader agrees, and told nothing before.

Examples:
  mooring notices create email anna@example.com --when stalled --hour 8 --time-zone Europe/Oslo --holidays NO
  mooring notices create slack --url-file channel.url --when declined --when endpoint_disabled`
}

// Run makes the rule.
func (c noticesCreateCommand) Run(ctx context.Context, stdio Stdio) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	body["kind"] = c.Kind
	switch {
	case (c.Kind == "email") != (c.Address != "") || (c.Kind == "email") == (c.URLFile != ""):
		return errors.New("e-mail takes an address, and a chat --url-file")
	case c.Address != "":
		body["address"] = c.Address
	default:
		if body["url"], err = readLine(c.URLFile); err != nil {
			return err
		}
	}
	return sendNotice(ctx, c.ownerFlags, stdio, http.MethodPost, "", body)
}

// readLine reads the one line of a file, or of the standard input.
func readLine(path string) (string, error) {
	in := os.Stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, 4096))
	return strings.TrimSpace(string(text)), err
}

// sendNotice asks something of the rules and prints the rule that is answered.
func sendNotice(ctx context.Context, f ownerFlags, stdio Stdio, method, part string, body any) error {
	server, err := f.connect(ctx, "")
	if err != nil {
		return err
	}
	var text json.RawMessage
	if err := server.call(ctx, method, noticePath(f, server, part), body, &text); err != nil {
		return err
	}
	return printJSON(stdio.Out, text)
}

// noticeFlags name one rule.
type noticeFlags struct {
	ownerFlags
	ID string `arg:"" help:"Id of the rule."`
}

type noticesShowCommand struct{ noticeFlags }

// Help is shown below the flags.
func (noticesShowCommand) Help() string {
	return `Examples:
  mooring notices show 01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55
  mooring notices show 01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55 --owner T112`
}

// Run prints the rule.
func (c noticesShowCommand) Run(ctx context.Context, stdio Stdio) error {
	return sendNotice(ctx, c.ownerFlags, stdio, http.MethodGet, "/"+c.ID, nil)
}

type noticesUpdateCommand struct {
	noticeFlags
	noticeRuleFlags
}

// Help is shown below the flags.
func (noticesUpdateCommand) Help() string {
	return `What is not said is as if it had never been. Where a rule tells, and whether
that is at once, stays.

Examples:
  mooring notices update 01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55 --when declined --connection vipps
  mooring notices update 01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55 --when declined --hold`
}

// Run replaces what the rule says.
func (c noticesUpdateCommand) Run(ctx context.Context, stdio Stdio) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	return sendNotice(ctx, c.ownerFlags, stdio, http.MethodPut, "/"+c.ID, body)
}

type noticesTestCommand struct{ noticeFlags }

// Help is shown below the flags.
func (noticesTestCommand) Help() string {
	return `An address that is not confirmed is asked once more.

Examples:
  mooring notices test 01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55
  mooring notices test 01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55 --owner T112`
}

// Run has a test sent.
func (c noticesTestCommand) Run(ctx context.Context, stdio Stdio) error {
	return sendNotice(ctx, c.ownerFlags, stdio, http.MethodPost, "/"+c.ID+"/test", map[string]any{})
}

type noticesDeleteCommand struct{ noticeFlags }

// Help is shown below the flags.
func (noticesDeleteCommand) Help() string {
	return `Examples:
  mooring notices delete 01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55
  mooring notices delete 01990f2a-7d2f-7c31-8a40-3f0e9c1b2a55 --owner T112`
}

// Run deletes the rule.
func (c noticesDeleteCommand) Run(ctx context.Context, stdio Stdio) error {
	return sendNotice(ctx, c.ownerFlags, stdio, http.MethodDelete, "/"+c.ID, nil)
}
