package sshconf

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// truth is whether something holds; that it does not is the zero value.
type truth int

const (
	no truth = iota
	unsure
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth { return yes - t }

func both(a, b truth) truth { return min(a, b) }

func (t truth) String() string { return [...]string{"no", "unsure", "yes"}[t] }

// scan is one walk through the files, or several with the same findings.
type scan struct {
	keywords map[string]Keyword // by their names in lower case
	found    map[Keyword]Setting
	findings *Findings // all else

	// block evaluates a line that begins a block: "match", or host.
	block func(keyword string, args []string) truth
	// host is "host", the keyword that begins a block too; sshd has none.
	host string
	// include is the directory that a relative Include is below.
	include string
	// home is what ~ stands for in an Include; empty refuses.
	home string

	files, names int // read so far, and looked through for patterns

	// why is what makes a line unsure; empty is that it is in a block that may apply or not.
	why string

	settled   map[Keyword]bool // set outside any condition: no later line can; nil is not looked at
	overruled bool             // what is in blocks is not decided by this walk

	instead *Overlay // nil is none
}

func NewScan(keywords map[string]Keyword, findings *Findings, instead *Overlay) *scan {
	return &scan{keywords: keywords, found: map[Keyword]Setting{}, findings: findings, instead: instead}
}

// Overlay is a file read with another content than it has, whether it is there or
// not: what would be, if it were written.
type Overlay struct {
	Path    string
	Content []byte
}

// Position is where a walk is.
type Position struct {
	File string
	Line int
}

// scope is what holds for the lines being read.
type scope struct {
	active truth
	never  truth // whether no block below can hold, as an outer one does not
	// below is whether these lines are below a Host or Match, and sometimes whether
	// below one that does not always hold.
	below, sometimes bool
	// block is where the innermost of them begins.
	block Position
	// matchOnly is sshd's walk through the Match blocks alone, before the first
	// of this file.
	matchOnly bool
}

// read walks through one file. What is set there already stays.
func (s *scan) read(path string, sc scope, depth int) (scope, error) {
	if depth > maxIncludes {
		return sc, fmt.Errorf("%s: more than %d levels of Include", path, maxIncludes)
	}
	if s.files++; s.files > maxFiles {
		return sc, fmt.Errorf("%s: more than %d files", path, maxFiles)
	}
	content, err := s.content(path)
	s.findings.visit(path)
	if err != nil {
		return sc, err
	}
	number, sometimes := 0, sc.sometimes
	for line := range bytes.Lines(content) {
		number++
		keyword, args, err := SplitLine(string(line))
		if err != nil {
			return sc, fmt.Errorf("%s line %d: %w", path, number, err)
		}
		at := Position{path, number}
		switch keyword {
		case "":
		case "match", s.host:
			sc.active = both(s.block(keyword, args), sc.never.not())
			sc.matchOnly = false
			sc.block = at
			sc.below, sc.sometimes = true, sometimes || !Unconditional(keyword, args)
		case "include":
			if err := s.includeAll(at, args, sc, depth); err != nil {
				return sc, err
			}
		default:
			s.set(keyword, args, at, sc)
		}
	}
	return sc, nil
}

// set takes the value of a keyword, if it is the first.
func (s *scan) set(keyword string, args []string, at Position, sc scope) {
	k, wanted := s.keywords[keyword]
	if !wanted || len(args) == 0 {
		return
	}
	if k == ServerAliveInterval && args[0] == "none" { // the same as not being there
		return
	}
	active, now := sc.active, s.found[k]
	if now.Line != 0 {
		if active == yes && !(s.overruled && sc.below) || s.settled[k] {
			s.findings.shadow(k, args[0], at, now, s.settled[k] || s.findings.blocks[k] == sc.block)
		}
		return
	}
	if active == no {
		return
	}
	if active == unsure {
		if now.Unsure == "" {
			now.Unsure = cmp.Or(s.why, fmt.Sprintf("%s line %d may apply or not", at.File, at.Line))
		}
		now.Keyword = k
		now.perhaps(Setting{Keyword: k, Value: args[0], File: at.File, Line: at.Line})
		s.found[k] = now
		return
	}
	now.Keyword, now.Value, now.File, now.Line = k, args[0], at.File, at.Line
	s.found[k] = now
	s.findings.decided(k, sc.block)
	if s.settled != nil && !sc.sometimes {
		s.settled[k] = true
	}
}

// doubt makes everything unsure that is not decided yet: there may be lines that are not
// seen.
func (s *scan) doubt(why string) {
	for _, k := range s.keywords {
		if now := s.found[k]; now.Line == 0 {
			now.Keyword, now.Unsure, now.open = k, cmp.Or(now.Unsure, why), true
			s.found[k] = now
		}
	}
}

func (s *scan) content(path string) ([]byte, error) {
	if o := s.instead; o != nil && o.Path == path {
		return o.Content, nil
	}
	return ReadConfig(path)
}

// results are all findings about the keywords, in their order.
func (s *scan) results(keywords []Keyword) Findings {
	f := *s.findings
	for _, k := range keywords {
		found := s.found[k]
		found.Keyword = k
		f.Settings = append(f.Settings, found)
	}
	f.Shadowed = slices.DeleteFunc(f.Shadowed, func(s Shadowed) bool { return !slices.Contains(keywords, s.Keyword) })
	return f
}

// CommandLine sets what the options -o say, before any file does.
func (s *scan) CommandLine(options []string) {
	for i, o := range options {
		if keyword, args, err := SplitLine(o); err == nil && keyword != "" {
			s.set(keyword, args, Position{FromCommandLine, i + 1}, scope{active: yes})
		}
	}
}

// Unconditional reports whether what is below a Host or a Match holds always.
func Unconditional(keyword string, args []string) bool {
	if keyword == "match" {
		return IsAll(args)
	}
	negated := slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "!") })
	return slices.Contains(args, "*") && !negated
}
