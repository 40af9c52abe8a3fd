package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

type eraseCommand struct {
	remoteFlags
	Account    string `required:"" placeholder:"ID" help:"Account that the connection is of."`
	Connection string `required:"" placeholder:"NAME" help:"Provider of the connection."`
	Signup     string `arg:"" help:"Signup whose person is erased, by its id."`
	Reason     string `required:"" placeholder:"TEXT" help:"Ground for it, which the audit keeps. Name a ticket rather than the person."`
}

// Help is shown below the flags.
func (eraseCommand) Help() string {
	return `Destroys what a signup tells of a person: the key that seals it, names and
addresses, received callbacks and stored answers. The history stays and says
that it was done. It can't be undone; doing it twice is doing it once.

Examples:
  mooring erase --account T11223351 --connection instabank --reason "ticket 4711" \
      01990f29-1a00-7d15-a0c2-5e2d7b9f1c01
  mooring erase --url https://connections.example.com --client ID --secret-file FILE \
      --account P11223351 --connection swish --reason "ticket 4712" 01990f29-1a00-7d15-a0c2-5e2d7b9f1c01`
}

// Run erases and says when it was done.
func (c eraseCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, "signup "+c.Signup+" of the connection "+c.Connection+" of "+c.Account)
	if err != nil {
		return err
	}
	var done struct {
		ErasedAt string `json:"erased_at"`
	}
	path := operatorPath(c.Account) + "/connections/" + url.PathEscape(c.Connection) + "/signups/" + url.PathEscape(c.Signup) + "/erase"
	if err := server.call(ctx, http.MethodPost, path, map[string]string{"reason": c.Reason}, &done); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdio.Out, "erased  %s   %s\n", c.Signup, printable(done.ErasedAt))
	return err
}
