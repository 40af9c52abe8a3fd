package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/alecthomas/kong"

	"mooring/internal/move"
	"mooring/internal/server"
	"mooring/internal/store"
)

// forAccounts are the flags of an import of accounts into a running server. As
// variables of the environment they may be set for other commands.
var forAccounts = []string{"url", "client", "secret-file", "hooks", "restart", "errors", "format"}

// isExport says whether the file is a whole database, and refuses flags that
// are for files of another kind.
func (c importFileCommand) isExport(given []*kong.Path) (bool, error) {
	info, err := os.Stat(c.Path)
	if c.Path == "-" || err == nil && !info.Mode().IsRegular() {
		return false, fmt.Errorf("%s is no file, and an import reads more than once: write it to a file, unpacked, and name that", c.Path)
	}
	file, err := os.Open(c.Path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	whole, err := move.IsExport(file)
	into := c.IntoData != "" || c.IntoDatabase != ""
	switch {
	case err != nil:
		return false, err
	case whole && !into:
		return false, fmt.Errorf("%s is an export of a whole database: name the empty one that it goes into with --into-data or --into-database", c.Path)
	case !whole && into:
		return false, fmt.Errorf("%s is no export of a whole database: --into-data and --into-database are for what mooring export wrote", c.Path)
	}
	for _, one := range given {
		if whole && one.Flag != nil && slices.Contains(forAccounts, one.Flag.Name) {
			return false, fmt.Errorf("--%s is for files of accounts; this is an export of a whole database", one.Flag.Name)
		}
	}
	return whole, nil
}

// fill brings an export into an empty database.
func (c importFileCommand) fill(ctx context.Context, stdio Stdio) (err error) {
	file, err := os.Open(c.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	tell := &moving{w: stdio.Err}
	defer tell.end()
	if _, err := move.Check(ctx, file, tell.at); err != nil {
		return interrupted(ctx, err)
	}
	open := store.OpenTarget
	if c.DryRun {
		open = store.LookAtTarget
	}
	target, err := open(ctx, store.Config{DataDir: c.IntoData, Database: c.IntoDatabase, Now: server.Now})
	if err != nil {
		return err
	}
	sum, err := move.Import(ctx, file, target, c.DryRun, tell.at)
	if err = errors.Join(err, target.Close()); err != nil {
		return interrupted(ctx, err)
	}
	if sum.Resumed > 0 && !sum.Already {
		fmt.Fprintf(stdio.Err, "went on behind %s that an earlier run had written\n", counted(int(sum.Resumed), "row"))
	}
	done := "imported"
	switch {
	case sum.Already:
		done = "there already"
	case c.DryRun:
		done = "would be imported"
	}
	if err := printSummary(stdio.Out, done, sum); err != nil || c.DryRun {
		return err
	}
	_, err = fmt.Fprintln(stdio.Out, "\nCopy the key file of the database that it was: mooring keys verify proves that it opens everything here.")
	return err
}
