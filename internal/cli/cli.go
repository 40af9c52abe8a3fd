// Package cli owns the commands of the mooring binary: their flags, their help
// and what they print.
//
// It promises the exit codes 0 (done), 1 (refused or failed, with one sentence
// on the error stream) and 2 (the command line could not be understood). It
// must never print a secret except where a command exists to show it once, and
// that of this machine, which listen signs with.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	"mooring/internal/telemetry"
)

// Exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Stdio is where a command prints: results to Out, everything else to Err.
type Stdio struct {
	Out, Err io.Writer
}

type app struct {
	ShowVersion kong.VersionFlag `name:"version" env:"-" help:"Print the version."`

	Dev         devCommand         `cmd:"" help:"Run everything in one process with test accounts, nothing to set up."`
	Serve       serveCommand       `cmd:"" help:"Run the service on a real database."`
	Init        initCommand        `cmd:"" help:"Make a new database with its platform accounts and first clients."`
	Provider    providerCommand    `cmd:"" help:"Check, list and show providers."`
	Account     accountCommand     `cmd:"" help:"List, show, make, change, move and delete accounts, and comment on them."`
	Clock       clockCommand       `cmd:"" help:"Show the clock of a test account, or move it ahead."`
	Simulate    simulateCommand    `cmd:"" help:"Let the simulated provider of a test account play another scenario."`
	Trigger     triggerCommand     `cmd:"" help:"Play a scenario on a connection of a test account, and print its events."`
	Listen      listenCommand      `cmd:"" help:"Show events as they happen, and forward them to a program on this machine."`
	Events      eventsCommand      `cmd:"" help:"Print the feed."`
	Inbox       inboxCommand       `cmd:"" help:"List, show and replay what providers called back about."`
	Batch       batchCommand       `cmd:"" help:"Move signups in files, for providers that take files."`
	Queue       queueCommand       `cmd:"" help:"List, count and look after the connections that wait for somebody."`
	Hooks       hooksCommand       `cmd:"" help:"Look after subscriptions: who is told of what."`
	Deliveries  deliveriesCommand  `cmd:"" help:"See what was delivered to a subscription, and send it again."`
	Drift       driftCommand       `cmd:"" help:"List enabled connections that their provider sees otherwise."`
	Audit       auditCommand       `cmd:"" help:"Show who did what to an account, and who was denied."`
	Notices     noticesCommand     `cmd:"" help:"Tell people in words, by e-mail or in a chat."`
	Erase       eraseCommand       `cmd:"" help:"Erase the person behind a signup."`
	Import      importCommand      `cmd:"" help:"Take accounts in from another system, or a whole database from an export."`
	Export      exportCommand      `cmd:"" help:"Write a whole database to a file, to be imported into another."`
	Client      clientCommand      `cmd:"" help:"Create, list, rotate, disable and delete API clients."`
	Grant       grantCommand       `cmd:"" help:"List, add and remove what API clients may do."`
	Keys        keysCommand        `cmd:"" help:"Rotate the key file, or verify it."`
	Credentials credentialsCommand `cmd:"" help:"Release credentials, and see which end soon."`
	Token       tokenCommand       `cmd:"" help:"Get an access token, or explain one."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
	Completion  completionCommand  `cmd:"" help:"Print a script that completes commands and flags in a shell."`
}

const description = `Mooring keeps the connections between merchants and their payment providers.

Each flag can also be set by the environment variable that its help names.
Exit codes: 0 done, 1 refused or failed, 2 the command line was not understood.`

// Run runs the command that args name until it is done or ctx ends, and
// returns the exit code.
func Run(ctx context.Context, args []string, stdio Stdio) int {
	unsetEmpty()
	results := &results{to: stdio.Out}
	stdio.Out = results
	code := runCommand(ctx, args, stdio)
	if results.failed != nil && code == exitDone {
		fmt.Fprintln(stdio.Err, "mooring: what came out could not be written:", results.failed)
		return exitFailed
	}
	return code
}

// results are what a command prints to Out. It knows whether all of it was
// written, so that no command has to look itself.
type results struct {
	to     io.Writer
	failed error // the first that went wrong
}

func (r *results) Write(text []byte) (int, error) {
	n, err := r.to.Write(text)
	if err != nil && r.failed == nil {
		r.failed = err
	}
	return n, err
}

// lost is why not all of what was printed could be written; nil when it was.
func lost(out io.Writer) error {
	if r, ok := out.(*results); ok {
		return r.failed
	}
	return nil
}

func runCommand(ctx context.Context, args []string, stdio Stdio) int {
	exit := -1
	parser, err := newParser(grammar(args), stdio, func(code int) { exit = code })
	if err != nil {
		fmt.Fprintln(stdio.Err, "mooring:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exit >= 0 { // --help printed and asked to leave
		return exit
	}
	if failed := lost(stdio.Out); failed != nil { // so the help could not be printed
		fmt.Fprintln(stdio.Err, "mooring:", failed)
		return exitFailed
	}
	if err != nil {
		fmt.Fprintf(stdio.Err, "mooring: %s\nTry: %s --help\n", err, meant(err))
		return exitUsage
	}
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(stdio); err != nil {
		fmt.Fprintln(stdio.Err, "mooring:", err)
		return exitFailed
	}
	return exitDone
}

// meant is as much of the command as was understood.
func meant(err error) string {
	if parse, ok := errors.AsType[*kong.ParseError](err); ok {
		if node := parse.Context.Selected(); node != nil {
			return node.FullPath()
		}
	}
	return "mooring"
}

// unsetEmpty takes empty variables for ones that are not set: that is what
// whoever writes MOORING_DATABASE= into a file means.
func unsetEmpty() {
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if value == "" && strings.HasPrefix(name, "MOORING_") {
			os.Unsetenv(name)
		}
	}
}

// grammar is what there is to understand: of a command line that begins with a
// command, nothing but that, since whoever starts a server waits for it.
// Completion knows all of them.
func grammar(args []string) any {
	whole := reflect.TypeFor[app]()
	version, _ := whole.FieldByName("ShowVersion")
	for field := range whole.Fields() {
		_, command := field.Tag.Lookup("cmd")
		if command && len(args) > 0 && args[0] == strings.ToLower(field.Name) && field.Type != reflect.TypeFor[completionCommand]() {
			return reflect.New(reflect.StructOf([]reflect.StructField{version, field})).Interface()
		}
	}
	return &app{}
}

func newParser(grammar any, stdio Stdio, exit func(int)) (*kong.Kong, error) {
	return kong.New(grammar,
		kong.Name("mooring"), kong.Description(description),
		kong.Writers(stdio.Out, stdio.Err), kong.Exit(exit),
		kong.DefaultEnvars("MOORING"), kong.Vars{"version": versionLine()}, kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Help(help),
	)
}

// help prints the help of a command. Of flags that exclude each other one is
// needed, which the usage line would show as if all were.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	out := ctx.Stdout
	defer func() { ctx.Stdout = out }()
	var text strings.Builder
	ctx.Stdout = &text
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	_, err := io.WriteString(out, strings.Replace(text.String(), "--data=DIR --database=URL", "(--data=DIR | --database=URL)", 1))
	return err
}

// logFlags are what every command that logs takes.
type logFlags struct {
	LogFormat string `enum:"auto,text,json" default:"auto" help:"Log lines for people (text) or machines (json); auto is text on a terminal."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"Least level that is logged: debug, info, warn or error."`
}

func (f logFlags) logger(w io.Writer) *slog.Logger {
	format := f.LogFormat
	if format == "auto" {
		format = "json"
		if isTerminal(w) {
			format = "text"
		}
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.LogLevel)) // one of the four
	return telemetry.NewLogger(w, format, level)
}

func isTerminal(w io.Writer) bool {
	if r, ok := w.(*results); ok {
		w = r.to
	}
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	return isatty.IsTerminal(file.Fd())
}

// bold sets text off where the stream is a terminal that wants it
// (https://no-color.org).
func bold(w io.Writer, text string) string {
	if !isTerminal(w) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}
