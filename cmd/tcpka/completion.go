package main

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/middlebox"
)

//go:embed completion
var completionScripts embed.FS

// completeWord is the argument, always the last one, that asks for what could
// come next instead of running the command.
const completeWord = "--generate-bash-completion"

var shells = []string{"bash", "zsh", "fish"}

func (s *session) completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a completion script for a shell",
		ArgsUsage: "bash|zsh|fish",
		Action: func(c *cli.Context) error {
			shell := c.Args().First()
			if c.NArg() != 1 || !slices.Contains(shells, shell) {
				return misuse("completion takes one shell: %s", strings.Join(shells, ", "))
			}
			script, err := completionScripts.ReadFile("completion/tcpka." + shell)
			if err != nil {
				return err
			}
			_, err = s.stdout.Write(script)
			return err
		},
	}
}

// complete prints what could come next after words: subcommands, flags, the
// words a flag or argument accepts. All are names this program made; nothing
// that comes from outside it is ever among them. A shell that completes a flag
// passes the part already typed as the last word.
//
// cli has completion of its own; it is not used because it runs the parser,
// which fails on half a flag.
func complete(w io.Writer, app *cli.App, words []string) {
	flags, commands := app.Flags, app.Commands
	var command *cli.Command
	typed := ""
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch k := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(word) }); {
		case word == "--":
			return
		case takesValue(flags, word):
			if i++; i >= len(words) { // the value itself is asked for
				printLines(w, flagValues[strings.TrimLeft(word, "-")])
				return
			}
		case isFlag(word):
			typed = word
			continue
		case k >= 0:
			command = commands[k]
			flags, commands = command.Flags, command.Subcommands
		}
		typed = ""
	}
	if typed != "" || slices.Contains(words, "-") {
		for _, f := range append(slices.Clone(flags), cli.HelpFlag) {
			if long := "--" + f.Names()[0]; strings.HasPrefix(long, typed) {
				fmt.Fprintln(w, long)
			}
		}
		return
	}
	for _, c := range commands {
		fmt.Fprintln(w, c.Name)
	}
	if command != nil {
		printLines(w, argumentValues[command.Name])
	}
}

// flagValues and argumentValues are the words that a flag, or the argument of a
// command, accepts; what accepts anything is not here.
var (
	flagValues = map[string][]string{
		"output": {"table", "json"}, "o": {"table", "json"}, "netns": {"all"},
		"side": {"client", "server"}, "tcp-keepalive": {"yes", "no"},
	}
	argumentValues = map[string][]string{"completion": shells, "paths": middlebox.Names()}
)

func printLines(w io.Writer, lines []string) {
	for _, l := range lines {
		fmt.Fprintln(w, l)
	}
}
