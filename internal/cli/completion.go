package cli

import (
	"fmt"
	"slices"
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
	var cases strings.Builder
	for _, n := range commands {
		fmt.Fprintf(&cases, "    %q*) words=%q ;;\n", words(n)+" ", strings.Join(flagNames(n), " "))
	}
	first, under := tree(commands)
	for _, group := range first {
		if len(under[group]) > 0 {
			fmt.Fprintf(&cases, "    %q*) words=%q ;;\n", group+" ", strings.Join(under[group], " "))
		}
	}
	_, err := fmt.Fprintf(stdio.Out, `_mooring() {
  local words=%q
  case "${COMP_WORDS[*]:1:COMP_CWORD-1} " in
%s  esac
  COMPREPLY=($(compgen -o default -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _mooring mooring
`, strings.Join(first, " ")+" --help", cases.String())
	return err
}

func fishCompletion(stdio Stdio, commands []*kong.Node) error {
	seen := map[string]bool{}
	for _, n := range commands {
		group, name, nested := strings.Cut(words(n), " ")
		help, typed := n.Help, "__fish_seen_subcommand_from "+group
		if nested {
			fmt.Fprintf(stdio.Out, "complete -c mooring -f -n '%s' -a %s -d %q\n", typed, name, n.Help)
			help, typed = n.Parent.Help, typed+"; and __fish_seen_subcommand_from "+name
		}
		if !seen[group] {
			seen[group] = true
			fmt.Fprintf(stdio.Out, "complete -c mooring -f -n __fish_use_subcommand -a %s -d %q\n", group, help)
		}
		for _, f := range n.Flags {
			fmt.Fprintf(stdio.Out, "complete -c mooring -n '%s' -l %s -d %q\n", typed, f.Name, f.Help)
		}
	}
	return nil
}

// words are those of the command line that name a command, such as "keys rotate".
func words(n *kong.Node) string {
	_, below, _ := strings.Cut(n.FullPath(), " ")
	return below
}

// tree is the first word of each command, and what may follow it.
func tree(commands []*kong.Node) (first []string, under map[string][]string) {
	under = map[string][]string{}
	for _, n := range commands {
		group, name, nested := strings.Cut(words(n), " ")
		if !slices.Contains(first, group) {
			first = append(first, group)
		}
		if nested {
			under[group] = append(under[group], name)
		}
	}
	return first, under
}

func flagNames(n *kong.Node) []string {
	names := []string{"--help"}
	for _, f := range n.Flags {
		names = append(names, "--"+f.Name)
	}
	return names
}
