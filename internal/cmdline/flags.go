package cmdline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

func Join(lists ...[]cli.Flag) []cli.Flag {
	var all []cli.Flag
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// Several are the values of a flag that may be repeated, or have several with commas
// between them.
func Several(c *cli.Context, name string) []string {
	var names []string
	for _, text := range c.StringSlice(name) {
		names = append(names, strings.Split(text, ",")...)
	}
	return names
}

// OutputFlags are what every command has, and the program itself, so that they
// work on either side of the command's name.
func OutputFlags() []cli.Flag { return FormatFlags("table or json") }

// FormatFlags are the same for a command with other formats.
func FormatFlags(formats string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FORMAT` of the answer: " + formats},
		&cli.BoolFlag{Name: "json", Usage: "short for -o json", DisableDefaultText: true},
	}
}

// WhereFlags say what to look at.
func WhereFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "netns", Usage: "the network namespace `NS`: a name, a PID, a path with a slash, or all"},
		&cli.StringFlag{Name: "root", Usage: "read and write the files under `DIR` instead of /"},
	}
}

// Given returns the value of a flag from the innermost place it was given: the
// command, or the program. ok is false where it was not given at all.
func Given(c *cli.Context, name string) (value string, ok bool) {
	for _, ctx := range c.Lineage() {
		if slices.Contains(ctx.LocalFlagNames(), name) {
			return fmt.Sprint(ctx.Value(name)), true
		}
	}
	return "", false
}

func GivenBool(c *cli.Context, name string) bool {
	v, _ := Given(c, name)
	return v == "true"
}

// SocketFormats are what a list of sockets has beside them.
var SocketFormats = []string{"jsonl", "csv", "prometheus"}

// OutputFormat is "table" or "json", or one of more. Commands that change
// something call it first, so that a misspelt format is found before.
func OutputFormat(c *cli.Context, more ...string) (string, error) {
	format, ok := Given(c, "output")
	if GivenBool(c, "json") {
		if ok && format != "json" {
			return "", Misuse("--json and --output %s exclude each other", format)
		}
		return "json", nil
	}
	if !ok {
		return "table", nil
	}
	formats := append([]string{"table", "json"}, more...)
	if !slices.Contains(formats, format) {
		last := len(formats) - 1
		return "", Misuse("--output %q: %s or %s", format, strings.Join(formats[:last], ", "), formats[last])
	}
	return format, nil
}
