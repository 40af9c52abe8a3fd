package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"
)

type importCommand struct {
	File importFileCommand `cmd:"" default:"withargs" help:"Take accounts in from a file (the default)."`
	API  importAPICommand  `cmd:"" name:"api" help:"Take accounts in from another server of this API."`
}

// Help is shown below the commands.
func (importCommand) Help() string {
	return `Accounts keep their ids, connections their history, and providers call back under
the names that they know. The same import again changes nothing.

What mooring export wrote goes into an empty database: --into-data DIR, or
--into-database URL.

Examples:
  mooring import accounts.jsonl --dry-run
  mooring import accounts.csv
  mooring import mooring.export --into-database postgres://mooring@db/mooring
  mooring import api --upstream https://other.example.com --upstream-account T11200000 \
      --upstream-client ID --upstream-secret-file FILE`
}

// importFlags are what every import takes.
type importFlags struct {
	remoteFlags
	DryRun  bool   `help:"Say what would become of each account, and write nothing."`
	Hooks   bool   `help:"Tell hooks and the feed of each account and connection that is made."`
	Restart bool   `help:"Begin anew, instead of where an earlier run was interrupted."`
	Errors  string `placeholder:"FILE" help:"File for what is refused, one line for each problem. Default: beside what is imported, with .errors.csv behind its name."`
}

type importFileCommand struct {
	importFlags
	Format       string `enum:"auto,jsonl,csv" default:"auto" help:"Form of the file: jsonl, csv, or auto, by the end of its name."`
	IntoData     string `placeholder:"DIR" xor:"into" help:"Fill the embedded database of this directory, which is empty or not there yet, with an export."`
	IntoDatabase string `placeholder:"URL" xor:"into" help:"Fill this PostgreSQL database, which is empty, with an export."`
	Path         string `arg:"" name:"file" type:"existingfile" help:"File to take in: a JSON object in each line, or CSV with a line for each connection; or what mooring export wrote."`
}

// Help is shown below the flags.
func (importFileCommand) Help() string {
	return `docs/import.md describes both forms. While it runs, FILE.import says how far it
has come: after an interruption the same command goes on there. What is refused
stands in FILE.errors.csv with its line; the exit code is then 1.

An export of a whole database goes into an empty one, which no server uses yet:
with --into-data or --into-database. docs/export.md describes it. It is read
twice, so it can't come through a pipe.

The word file may be left out.

Examples:
  mooring import file accounts.csv --dry-run
  mooring import file --url https://connections.example.com --client ID --secret-file FILE accounts.jsonl`
}

// Run takes a file in.
func (c importFileCommand) Run(ctx context.Context, stdio Stdio, given *kong.Context) error {
	if whole, err := c.isExport(given.Path); err != nil || whole {
		return cmp.Or(err, c.fill(ctx, stdio))
	}
	flat := c.Format == "csv"
	if c.Format == "auto" {
		switch name := strings.ToLower(c.Path); {
		case strings.HasSuffix(name, ".csv"), strings.HasSuffix(name, ".tsv"), strings.HasSuffix(name, ".txt"):
			flat = true
		case !strings.HasSuffix(name, ".jsonl") && !strings.HasSuffix(name, ".ndjson"):
			return errors.New("the name of the file does not say what it is: name its form with --format jsonl or --format csv")
		}
	}
	file, err := os.Open(c.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	mark, size, err := fileMark(file)
	if err != nil {
		return err
	}
	i, err := c.begin(ctx, stdio, c.Path, mark, size)
	if err != nil {
		return err
	}
	in, err := rowsOf(file, flat, i.state)
	if err == nil {
		err = i.run(ctx, in)
	}
	return i.finish(ctx, stdio, err)
}

// rowsOf reads a file from where the state says.
func rowsOf(file *os.File, flat bool, state importState) (importReader, error) {
	if flat {
		return newFlatFile(file, state.Offset, state.Line)
	}
	_, err := file.Seek(state.Offset, io.SeekStart)
	return newJSONLines(file, state.Offset, state.Line), err
}

// begin connects, and finds out where to go on.
func (f importFlags) begin(ctx context.Context, stdio Stdio, name, mark string, size int64) (*importer, error) {
	connect := func(ctx context.Context) (*remote, error) { return f.connect(ctx, "") }
	server, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	i := &importer{
		connect: connect, server: server, dry: f.DryRun, hooks: f.Hooks,
		state: importState{Server: server.base, File: mark, path: beside(name, ".import")},
	}
	server.header.Set("Content-Type", "application/json")
	if !f.DryRun && !f.Restart && i.state.resume() {
		fmt.Fprintf(stdio.Err, "going on after %s accounts that an earlier run has sent\n", grouped(i.state.Counts.rows()))
	}
	i.tell = newProgress(stdio.Err, "accounts", i.state.Counts.rows(), i.state.Offset, size)
	if f.Errors == "" {
		f.Errors = beside(name, ".errors.csv")
	}
	i.errors, err = openImportErrors(f.Errors, i.state.Errors)
	return i, err
}

// finish says what became of all, and forgets how far it came once it is done.
func (i *importer) finish(ctx context.Context, stdio Stdio, err error) error {
	i.tell.end()
	refused := i.state.Counts.Refused
	if err != nil {
		if !i.dry && ctx.Err() != nil {
			err = errors.New("interrupted; the same command goes on where it stopped")
		}
		return errors.Join(err, i.errors.close(refused))
	}
	if err := i.errors.close(refused); err != nil {
		return err
	}
	if err := os.Remove(i.state.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	table := tabwriter.NewWriter(stdio.Out, 0, 0, 2, ' ', 0)
	if i.dry {
		fmt.Fprintln(table, "nothing was written; this is what would become of the accounts:")
	}
	c := i.state.Counts
	fmt.Fprintf(table, "created\t%d\nupdated\t%d\nunchanged\t%d\nrefused\t%d\n", c.Created, c.Updated, c.Unchanged, c.Refused)
	if err := table.Flush(); err != nil {
		return err
	}
	if refused > 0 {
		return fmt.Errorf("refused %s; why stands in %s", counted(refused, "account"), i.errors.path)
	}
	return nil
}
