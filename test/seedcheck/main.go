// Command seedcheck starts a fresh server and replays the two documentation
// pages that Mooring began with: the requests as they are printed, then every
// documented fact beside what our server publishes and answers. It ends with
// exit code 1 when a fact is missing.
package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"

	"mooring/test/drive"
)

//go:embed *.yaml
var files embed.FS

func main() {
	missing, err := run(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "seed-check:", err)
		os.Exit(1)
	}
	if missing > 0 {
		fmt.Printf("\n%d facts are missing\n", missing)
		os.Exit(1)
	}
	fmt.Println("\nevery documented fact is there")
}

// pages are the files in the order in which they are replayed.
var pages = []string{"mastercard-3ds.yaml", "events.yaml"}

func run(ctx context.Context) (missing int, err error) {
	server, stop, err := fresh(ctx)
	if err != nil {
		return 0, err
	}
	defer stop()
	for _, name := range pages {
		p, err := readPage(name)
		if err != nil {
			return 0, err
		}
		rows, err := check(p, server)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		missing += show(p, rows)
	}
	return missing, nil
}

// fresh builds the binary and starts a server that nobody has used.
func fresh(ctx context.Context) (server *drive.Server, stop func(), err error) {
	dir, err := os.MkdirTemp("", "mooring-seed-check-")
	if err != nil {
		return nil, nil, err
	}
	binary, err := drive.Build(dir, false)
	if err == nil {
		server, err = drive.Start(ctx, binary, "dev", "--listen", "127.0.0.1:0")
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return server, func() {
		server.Kill()
		os.RemoveAll(dir)
	}, nil
}

func readPage(name string) (page, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return page{}, err
	}
	var p page
	if err := yaml.Unmarshal(text, &p); err != nil {
		return page{}, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// show prints one page and returns how many of its facts are missing.
func show(p page, rows []row) (missing int) {
	fmt.Printf("\n%s %s\n%s\n\n", p.Method, p.Path, p.Page)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		verdict := "ok"
		if !r.ok {
			verdict = "missing"
			missing++
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", verdict, r.what, r.documented, r.ours)
	}
	w.Flush() // standard output; nothing to do about a failure
	return missing
}
