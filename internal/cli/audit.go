package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

type auditCommand struct {
	remoteFlags
	Account string `arg:"" help:"Account whose audit it is."`
	Owner   string `placeholder:"ID" help:"Partner that owns the account, when the client is the partner's."`
	Action  string `placeholder:"NAME" help:"Only what was done in this way, such as connection.event."`
	Outcome string `enum:"done,refused," default:"" placeholder:"WORD" help:"Only what was done, or refused."`
	By      string `placeholder:"ID" help:"Only what this API client did."`
	Since   string `placeholder:"TIME" help:"Only what was done since a time (2026-05-12T00:00:00Z), or in the last while (36h)."`
	Until   string `placeholder:"TIME" help:"Only what was done before a time, or longer than a while ago."`
	Limit   int    `default:"25" help:"How many records at most, newest first; 0 for all."`
	JSON    bool   `help:"Print JSON, a record a line, instead of a table."`
}

// Help is shown below the flags.
func (auditCommand) Help() string {
	return `Shows who did what to an account, when, from where and why, and who was denied.

Examples:
  mooring audit T11223351
  mooring audit T00000000 --outcome refused --since 24h
  mooring audit P11223351 --owner P112 --limit 0 --json \
      --url https://connections.example.com --client ID --secret-file FILE`
}

// audited is what the table shows of a record.
type audited struct {
	At      string `json:"at"`
	By      string `json:"by"`
	Caller  string `json:"by_account"`
	Remote  string `json:"remote"`
	Action  string `json:"action"`
	Target  string `json:"target"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Detail  struct {
		Count int `json:"count"`
	} `json:"detail"`
}

// Run prints the records, page by page.
func (c auditCommand) Run(ctx context.Context, stdio Stdio) error {
	path, query, err := c.question(time.Now())
	if err != nil {
		return err
	}
	server, err := c.connect(ctx, "account "+c.Account)
	if err != nil {
		return err
	}
	rows := [][]string{{"TIME", "OUTCOME", "ACTION", "TARGET", "BY", "OF", "FROM", "REASON"}}
	err = server.pages(ctx, path, query, c.Limit, func(raw json.RawMessage) error {
		var r audited
		if err := json.Unmarshal(raw, &r); err != nil {
			return err
		}
		if c.JSON {
			if _, err := fmt.Fprintf(stdio.Out, "%s\n", raw); err != nil {
				return err
			}
		}
		rows = append(rows, r.row())
		return nil
	})
	if err != nil {
		return err
	}
	if !c.JSON {
		printTable(stdio.Out, rows)
	}
	return nil
}

// maxPage is how many items the server gives at once.
const maxPage = 100

// question is what the server is asked.
func (c auditCommand) question(now time.Time) (path string, query url.Values, err error) {
	path, query = accountPath(c.Account)+"/audit", url.Values{}
	if c.Owner != "" {
		path = accountPath(c.Owner) + "/audit"
		query.Set("account", c.Account)
	}
	for name, value := range map[string]string{"action": c.Action, "outcome": c.Outcome, "client": c.By, "since": c.Since, "until": c.Until} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for _, name := range []string{"since", "until"} {
		if ago, err := time.ParseDuration(query.Get(name)); err == nil {
			query.Set(name, now.Add(-ago).UTC().Format(time.RFC3339))
		}
	}
	if c.Limit < 0 {
		err = errors.New("--limit must be 0 or more")
	}
	return path, query, err
}

func (r audited) row() []string {
	outcome := r.Outcome
	if r.Detail.Count > 1 {
		outcome += " x" + strconv.Itoa(r.Detail.Count)
	}
	row := []string{r.At, outcome, r.Action, r.Target, r.By, r.Caller, r.Remote, r.Reason}
	for i := range row {
		row[i] = printable(row[i])
	}
	return row
}
