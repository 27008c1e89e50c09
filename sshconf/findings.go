package sshconf

import (
	"slices"
	"strings"
)

// Findings are more than the settings in force.
type Findings struct {
	Settings []Setting
	// Shadowed are the lines that have no effect, in the order in which they are read.
	Shadowed []Shadowed
	// Files are those that were read, or looked for.
	Files []string

	seen   map[position]bool
	blocks map[Keyword]position // below which the line is that counts
}

// The most lines without effect that are told.
const maxShadowed = 1000

// Shadowed is a line that has no effect, because another one comes first.
type Shadowed struct {
	Setting         // what it would set
	By      Setting // what counts
	// Always is whether it has none for anybody. Else it is there for others, as a
	// Host * is behind the block of one host.
	Always bool
}

// FromCommandLine is the File of a setting that an option -o made.
const FromCommandLine = "command line"

// FindClient is [ScanClient] with all that it came by.
func FindClient(c Client) (Findings, error) {
	var f Findings
	c.findings = &f
	var err error
	f.Settings, err = ScanClient(c)
	f.keep(ClientKeywords)
	return f, err
}

// FindServer is [ScanServer] with all that it came by.
func FindServer(v Server) (Findings, error) {
	var f Findings
	v.findings = &f
	var err error
	f.Settings, err = ScanServer(v)
	f.keep(ServerKeywords)
	return f, err
}

// keep leaves only what concerns the keywords.
func (f *Findings) keep(keywords []Keyword) {
	f.Shadowed = slices.DeleteFunc(f.Shadowed, func(s Shadowed) bool { return !slices.Contains(keywords, s.Keyword) })
}

func (f *Findings) visit(path string) {
	if !slices.Contains(f.Files, path) {
		f.Files = append(f.Files, path)
	}
}

// shadow notes a line, once: files are read more than once.
func (f *Findings) shadow(k Keyword, value string, at position, by Setting, always bool) {
	line := Setting{Keyword: k, Value: value, File: at.file, Line: at.line}
	if by.File == at.file && by.Line == at.line {
		return
	}
	if f.seen[at] || len(f.seen) == maxShadowed {
		return
	}
	if f.seen == nil {
		f.seen = map[position]bool{}
	}
	f.seen[at] = true
	f.Shadowed = append(f.Shadowed, Shadowed{line, by, always})
}

func (f *Findings) decided(k Keyword, block position) {
	if f.blocks == nil {
		f.blocks = map[Keyword]position{}
	}
	f.blocks[k] = block
}

// unconditional reports whether what is below a Host or a Match holds always.
func unconditional(keyword string, args []string) bool {
	if keyword == "match" {
		return isAll(args)
	}
	negated := slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "!") })
	return slices.Contains(args, "*") && !negated
}

// commandLine sets what the options -o say, before any file does.
func (s *scan) commandLine(options []string) {
	for i, o := range options {
		if keyword, args, err := splitLine(o); err == nil && keyword != "" {
			s.set(keyword, args, position{FromCommandLine, i + 1}, scope{active: yes})
		}
	}
}
