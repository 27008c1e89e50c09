package cmdline

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// reorder puts the flags of a command before its arguments. The flag package
// under cli stops at the first argument and would take --dry-run after it for
// another one. Everything after "--" stays where it is, and so does what belongs
// to another program; "help X" becomes "X --help".
func reorder(app *cli.App, args []string) []string {
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	var out, flags, rest []string
	level, commands := app.Flags, app.Commands
	var command *cli.Command
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			rest = append(rest, args[i:]...)
			break
		}
		if len(a) > 1 && a[0] == '-' {
			flags = append(flags, a)
			if takesValue(level, a) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
			continue
		}
		if k := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(a) }); k >= 0 && len(rest) == 0 {
			out = append(append(out, flags...), a)
			command = commands[k]
			flags, level, commands = nil, command.Flags, command.Subcommands
			continue
		}
		if verbatim(command) {
			rest = args[i:]
			break
		}
		rest = append(rest, a)
	}
	out = append(out, flags...)
	if len(rest) > 0 && rest[0] != "--" && slices.ContainsFunc(rest, isFlag) && !slices.Contains(rest, "--") {
		out = append(out, "--")
	}
	return append(out, rest...)
}

// firstCommand is the command that args name first, whatever else is wrong with
// them: what follows a flag that nobody knows may be its value. Nil: they name none.
func firstCommand(app *cli.App, args []string) *cli.Command {
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		switch {
		case !isFlag(args[i]):
			if c := app.Command(args[i]); c != nil {
				return c
			}
		case takesValue(app.Flags, args[i]):
			i++
		}
	}
	return nil
}

// CommandLine is the ArgsUsage of a command that runs another program: from the
// first argument on, everything belongs to that program, as with env and nice.
const CommandLine = "CMD [ARG...]"

func verbatim(c *cli.Command) bool { return c != nil && c.ArgsUsage == CommandLine }

func isFlag(a string) bool { return len(a) > 1 && a[0] == '-' }

// takesValue reports whether the argument after flag is its value.
func takesValue(flags []cli.Flag, flag string) bool {
	name := strings.TrimLeft(flag, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			if g, ok := f.(*cli.GenericFlag); ok { // as package flag asks
				_, isBool = g.Value.(interface{ IsBoolFlag() bool })
			}
			return !isBool
		}
	}
	return false
}
