package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

type deliveriesCommand struct {
	List        deliveriesListCommand        `cmd:"" help:"List attempts, newest first."`
	Show        deliveriesShowCommand        `cmd:"" help:"Show one attempt: what was sent, and what was answered."`
	Outstanding deliveriesOutstandingCommand `cmd:"" help:"List the messages that wait to be sent again, and those that were given up."`
	Resend      deliveriesResendCommand      `cmd:"" help:"Send one message again."`
	Recover     deliveriesRecoverCommand     `cmd:"" help:"Send again what was not delivered since a time or an event."`
}

// Help is shown below the flags.
func (deliveriesCommand) Help() string {
	return `A delivery is one event on its way to one subscription, an attempt is one try.

Examples:
  mooring deliveries list 01990f35-02bb-7e10-b5d7-91f4a7c06d33 --failed
  mooring deliveries recover 01990f35-02bb-7e10-b5d7-91f4a7c06d33 --since 6h`
}

// attempt is one try, as the server shows it.
type attempt struct {
	ID        string `json:"id"`
	Delivery  string `json:"event_delivery"`
	CreatedAt string `json:"created_at"`
	Status    int    `json:"status"`
	Event     string `json:"event"`
	EventID   string `json:"event_id"`
	Number    int    `json:"attempt"`
	Error     string `json:"error"`
	URL       string `json:"url"`
	Request   struct {
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"request"`
	Response struct {
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"response"`
	Details struct {
		At       string  `json:"delivery_at"`
		Duration float64 `json:"delivery_duration"`
		Success  bool    `json:"delivery_success"`
	} `json:"details"`
}

// outcome is the status that was answered, or why there is none.
func (a attempt) outcome() string {
	if a.Status == 0 {
		return "no answer: " + dash(a.Error)
	}
	return strconv.Itoa(a.Status)
}

type deliveriesListCommand struct {
	hookFlags
	jsonFlag
	Event     string `placeholder:"NAME" help:"Only of events of this name."`
	Failed    bool   `xor:"success" help:"Only attempts that failed."`
	Delivered bool   `xor:"success" help:"Only attempts that succeeded."`
	Since     string `placeholder:"TIME" help:"Only since a time (2026-05-12T00:00:00Z), or in the last while (36h)."`
	Until     string `placeholder:"TIME" help:"Only before a time, or longer than a while ago."`
	Limit     int    `default:"25" help:"How many at most, newest first; 0 for all."`
}

// Help is shown below the flags.
func (deliveriesListCommand) Help() string {
	return `Examples:
  mooring deliveries list --account T11223352 01990f35-02bb-7e10-b5d7-91f4a7c06d33
  mooring deliveries list 01990f35-02bb-7e10-b5d7-91f4a7c06d33 --failed --since 24h --limit 0`
}

// Run prints a line for each attempt.
func (c deliveriesListCommand) Run(ctx context.Context, stdio Stdio) error {
	query := url.Values{}
	setUnlessEmpty(query, "event", c.Event)
	if c.Failed || c.Delivered {
		query.Set("success", strconv.FormatBool(c.Delivered))
	}
	for name, text := range map[string]string{"since": c.Since, "until": c.Until} {
		if at, isTime := timeOf(text, time.Now()); isTime {
			text = at.UTC().Format(time.RFC3339)
		}
		setUnlessEmpty(query, name, text)
	}
	list := listing{head: []string{"ATTEMPT", "TIME", "EVENT", "TRY", "ANSWER", "DELIVERY"}, json: c.JSON, out: stdio.Out}
	return list.print(ctx, c.hookFlags, "/deliveries", c.Limit, []url.Values{query}, func(raw []byte) ([]string, error) {
		var a attempt
		err := json.Unmarshal(raw, &a)
		return []string{printable(a.ID), printable(a.CreatedAt), dash(a.Event), strconv.Itoa(a.Number), a.outcome(), printable(a.Delivery)}, err
	})
}

// listing prints what there is of a subscription: a table, or a JSON object a line.
type listing struct {
	head []string
	json bool
	out  io.Writer
}

// print asks one question after the other, page by page, up to a limit.
func (l listing) print(ctx context.Context, f hookFlags, part string, limit int, queries []url.Values, row func([]byte) ([]string, error)) error {
	server, path, err := f.open(ctx)
	if err != nil {
		return err
	}
	rows := [][]string{l.head}
	for _, query := range queries {
		err := server.pages(ctx, path+part, query, limit, func(raw json.RawMessage) error {
			if l.json {
				_, err := fmt.Fprintf(l.out, "%s\n", raw)
				return err
			}
			cells, err := row(raw)
			rows = append(rows, cells)
			return err
		})
		if err != nil {
			return err
		}
	}
	if !l.json {
		printTable(l.out, rows)
	}
	return nil
}

// deliveryFlags name one delivery of a subscription.
type deliveryFlags struct {
	hookFlags
	Delivery string `arg:"" help:"The attempt, by its id."`
}

// path is where the delivery is, or a part of it.
func (f deliveryFlags) path(part string) string {
	return "/deliveries/" + url.PathEscape(f.Delivery) + part
}

func (f deliveryFlags) about() string {
	return "attempt " + f.Delivery + " of the subscription " + f.ID
}

type deliveriesShowCommand struct {
	deliveryFlags
	jsonFlag
}

// Help is shown below the flags.
func (deliveriesShowCommand) Help() string {
	return `Of the answer at most 1 KiB is kept, and no headers that log somebody in.

Examples:
  mooring deliveries show 01990f35-02bb-7e10-b5d7-91f4a7c06d33 01990f36-6f0b-7d3c-8a52-1f6f0e0a9c11
  mooring deliveries show 01990f35-02bb-7e10-b5d7-91f4a7c06d33 01990f36-6f0b-7d3c-8a52-1f6f0e0a9c11 --json`
}

// Run prints one attempt.
func (c deliveriesShowCommand) Run(ctx context.Context, stdio Stdio) error {
	server, path, err := c.open(ctx)
	if err != nil {
		return err
	}
	server.about = c.about()
	var answer json.RawMessage
	if err := server.call(ctx, http.MethodGet, path+c.path(""), nil, &answer); err != nil {
		return err
	}
	return printAnswer(c.jsonFlag, stdio.Out, answer, func(a attempt) { a.print(stdio.Out) })
}

type deliveriesOutstandingCommand struct {
	hookFlags
	jsonFlag
	State string `enum:"failed,waiting,again,dead," default:"" placeholder:"STATE" help:"Only what failed and is tried again, waits behind that, is sent again on request, or was given up (failed, waiting, again, dead)."`
}

// Help is shown below the flags.
func (deliveriesOutstandingCommand) Help() string {
	return `Examples:
  mooring deliveries outstanding --account T11223352 01990f35-02bb-7e10-b5d7-91f4a7c06d33
  mooring deliveries outstanding 01990f35-02bb-7e10-b5d7-91f4a7c06d33 --state dead`
}

// Run prints a line for each message.
func (c deliveriesOutstandingCommand) Run(ctx context.Context, stdio Stdio) error {
	var queries []url.Values
	for _, state := range []string{"failed", "waiting", "again", "dead"} {
		if c.State == "" || c.State == state {
			queries = append(queries, url.Values{"state": {state}})
		}
	}
	list := listing{head: []string{"DELIVERY", "EVENT", "STATE", "TRIES", "NEXT", "LAST"}, json: c.JSON, out: stdio.Out}
	return list.print(ctx, c.hookFlags, "/outstanding", 0, queries, func(raw []byte) ([]string, error) {
		var o struct {
			Delivery string `json:"event_delivery"`
			Event    string `json:"event"`
			State    string `json:"state"`
			Attempts int    `json:"attempts"`
			NextAt   string `json:"next_attempt_at"`
			Error    string `json:"error"`
		}
		err := json.Unmarshal(raw, &o)
		return []string{printable(o.Delivery), dash(o.Event), printable(o.State), strconv.Itoa(o.Attempts), dash(o.NextAt), dash(o.Error)}, err
	})
}

type deliveriesResendCommand struct{ deliveryFlags }

// Help is shown below the flags.
func (deliveriesResendCommand) Help() string {
	return `The same id and the same bytes; the receiver sees that it has it.

Examples:
  mooring deliveries resend 01990f35-02bb-7e10-b5d7-91f4a7c06d33 01990f36-6f0b-7d3c-8a52-1f6f0e0a9c11
  mooring deliveries resend --account T11223352 01990f35-02bb-7e10-b5d7-91f4a7c06d33 01990f36-6f0b-7d3c-8a52-1f6f0e0a9c11`
}

// Run sends one message again.
func (c deliveriesResendCommand) Run(ctx context.Context, stdio Stdio) error {
	server, path, err := c.open(ctx)
	if err != nil {
		return err
	}
	server.about = c.about()
	if err := server.call(ctx, http.MethodPost, path+c.path("/resend"), nil, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdio.Out, "it is on its way again")
	return err
}

type deliveriesRecoverCommand struct {
	hookFlags
	jsonFlag
	Since string `xor:"from" placeholder:"TIME" help:"What happened since a time (2026-05-12T00:00:00Z), or in the last while (36h)."`
	After string `xor:"from" placeholder:"ID" help:"What happened after this event."`
	All   bool   `help:"Also what was delivered."`
}

// Help is shown below the flags.
func (deliveriesRecoverCommand) Help() string {
	return `Without --all only what was given up, or waits to be tried again.

Examples:
  mooring deliveries recover 01990f35-02bb-7e10-b5d7-91f4a7c06d33 --since 6h
  mooring deliveries recover 01990f35-02bb-7e10-b5d7-91f4a7c06d33 --after 01990f36-6f0b-7d3c-8a52-1f6f0e0a9c11 --all`
}

// Run sends again what a receiver may have missed.
func (c deliveriesRecoverCommand) Run(ctx context.Context, stdio Stdio) error {
	body := map[string]any{"include": map[bool]string{true: "all", false: "undelivered"}[c.All]}
	switch at, isTime := timeOf(c.Since, time.Now()); {
	case c.After != "":
		body["after"] = c.After
	case isTime:
		body["since"] = at.UTC().Format(time.RFC3339)
	default:
		return errors.New("say since when, such as --since 6h, or after which event, with --after ID")
	}
	server, path, err := c.open(ctx)
	if err != nil {
		return err
	}
	var answer json.RawMessage
	if err := server.call(ctx, http.MethodPost, path+"/recover", body, &answer); err != nil {
		return err
	}
	return printAnswer(c.jsonFlag, stdio.Out, answer, func(r struct{ Deliveries int }) {
		if c.All {
			fmt.Fprintln(stdio.Out, "everything is told again")
			return
		}
		fmt.Fprintln(stdio.Out, counted(r.Deliveries, "message"), "on the way again")
	})
}
