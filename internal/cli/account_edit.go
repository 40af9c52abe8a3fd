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

// profileFlags say what an account is to say of itself.
type profileFlags struct {
	File string   `placeholder:"FILE" help:"JSON object with members of the account; - reads it from the standard input."`
	Set  []string `sep:"none" placeholder:"NAME=TEXT" help:"One member, such as company.website=https://havnkaffe.example; NAME:=JSON for what is no text. May be repeated."`
	JSON bool     `name:"json" help:"Print the account as JSON."`
}

// members are what file and flags say, on top of what is there.
func (f profileFlags) members(there func(name string) any) (map[string]any, error) {
	said := map[string]any{}
	if f.File != "" {
		text, err := readInput(f.File)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &said); err != nil {
			return nil, fmt.Errorf("%s must hold a JSON object: %w", f.File, err)
		}
	}
	for _, one := range f.Set {
		if err := assign(said, one, there); err != nil {
			return nil, err
		}
	}
	if len(said) == 0 {
		return nil, errors.New("say what to write, with --file or --set")
	}
	return said, nil
}

// readInput reads a file, or the standard input when it is named -.
func readInput(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

// assign writes one member of --set. The server replaces members of the account as
// a whole, so one that is not said yet begins as it is there.
func assign(said map[string]any, assignment string, there func(name string) any) error {
	name, text, found := strings.Cut(assignment, "=")
	if !found || name == "" || name == ":" {
		return fmt.Errorf("--set %s must look like company.website=https://havnkaffe.example", assignment)
	}
	var value any = text
	if short, ok := strings.CutSuffix(name, ":"); ok {
		name = short
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			return fmt.Errorf("--set %s: what follows := must be JSON", assignment)
		}
	}
	way := strings.Split(name, ".")
	if _, ok := said[way[0]]; !ok && len(way) > 1 {
		said[way[0]] = there(way[0])
	}
	object := said
	for _, step := range way[:len(way)-1] {
		below, ok := object[step].(map[string]any)
		if !ok {
			below = map[string]any{}
			object[step] = below
		}
		object = below
	}
	object[way[len(way)-1]] = value
	return nil
}

type accountCreateCommand struct {
	ownerFlags
	profileFlags
}

// Help is shown below the flags.
func (accountCreateCommand) Help() string {
	return `A partner gets a merchant; the platform gets a partner, or names the partner that
gets a merchant with --owner. The id comes from the owner's ranges.

Examples:
  mooring account create --owner T112 --file merchant.json
  mooring account create --file merchant.json --set company.business_name="Havn Kaffe AS" --json`
}

// Run makes the account and prints it.
func (c accountCreateCommand) Run(ctx context.Context, stdio Stdio) error {
	said, err := c.members(func(string) any { return nil })
	if err != nil {
		return err
	}
	server, err := c.connect(ctx, "owner "+c.Owner)
	if err != nil {
		return err
	}
	var answer json.RawMessage
	if err := server.call(ctx, http.MethodPost, c.accounts(server), said, &answer); err != nil {
		return err
	}
	return printAccount(stdio.Out, answer, c.JSON)
}

type accountUpdateCommand struct {
	accountArg
	profileFlags
}

// Help is shown below the flags.
func (accountUpdateCommand) Help() string {
	return `What is not named stays as it is. A member that is set to null goes away.

Examples:
  mooring account update T11223352 --set progression=live --set account_manager.email=ola@partner.example
  mooring account update --owner T112 T11223352 --set services.checkout.enabled:=true --json`
}

// Run changes the account and prints it.
func (c accountUpdateCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.open(ctx)
	if err != nil {
		return err
	}
	var now map[string]any
	if err := server.call(ctx, http.MethodGet, c.path(server), nil, &now); err != nil {
		return err
	}
	said, err := c.members(func(name string) any { return now[name] })
	if err != nil {
		return err
	}
	var answer json.RawMessage
	if err := server.call(ctx, http.MethodPut, c.path(server), said, &answer); err != nil {
		return err
	}
	return printAccount(stdio.Out, answer, c.JSON)
}
