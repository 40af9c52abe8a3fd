package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

type batchCommand struct {
	Write batchWriteCommand `cmd:"" help:"Write the file of signups that wait for an answer."`
	Read  batchReadCommand  `cmd:"" help:"Read an answer file; each row becomes one event."`
}

// Help is shown below the commands.
func (batchCommand) Help() string {
	return `For providers that take signups in files and answer in files. Both commands may
be run again: a signup stands in each file until its answer was read, and a row
that says what the last one about its signup said changes nothing.

Examples:
  mooring batch write --connection mastercard-3ds signups.csv
  mooring batch read --connection mastercard-3ds answers.csv`
}

type batchWriteCommand struct {
	remoteFlags
	Connection string `required:"" placeholder:"NAME" help:"Provider that the file is for."`
	After      string `placeholder:"ID" help:"Begin after this signup: what an earlier write printed as its last."`
	File       string `arg:"" help:"File to write. It must not be there yet."`
}

// Help is shown below the flags.
func (batchWriteCommand) Help() string {
	return `Values that a spreadsheet would take for a formula begin with an apostrophe. The
file is readable by nobody else: it may hold what rests sealed otherwise.

Examples:
  mooring batch write --connection mastercard-3ds signups.csv
  mooring batch write --connection mastercard-3ds --after 01990f29-1a00-7d15-a0c2-5e2d7b9f1c01 more.csv`
}

// filesOf is what the commands ask for.
func filesOf(connection string) string {
	return "provider " + connection + " that takes signups in files"
}

// batchPath is where the files of a provider are.
func batchPath(connection string) string { return "/v1/operator/batches/" + url.PathEscape(connection) }

// Run writes everything that waits into one file.
func (c batchWriteCommand) Run(ctx context.Context, stdio Stdio) error {
	server, err := c.connect(ctx, filesOf(c.Connection))
	if err != nil {
		return err
	}
	text, rows, last := "", 0, c.After
	for {
		var piece struct {
			Rows int    `json:"rows"`
			Last string `json:"last"`
			Text string `json:"text"`
		}
		in := map[string]any{}
		if last != "" {
			in["after"] = last
		}
		if err := server.call(ctx, http.MethodPost, batchPath(c.Connection), in, &piece); err != nil {
			return err
		}
		head, rest, _ := strings.Cut(piece.Text, "\n")
		if text == "" {
			text = head + "\n"
		}
		text, rows = text+rest, rows+piece.Rows
		if piece.Last == "" {
			break
		}
		last = piece.Last
	}
	if err := writeNew(c.File, text); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdio.Out, "rows  %d\nlast  %s\n", rows, printable(last))
	return err
}

// writeNew writes a file that was not there, whole or not at all.
func writeNew(path, text string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already; name another file", path)
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".batch-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(next.Name())
	_, err = next.WriteString(text)
	if err = errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Link(next.Name(), path)
}

type batchReadCommand struct {
	remoteFlags
	Connection string `required:"" placeholder:"NAME" help:"Provider that the file is from."`
	File       string `arg:"" type:"existingfile" help:"Answer file."`
}

// Help is shown below the flags.
func (batchReadCommand) Help() string {
	return `Prints each row that was refused, and how many did what. The exit code is 1 when
a row was refused.

Examples:
  mooring batch read --connection mastercard-3ds answers.csv
  mooring batch read --url https://connections.example.com --client ID --secret-file FILE \
      --connection mastercard-3ds answers.csv`
}

// batchPiece is how many rows are sent at once.
const batchPiece = 500

// Run sends the file in pieces, each with the head line.
func (c batchReadCommand) Run(ctx context.Context, stdio Stdio) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	server, err := c.connect(ctx, filesOf(c.Connection))
	if err != nil {
		return err
	}
	counts := map[string]int{}
	rows := len(lines) - 1
	tell := newProgress(stdio.Err, "rows", 0, 0, int64(rows))
	defer tell.end()
	for begin := 1; begin < len(lines) || begin == 1; begin += batchPiece {
		piece := append([]string{lines[0]}, lines[min(begin, len(lines)):min(begin+batchPiece, len(lines))]...)
		var told struct {
			Rows []struct {
				Row       int    `json:"row"`
				Reference string `json:"reference"`
				Effect    string `json:"effect"`
				Reason    string `json:"reason"`
			} `json:"rows"`
		}
		if err := server.call(ctx, http.MethodPost, batchPath(c.Connection)+"/answers", map[string]any{"lines": piece}, &told); err != nil {
			return fmt.Errorf("rows from %d on: %w", begin, err)
		}
		for _, r := range told.Rows {
			counts[r.Effect]++
			if r.Reason != "" {
				tell.end()
				fmt.Fprintf(stdio.Out, "row %d  %s  %s\n", begin-1+r.Row, printable(r.Reference), printable(r.Reason))
			}
		}
		if done := min(begin-1+batchPiece, rows); rows > batchPiece {
			tell.at(done, int64(done))
		}
	}
	_, err = fmt.Fprintf(stdio.Out, "applied %d, duplicate %d, stale %d, refused %d\n",
		counts["applied"], counts["duplicate"], counts["stale"], counts["refused"])
	if err == nil && counts["refused"] > 0 {
		err = fmt.Errorf("refused %s; the reasons stand above", counted(counts["refused"], "row"))
	}
	return err
}
