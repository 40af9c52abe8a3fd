package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mooring/internal/access"
	"mooring/internal/account"
	"mooring/internal/api"
	"mooring/internal/secret"
	"mooring/internal/seed"
	"mooring/internal/server"
	"mooring/internal/store"
)

type initCommand struct {
	databaseFlags
	logFlags
}

// Help is shown below the flags.
func (initCommand) Help() string {
	return `Makes the key file, the database, the platform accounts P00000000 and T00000000
and one API client for each. The clients' secrets are printed once and stored
as hashes only. Keep the key file: without it the database is worthless.

Examples:
  mooring init --data /var/lib/mooring
  mooring init --database postgres://mooring@db/mooring --key-file /etc/mooring.key`
}

// Run makes a new database and prints its first clients.
func (c initCommand) Run(ctx context.Context, stdio Stdio) error {
	keyFile, err := c.keyFile()
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{DataDir: c.Data, Database: c.Database, Now: server.Now, Log: c.logger(stdio.Err)})
	if err != nil {
		return err
	}
	defer db.Close()
	worlds, err := unfinished(ctx, db)
	if err != nil {
		return err
	}
	if len(worlds) == 0 {
		return errors.New("this database is initialised already; nothing was changed")
	}
	if err := claim(ctx, db, keyFile); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdio.Out, "key file  %s   keep a copy apart from the data\n\n", keyFile); err != nil {
		return err
	}
	s := seed.Seeder{Store: db, Now: server.Now, NewID: api.NewID, NewToken: api.NewToken}
	for _, w := range worlds {
		if err := first(ctx, s, w, stdio); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(stdio.Out, "The secrets are shown this once.")
	return err
}

// first makes the platform account of a world and its client, and shows them.
func first(ctx context.Context, s seed.Seeder, w account.World, stdio Stdio) error {
	client, err := s.Platform(ctx, w)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdio.Out, "account   %s\nclient    %s\nsecret    %s\n\n", client.Account, client.ID, client.Secret.Reveal())
	if err != nil {
		return fmt.Errorf("the secret of client %s could not be shown and is lost: begin again with a new database: %w", client.ID, err)
	}
	return nil
}

// unfinished are the worlds whose platform has no client yet: both at first,
// and those that an init which was interrupted did not get to.
func unfinished(ctx context.Context, db *store.Store) ([]account.World, error) {
	var worlds []account.World
	for _, w := range []account.World{account.Production, account.Test} {
		made, err := db.HasClient(ctx, account.Platform(w))
		if err != nil {
			return nil, err
		}
		if !made {
			worlds = append(worlds, w)
		}
	}
	return worlds, nil
}

// claim makes the key file and ties the database to it.
func claim(ctx context.Context, db *store.Store, keyFile string) error {
	if err := ensureKeyFile(keyFile); err != nil {
		return err
	}
	sealer, err := secret.OpenKeyFile(keyFile)
	if err != nil {
		return err
	}
	return access.Claim(ctx, db, sealer, server.Now)
}

// ensureKeyFile makes the key file, or checks one that an earlier, unfinished
// init or an operator left.
func ensureKeyFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	err := secret.CreateKeyFile(path)
	if errors.Is(err, fs.ErrExist) {
		_, err = secret.OpenKeyFile(path)
	}
	return err
}
