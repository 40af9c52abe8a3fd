package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"mooring/internal/store/storetest"
)

// run runs a command to its end and gives what it printed.
func run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second) // of a server that should have refused to start
	defer stop()
	code = Run(ctx, args, Stdio{Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func TestEveryCommandHasHelpWithTwoExamples(t *testing.T) {
	parser, err := newParser(&app{}, Stdio{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Leaves(true) {
		code, out, errs := run(t, append(strings.Fields(words(command)), "--help")...)
		_, examples, _ := strings.Cut(out, "Examples:\n")
		if code != exitDone || errs != "" || strings.Count(examples, command.FullPath()) < 2 {
			t.Errorf("%s --help: exit %d, %q\n%s", command.FullPath(), code, errs, out)
		}
		for _, flag := range command.Flags {
			if flag.Help == "" {
				t.Errorf("%s --%s has no help", command.FullPath(), flag.Name)
			}
		}
	}
}

func TestACommandIsUnderstoodAloneAsAmongAll(t *testing.T) {
	made := func(grammar any) *kong.Kong {
		parser, err := newParser(grammar, Stdio{}, func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		return parser
	}
	says := func(parser *kong.Kong, args []string) string {
		var out strings.Builder
		parser.Stdout, parser.Stderr = &out, &out
		if _, err := parser.Parse(args); err != nil {
			fmt.Fprintln(&out, err, meant(err))
		}
		return out.String()
	}
	all, alone := made(&app{}), map[string]*kong.Kong{}
	for _, command := range all.Model.Leaves(true) {
		path := strings.Fields(words(command))
		if alone[path[0]] == nil {
			alone[path[0]] = made(grammar(path))
			if n := len(alone[path[0]].Model.Children); n != 1 && path[0] != "completion" {
				t.Errorf("%s: %d commands", path[0], n)
			}
		}
		for _, more := range []string{"--help", "--no-such-flag", "one two three four"} {
			args := append(slices.Clone(path), strings.Fields(more)...)
			if diff := cmp.Diff(says(all, args), says(alone[path[0]], args)); diff != "" {
				t.Errorf("mooring %s (-among all +alone):\n%s", strings.Join(args, " "), diff)
			}
		}
	}
}

func TestARangeOfAddressesIsReadOrToldHowToWriteIt(t *testing.T) {
	for args, want := range map[string]string{
		"--allow=10.0.0.0/8 --allow=fd00::/8,192.168.0.0/16": "[10.0.0.0/8 fd00::/8 192.168.0.0/16]",
		"--allow=10.0.0.1":    "--allow: 10.0.0.1 is one address; write 10.0.0.1/32 to allow it",
		"--allow=fd00::1":     "--allow: fd00::1 is one address; write fd00::1/128 to allow it",
		"--allow=10.1.2.3/8":  "--allow: 10.1.2.3/8 begins inside its range; write 10.0.0.0/8",
		"--allow=10.0.0.0/33": `--allow: "10.0.0.0/33" is no range of addresses; write CIDR, such as 10.20.0.0/16`,
		"--allow=":            `--allow: "" is no range of addresses; write CIDR, such as 10.20.0.0/16`,
	} {
		var flags struct{ Allow ranges }
		got := ""
		if _, err := kong.Must(&flags).Parse(strings.Fields(args)); err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint([]netip.Prefix(flags.Allow))
		}
		if got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}

func TestOfTwoFlagsThatExcludeEachOtherTheUsageAsksForOne(t *testing.T) {
	for _, command := range []string{"serve", "init", "keys rotate"} {
		_, out, _ := run(t, append(strings.Fields(command), "--help")...)
		if usage, _, _ := strings.Cut(out, "\n"); !strings.Contains(usage, "(--data=DIR | --database=URL)") {
			t.Errorf("%s: %s", command, usage)
		}
	}
}

func TestACommandLineThatIsNotUnderstoodExitsWith2(t *testing.T) {
	for _, args := range [][]string{
		{"sail"},
		{"dev", "--speed"},
		{"dev", "--log-level", "loud"},
		{"serve"},
		{"serve", "--data", "d"},
		{"serve", "--data", "d", "--database", "postgres://h/n", "--public-url", "https://m.example"},
		{"serve", "--data", "d", "--public-url", "https://m.example", "--world", "X"},
		{"serve", "--data", "d", "--public-url", "https://m.example", "--gateway", "vipps"},
		{"serve", "--data", "d", "--public-url", "https://m.example", "--gateway", "vipps=https://a.example", "--gateway", "vipps=https://b.example"},
		{"serve", "--data", "d", "--public-url", "https://m.example", "--outbound-allow", "ten"},
		{"completion", "tcsh"},
	} {
		if code, out, errs := run(t, args...); code != exitUsage || out != "" || !strings.Contains(errs, "Try: mooring") || !strings.Contains(errs, " --help") {
			t.Errorf("mooring %s: exit %d, %q, %q", strings.Join(args, " "), code, out, errs)
		}
	}
}

func TestAGatewayThatIsNotUnderstoodIsExplained(t *testing.T) {
	for says, all := range map[string][]string{
		`"vipps" is no gateway; write SLUG=URL`: {"vipps"},
		"vipps has two gateways; name one":      {"vipps=https://a.example", "swish=https://b.example", "vipps=https://b.example"},
	} {
		args := []string{"serve", "--data", "d", "--public-url", "https://m.example"}
		for _, one := range all {
			args = append(args, "--gateway", one)
		}
		if code, _, errs := run(t, args...); code != exitUsage || !strings.Contains(errs, says) {
			t.Errorf("exit %d, %s", code, errs)
		}
	}
}

func TestServeRefusesAGatewayThatCanNeverBeReached(t *testing.T) {
	dir := initData(t)
	file := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(file, []byte("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n"), 0o600))
	for url, allowed := range map[string]string{
		"http://127.0.0.1:9090": "", "https://10.0.0.1": "", "http://gateway.example.com": "", "https://gateway.internal": "",
		"http://10.9.0.1": "10.8.0.0/16", "https://169.254.169.254": "169.254.0.0/16",
	} {
		args := []string{"--gateway", "vipps=" + url, "--gateway-secret-file", file}
		if allowed != "" {
			args = append(args, "--outbound-allow", allowed)
		}
		if errs := refusal(t, dir, args...); !strings.Contains(errs, "the gateway of vipps at "+url+" can never be reached") {
			t.Errorf("%s: %s", url, errs)
		}
	}
}

func TestWithoutArgumentsItPrintsTheHelp(t *testing.T) {
	code, out, _ := run(t)
	if code != exitDone || !strings.Contains(out, "mooring dev") && !strings.Contains(out, "Commands:") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

func TestVersionIsOneLine(t *testing.T) {
	for _, word := range []string{"version", "--version"} {
		code, out, _ := run(t, word)
		if code != exitDone || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "mooring "+Version) {
			t.Errorf("%s: exit %d: %q", word, code, out)
		}
	}
}

func TestCompletionKnowsEveryCommandAndFlag(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		_, out, _ := run(t, "completion", shell)
		for _, word := range []string{"dev", "serve", "init", "version", "completion", "ready-file", "public-url"} {
			if !strings.Contains(out, word) {
				t.Errorf("the %s completion does not know %s", shell, word)
			}
		}
	}
}

func TestInitShowsSecretsOnceAndRunsOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	code, out, errs := run(t, "init", "--data", dir)
	if code != exitDone || !strings.Contains(out, "P00000000") || !strings.Contains(out, "T00000000") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if info, err := os.Stat(dir + ".key"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info, err)
	}
	code, out, errs = run(t, "init", "--data", dir)
	if code != exitFailed || out != "" || !strings.Contains(errs, "initialised already") {
		t.Errorf("a second init: exit %d, %q, %q", code, out, errs)
	}
}

// refusal runs `mooring serve` on a database that init made, changed by the test.
func refusal(t *testing.T, dir string, args ...string) string {
	t.Helper()
	code, _, errs := run(t, append([]string{
		"serve", "--data", dir, "--listen", "127.0.0.1:0", "--public-url", "http://127.0.0.1:8080",
	}, args...)...)
	if code != exitFailed || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit %d, %q", code, errs)
	}
	return errs
}

func initData(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if code, _, errs := run(t, "init", "--data", dir); code != exitDone {
		t.Fatal(errs)
	}
	return dir
}

func TestServeRefusesWhatIsUnsafeInOneSentence(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, dir string)
		args  []string
		says  string
	}{
		"a public URL without https": {args: []string{"--public-url", "http://m.example.com"}, says: "must begin with https://"},
		"a public URL with a path":   {args: []string{"--public-url", "https://m.example.com/v1"}, says: "a scheme and a host in lower-case"},
		"no key file": {
			spoil: func(t *testing.T, dir string) { must(t, os.Remove(dir+".key")) },
			says:  ".key",
		},
		"another key": {
			spoil: func(t *testing.T, dir string) {
				other := initData(t)
				must(t, os.Remove(dir+".key"))
				must(t, os.Rename(other+".key", dir+".key"))
			},
			says: "is not the one that this data was sealed with",
		},
		"a key file that others may read": {
			spoil: func(t *testing.T, dir string) { must(t, os.Chmod(dir+".key", 0o644)) },
			says:  "chmod 600",
		},
		"data that others may read": {
			spoil: func(t *testing.T, dir string) { must(t, os.Chmod(dir, 0o755)) },
			says:  "chmod 0700",
		},
		"a stop that takes too long": {args: []string{"--drain-delay", "1h"}, says: "less than ten seconds"},
		"no failed logins":           {args: []string{"--login-failures", "0"}, says: "at least 1"},
		"no address":                 {args: []string{"--listen", ""}, says: "address"},
		"an address that is none":    {args: []string{"--listen", "256.0.0.1:1"}, says: "can't listen"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := initData(t)
			if test.spoil != nil {
				test.spoil(t, dir)
			}
			if errs := refusal(t, dir, test.args...); !strings.Contains(errs, test.says) {
				t.Errorf("says %q, want %q", errs, test.says)
			}
		})
	}
}

func TestServeRefusesADirectoryWithoutADatabase(t *testing.T) {
	if errs := refusal(t, filepath.Join(t.TempDir(), "typo")); !strings.Contains(errs, "mooring init --data") {
		t.Errorf("says %q", errs)
	}
}

func TestServeOnPostgreSQLAsksForTheKeyFile(t *testing.T) {
	code, _, errs := run(t, "serve", "--database", "postgres://127.0.0.1:1/none", "--public-url", "https://m.example")
	if code != exitFailed || !strings.Contains(errs, "--key-file") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

func TestServeRefusesADatabaseThatWasNeverInitialised(t *testing.T) {
	dir := initData(t)
	for name, content := range map[string]func(path string) error{
		"no file":       func(string) error { return nil },
		"an empty file": func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		empty := filepath.Join(t.TempDir(), "data")
		must(t, os.Mkdir(empty, 0o700))
		must(t, content(filepath.Join(empty, "mooring.db")))
		if errs := refusal(t, empty, "--key-file", dir+".key"); !strings.Contains(errs, "mooring init") {
			t.Errorf("%s: says %q", name, errs)
		}
	}
	dsn := storetest.Postgres(t)
	serve := []string{"serve", "--database", dsn, "--key-file", dir + ".key", "--listen", "127.0.0.1:0", "--public-url", "http://127.0.0.1:1"}
	for range 2 { // the first left nothing behind
		if code, _, errs := run(t, serve...); code != exitFailed || !strings.Contains(errs, "never initialised: do it with `mooring init`") {
			t.Errorf("exit %d: %q", code, errs)
		}
	}
}

func TestARotationSaysOnceWhatItDid(t *testing.T) {
	dir := initData(t)
	code, out, errs := run(t, "keys", "rotate", "--data", dir, "--log-level", "error")
	if code != exitDone || errs != "" || strings.Count(out, "\n") != 1 || !strings.Contains(out, "   1 key wrapped anew\n") {
		t.Errorf("exit %d: %q, %q", code, out, errs)
	}
}

func TestDevLeavesADatabaseOfInitAlone(t *testing.T) {
	dir := initData(t)
	code, out, errs := run(t, "dev", "--data", dir, "--listen", "127.0.0.1:0")
	if code != exitFailed || out != "" || !strings.Contains(errs, "mooring init") {
		t.Errorf("exit %d: %q %q", code, out, errs)
	}
}

func TestDevOnPostgreSQLAsksForAPlaceForItsKey(t *testing.T) {
	code, _, errs := run(t, "dev", "--database", "postgres://127.0.0.1:1/none", "--listen", "127.0.0.1:0")
	if code != exitFailed || !strings.Contains(errs, "--data") {
		t.Errorf("exit %d: %q", code, errs)
	}
}

func TestAnEmptyVariableIsNotSet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	t.Setenv("MOORING_DATABASE", "")
	t.Setenv("MOORING_KEY_FILE", "")
	if code, _, errs := run(t, "init", "--data", dir); code != exitDone {
		t.Error(errs)
	}
	if _, err := os.Stat(dir + ".key"); err != nil {
		t.Error(err)
	}
}

func TestAnEmptyDirectoryNameIsRefused(t *testing.T) {
	if code, _, errs := run(t, "init", "--data", ""); code != exitFailed || !strings.Contains(errs, "--data needs a directory") {
		t.Errorf("exit %d: %q", code, errs)
	}
}

// full is a stream that takes nothing, such as a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestInitFailsWhenItCannotShowTheSecrets(t *testing.T) {
	var errs bytes.Buffer
	dir := filepath.Join(t.TempDir(), "data")
	if code := Run(t.Context(), []string{"init", "--data", dir}, Stdio{Out: full{}, Err: &errs}); code != exitFailed {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	// Nothing was made before the first line could be shown, so it can be tried again.
	if code, _, errs := run(t, "init", "--data", dir); code != exitDone {
		t.Error(errs)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What is written to a device that nobody looks at is not written for people.
func TestADeviceIsNoTerminal(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if isTerminal(null) {
		t.Error("it is taken for a terminal")
	}
}
