//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/nstest"
)

// TestCandidates asks as the scripts ask: with the words up to the cursor, the one
// at it included, which may be empty.
func TestCandidates(t *testing.T) {
	for _, tt := range []struct {
		name  string
		words []string
		want  []string // among others
		not   []string
	}{
		{"nothing yet", nil, []string{"show", "explain", "set", "undo", "completion"}, []string{"--json"}},
		{"an empty word", []string{""}, []string{"show", "explain", "set", "undo", "completion"}, []string{"--json"}},
		{"half a command", []string{"ex"}, []string{"explain"}, []string{"show"}},
		{"a dash", []string{"-"}, []string{"--json", "--output", "--netns", "--root", "--help"}, []string{"--time", "show"}},
		{"two dashes", []string{"undo", "--"}, []string{"--list", "--dry-run", "--help"}, []string{"--time"}},
		{"half a flag", []string{"set", "--ti"}, []string{"--time"}, []string{"--intvl", "--help"}},
		{"flags that begin alike", []string{"set", "--persist"}, []string{"--persist", "--persist-only"}, []string{"--probes"}},
		{"no hidden flag", []string{"set", "--"}, []string{"--time"}, []string{"--user-timeout"}},
		{"but where it is not hidden", []string{"explain", "--us"}, []string{"--user-timeout"}, nil},
		{"the value of a flag", []string{"show", "-o", ""}, []string{"table", "json"}, []string{"--json", "csv"}},
		{"formats that only a list of sockets has", []string{"show", "sockets", "-o", ""}, []string{"table", "json", "jsonl", "csv", "prometheus"}, nil},
		{"the state of a socket", []string{"show", "sockets", "--state", "e"}, []string{"estab"}, []string{"listen"}},
		{"what sockets are sorted by", []string{"show", "sockets", "--sort", ""}, []string{"dies_in", "idle"}, nil},
		{"half the value of a long flag", []string{"show", "--output", "j"}, []string{"json"}, []string{"table"}},
		{"a value that can be anything", []string{"set", "--time", ""}, nil, []string{"show", "--time"}},
		{"the value behind an equals sign", []string{"show", "--output=j"}, []string{"--output=json"}, []string{"--output=table", "json"}},
		{"nothing of it yet", []string{"plan", "--behind="}, []string{"--behind=aws-nlb", "--behind=conntrack"}, []string{"--behind"}},
		{"of no flag that there is", []string{"plan", "--bogus="}, nil, []string{"--bogus=", "aws-nlb"}},
		{"of no flag that the command has", []string{"set", "--behind="}, nil, []string{"--behind=aws-nlb"}},
		{"behind such a value", []string{"plan", "--behind=aws-nlb", "--det"}, []string{"--detect-within"}, nil},
		{"a value like a flag", []string{"set", "--time", "-"}, nil, []string{"--time"}},
		{"behind a value", []string{"set", "--time", "600", "--int"}, []string{"--intvl"}, nil},
		{"an argument", []string{"completion", ""}, []string{"bash", "zsh", "fish"}, nil},
		{"no argument", []string{"set", ""}, nil, []string{"show", "--time"}},
		{"behind a global flag", []string{"--json", ""}, []string{"show", "set"}, []string{"--json"}},
		{"behind a global flag with a value", []string{"-o", "json", "set", "--pro"}, []string{"--probes"}, nil},
		{"nothing behind two dashes", []string{"set", "--", "--ti"}, nil, []string{"--time"}},
		{"what was typed is never echoed", []string{"show", "$(id)", "$(id)"}, nil, []string{"$(id)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := execute(append(tt.words, cmdline.CompleteWord), nil, &stdout, &stderr)
			got := strings.Fields(stdout.String())
			if status != 0 || stderr.Len() > 0 {
				t.Errorf("status %d, %s", status, &stderr)
			}
			for _, w := range tt.want {
				if !slices.Contains(got, w) {
					t.Errorf("no %s in %q", w, got)
				}
			}
			for _, w := range tt.not {
				if slices.Contains(got, w) {
					t.Errorf("%s in %q", w, got)
				}
			}
		})
	}
}

// A shell completes a line, of which the last word is at the cursor, with our
// script; it prints the candidates, a line each.
type shell struct {
	name     string
	complete func(words []string) (script string, args []string)
}

var completers = []shell{
	{"bash", func(words []string) (string, []string) {
		// As bash calls a completion function: the words as typed, unexpanded.
		return `source <(tcpka completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
[[ $(complete -p tcpka) == *"-F _tcpka"* ]] || exit 9
_tcpka
printf '%s\n' "${COMPREPLY[@]}"`, words
	}},
	{"zsh", func(words []string) (string, []string) {
		return `compdef() { [[ $* == "_tcpka tcpka" ]] || exit 9 }
compadd() { [[ $1 == -a ]] && print -rl -- "${(@P)2}" }
_files() { print files }
source <(tcpka completion zsh)
words=("$@"); CURRENT=$#
_tcpka`, words
	}},
	{"fish", func(words []string) (string, []string) {
		return `tcpka completion fish | source
complete -C "$argv[1]"`, []string{strings.Join(words, " ")}
	}},
}

func (s shell) run(t *testing.T, dir string, words ...string) []string {
	t.Helper()
	program := nstest.Program(t, s.name)
	script, args := s.complete(words)
	var argv []string
	switch s.name {
	case "bash":
		argv = append([]string{"--norc", "--noprofile", "-c", script, "bash"}, args...)
	case "zsh":
		argv = append([]string{"-f", "-c", script, "zsh"}, args...)
	case "fish":
		argv = append([]string{"--no-config", "-c", script}, args...)
	}
	cmd := exec.Command(program, argv...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v\n%s%s", s.name, err, out, &stderr)
	}
	var candidates []string
	for line := range strings.Lines(string(out)) {
		line, _, _ = strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if line != "" {
			candidates = append(candidates, line)
		}
	}
	slices.Sort(candidates)
	return candidates
}

// TestShellsComplete runs the scripts in the shells they are for.
func TestShellsComplete(t *testing.T) {
	for _, s := range completers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, tt := range []struct {
				words, want []string
			}{
				{[]string{"tcpka", "set", "--ti"}, []string{"--time"}},
				{[]string{"tcpka", "set", "--persist"}, []string{"--persist", "--persist-only"}},
				{[]string{"tcpka", "set", "--time", "600", "--pro"}, []string{"--probes"}},
				{[]string{"tcpka", "ex"}, []string{"explain"}},
				{[]string{"tcpka", "show", "-o", "js"}, []string{"json"}},
				{[]string{"tcpka", "completion", "z"}, []string{"zsh"}},
				{[]string{"tcpka", "-o", "json", "und"}, []string{"undo"}},
				{[]string{"tcpka", "show", "-o", ""}, []string{"json", "table"}},
				{[]string{"tcpka", "plan", "--behind=aws-nlb-"}, []string{"--behind=aws-nlb-tls"}},
				{[]string{"tcpka", "plan", "--behind=aws-nlb", "--det"}, []string{"--detect-within"}},
				{[]string{"tcpka", "explain", "ssh", "--side="}, []string{"--side=client", "--side=server"}},
			} {
				if s.name == "bash" { // which takes the line apart
					tt.words = atEqualsSigns(tt.words)
					for i, word := range tt.want {
						if _, value, ok := strings.Cut(word, "="); ok {
							tt.want[i] = value
						}
					}
				}
				got := s.run(t, t.TempDir(), tt.words...)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%q (-want +got):\n%s", tt.words, diff)
				}
			}
		})
	}
}

// atEqualsSigns are words as bash has them in COMP_WORDS: = is in COMP_WORDBREAKS.
func atEqualsSigns(words []string) []string {
	var parts []string
	for _, word := range words {
		before, after, ok := strings.Cut(word, "=")
		parts = append(parts, before)
		if ok {
			parts = append(parts, "=")
		}
		if after != "" {
			parts = append(parts, after)
		}
	}
	return parts
}

// TestCompletionEvaluatesNothing types what a shell would run if a completion
// script were careless with it: in place of every word.
func TestCompletionEvaluatesNothing(t *testing.T) {
	for _, s := range completers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, hostile := range []string{"$(touch pwned)", "`touch pwned`", "${x:=$(touch pwned)}", "a[$(touch pwned)]", "*", ";touch", "<(touch pwned)"} {
				if s.name == "fish" && (hostile == ";touch" || hostile == "<(touch pwned)" || strings.HasPrefix(hostile, "${")) {
					continue // no single word there
				}
				for _, words := range [][]string{
					{"tcpka", hostile},
					{"tcpka", hostile, "--js"},
					{"tcpka", "show", hostile, "--js"},
					{"tcpka", "show", "--netns", hostile},
					{"tcpka", "show", "-o", hostile},
					{"tcpka", "show", "--" + hostile},
					{"tcpka", "undo", hostile},
				} {
					dir := t.TempDir()
					s.run(t, dir, words...)
					if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
						t.Errorf("%q was evaluated", words)
					}
				}
			}
		})
	}
}
