package sshconf

import (
	"fmt"
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
