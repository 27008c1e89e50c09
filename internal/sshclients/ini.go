package sshclients

import (
	"iter"
	"strings"
	"time"
)

// setting is a line with a key and a value.
type setting struct {
	line       textLine
	section    string // of an INI file, without the brackets
	key, value string
	from       int // where the value begins in the line's text
}

// iniSettings are the settings of an INI file as GetPrivateProfileString of Windows
// reads it: white space around names and values does not count, a semicolon begins a
// line that is none. What begins a section is a setting without a key.
func (t text) iniSettings() iter.Seq[setting] {
	return func(yield func(setting) bool) {
		section := ""
		for l := range t.lines() {
			trimmed := strings.Trim(l.text, iniSpace)
			s := setting{line: l, section: section}
			switch {
			case trimmed == "" || trimmed[0] == ';':
				continue
			case trimmed[0] == '[':
				name, _, closed := strings.Cut(trimmed[1:], "]")
				if i := strings.LastIndexByte(trimmed, ']'); closed && i > 0 {
					name = trimmed[1:i] // a session may have a bracket in its name
				}
				section, s.section = name, name
			default:
				key, rest, ok := strings.Cut(l.text, "=")
				if !ok {
					continue
				}
				s.key = strings.Trim(key, iniSpace)
				s.value = strings.Trim(rest, iniSpace)
				s.from = len(l.text) - len(strings.TrimLeft(rest, iniSpace))
			}
			if !yield(s) {
				return
			}
		}
	}
}

const iniSpace = " \t\v\f\r"

// first keeps the first value of each key in a section, as Windows and PuTTY do.
type first map[string]setting

func (f first) add(s setting) {
	if _, again := f[s.key]; !again {
		f[s.key] = s
	}
}

// number is the value of a key, or a preset; ok is false where the number is not one
// that the program can hold.
func (f first) number(key string, preset int64) (n int64, ok bool) {
	s, found := f[key]
	if !found {
		return preset, true
	}
	return atoi(strings.Trim(s.value, `"'`))
}

// lines are where the keys are set, of those given.
func (f first) lines(keys ...string) map[string]int {
	lines := map[string]int{}
	for _, k := range keys {
		if s, found := f[k]; found {
			lines[k] = s.line.number
		}
	}
	return lines
}

// switched is a period with a switch of its own: 0 where that is off, nil where the
// values make no sense.
func (f first) switched(on, period string, presetOn, preset int64) (every *time.Duration, ok bool) {
	check, ok1 := f.number(on, presetOn)
	n, ok2 := f.number(period, preset)
	switch {
	case !ok1 || !ok2 || n < 0:
		return nil, false
	case check == 0:
		return new(time.Duration(0)), true
	}
	return seconds(n), true
}
