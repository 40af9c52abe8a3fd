package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"text/tabwriter"

	"mooring/internal/move"
	"mooring/internal/store"
)

type exportCommand struct {
	Data     string `placeholder:"DIR" xor:"database" required:"" help:"Directory of the embedded database."`
	Database string `placeholder:"URL" xor:"database" required:"" help:"PostgreSQL database, such as postgres://user@host/name."`
	Out      string `placeholder:"FILE" help:"File to write, readable by nobody else; it must not be there yet. Default: standard output."`
	DryRun   bool   `help:"Read everything and say what there is; write nothing."`
}

// Help is shown below the flags.
func (exportCommand) Help() string {
	return `Writes every row of a database to a file of JSON lines, as it is at one moment;
servers may run meanwhile. mooring import FILE --into-data or --into-database
fills an empty database with it, on either engine. docs/export.md describes it.

What is sealed stays sealed: the key file is not in it, and must be copied, too.
The file holds everything else, people's names included: keep it like a backup.

After an interruption the same command goes on where it stopped, if nothing was
written to the database since; else it begins anew.

Examples:
  mooring export --data /var/lib/mooring --out mooring.export
  mooring export --database postgres://mooring@db/mooring | zstd > mooring.export.zst`
}

// Run writes an export.
func (c exportCommand) Run(ctx context.Context, stdio Stdio) error {
	if c.Data == "" && c.Database == "" {
		return errors.New("--data needs a directory, or --database a URL")
	}
	if c.Out == "" && !c.DryRun && isTerminal(stdio.Out) {
		return errors.New("name a file with --out, or send the export on to a program")
	}
	src, err := store.OpenSource(ctx, store.Config{DataDir: c.Data, Database: c.Database})
	if err != nil {
		return err
	}
	defer src.Close()
	tell := &moving{w: stdio.Err}
	defer tell.end()
	if c.Out == "" {
		out, results := io.Writer(stdio.Out), stdio.Err
		if c.DryRun {
			out, results = io.Discard, stdio.Out
		}
		sum, err := move.Export(ctx, src, out, tell.at)
		if err != nil {
			return interrupted(ctx, err)
		}
		return printSummary(results, "read", sum)
	}
	if c.DryRun {
		return errors.New("a dry run writes nothing: leave --out away")
	}
	sum, err := c.toFile(ctx, src, stdio.Err, tell.at)
	if err != nil {
		return interrupted(ctx, err)
	}
	if err := printSummary(stdio.Out, "written", sum); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdio.Out, "\nWhat is sealed in it opens with the key file of this database only: copy that, too.")
	return err
}

// interrupted says what to do when somebody ended the command.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted; run the same command again")
	}
	return err
}

// toFile writes beside the file first, and gives what is whole its name.
func (c exportCommand) toFile(ctx context.Context, src *store.Source, w io.Writer, tell move.Progress) (sum move.Summary, err error) {
	part, err := openPart(c.Out, src.Mark())
	if err != nil {
		return sum, err
	}
	defer part.Close()
	if sum, err = move.Continue(ctx, src, part, tell); err != nil {
		return sum, err
	}
	if sum.Resumed > 0 {
		fmt.Fprintf(w, "went on behind %s that an earlier run had written\n", counted(int(sum.Resumed), "row"))
	}
	if err := part.Sync(); err != nil {
		return sum, err
	}
	if err := os.Link(part.Name(), c.Out); err != nil { // a rename would replace what came meanwhile
		return sum, err
	}
	return sum, errors.Join(os.Remove(part.Name()), os.Remove(beside(c.Out, ".state")), syncDirectory(c.Out))
}

// exported says of which state of the database the begun file is.
type exported struct {
	Mark string `json:"mark"`
}

// openPart opens what an earlier run has begun, emptied when the database is
// not as it was then.
func openPart(path, mark string) (_ *os.File, err error) {
	file, err := lockPart(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	var before exported
	state := beside(path, ".state")
	text, err := os.ReadFile(state)
	if mark != "" && err == nil && json.Unmarshal(text, &before) == nil && before.Mark == mark {
		return file, nil
	}
	if err := file.Truncate(0); err != nil {
		return nil, err
	}
	return file, writePrivate(state, exported{mark})
}

// lockPart keeps the begun file for this run, until the file is closed or the
// process ends.
func lockPart(path string) (*os.File, error) {
	part := beside(path, ".part")
	for {
		if _, err := os.Lstat(path); err == nil {
			return nil, fmt.Errorf("%s is there already; name another file", path)
		}
		file, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("another export writes %s: wait for it, or name another file", path)
		}
		if err == nil && isAt(file, part) {
			return file, nil
		}
		// Without an error it is the file of a run that has just ended.
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
}

// isAt says whether a file is what stands at a path.
func isAt(file *os.File, path string) bool {
	mine, err := file.Stat()
	there, gone := os.Lstat(path)
	return err == nil && gone == nil && os.SameFile(mine, there)
}

// syncDirectory makes the name of a file durable.
func syncDirectory(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// moving tells how it goes with rows, anew for each thing that is done to them.
type moving struct {
	w     io.Writer
	doing string
	tell  *progress // of that; nil before there is any
}

func (m *moving) at(doing string, rows, of int64) {
	if m.tell == nil || m.doing != doing {
		m.end()
		m.tell, m.doing = newProgress(m.w, "rows "+doing, int(rows), rows, of), doing
	}
	m.tell.at(int(rows), rows)
}

func (m *moving) end() {
	if m.tell != nil {
		m.tell.end()
	}
}

func printSummary(w io.Writer, done string, sum move.Summary) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "%s\t%s\nsha256\t%s\n", done, counted(int(sum.Rows), "row"), sum.SHA256)
	return table.Flush()
}
