package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mooring/internal/provider"
	"mooring/internal/server"
)

type providerCommand struct {
	Check providerCheckCommand `cmd:"" help:"Check provider files as a server would, and say what is wrong with them."`
	List  providerListCommand  `cmd:"" help:"List the providers that a server would know."`
	Show  providerShowCommand  `cmd:"" help:"Show one provider: what it asks for, what its events mean, how it can be simulated."`
}

// directoryFlag names an operator's own providers, for commands that only look
// at them.
type directoryFlag struct {
	Providers string `placeholder:"DIR" help:"Directory with provider files (*.yaml) of your own, beside those in the program."`
}

func (f directoryFlag) files() ([]provider.File, error) {
	if f.Providers == "" {
		return nil, nil
	}
	return provider.FilesIn(f.Providers)
}

// Help is shown below the flags.
func (providerCommand) Help() string {
	return `These commands need no server: they read files.

Examples:
  mooring provider list
  mooring provider check fjordpay.yaml`
}

type providerCheckCommand struct {
	directoryFlag
	Files []string `arg:"" help:"The files to check."`
}

// Help is shown below the flags.
func (providerCheckCommand) Help() string {
	return `A file is checked beside the providers in the program and those of --providers,
of which it may be one. A file of a provider in the program is checked in place
of it, unless it is one of --providers: a server takes no second one. Problems are printed as FILE:LINE:COLUMN: REASON.

Examples:
  mooring provider check fjordpay.yaml
  mooring provider check /etc/mooring/providers/*.yaml
  mooring provider check --providers /etc/mooring/providers new.yaml`
}

// Run checks files and tells what was checked, or what is wrong.
func (c providerCheckCommand) Run(stdio Stdio) error {
	beside, err := c.files()
	if err != nil {
		return err
	}
	var instead []string
	for _, path := range c.Files {
		same := func(f provider.File) bool { return sameFile(path, f.Name) }
		if !slices.ContainsFunc(beside, same) {
			instead = append(instead, strings.TrimSuffix(filepath.Base(path), ".yaml"))
		}
		beside = append(slices.DeleteFunc(beside, same), provider.FileAt(path))
	}
	catalogue, err := server.CheckProviders(beside, instead...)
	if err != nil {
		fmt.Fprintln(stdio.Err, err)
		return fmt.Errorf("%s in what was checked", counted(1+strings.Count(err.Error(), "\n"), "problem"))
	}
	for _, p := range catalogue.All() {
		if slices.Contains(c.Files, p.Source()) {
			printChecked(stdio.Out, p.Summary(), len(catalogue.All())-1)
		}
	}
	return nil
}

// sameFile says whether two paths name one file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return filepath.Clean(a) == filepath.Clean(b)
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

func printChecked(w io.Writer, s provider.Summary, others int) {
	fmt.Fprintf(w, "%s: good\n", s.File)
	fmt.Fprintf(w, "  %s (%s), version %d: %s, %s, %s\n", s.Title, s.Slug, s.Version,
		counted(len(s.Operations), "operation"), counted(len(s.Events), "event"), counted(len(s.Scenarios), "scenario"))
	fmt.Fprintf(w, "  checked: its format, %s of its schemas, its events, reasons and scenarios,\n", counted(len(s.Versions), "version"))
	fmt.Fprintf(w, "  %s that must be accepted and %d that must be refused,\n",
		counted(s.Examples.Accepted+s.Examples.AcceptedCallback, "example"), s.Examples.Refused+s.Examples.RefusedCallback)
	fmt.Fprintf(w, "  its names beside %s, and the API with it\n", counted(others, "other provider"))
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

type providerListCommand struct {
	directoryFlag
	JSON bool `name:"json" help:"Print a JSON array."`
}

// Help is shown below the flags.
func (providerListCommand) Help() string {
	return `Examples:
  mooring provider list
  mooring provider list --providers /etc/mooring/providers --json`
}

// Run lists the providers by slug.
func (c providerListCommand) Run(stdio Stdio) error {
	catalogue, err := known(c.directoryFlag)
	if err != nil {
		return err
	}
	all := []provider.Summary{}
	for _, p := range catalogue.All() {
		all = append(all, p.Summary())
	}
	if c.JSON {
		return printJSON(stdio.Out, all)
	}
	rows := [][]string{{"SLUG", "TITLE", "VERSION", "OPERATIONS", "CALLBACK", "SYNC", "SCENARIOS"}}
	for _, s := range all {
		rows = append(rows, []string{
			s.Slug, s.Title, fmt.Sprint(s.Version), fmt.Sprint(len(s.Operations)), yes(s.Callback), yes(s.Sync), fmt.Sprint(len(s.Scenarios)),
		})
	}
	printTable(stdio.Out, rows)
	return nil
}

// known is the catalogue that a server with this directory would have.
func known(f directoryFlag) (*provider.Catalogue, error) {
	files, err := f.files()
	if err != nil {
		return nil, err
	}
	return server.CheckProviders(files)
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "-"
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

type providerShowCommand struct {
	directoryFlag
	Name    string `arg:"" help:"Its slug, or another name of it."`
	JSON    bool   `name:"json" xor:"format" help:"Print a JSON object."`
	OpenAPI bool   `name:"openapi" xor:"format" help:"Print its part of the API description, as OpenAPI 3.1 in JSON."`
}

// Help is shown below the flags.
func (providerShowCommand) Help() string {
	return `Examples:
  mooring provider show vipps
  mooring provider show fjordpay --providers /etc/mooring/providers --openapi`
}

// Run shows one provider.
func (c providerShowCommand) Run(stdio Stdio) error {
	catalogue, err := known(c.directoryFlag)
	if err != nil {
		return err
	}
	p, ok := catalogue.Resolve(c.Name)
	switch {
	case !ok:
		return errors.New("there is no such provider; `mooring provider list` lists them")
	case c.OpenAPI:
		return printJSON(stdio.Out, p.Contract())
	case c.JSON:
		return printJSON(stdio.Out, p.Summary())
	}
	printProvider(stdio.Out, p.Summary())
	return nil
}
