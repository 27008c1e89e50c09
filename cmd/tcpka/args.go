package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// reorder puts the flags of a command before its arguments. The flag package
// under cli stops at the first argument and would take --dry-run after it for
// another one. Everything after "--" stays where it is; "help X" becomes
// "X --help".
func reorder(app *cli.App, args []string) []string {
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	var out, flags, rest []string
	level, commands := app.Flags, app.Commands
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
			flags, level, commands = nil, commands[k].Flags, commands[k].Subcommands
			continue
		}
		rest = append(rest, a)
	}
	out = append(out, flags...)
	if len(rest) > 0 && rest[0] != "--" && slices.ContainsFunc(rest, isFlag) && !slices.Contains(rest, "--") {
		out = append(out, "--")
	}
	return append(out, rest...)
}

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
			return !isBool
		}
	}
	return false
}
