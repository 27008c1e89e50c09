package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/cmdline"
)

// eachCommand calls f with the words of every command, the program itself first.
func eachCommand(f func(words []string, flags []cli.Flag)) {
	app := theProgram().App(&cmdline.Invocation{Stdout: io.Discard, Stderr: io.Discard})
	f(nil, append(slices.Clone(app.Flags), cli.HelpFlag, cli.VersionFlag))
	var walk func(above []string, commands []*cli.Command)
	walk = func(above []string, commands []*cli.Command) {
		for _, c := range commands {
			words := append(slices.Clone(above), c.Name)
			f(words, append(slices.Clone(c.Flags), cli.HelpFlag))
			walk(words, c.Subcommands)
		}
	}
	walk(nil, app.Commands)
}

// TestHelpFits asks every command for its help: no line is wider than a terminal
// of 80 columns, and every flag that is not hidden is there.
func TestHelpFits(t *testing.T) {
	asked := 0
	eachCommand(func(words []string, flags []cli.Flag) {
		asked++
		name := strings.Join(append([]string{"tcpka"}, words...), " ")
		var stdout, stderr bytes.Buffer
		if status := execute(append(words, "--help"), nil, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
			t.Errorf("%s --help: status %d, %s", name, status, &stderr)
		}
		text := stdout.String()
		if !strings.HasPrefix(text, "NAME:\n   "+name+" - ") || strings.HasSuffix(text, "\n\n") {
			t.Errorf("%s --help:\n%s", name, text)
		}
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); len(line) > cmdline.HelpWidth || strings.TrimRight(line, " ") != line {
				t.Errorf("%s --help: %d columns: %q", name, len(line), line)
			}
		}
		for _, f := range flags {
			if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
				continue
			}
			if !strings.Contains(text, "--"+f.Names()[0]) {
				t.Errorf("%s --help: no --%s", name, f.Names()[0])
			}
		}
	})
	if asked < 5 {
		t.Errorf("only %d commands", asked)
	}
}

func TestHelpOfACommand(t *testing.T) {
	var b bytes.Buffer
	cmdline.PrintHelp(&b, "", &cli.Command{
		HelpName: "tcpka do",
		Usage:    "do what is written below and nothing else, whatever it is that you may want",
		UsageText: `tcpka do THIS [--one A] [--two B,B...] [--three C] [--four | --five] [--six D]
         [--seven]
tcpka do THAT`,
		Description: `It does it. A line that is longer than there is room for is broken, and a line like
this one is filled.

  1 row    of a table, whose last column is broken into lines, too, where there
           is no room
  2 nd`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "one", Aliases: []string{"o"}, Usage: "an `A`", Value: "two"},
			&cli.StringFlag{Name: "a-name-that-is-too-long", Usage: "for the `COLUMN` of the names"},
			&cli.BoolFlag{Name: "seven", Usage: "switch on what is off, and off what is on, and so on", DisableDefaultText: true},
			&cli.StringFlag{Name: "hidden", Hidden: true},
			&cli.GenericFlag{Name: "watch", Usage: "`[=T]` look again", Value: new(word)},
		},
	})
	want := `NAME:
   tcpka do - do what is written below and nothing else, whatever it is that you
              may want

USAGE:
   tcpka do THIS [--one A] [--two B,B...] [--three C] [--four | --five]
       [--six D] [--seven]
   tcpka do THAT

DESCRIPTION:
   It does it. A line that is longer than there is room for is broken, and a
   line like this one is filled.

     1 row    of a table, whose last column is broken into lines, too, where
              there is no room
     2 nd

OPTIONS:
   -o, --one A      an A (default: two)
       --a-name-that-is-too-long COLUMN
                    for the COLUMN of the names
       --seven      switch on what is off, and off what is on, and so on
       --watch[=T]  look again
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// word is a value of a flag.
type word string

func (w *word) Set(text string) error { *w = word(text); return nil }

func (w *word) String() string { return string(*w) }
