package cli

import (
	"context"
	"fmt"
)

type listenCommand struct {
	followFlags
	ForwardTo   string `placeholder:"URL" help:"Send each event there as a hook would, such as http://localhost:3000/hook."`
	PrintSecret bool   `help:"Print what events are signed with on this machine, and end."`
}

// Help is shown below the flags.
func (listenCommand) Help() string {
	return `Shows events as they happen, read from the feed: no tunnel, no subscription.
With --forward-to each is sent to a program of yours, in order, one at a time,
signed as hooks are with a secret of this machine, and the line says what the
program answered. Ctrl-C prints how to go on from there.

Examples:
  mooring listen
  mooring listen --forward-to http://localhost:3000/hook --connection vipps
  mooring listen --forward-to localhost:3000/hook --replay-from 2h
  mooring listen --url https://connections.example.com --client ID --secret-file FILE`
}

// Run shows events until it is told to stop.
func (c listenCommand) Run(ctx context.Context, stdio Stdio) error {
	key, err := c.listenSecret()
	if err != nil {
		return err
	}
	if c.PrintSecret {
		_, err := fmt.Fprintln(stdio.Out, key.Reveal())
		return err
	}
	var to *forwarder
	if c.ForwardTo != "" {
		if to, err = newForwarder(c.ForwardTo, key); err != nil {
			return err
		}
	}
	feed, err := c.follower(ctx, stdio.Err)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdio.Err, "listening to the feed of %s at %s; Ctrl-C ends it\n", feed.of(), feed.server.base)
	if to != nil {
		fmt.Fprintf(stdio.Err, "each event goes to %s, signed with %s\n", to.to, key.Reveal())
	}
	err = c.show(ctx, feed, to, stdio)
	if feed.cursor != "" {
		fmt.Fprintf(stdio.Err, "go on with: mooring listen --replay-from %s\n", feed.cursor)
	}
	return err
}

type eventsCommand struct {
	Tail eventsTailCommand `cmd:"" help:"Print events as they happen."`
}

// Help is shown below the flags.
func (eventsCommand) Help() string {
	return `Examples:
  mooring events tail
  mooring events tail --replay-from start --format json`
}

type eventsTailCommand struct{ followFlags }

// Help is shown below the flags.
func (eventsTailCommand) Help() string {
	return `Prints events as they happen, in the order of the feed, until Ctrl-C. In the
form json each line has the cursor behind its event: whoever keeps it can go on
from there, and misses nothing.

Examples:
  mooring events tail --account T11223352
  mooring events tail --replay-from start --count 10 --format json
  mooring events tail --connection vipps --status declined --replay-from 24h`
}

// Run prints events until it is told to stop.
func (c eventsTailCommand) Run(ctx context.Context, stdio Stdio) error {
	feed, err := c.follower(ctx, stdio.Err)
	if err != nil {
		return err
	}
	return c.show(ctx, feed, nil, stdio)
}

// show prints each entry, with what the program answered that it was forwarded to.
func (f followFlags) show(ctx context.Context, feed *follower, to *forwarder, stdio Stdio) error {
	shown := 0
	return feed.follow(ctx, func(t told) error {
		e, err := readEntry(t.Item)
		if err != nil {
			return err
		}
		line := printedEntry{Cursor: t.Cursor, Event: t.Item}
		if f.Format == "text" {
			fmt.Fprint(stdio.Out, entryLine(e))
		}
		if to != nil {
			line.Forwarded = to.send(ctx, e)
			if ctx.Err() != nil { // not answered: it comes again
				return context.Cause(ctx)
			}
		}
		if err := line.finish(stdio.Out, f.Format); err != nil {
			return err
		}
		if f.heard != nil {
			f.heard()
		}
		shown++
		if shown == f.Count {
			return errEnough
		}
		return nil
	})
}
