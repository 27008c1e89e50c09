package main

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/snippet"
	"github.com/tcpka/tcpka/middlebox"
)

//go:embed completion
var completionScripts embed.FS

// completeWord is the argument, always the last one, that asks for what could
// come next instead of running the command.
const completeWord = "--generate-bash-completion"

var shells = []string{"bash", "zsh", "fish"}

func completionCommand(s *session) *cli.Command {
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

// complete prints what could stand in place of the last of words, the one at the
// cursor, which may be empty: subcommands, flags, the words a flag or argument
// accepts. All are names this program made, the IDs in its journal too; nothing that
// comes from outside it is ever among them.
//
// cli has completion of its own; it is not used because it runs the parser,
// which fails on half a flag.
func complete(w io.Writer, app *cli.App, words []string) {
	cursor := ""
	if n := len(words); n > 0 {
		words, cursor = words[:n-1], words[n-1]
	}
	flags, commands := app.Flags, app.Commands
	var command *cli.Command
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" {
			return
		}
		if takesValue(flags, word) {
			if i++; i == len(words) { // the value itself is asked for
				printMatches(w, cursor, flagValues(command, strings.TrimLeft(word, "-")))
				return
			}
			continue
		}
		if k := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(word) }); k >= 0 {
			command = commands[k]
			flags, commands = command.Flags, command.Subcommands
		} else if verbatim(command) { // the rest is for the program's own completion
			return
		}
	}
	var candidates []string
	if name, _, ok := strings.Cut(cursor, "="); ok && strings.HasPrefix(name, "--") && hasFlag(flags, name[2:]) {
		for _, value := range flagValues(command, name[2:]) {
			candidates = append(candidates, name+"="+value)
		}
	} else if strings.HasPrefix(cursor, "-") {
		for _, f := range append(slices.Clone(flags), cli.HelpFlag) {
			if v, ok := f.(cli.VisibleFlag); !ok || v.IsVisible() {
				candidates = append(candidates, "--"+f.Names()[0])
			}
		}
	} else {
		for _, c := range commands {
			candidates = append(candidates, c.Name)
		}
		if command != nil {
			candidates = append(candidates, argumentValues(command.Name)...)
		}
	}
	printMatches(w, cursor, candidates)
}

// flagValues are the words that a flag accepts; none where it accepts anything.
func flagValues(command *cli.Command, flag string) []string {
	switch flag {
	case "output", "o":
		formats := []string{"table", "json"}
		if command != nil && command.Name == "sockets" && hasFlag(command.Flags, "watch") {
			formats = append(formats, socketFormats...)
		}
		return formats
	case "state", "keepalive", "origin", "sort":
		return socketWords(flag)
	case "netns":
		return []string{"all"}
	case "side":
		return []string{"client", "server"}
	case "tcp-keepalive":
		return []string{"yes", "no"}
	case "behind":
		return middlebox.Names()
	case "for":
		return append(snippet.Names(), "all")
	}
	return nil
}

// argumentValues are the words that the argument of a command accepts; none
// where it accepts anything.
func argumentValues(command string) []string {
	switch command {
	case "completion":
		return shells
	case "paths":
		return middlebox.Names()
	case "undo":
		return undoable()
	}
	return nil
}

func printMatches(w io.Writer, cursor string, candidates []string) {
	for _, c := range candidates {
		if strings.HasPrefix(c, cursor) {
			fmt.Fprintln(w, c)
		}
	}
}
