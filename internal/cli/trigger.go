package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

type triggerCommand struct {
	remoteFlags
	accountFlag
	Connection string `arg:"" help:"The connection, by the name of its provider."`
	Scenario   string `arg:"" help:"What the provider is to do; a wrong name is told what there is."`
	Signup     string `placeholder:"ID" help:"The signup, when it is not the newest that is pending."`
	Play       bool   `xor:"time" help:"Move the account's clock to the end of the scenario."`
	Advance    string `xor:"time" placeholder:"DURATION" help:"Move the account's clock so far, such as 90m or 3d."`
	Format     string `enum:"text,json" default:"text" help:"A line for people (text), or a JSON object a line (json)."`
}

// Help is shown below the flags.
func (triggerCommand) Help() string {
	return `Lets the simulated provider of a connection play a scenario, and prints the
events of the connection as they come. The scenario begins now; with --play or
--advance the account's clock is moved, so that its days pass at once and with
them those of the account's other connections. Otherwise the events come when
the clock gets there, until Ctrl-C.

Examples:
  mooring trigger --account T11223352 vipps declined --play
  mooring trigger --account T11223352 swish happy --advance 2d
  mooring trigger --account T11223352 instabank callback_twice --format json`
}

// Run plays a scenario and prints what comes of it.
func (c triggerCommand) Run(ctx context.Context, stdio Stdio) error {
	follow := followFlags{remoteFlags: c.remoteFlags, Account: c.Account, Connection: []string{c.Connection}, Format: c.Format}
	feed, err := follow.follower(ctx, stdio.Err)
	if err != nil {
		return err
	}
	plan, err := c.begin(ctx, feed.server)
	if err != nil {
		return err
	}
	if !c.Play {
		for _, step := range plan.Steps {
			fmt.Fprintln(stdio.Err, "planned:", step)
		}
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	a := &awaited{end: end}
	go c.move(ctx, feed.server, plan, a, stdio.Err)
	follow.heard = a.heard
	if err := follow.show(ctx, feed, nil, stdio); err != nil {
		return err
	}
	if why := context.Cause(ctx); !errors.Is(why, errEnough) && !errors.Is(why, context.Canceled) {
		return why
	}
	return nil
}

// plan is what the server says of a scenario that begins.
type plan struct {
	Now   time.Time
	Steps []step
}

// end is when the last of it happens.
func (p plan) end() time.Time {
	last := p.Now
	for _, s := range p.Steps {
		if s.At.After(last) {
			last = s.At
		}
	}
	return last
}

// begin chooses the scenario.
func (c triggerCommand) begin(ctx context.Context, server *remote) (plan, error) {
	server.about = "connection " + c.Connection + " of the test account " + c.Account
	wish := map[string]string{"scenario": c.Scenario}
	if c.Signup != "" {
		wish["signup_id"] = c.Signup
		server.about += " with the signup " + c.Signup
	}
	var answer plan
	path := accountPath(c.Account) + "/connections/" + url.PathEscape(c.Connection) + "/simulate"
	err := server.call(ctx, http.MethodPost, path, wish, &answer)
	return answer, err
}

// move moves the clock as the flags say, and says what is to be heard of then.
func (c triggerCommand) move(ctx context.Context, server *remote, p plan, a *awaited, notes io.Writer) {
	by := c.Advance
	switch {
	case c.Play:
		by = fmt.Sprintf("%ds", int64(p.end().Sub(p.Now)/time.Second)+1)
	case by == "":
		fmt.Fprintln(notes, "the clock is not moved: the rest comes in its time, until Ctrl-C")
		return
	}
	told := 0
	_, err := server.advance(ctx, c.clock(), by, func(s step) {
		switch {
		case s.Connection != c.Connection:
		case s.Outcome == "applied" || s.Outcome == "stale":
			told++
		default:
			fmt.Fprintln(notes, "not told:", s)
		}
	})
	a.wants(told, err)
}

// awaited counts the events that a scenario was to bring, and ends the waiting
// when they are there.
type awaited struct {
	mu         sync.Mutex
	seen, want int
	known      bool // what is wanted
	end        context.CancelCauseFunc
}

// The feed of a busy server may be behind what was just written, not for long.
const patience = 30 * time.Second

func (a *awaited) heard() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen++
	a.check()
}

func (a *awaited) wants(n int, err error) {
	if err != nil {
		a.end(err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.want, a.known = n, true
	a.check()
	time.AfterFunc(patience, func() {
		a.end(errors.New("not all events have come; look for them with mooring events tail --replay-from 10m"))
	})
}

func (a *awaited) check() {
	if a.known && a.seen >= a.want {
		a.end(errEnough)
	}
}
