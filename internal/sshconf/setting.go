package sshconf

import (
	"cmp"
	"fmt"
	"slices"
)

// A Setting is what the files say about one keyword.
type Setting struct {
	Keyword Keyword
	Value   string // as written, without quotes; empty where no file sets it
	File    string // the file and line that decide; 0 is none
	Line    int

	// Unsure says why another line may decide, "Match exec in /etc/ssh/ssh_config
	// line 3". Empty is sure.
	Unsure string

	// maybe are the lines that may decide instead. open is that there may be others, which
	// are not seen.
	maybe []Setting
	open  bool
}

// perhaps adds a line that may decide.
func (s *Setting) perhaps(line Setting) {
	same := func(m Setting) bool { return m.File == line.File && m.Line == line.Line }
	switch {
	case slices.ContainsFunc(s.maybe, same):
	case len(s.maybe) == maxShadowed:
		s.open = true
	default:
		s.maybe = append(s.maybe, line)
	}
}

// InForce is the setting by the value that the program says it has: what says otherwise
// cannot be what decides, be it a line or the default. Not sure is what is left where two
// of them say the same, or not all lines are seen.
func (s Setting) InForce(value string) Setting {
	if s.Unsure == "" || s.open || value == "" {
		return s
	}
	itself := s
	itself.maybe, itself.Unsure = nil, ""
	left := slices.DeleteFunc(append(slices.Clone(s.maybe), itself), func(m Setting) bool { return !m.Keyword.Same(m.Effective(), value) })
	switch len(left) {
	case 0:
	case 1:
		return left[0]
	default:
		name := func(m Setting) string { return cmp.Or(m.Source(), "the default") }
		s.Unsure = fmt.Sprintf("%s and %s both have %s", name(left[0]), name(left[1]), value)
	}
	return s
}

// FromCommandLine is the File of a setting that an option -o made.
const FromCommandLine = "command line"

// Source is the place that decides, "/etc/ssh/sshd_config:12", and empty where
// none does.
func (s Setting) Source() string {
	switch {
	case s.Line == 0:
		return ""
	case s.File == FromCommandLine:
		return s.File
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

// Effective is the value, or the default where no file sets it.
func (s Setting) Effective() string {
	if s.Line == 0 {
		return preset(s.Keyword)
	}
	return s.Value
}

// maybeOn reports whether a switch that is off by default may be on.
func (s Setting) maybeOn() bool {
	on, ok := ParseSwitch(s.Value)
	return s.Unsure != "" || s.Line != 0 && (on || !ok)
}

// Of is the finding about a keyword.
func Of(settings []Setting, k Keyword) Setting {
	for _, s := range settings {
		if s.Keyword == k {
			return s
		}
	}
	return Setting{Keyword: k}
}
