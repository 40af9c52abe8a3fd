package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

const configurationPage = "../../docs/configuration.md"

// TestEverySettingIsDocumented holds docs/configuration.md to the flags.
func TestEverySettingIsDocumented(t *testing.T) {
	parser, err := newParser(&app{}, Stdio{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	want := configuration(parser.Model)
	if *update {
		if err := os.WriteFile(configurationPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(configurationPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/configuration.md is stale; run: go test ./internal/cli -update\n%s", diff)
	}
}

func configuration(app *kong.Application) string {
	var page strings.Builder
	page.WriteString("# Configuration\n\nFlags and environment, no configuration file. A flag wins over its variable. " +
		"This page is made from the flags by `go test ./internal/cli -update`.\n")
	for _, command := range app.Leaves(true) {
		flags := settings(command)
		if len(flags) == 0 {
			continue
		}
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n| flag | variable | default | meaning |\n| --- | --- | --- | --- |\n", command.FullPath(), command.Help)
		for _, f := range flags {
			fmt.Fprintf(&page, "| `--%s` | `%s` | %s | %s |\n", f.Name, strings.Join(f.Envs, "`, `"), defaultOf(f), f.Help)
		}
	}
	return page.String()
}

func settings(command *kong.Node) []*kong.Flag {
	var flags []*kong.Flag
	for _, f := range command.Flags {
		if f.Name != "help" {
			flags = append(flags, f)
		}
	}
	return flags
}

func defaultOf(f *kong.Flag) string {
	switch {
	case f.IsBool():
		return "off"
	case f.Default != "":
		return "`" + f.Default + "`"
	case f.Required && len(f.Xor) > 0:
		return "one of the two must be given"
	case f.Required:
		return "must be given"
	default:
		return ""
	}
}
