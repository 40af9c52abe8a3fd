// Command mooring keeps the connections between merchants and their payment
// providers.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"mooring/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Run(ctx, os.Args[1:], cli.Stdio{Out: os.Stdout, Err: os.Stderr}))
}
