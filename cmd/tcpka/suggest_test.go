//go:build linux

package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/cmdline"
)

func app() *cli.App {
	return theProgram().App(&cmdline.Invocation{Stdout: io.Discard, Stderr: io.Discard})
}

// TestEveryCommandLineInTheSourceParses takes the command lines out of all strings that
// the program has: hints, fixes, next steps, help. What stands for a value is left as it
// is.
func TestEveryCommandLineInTheSourceParses(t *testing.T) {
	if _, err := os.Stat("../../go.mod"); err != nil {
		t.Skip("not in the source tree: a test binary that was copied elsewhere")
	}
	tcpka := app()
	lines := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
				s, _ := strconv.Unquote(text.Value)
				for _, line := range commandLines(tcpka, s) {
					lines[line] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for line := range lines {
		words := strings.Fields(line)
		if !cmdline.Parses(tcpka, words) && !cmdline.Parses(tcpka, append(words, "VALUE")) { // which is put behind it
			t.Errorf("tcpka %s: tcpka itself does not take it", line)
		}
	}
	if len(lines) < 30 {
		t.Errorf("only %d command lines were found", len(lines))
	}
}

// commandLines are those in a text, from the name of a command on: flags and what may be
// their values. In prose they end where a word is none of those.
func commandLines(tcpka *cli.App, text string) []string {
	var lines []string
	for _, part := range strings.Split(text, "tcpka ")[1:] {
		part = regexp.MustCompile("[;:,()`|\\[\\]\n\"]|\\. |\\.$").Split(part, 2)[0]
		var line []string
		commands := tcpka.Commands
		words := strings.Fields(strings.TrimRight(part, "."))
		for i := 0; i < len(words); i++ {
			w := words[i]
			if k := commandOf(commands, w); k != nil {
				line, commands = append(line, w), k.Subcommands
				continue
			}
			if len(line) == 0 || !strings.HasPrefix(w, "-") || w == "-" {
				break
			}
			line = append(line, w)
			if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
				if !cmdline.Parses(tcpka, line) { // it wants a value
					i++
					line = append(line, words[i])
				}
			}
		}
		if len(line) > 0 && cmdline.Parses(tcpka, append(line, "--help")[:commandsIn(tcpka, line)]) {
			lines = append(lines, strings.Join(line, " "))
		}
	}
	return lines
}

func commandOf(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// commandsIn is how many words at the beginning are commands.
func commandsIn(tcpka *cli.App, words []string) int {
	commands := tcpka.Commands
	for i, w := range words {
		c := commandOf(commands, w)
		if c == nil {
			return i
		}
		commands = c.Subcommands
	}
	return len(words)
}

// TestWhatAHintProposesParses has tcpka refuse command lines in the habits of other
// programs, and takes what it proposes.
func TestWhatAHintProposesParses(t *testing.T) {
	proposal := regexp.MustCompile(`(?:did you mean|as flags|run): (?:sudo )?tcpka (.*?)(?:\? .*)?\n`)
	for line, want := range map[string]string{
		"show sockets sport = :22":                       "show sockets --port 22",
		"show sockets dport =:443":                       "show sockets --port 443",
		"show sockets dst 10.0.0.1":                      "show sockets --remote 10.0.0.1",
		"set sockets sport = :22 --on":                   "set sockets --port 22 --on",
		"set net.ipv4.tcp_keepalive_time = 600":          "set --time 600",
		"set tcp_keepalive_time=600 keepalive_probes=3":  "set --time 600 --probes 3",
		"set --interval 5 --count=3":                     "set --intvl 5 --probes 3",
		"set ssh --side client --intvl 5 --probes 3":     "set ssh --side client --interval 5 --count 3",
		"set ssh --ServerAliveInterval 60 --side client": "set ssh --interval 60 --side client",
		"explain 60 10 6":                                "explain --time 60 --intvl 10 --probes 6",
		"explain time 10 min":                            "explain --time 10m",
		"run --count 3 -- true":                          "run --probes 3 -- true",
		"check --program sshd --detect-within 2m":        "check --comm sshd --detect-within 2m",
		"plan --detect-withn 2m":                         "plan --detect-within 2m",
		"undo --dryrun":                                  "undo --dry-run",
		"show namespace=all":                             "show --netns all",
		"list":                                           "show",
	} {
		var stderr bytes.Buffer
		execute(strings.Fields(line), nil, io.Discard, &stderr)
		m := proposal.FindStringSubmatch(stderr.String())
		switch {
		case m == nil:
			t.Errorf("tcpka %s proposes nothing:\n%s", line, &stderr)
		case m[1] != want:
			t.Errorf("tcpka %s proposes tcpka %s, want tcpka %s", line, m[1], want)
		case !cmdline.Parses(app(), strings.Fields(m[1])):
			t.Errorf("tcpka %s proposes tcpka %s, which it does not take", line, m[1])
		}
	}
}
