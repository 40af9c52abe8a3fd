package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

type queueCommand struct {
	List   queueListCommand   `cmd:"" default:"withargs" help:"List the connections that wait for somebody, oldest first (default)."`
	Count  queueCountCommand  `cmd:"" help:"Count connections by how they stand."`
	Assign queueAssignCommand `cmd:"" help:"Say who looks after a connection."`
	Snooze queueSnoozeCommand `cmd:"" help:"Put a connection off."`
}

// Help is shown below the flags.
func (queueCommand) Help() string {
	return `What is not settled of the merchants of a partner, or for the platform of its
world: whose turn it is, since when, and by when the next step is due.

Examples:
  mooring queue --owner T112 --turn merchant --older-than 3d
  mooring queue assign T11223352 vipps anna@example.com`
}

// queueFlags say whose queue a command is about, and which part of it.
type queueFlags struct {
	ownerFlags
	Connection []string `placeholder:"NAME" help:"Connections to one of these providers."`
	Status     []string `placeholder:"STATUS" help:"Pending, enabled, failed or declined."`
	Turn       []string `placeholder:"WHO" help:"It is the turn of merchant, partner, provider, operator or nobody."`
	Code       []string `placeholder:"CODE" help:"They stand there for one of these reasons."`
	Partner    string   `placeholder:"ID" help:"Of this partner's merchants, for a platform."`
}

// path is where the queue is, or a part of it.
func (f queueFlags) path(r *remote, part string) string {
	owner := f.Owner
	if owner == "" {
		owner = r.account
	}
	return accountPath(owner) + "/queue" + part
}

func (f queueFlags) query() url.Values {
	query := url.Values{"connection": f.Connection, "status": f.Status, "turn": f.Turn, "code": f.Code}
	setUnlessEmpty(query, "partner", f.Partner)
	return query
}

func setUnlessEmpty(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

type queueListCommand struct {
	queueFlags
	Assignee  *string `placeholder:"NAME" help:"Somebody looks after them; an empty name is nobody."`
	OlderThan string  `placeholder:"DURATION" help:"They have stood there at least so long, such as 36h, 3d or 2w."`
	DueBefore string  `placeholder:"TIME" help:"The next step is due before this time, such as 2026-05-15T00:00:00Z."`
	Overdue   bool    `help:"The next step should have been done by now."`
	Snoozed   string  `enum:"hide,show,only" default:"hide" help:"What becomes of those that were put off: hide, show or only."`
	Limit     int     `default:"25" help:"How many at most; 0 means all."`
	JSON      bool    `name:"json" xor:"form" help:"Print a JSON object for each, one to a line."`
	CSV       bool    `name:"csv" xor:"form" help:"Print a table for a spreadsheet."`
}

// Help is shown below the flags.
func (queueListCommand) Help() string {
	return `Examples:
  mooring queue list --overdue --limit 0 --csv >overdue.csv
  mooring queue list --connection vipps --turn merchant --turn nobody`
}

// queued is a row of the queue, as far as a table goes.
type queued struct {
	Account      string `json:"account_id"`
	BusinessName string `json:"business_name"`
	Connection   string `json:"connection"`
	Status       string `json:"status"`
	Turn         string `json:"turn"`
	Since        string `json:"since"`
	Due          string `json:"due"`
	Overdue      bool   `json:"overdue"`
	Code         string `json:"code"`
	Assignee     string `json:"assignee"`
	SnoozedUntil string `json:"snoozed_until"`
	PagingToken  string `json:"paging_token"`
}

func (q queued) cells() []string {
	due := q.Due
	if q.Overdue {
		due += " !"
	}
	cells := []string{q.Account, q.BusinessName, q.Connection, q.Status, q.Turn, q.Since, due, q.Code, q.Assignee}
	for i, cell := range cells {
		cells[i] = printable(cell)
		if cell == "" {
			cells[i] = "-"
		}
	}
	return cells
}

// Run prints the rows.
func (c queueListCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "")
	if err != nil {
		return err
	}
	query := c.query()
	if c.Assignee != nil {
		query.Set("assignee", *c.Assignee)
	}
	setUnlessEmpty(query, "older_than", c.OlderThan)
	setUnlessEmpty(query, "due_before", c.DueBefore)
	query.Set("snoozed", c.Snoozed)
	if c.Overdue {
		query.Set("overdue", "true")
	}
	if c.CSV {
		return c.table(ctx, server, query, stdio)
	}
	rows := [][]string{{"ACCOUNT", "NAME", "CONNECTION", "STATUS", "TURN", "SINCE", "DUE", "CODE", "ASSIGNEE"}}
	err = c.pages(ctx, server, query, func(text json.RawMessage, q queued) {
		if c.JSON {
			fmt.Fprintf(stdio.Out, "%s\n", text)
			return
		}
		rows = append(rows, q.cells())
	})
	if err == nil && !c.JSON {
		printTable(stdio.Out, rows)
	}
	return err
}

// pages reads page after page, until the limit or the end.
func (c queueListCommand) pages(ctx context.Context, server *remote, query url.Values, row func(json.RawMessage, queued)) error {
	for left := c.Limit; ; {
		size := 100
		if c.Limit > 0 {
			size = min(size, left)
		}
		query.Set("limit", strconv.Itoa(size))
		var page []json.RawMessage
		if err := server.call(ctx, http.MethodGet, c.path(server, "?"+query.Encode()), nil, &page); err != nil {
			return err
		}
		for _, text := range page {
			var q queued
			if err := json.Unmarshal(text, &q); err != nil {
				return err
			}
			row(text, q)
			query.Set("starting_after", q.PagingToken)
		}
		left -= len(page)
		if len(page) < size || c.Limit > 0 && left == 0 {
			return nil
		}
	}
}

// table prints what the server makes for spreadsheets, page after page under
// one head line.
func (c queueListCommand) table(ctx context.Context, server *remote, query url.Values, stdio Stdio) error {
	query.Set("format", "csv")
	if c.Limit > 100 {
		return errors.New("as a table for a spreadsheet the limit is 0, for all, or at most 100")
	}
	if c.Limit > 0 {
		query.Set("limit", strconv.Itoa(c.Limit))
	}
	for first := true; ; first = false {
		var text []byte
		if err := server.call(ctx, http.MethodGet, c.path(server, "?"+query.Encode()), nil, &text); err != nil {
			return err
		}
		head, body, _ := bytes.Cut(text, []byte("\n"))
		if first {
			body = text
		}
		if isTerminal(stdio.Out) {
			body = forTerminal(body)
		}
		if _, err := stdio.Out.Write(body); err != nil {
			return err
		}
		if len(text) == len(head)+1 || c.Limit > 0 {
			return nil
		}
		lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
		last := lines[len(lines)-1]
		query.Set("starting_after", string(last[bytes.LastIndexByte(last, ',')+1:]))
	}
}

// forTerminal keeps a table from moving the cursor of the terminal that shows
// it. A file gets every byte.
func forTerminal(table []byte) []byte {
	lines := strings.Split(string(table), "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return []byte(strings.Join(lines, "\n"))
}

type queueCountCommand struct {
	queueFlags
	JSON bool `name:"json" help:"Print a JSON object."`
}

// Help is shown below the flags.
func (queueCountCommand) Help() string {
	return `Examples:
  mooring queue count --owner T112
  mooring queue count --turn operator --json`
}

// Run prints a line for each way of standing.
func (c queueCountCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "")
	if err != nil {
		return err
	}
	var text json.RawMessage
	if err := server.call(ctx, http.MethodGet, c.path(server, "/counts?"+c.query().Encode()), nil, &text); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(stdio.Out, text)
	}
	var counts struct {
		Connections, Waiting int64
		Groups               []struct {
			Connection, Status, Turn, Code string
			Waiting                        bool
			Count                          int64
		}
	}
	if err := json.Unmarshal(text, &counts); err != nil {
		return err
	}
	rows := [][]string{{"CONNECTION", "STATUS", "TURN", "CODE", "WAITING", "COUNT"}}
	for _, g := range counts.Groups {
		rows = append(rows, []string{printable(g.Connection), printable(g.Status), dash(g.Turn), dash(g.Code), yes(g.Waiting), strconv.FormatInt(g.Count, 10)})
	}
	printTable(stdio.Out, rows)
	fmt.Fprintf(stdio.Out, "\n%d connections, of which %d wait for somebody\n", counts.Connections, counts.Waiting)
	return nil
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return printable(text)
}

// queuePlace names one connection of an owner's.
type queuePlace struct {
	ownerFlags
	Account    string `arg:"" help:"Account that the connection is of."`
	Connection string `arg:"" help:"Provider of the connection."`
}

// write changes who looks after the connection, or when, and prints its row.
func (p queuePlace) write(ctx context.Context, stdio Stdio, method, part string, body any) error {
	server, err := p.connect(ctx, "connection "+p.Connection+" of "+p.Account)
	if err != nil {
		return err
	}
	path := queueFlags{ownerFlags: p.ownerFlags}.path(server, "/"+url.PathEscape(p.Account)+"/"+url.PathEscape(p.Connection)+"/"+part)
	var q queued
	if err := server.call(ctx, method, path, body, &q); err != nil {
		return err
	}
	said := "nobody looks after it"
	if q.Assignee != "" {
		said = q.Assignee + " looks after it"
	}
	if q.SnoozedUntil != "" {
		said += "; it is put off until " + q.SnoozedUntil
	}
	fmt.Fprintf(stdio.Out, "%s of %s: %s\n", printable(q.Connection), printable(q.Account), printable(said))
	return nil
}

type queueAssignCommand struct {
	queuePlace
	Assignee string `arg:"" optional:"" help:"Who looks after it, such as an address. Without, nobody."`
}

// Help is shown below the flags.
func (queueAssignCommand) Help() string {
	return `Examples:
  mooring queue assign T11223352 vipps anna@example.com
  mooring queue assign T11223352 vipps`
}

// Run says who looks after a connection.
func (c queueAssignCommand) Run(ctx context.Context, stdio Stdio) error {
	if c.Assignee == "" {
		return c.write(ctx, stdio, http.MethodDelete, "assignee", nil)
	}
	return c.write(ctx, stdio, http.MethodPut, "assignee", map[string]any{"assignee": c.Assignee})
}

type queueSnoozeCommand struct {
	queuePlace
	For   string `placeholder:"DURATION" xor:"span" help:"For so long by the account's own time, such as 3d."`
	Until string `placeholder:"TIME" xor:"span" help:"Until this time, such as 2026-05-18T08:00:00Z."`
	End   bool   `xor:"span" help:"Show it again."`
}

// Help is shown below the flags.
func (queueSnoozeCommand) Help() string {
	return `Examples:
  mooring queue snooze T11223352 vipps --for 3d
  mooring queue snooze T11223352 vipps --end`
}

// Run puts a connection off, or shows it again.
func (c queueSnoozeCommand) Run(ctx context.Context, stdio Stdio) error {
	switch {
	case c.End:
		return c.write(ctx, stdio, http.MethodDelete, "snooze", nil)
	case c.For != "":
		return c.write(ctx, stdio, http.MethodPut, "snooze", map[string]any{"for": c.For})
	case c.Until != "":
		return c.write(ctx, stdio, http.MethodPut, "snooze", map[string]any{"until": c.Until})
	}
	return errors.New("say how long: --for 3d, --until TIME, or --end to show it again")
}
