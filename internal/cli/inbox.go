package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
)

type inboxCommand struct {
	List   inboxListCommand   `cmd:"" help:"List the calls that a provider made about a connection."`
	Show   inboxShowCommand   `cmd:"" help:"Show what became of one call."`
	Replay inboxReplayCommand `cmd:"" help:"Judge a call again that was refused."`
}

// Help is shown below the flags.
func (inboxCommand) Help() string {
	return `What providers say of a signup is kept, sealed, before it is judged. A call that
was refused can be judged again for 30 days, once its cause is gone.

Examples:
  mooring inbox list --account T11223351 --connection vipps
  mooring inbox replay --account T11223351 --connection vipps 01990f35-02bb-7e10-b5d7-91f4a7c06d33`
}

// inboxFlags name the connection whose inbox a command is about.
type inboxFlags struct {
	remoteFlags
	Account    string `required:"" placeholder:"ID" help:"Account that the connection is of."`
	Connection string `required:"" placeholder:"NAME" help:"Provider of the connection."`
}

func (f inboxFlags) about() string { return "connection " + f.Connection + " of " + f.Account }

func (f inboxFlags) path() string {
	return operatorPath(f.Account) + "/connections/" + url.PathEscape(f.Connection) + "/callbacks"
}

// received is a call of the inbox, as the server shows it.
type received struct {
	ID         string `json:"id"`
	State      string `json:"state"`
	Effect     string `json:"effect"`
	Event      int64  `json:"event"`
	Code       string `json:"code"`
	Reason     string `json:"reason"`
	Operation  string `json:"operation"`
	Signup     string `json:"signup_id"`
	ReceivedAt string `json:"received_at"`
	ReceivedBy string `json:"received_by"`
	Remote     string `json:"remote"`
	JudgedAt   string `json:"judged_at"`
	Attempts   int64  `json:"attempts"`
	Digest     string `json:"digest"`
	BodyKept   bool   `json:"body_kept"`
}

// verdict is what became of the call, in a word or two.
func (r received) verdict() string {
	switch {
	case r.Effect != "" && r.Effect != r.State:
		return r.State + " (" + r.Effect + ")"
	case r.Code != "":
		return r.State + " (" + r.Code + ")"
	}
	return r.State
}

func (r received) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"call", r.ID},
		{"verdict", r.verdict()},
		{"reason", r.Reason},
		{"event", number(r.Event)},
		{"operation", r.Operation},
		{"signup", r.Signup},
		{"received", r.ReceivedAt},
		{"by", r.ReceivedBy},
		{"from", r.Remote},
		{"judged", r.JudgedAt},
		{"attempts", strconv.FormatInt(r.Attempts, 10)},
		{"digest", r.Digest},
		{"body", map[bool]string{true: "kept, sealed", false: "removed"}[r.BodyKept]},
	} {
		if line[1] != "" {
			fmt.Fprintf(table, "%s\t%s\n", line[0], printable(line[1]))
		}
	}
	return table.Flush()
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

type inboxListCommand struct {
	inboxFlags
	Limit int    `default:"25" help:"How many calls, 1 to 100, newest first."`
	After string `placeholder:"ID" help:"Begin after this call, the last one of the list before."`
}

// Help is shown below the flags.
func (inboxListCommand) Help() string {
	return `Examples:
  mooring inbox list --account T11223351 --connection vipps
  mooring inbox list --account T11223351 --connection swish --limit 100`
}

// Run prints a line for each call.
func (c inboxListCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, c.about())
	if err != nil {
		return err
	}
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	if c.After != "" {
		query.Set("starting_after", c.After)
	}
	var calls []received
	if err := server.call(ctx, http.MethodGet, c.path()+"?"+query.Encode(), nil, &calls); err != nil {
		return err
	}
	if len(calls) == 0 {
		_, err := fmt.Fprintln(stdio.Out, "no calls")
		return err
	}
	table := tabwriter.NewWriter(stdio.Out, 0, 0, 2, ' ', 0)
	for _, r := range calls {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", printable(r.ReceivedAt), printable(r.ID), printable(r.verdict()), printable(r.Reason))
	}
	return table.Flush()
}

// inboxCall names one call.
type inboxCall struct {
	inboxFlags
	ID string `arg:"" help:"The call, by its id."`
}

func (c inboxCall) about() string {
	return "call " + c.ID + " in the inbox of the " + c.inboxFlags.about()
}

func (c inboxCall) path() string { return c.inboxFlags.path() + "/" + url.PathEscape(c.ID) }

type inboxShowCommand struct{ inboxCall }

// Help is shown below the flags.
func (inboxShowCommand) Help() string {
	return `The body is sealed and never shown.

Examples:
  mooring inbox show --account T11223351 --connection vipps 01990f35-02bb-7e10-b5d7-91f4a7c06d33
  mooring inbox show --url https://connections.example.com --client ID --secret-file FILE \
      --account P11223351 --connection swish 01990f35-02bb-7e10-b5d7-91f4a7c06d33`
}

// Run prints one call.
func (c inboxShowCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, c.about())
	if err != nil {
		return err
	}
	var r received
	if err := server.call(ctx, http.MethodGet, c.path(), nil, &r); err != nil {
		return err
	}
	return r.print(stdio.Out)
}

type inboxReplayCommand struct{ inboxCall }

// Help is shown below the flags.
func (inboxReplayCommand) Help() string {
	return `A call that was applied stays as it is. One that is refused again ends the
command with 1.

Examples:
  mooring inbox replay --account T11223351 --connection vipps 01990f35-02bb-7e10-b5d7-91f4a7c06d33
  mooring inbox replay --url https://connections.example.com --client ID --secret-file FILE \
      --account P11223351 --connection swish 01990f35-02bb-7e10-b5d7-91f4a7c06d33`
}

// Run judges a call again and prints it with its new verdict.
func (c inboxReplayCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, c.about())
	if err != nil {
		return err
	}
	var r received
	if err := server.call(ctx, http.MethodPost, c.path()+"/replay", nil, &r); err != nil {
		return err
	}
	if err := r.print(stdio.Out); err != nil {
		return err
	}
	if r.State != "applied" {
		return errors.New("the call is refused again")
	}
	return nil
}
