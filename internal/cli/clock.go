package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

type clockCommand struct {
	Show    clockShowCommand    `cmd:"" help:"Show what time it is for a test account, and what comes next."`
	Advance clockAdvanceCommand `cmd:"" help:"Move the clock ahead; whatever becomes due on the way happens."`
	ToNext  clockToNextCommand  `cmd:"" help:"Move the clock to what happens next."`
}

// Help is shown below the flags.
func (clockCommand) Help() string {
	return `Each test account has a clock of its own, which begins with real time and goes
ahead as you say. The simulated providers of the account act by it.

Examples:
  mooring clock advance --account T11223351 3d
  mooring clock to-next --account T11223351`
}

// accountFlag names the test account that a command is about.
type accountFlag struct {
	Account string `required:"" placeholder:"ID" help:"The test account, such as T11223351."`
}

func (f accountFlag) about() string { return "test account " + f.Account }

func (f accountFlag) clock() string { return accountPath(f.Account) + "/clock" }

type clockShowCommand struct {
	remoteFlags
	accountFlag
}

// Help is shown below the flags.
func (clockShowCommand) Help() string {
	return `Examples:
  mooring clock show --account T11223351
  mooring clock show --account T11223351 --url https://connections.example.com --client ID --secret-file secret.txt`
}

// Run prints the time of an account.
func (c clockShowCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, c.about())
	if err != nil {
		return err
	}
	var clock struct {
		clockTime
		Next *step `json:"next"`
	}
	if err := server.call(ctx, http.MethodGet, c.clock(), nil, &clock); err != nil {
		return err
	}
	fmt.Fprintln(stdio.Out, clock.clockTime)
	if clock.Next == nil {
		fmt.Fprintln(stdio.Out, "nothing is planned")
		return nil
	}
	fmt.Fprintln(stdio.Out, "next:", *clock.Next)
	return nil
}

type clockAdvanceCommand struct {
	remoteFlags
	accountFlag
	Duration string `arg:"" help:"How far, in weeks, days, hours, minutes and seconds: 90m, 12h, 3d, 2w, 1d12h."`
}

// Help is shown below the flags.
func (clockAdvanceCommand) Help() string {
	return `Prints a line for everything that the simulated providers of the account did on
the way, in order.

Examples:
  mooring clock advance --account T11223351 3d
  mooring clock advance --account T11223351 90m`
}

// Run moves the clock by a duration.
func (c clockAdvanceCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, c.about())
	if err != nil {
		return err
	}
	now, err := server.advance(ctx, c.clock(), c.Duration, func(s step) { fmt.Fprintln(stdio.Out, s) })
	if err == nil {
		fmt.Fprintln(stdio.Out, now)
	}
	return err
}

// advance moves a clock by a duration, in as many moves as it takes, and hands
// over what happened on the way.
func (r *remote) advance(ctx context.Context, path, by string, happened func(step)) (clockTime, error) {
	for range maxMoves {
		var move clockMove
		err := r.call(ctx, http.MethodPost, path, map[string]string{"advance": by}, &move)
		for _, fired := range move.Fired {
			happened(fired)
		}
		if err != nil || !move.More {
			return move.clockTime, err
		}
		by = cmp.Or(move.Left, "0s")
	}
	return clockTime{}, errors.New("the clock does not arrive; the log of the server says why")
}

// maxMoves bounds how often a move that stops on its way is asked to go on.
const maxMoves = 1000

type clockToNextCommand struct {
	remoteFlags
	accountFlag
}

// Help is shown below the flags.
func (clockToNextCommand) Help() string {
	return `Examples:
  mooring clock to-next --account T11223351
  mooring clock to-next --account T11223351 && mooring clock show --account T11223351`
}

// Run moves the clock to what happens next.
func (c clockToNextCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, c.about())
	if err != nil {
		return err
	}
	var move clockMove
	if err := server.call(ctx, http.MethodPost, c.clock(), map[string]string{"to": "next"}, &move); err != nil {
		return err
	}
	for _, fired := range move.Fired {
		fmt.Fprintln(stdio.Out, fired)
	}
	if len(move.Fired) == 0 && !move.More {
		fmt.Fprintln(stdio.Out, "nothing is planned")
	}
	fmt.Fprintln(stdio.Out, move.clockTime)
	return nil
}

type simulateCommand struct {
	remoteFlags
	accountFlag
	Connection string `required:"" placeholder:"PROVIDER" help:"The connection, by the name of its provider."`
	Scenario   string `required:"" placeholder:"NAME" help:"What the provider is to do; a wrong name is told what there is."`
	Signup     string `placeholder:"ID" help:"The signup, when it is not the newest that is pending."`
}

// Help is shown below the flags.
func (simulateCommand) Help() string {
	return `Begins now, in place of what was left of the scenario before. Prints what is
planned.

Examples:
  mooring simulate --account T11223351 --connection vipps --scenario declined
  mooring simulate --account T11223352 --connection swish --scenario callback_lost`
}

// Run lets a simulated provider play another scenario.
func (c simulateCommand) Run(ctx context.Context, stdio Stdio) error {
	about := "connection " + c.Connection + " of the test account " + c.Account
	wish := map[string]string{"scenario": c.Scenario}
	if c.Signup != "" {
		wish["signup_id"] = c.Signup
		about += " with the signup " + c.Signup
	}
	server, err := c.connect(ctx, about)
	if err != nil {
		return err
	}
	var answer struct{ Steps []step }
	path := accountPath(c.Account) + "/connections/" + url.PathEscape(c.Connection) + "/simulate"
	if err := server.call(ctx, http.MethodPost, path, wish, &answer); err != nil {
		return err
	}
	for _, planned := range answer.Steps {
		fmt.Fprintln(stdio.Out, planned)
	}
	if len(answer.Steps) == 0 {
		fmt.Fprintln(stdio.Out, "nothing will happen")
	}
	return nil
}

// clockTime is what time it is for an account.
type clockTime struct {
	AccountID    string    `json:"account_id"`
	Now          time.Time `json:"now"`
	AheadSeconds int64     `json:"ahead_seconds"`
}

func (c clockTime) String() string {
	text := printable(c.AccountID) + " is at " + c.Now.Format(time.RFC3339)
	switch ahead := time.Duration(c.AheadSeconds) * time.Second; {
	case ahead == 0:
		return text + ", the real time"
	default:
		return text + ", " + inWords(ahead) + " ahead of real time"
	}
}

// inWords is about how long a duration is, as people say it: 2 days 3 hours.
func inWords(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		d = d.Round(time.Hour)
	case d >= time.Hour:
		d = d.Round(time.Minute)
	}
	var words []string
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / unit.length; n > 0 {
			words = append(words, counted(int(n), unit.name))
		}
		d %= unit.length
	}
	return strings.Join(words, " ")
}

// clockMove is what moving a clock came to.
type clockMove struct {
	clockTime
	More  bool   `json:"more"`
	Left  string `json:"left"`
	Fired []step `json:"fired"`
}

// step is what a simulated provider did or will do.
type step struct {
	At         time.Time `json:"at"`
	Connection string    `json:"connection"`
	Scenario   string    `json:"scenario"`
	Event      string    `json:"event"`
	Outcome    string    `json:"outcome"`
	Code       string    `json:"code"`
	Lost       bool      `json:"lost"`
}

func (s step) String() string {
	text := fmt.Sprintf("%s  %-14s  %-14s  %-21s", s.At.Format(time.RFC3339), s.Connection, s.Scenario, s.Event)
	for _, more := range []string{s.Outcome, s.Code} {
		if more != "" {
			text += "  " + more
		}
	}
	if s.Lost {
		text += "  lost"
	}
	return printable(strings.TrimRight(text, " "))
}
