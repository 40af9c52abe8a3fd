package cli

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown below the flags.
func (completionCommand) Help() string {
	return `Examples:
  source <(mooring completion bash)
  mooring completion fish > ~/.config/fish/completions/mooring.fish`
}

// Run prints the script for one shell. It is made of the commands and flags of
// this very binary.
func (c completionCommand) Run(k *kong.Kong, stdio Stdio) error {
	commands := k.Model.Leaves(true)
	if c.Shell == "fish" {
		return fishCompletion(stdio, commands)
	}
	if c.Shell == "zsh" {
		fmt.Fprintln(stdio.Out, "autoload -U +X bashcompinit && bashcompinit")
	}
	return bashCompletion(stdio, commands)
}

func bashCompletion(stdio Stdio, commands []*kong.Node) error {
	var cases, names strings.Builder
	for _, n := range commands {
		fmt.Fprintf(&names, "%s ", n.Name)
		fmt.Fprintf(&cases, "    %s) words=%q ;;\n", n.Name, strings.Join(flagNames(n), " "))
	}
	_, err := fmt.Fprintf(stdio.Out, `_mooring() {
  local words=%q
  case ${COMP_WORDS[1]} in
%s  esac
  [ "$COMP_CWORD" -eq 1 ] && words=%q
  COMPREPLY=($(compgen -o default -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _mooring mooring
`, names.String(), cases.String(), names.String()+"--help")
	return err
}

func fishCompletion(stdio Stdio, commands []*kong.Node) error {
	for _, n := range commands {
		fmt.Fprintf(stdio.Out, "complete -c mooring -f -n __fish_use_subcommand -a %s -d %q\n", n.Name, n.Help)
		for _, f := range n.Flags {
			fmt.Fprintf(stdio.Out, "complete -c mooring -n '__fish_seen_subcommand_from %s' -l %s -d %q\n", n.Name, f.Name, f.Help)
		}
	}
	return nil
}

func flagNames(n *kong.Node) []string {
	names := []string{"--help"}
	for _, f := range n.Flags {
		names = append(names, "--"+f.Name)
	}
	return names
}
