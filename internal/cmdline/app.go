// Package cmdline is the command line as such: the streams and flags that all commands have,
// their values, exit statuses, errors and hints, help and completion. It knows no command:
// those are handed in. (It is not called cli, because the flag package is.)
package cmdline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/nearest"
)

// Program is the program: what it consists of.
type Program struct {
	Commands func(*Invocation) []*cli.Command
	Words    Words // that complete its command lines
}

// Invocation is one run of the program: its arguments and its streams.
type Invocation struct {
	Args           []string // without the program's name
	Stdin          *os.File
	Stdout, Stderr io.Writer

	errors map[*cli.Command]func(*cli.Context, error) error
}

// OnError has all errors of a command pass through f, those of its flags, too.
func (s *Invocation) OnError(c *cli.Command, f func(*cli.Context, error) error) *cli.Command {
	if s.errors == nil {
		s.errors = map[*cli.Command]func(*cli.Context, error) error{}
	}
	s.errors[c] = f
	return c
}

// Run executes the command line and returns the exit status.
func (p Program) Run(args []string, stdin *os.File, stdout, stderr io.Writer) int {
	s := &Invocation{Args: args, Stdin: stdin, Stdout: stdout, Stderr: stderr}
	app := p.App(s)
	if n := len(args); n > 0 && args[n-1] == CompleteWord {
		complete(stdout, app, p.Words, args[:n-1])
		return StatusDone
	}
	help := &checkedWriter{Writer: stdout}
	app.Writer = help
	err := app.Run(append([]string{"tcpka"}, reorder(app, args)...))
	if refused, ok := errors.AsType[cli.ExitCoder](err); ok { // cli's own: no such help topic
		err = Misuse("%w", refused)
	}
	if err == nil && help.err != nil {
		err = fmt.Errorf("write the answer: %w", help.err)
	}
	return StatusOf(err, stderr)
}

// checkedWriter remembers an error: cli does not look whether its help and its
// version could be written.
type checkedWriter struct {
	io.Writer
	err error
}

func (w *checkedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// invocationKey is where the app has its Invocation, for what is handed a context alone.
const invocationKey = "invocation"

func InvocationOf(c *cli.Context) *Invocation { return c.App.Metadata[invocationKey].(*Invocation) }

func (p Program) App(s *Invocation) *cli.App {
	cli.VersionFlag = &cli.BoolFlag{Name: "version", Aliases: []string{"V"}, Usage: "print the version", DisableDefaultText: true}
	cli.HelpPrinter = PrintHelp
	cli.HelpFlag = &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show help", DisableDefaultText: true}
	app := &cli.App{
		Name:                      "tcpka",
		Usage:                     "inspect, explain and tune TCP keepalive",
		UsageText:                 "tcpka COMMAND [options]",
		Version:                   version(),
		Description:               description,
		Commands:                  append(p.Commands(s), completionCommand(s)),
		Flags:                     append(OutputFlags(), WhereFlags()...),
		Writer:                    s.Stdout,
		ErrWriter:                 s.Stderr,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,
		Metadata:                  map[string]any{invocationKey: s},
		// The status is ours to decide, and the deferred calls shall run.
		ExitErrHandler: func(*cli.Context, error) {},
		// A flag before a command's name that nobody knows is misuse of that
		// command: what calls check would take the status 2 for a critical one.
		OnUsageError: func(c *cli.Context, err error, sub bool) error {
			if named := firstCommand(c.App, s.Args); named != nil {
				return named.OnUsageError(c, err, sub)
			}
			return usageError(c, err, sub)
		},
		Action: func(c *cli.Context) error {
			hint := "the commands are " + names(c.App.Commands)
			switch {
			case c.Args().Present():
				if meant := commandLike(c.App.Commands, c.Args().First()); meant != "" {
					hint = "did you mean: " + meant + "? " + hint
				}
				return Misuse("unknown command %q", c.Args().First()).WithHint("%s", hint)
			case len(s.Args) > 0:
				return Misuse("no command").WithHint("%s", hint)
			}
			return cli.ShowAppHelp(c)
		},
	}
	s.unite(app.Commands)
	return app
}

// unite gives commands, and those below them, what all have in common.
func (s *Invocation) unite(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = usageError
		c.HideHelpCommand = true
		c.Before = s.onlyOwn(c)
		if verbatim(c) {
			withErrors(c, func(_ *cli.Context, err error) error { return apart(err) })
		}
		if f := s.errors[c]; f != nil {
			withErrors(c, f)
		}
		s.unite(c.Subcommands)
	}
}

// withErrors has all errors of a command pass through f.
func withErrors(c *cli.Command, f func(*cli.Context, error) error) {
	usage, before, action := c.OnUsageError, c.Before, c.Action
	c.OnUsageError = func(ctx *cli.Context, err error, sub bool) error { return f(ctx, usage(ctx, err, sub)) }
	c.Before = func(ctx *cli.Context) error { return f(ctx, before(ctx)) }
	c.Action = func(ctx *cli.Context) error { return f(ctx, action(ctx)) }
}

const description = `Linux notices a dead peer of an idle TCP connection by keepalive probes, by
default after more than two hours. tcpka shows the settings of the kernel, says
what they really lead to, and changes them safely.

Exit status: 0 done, 1 failed, 2 misuse and nothing done, 3 partly done or
written but not in force; tcpka run passes on its program's, and tcpka check speaks
as monitoring plugins do.`

func names(commands []*cli.Command) string {
	var names []string
	for _, c := range commands {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// commandLike is the command that somebody may have meant by name: one of those of
// the program that is like it, or one below them with that name. It is "" for none.
func commandLike(commands []*cli.Command, name string) string {
	for _, c := range commands {
		if c.Command(name) != nil {
			return "tcpka " + c.Name + " " + name
		}
	}
	if other := otherCommands[name]; other != "" {
		return "tcpka " + other
	}
	if near := nearest.Names(name, strings.Split(names(commands), ", ")); len(near) > 0 {
		return "tcpka " + near[0]
	}
	return ""
}

// usageError words the flag package's messages as ours.
func usageError(c *cli.Context, err error, _ bool) error {
	f := Misuse("%w", err)
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		f = Misuse("unknown flag %s", dashed(name))
		if hint := flagHint(c, name); hint != "" {
			return f.WithHint("%s", hint)
		}
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag needs an argument: -"); ok {
		f = Misuse("flag %s needs a value", dashed(name))
	}
	if c.Command != nil && c.Command.HelpName != "" {
		return f.WithHint("the flags are listed by: %s --help", c.Command.HelpName)
	}
	return f.WithHint("the flags are listed by: tcpka --help")
}

// dashed is a flag as one types it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func flagNames(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		if name := f.Names()[0]; len(name) > 1 {
			names = append(names, name)
		}
	}
	return names
}

// onlyOwn refuses what cli would ignore: arguments of a command that takes
// none, and flags given before the command's name that it does not have.
func (s *Invocation) onlyOwn(cmd *cli.Command) cli.BeforeFunc {
	return func(c *cli.Context) error {
		if first := c.Args().First(); cmd.ArgsUsage == "" && c.Args().Present() && cmd.Command(first) == nil {
			return Misuse("%s takes no argument: %q", cmd.Name, first).WithHint("%s", s.argumentHint(c.App, c.Command, first))
		}
		for _, outer := range c.Lineage()[1:] {
			for _, name := range outer.LocalFlagNames() {
				if !hasFlag(cmd.Flags, name) {
					return Misuse("%s has no flag --%s", cmd.Name, name)
				}
			}
		}
		return nil
	}
}

func hasFlag(flags []cli.Flag, name string) bool {
	return slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
}

// Render writes the answer in the format that was asked for.
func (s *Invocation) Render(c *cli.Context, d answer.Document) error {
	format, err := OutputFormat(c)
	if err != nil {
		return err
	}
	if format == "json" {
		err = answer.JSON(s.Stdout, d)
	} else {
		err = answer.Table(s.Stdout, d, s.Style())
	}
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// Notice tells what an answer lacks, beside it.
func (s *Invocation) Notice(format string, args ...any) {
	answer.Paragraph(s.Stderr, StyleOf(s.Stderr), "tcpka: ", answer.Escape(fmt.Sprintf(format, args...)))
}

// Style is that of the answer.
func (s *Invocation) Style() answer.Style { return StyleOf(s.Stdout) }

// version is what the build recorded.
func version() string {
	v := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		v = info.Main.Version
	}
	return fmt.Sprintf("%s (%s/%s, %s)", v, runtime.GOOS, runtime.GOARCH, runtime.Version())
}
