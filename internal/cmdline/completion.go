package cmdline

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

//go:embed completion
var completionScripts embed.FS

// CompleteWord is the argument, always the last one, that asks for what could
// come next instead of running the command.
const CompleteWord = "--generate-bash-completion"

var Shells = []string{"bash", "zsh", "fish"}

func completionCommand(s *Invocation) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a completion script for a shell",
		ArgsUsage: "bash|zsh|fish",
		Action: func(c *cli.Context) error {
			shell := c.Args().First()
			if c.NArg() != 1 || !slices.Contains(Shells, shell) {
				return Misuse("completion takes one shell: %s", strings.Join(Shells, ", "))
			}
			script, err := completionScripts.ReadFile("completion/tcpka." + shell)
			if err != nil {
				return err
			}
			_, err = s.Stdout.Write(script)
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
func complete(w io.Writer, app *cli.App, known Words, words []string) {
	cursor := ""
	if n := len(words); n > 0 {
		words, cursor = words[:n-1], words[n-1]
	}
	flags, commands := app.Flags, app.Commands
	var command *cli.Command
	path := ""
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" {
			return
		}
		if takesValue(flags, word) {
			if i++; i == len(words) { // the value itself is asked for
				printMatches(w, cursor, known.ofFlag(path, flags, strings.TrimLeft(word, "-")))
				return
			}
			continue
		}
		if k := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(word) }); k >= 0 {
			command = commands[k]
			path = strings.TrimPrefix(path+" "+command.Name, " ")
			flags, commands = command.Flags, command.Subcommands
		} else if verbatim(command) { // the rest is for the program's own completion
			return
		}
	}
	var candidates []string
	if name, _, ok := strings.Cut(cursor, "="); ok && strings.HasPrefix(name, "--") && hasFlag(flags, name[2:]) {
		for _, value := range known.ofFlag(path, flags, name[2:]) {
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
			candidates = append(candidates, known.of(path)...)
		}
	}
	printMatches(w, cursor, candidates)
}

// Words are those that a flag or an argument accepts, by the command line that they end:
// "undo", "show sockets --output", or "--state" for a flag of any command. What is not
// there accepts anything.
type Words map[string]func() []string

func (w Words) of(line string) []string {
	if f := w[line]; f != nil {
		return f()
	}
	return nil
}

// ofFlag are the words that a flag of a command accepts, by any of its names.
func (w Words) ofFlag(command string, flags []cli.Flag, name string) []string {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			name = f.Names()[0]
		}
	}
	if line := strings.TrimPrefix(command+" --"+name, " "); w[line] != nil {
		return w.of(line)
	}
	return w.of("--" + name)
}

func printMatches(w io.Writer, cursor string, candidates []string) {
	for _, c := range candidates {
		if strings.HasPrefix(c, cursor) {
			fmt.Fprintln(w, c)
		}
	}
}
