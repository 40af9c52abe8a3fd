package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"mooring/internal/secret"
	"mooring/internal/server"
	"mooring/internal/store"
)

type keysCommand struct {
	Rotate rotateCommand `cmd:"" help:"Exchange the key of the key file."`
	Verify verifyCommand `cmd:"" help:"Prove that the key file opens every key of the database."`
}

// rewrapBatch is how many keys are wrapped anew in one step.
const rewrapBatch = 200

type rotateCommand struct {
	databaseFlags
	logFlags
	Prepare bool          `xor:"how" help:"Only add the new key, which does not seal yet. Copy the file to every machine, then rotate."`
	Keep    bool          `xor:"how" help:"Leave the old key in the file. Copy the file to every machine, then rotate again to take it out."`
	Grace   time.Duration `default:"40s" help:"How long writes may be under way that were sealed with the old key; it is taken out only then. PostgreSQL only."`
}

// Help is shown below the flags.
func (rotateCommand) Help() string {
	return `Adds a new key to the key file, wraps every key in the database with it, and
takes the old one out of the file once nothing needs it. What the keys of the
database seal is left alone. A rotation that was interrupted is taken up again
by the same command. Keep a copy of the new file; backups made before need the
old one.

On SQLite no server may run meanwhile. On PostgreSQL they may: a server that
shares the file follows by itself. When machines have copies of their own, use
--prepare and --keep, and copy the file after each step.

Examples:
  mooring keys rotate --data /var/lib/mooring
  mooring keys rotate --database postgres://mooring@db/mooring --key-file /etc/mooring.key`
}

// Run rotates the key file.
func (c rotateCommand) Run(ctx context.Context, stdio Stdio) (err error) {
	path, err := c.keyFile()
	if err != nil {
		return err
	}
	db, err := openExisting(ctx, c.databaseFlags, c.logFlags, stdio)
	if err != nil {
		return err
	}
	defer db.Close()
	rotation, err := secret.Rotate(path)
	if err != nil {
		return err
	}
	defer rotation.Close()
	if _, err := checkKeys(ctx, db, path); err != nil { // before anything is changed
		return err
	}
	if c.Prepare {
		return c.prepare(rotation, stdio)
	}
	if err := rotation.Promote(); err != nil {
		return err
	}
	wrapped, err := rewrap(ctx, db, path, stdio.Err)
	if err != nil {
		return err
	}
	if db.Engine() != "sqlite" {
		fmt.Fprintf(stdio.Err, "waiting %s for writes that were under way\n", c.Grace)
		if err := wait(ctx, c.Grace); err != nil {
			return err
		}
		late, err := rewrap(ctx, db, path, stdio.Err)
		if err != nil {
			return err
		}
		wrapped += late
	}
	if !c.Keep {
		if err := rotation.Drop(); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(stdio.Out, "rotated  %s   %s wrapped anew\n", path, counted(wrapped, "key"))
	return err
}

func (c rotateCommand) prepare(rotation *secret.Rotation, stdio Stdio) error {
	added, err := rotation.Prepare()
	if err != nil {
		return err
	}
	text := "the key file has a new key, which does not seal yet: copy it to every machine, then rotate"
	if !added {
		text = "a rotation of the key file has begun already: copy it to every machine, then rotate"
	}
	_, err = fmt.Fprintln(stdio.Out, text)
	return err
}

// rewrap wraps every key of the database with the key that seals now, and says
// how many needed it. It goes round until a whole round finds nothing.
func rewrap(ctx context.Context, db *store.Store, path string, progress io.Writer) (int, error) {
	sealer, err := secret.OpenKeyFile(path)
	if err != nil {
		return 0, err
	}
	total, told := 0, 0
	for {
		before := total
		err := eachKey(ctx, db, func(context string, wrapped []byte) ([]byte, error) {
			if sealer.Current(wrapped) {
				return wrapped, nil
			}
			total++
			return wrapAnew(sealer, context, wrapped)
		}, func() {
			if total-told >= rewrapBatch {
				fmt.Fprintf(progress, "%d keys wrapped anew so far\n", total)
				told = total
			}
		})
		if err != nil {
			return 0, err
		}
		if total == before {
			return total, nil
		}
	}
}

func wrapAnew(sealer *secret.Sealer, context string, wrapped []byte) ([]byte, error) {
	plain, err := sealer.Open(wrapped, context)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", context, err)
	}
	return sealer.Seal(plain, context)
}

// eachKey hands every wrapped key of the database to a function, in batches.
func eachKey(
	ctx context.Context, db *store.Store, use func(context string, wrapped []byte) ([]byte, error), batch func(),
) error {
	for after := ""; ; {
		next, err := db.Rewrap(ctx, after, rewrapBatch, use)
		if err != nil {
			return err
		}
		batch()
		if next == "" {
			return nil
		}
		after = next
	}
}

type verifyCommand struct {
	databaseFlags
	logFlags
}

// Help is shown below the flags.
func (verifyCommand) Help() string {
	return `Opens every key of the database with the key file and changes nothing. On
SQLite no server may run meanwhile.

Examples:
  mooring keys verify --data /var/lib/mooring
  mooring keys verify --database postgres://mooring@db/mooring --key-file /etc/mooring.key`
}

// Run opens every key.
func (c verifyCommand) Run(ctx context.Context, stdio Stdio) error {
	path, err := c.keyFile()
	if err != nil {
		return err
	}
	db, err := openExisting(ctx, c.databaseFlags, c.logFlags, stdio)
	if err != nil {
		return err
	}
	defer db.Close()
	opened, err := checkKeys(ctx, db, path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdio.Out, "verified  %s   opens all %s\n", path, counted(opened, "key"))
	return err
}

// checkKeys opens every key of the database with a key file, and says how many
// there are.
func checkKeys(ctx context.Context, db *store.Store, path string) (int, error) {
	sealer, err := secret.OpenKeyFile(path)
	if err != nil {
		return 0, err
	}
	opened, unopened := 0, 0
	err = eachKey(ctx, db, func(context string, wrapped []byte) ([]byte, error) {
		if _, err := sealer.Open(wrapped, context); err != nil {
			unopened++
		} else {
			opened++
		}
		return wrapped, nil
	}, func() {})
	switch {
	case err != nil:
		return 0, err
	case unopened > 0:
		return 0, fmt.Errorf("key file %s opens %d of %d keys: it is not the one of this database, or the data is damaged; nothing was changed",
			path, opened, opened+unopened)
	case opened == 0:
		return 0, errors.New("this database was never initialised: there is no key in it")
	}
	return opened, nil
}

// openExisting opens a database that is there already.
func openExisting(ctx context.Context, f databaseFlags, l logFlags, stdio Stdio) (*store.Store, error) {
	return store.Open(ctx, store.Config{
		DataDir: f.Data, Database: f.Database, MustExist: true, Now: server.Now, Log: l.logger(stdio.Err),
	})
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
